//! A loaded component, as the controller sees it.

use super::instances::Instances;
use super::load::{Interface, LoadError};
use super::{Engine, bindings, convert};
use bindings::exports::orascache::operator::reconciler as wit;
use orascache_controller::contract::{DecideError, Description, Observed, Plan, Reconciler};

/// A component that was checked and has said what it manages.
pub struct Guest {
    instances: Instances,
    interface: Interface,
    description: Description,
}

impl Guest {
    pub(super) fn new(instances: Instances, interface: Interface) -> Result<Self, LoadError> {
        let description = instances
            .call(|store, operator| operator.orascache_operator_reconciler().call_describe(store))
            .map_err(|error| LoadError::Describe(error.to_string()))?;
        Ok(Self { instances, interface, description: convert::description(description) })
    }

    pub(super) fn instances(&self) -> &Instances {
        &self.instances
    }

    /// The engine that it runs in.
    pub fn engine(&self) -> &Engine {
        self.instances.engine()
    }

    /// Gives idle instances back, where another version is to use them.
    pub fn rest(&self) {
        self.instances.rest();
    }

    /// Imports, exports, size and digest.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }
}

impl Reconciler for Guest {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn reconcile(&self, observed: &Observed) -> Result<Plan, DecideError> {
        let owned: Vec<&str> = observed.owned.iter().map(AsRef::as_ref).collect();
        let related: Vec<&str> = observed.related.iter().map(AsRef::as_ref).collect();
        let failures: Vec<_> = observed.failures.iter().map(convert::failure).collect();
        let observed = wit::Observed {
            primary: &observed.primary,
            owned: &owned,
            related: &related,
            failures: &failures,
            now: observed.now,
        };
        self.instances
            .call(|store, operator| operator.orascache_operator_reconciler().call_reconcile(store, observed))?
            .map(convert::plan)
            .map_err(convert::error)
    }
}
