//! Lets another reconciler decide without a watch being restarted: what is watched stays, who decides changes.

use crate::cache::{Cache, Roles};
use crate::contract::{Description, Kind, Observed, Reconciler};
use crate::controller::Shared;
use std::sync::Arc;

/// Who decides, with the roles that its description gives to the kinds. Both change together, so that no reconciler
/// is shown what another one asked for.
pub(crate) struct Deciding {
    pub(crate) reconciler: Arc<dyn Reconciler>,
    pub(crate) roles: Roles,
}

/// Why a reconciler cannot take over from the one that the controller was started with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// It manages something else.
    #[error(
        "it manages {} of {}, but this process manages {} of {}: start another process for it",
        found.kind, found.api_version, managed.kind, managed.api_version
    )]
    Primary {
        /// What this process manages.
        managed: Box<Kind>,
        /// What the new one manages.
        found: Box<Kind>,
    },
    /// What was applied under one name would not be taken back under the other.
    #[error(
        "it applies as field manager {found:?}, but what exists was applied as {used:?}: build it with that field manager"
    )]
    FieldManager {
        /// The name in use.
        used: String,
        /// The name that the new one wants.
        found: String,
    },
    /// Neither watches nor roles in the cluster cover these kinds.
    #[error(
        "it needs {}, which this process does not watch: install the version that comes with it, which brings the rights too, or restart this process with it",
        names(.0)
    )]
    NotWatched(Vec<Kind>),
}

fn names(kinds: &[Kind]) -> String {
    let names: Vec<String> =
        kinds.iter().map(|kind| format!("{} of {}", kind.kind, kind.api_version)).collect();
    names.join(", ")
}

/// Replaces who decides. It outlives the controller, but changes nothing then.
#[derive(Clone)]
pub struct Handover {
    pub(crate) shared: Arc<Shared>,
}

impl Handover {
    /// Whether something of that description could take over.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self, description: &Description) -> Result<(), Incompatible> {
        self.shared.roles_of(description).map(|_| ())
    }

    /// Lets another reconciler decide from the next decision on, and has it look at every primary once. Decisions that
    /// are under way end as they began; no watch is restarted. Returns how many primaries there are.
    ///
    /// # Errors
    /// When its description does not fit. The old one goes on then.
    pub fn replace(&self, reconciler: Arc<dyn Reconciler>) -> Result<usize, Incompatible> {
        let roles = self.shared.roles_of(&reconciler.describe())?;
        // In this order no change gets lost: one before the switch is looked at with everything else below.
        self.shared.cache.widen(&roles);
        self.shared.deciding.store(Arc::new(Deciding { reconciler, roles }));
        let primaries = self.shared.cache.primaries();
        let count = primaries.len();
        self.shared.enqueue(primaries);
        Ok(count)
    }

    /// What a reconciler of that description would be shown now about up to `at_most` primaries. Nothing is decided.
    ///
    /// # Errors
    /// When the description does not fit.
    pub fn observations(
        &self,
        description: &Description,
        at_most: usize,
    ) -> Result<Vec<Observed>, Incompatible> {
        let roles = self.shared.roles_of(description)?;
        let keys = self.shared.cache.primaries();
        let seen = keys.iter().filter_map(|key| {
            let view = self.shared.cache.view(key, &roles)?;
            Some(self.shared.observe(key, &view))
        });
        Ok(seen.take(at_most).collect())
    }
}

/// The roles of a description that fits to the first one.
pub(crate) fn roles(
    cache: &Cache,
    first: &Description,
    description: &Description,
) -> Result<Roles, Incompatible> {
    if description.primary != first.primary {
        let (managed, found) = (Box::new(first.primary.clone()), Box::new(description.primary.clone()));
        return Err(Incompatible::Primary { managed, found });
    }
    if description.field_manager != first.field_manager {
        return Err(Incompatible::FieldManager {
            used: first.field_manager.clone(),
            found: description.field_manager.clone(),
        });
    }
    cache.roles(description).map_err(Incompatible::NotWatched)
}

#[cfg(test)]
mod tests {
    use super::{Incompatible, roles};
    use crate::cache::Cache;
    use crate::contract::{Description, Kind};

    fn kind(name: &str) -> Kind {
        Kind { api_version: "v1".into(), kind: name.into(), plural: name.to_lowercase(), namespaced: true }
    }

    fn description() -> Description {
        Description {
            primary: kind("P"),
            owned: vec![kind("C"), kind("D")],
            related: vec![kind("S")],
            field_manager: "us".into(),
        }
    }

    #[test]
    fn what_fits_and_what_does_not() {
        let first = description();
        let cache = Cache::new(&first);
        let check = |change: &dyn Fn(&mut Description)| {
            let mut new = description();
            change(&mut new);
            roles(&cache, &first, &new).map(|_| ())
        };
        assert_eq!(check(&|_| {}), Ok(()));
        assert_eq!(check(&|new| new.owned = vec![kind("S")]), Ok(()), "watched is watched, in whatever role");
        assert_eq!(check(&|new| new.related.clear()), Ok(()));
        let refused = check(&|new| new.primary = kind("Q"));
        assert!(matches!(&refused, Err(Incompatible::Primary { .. })), "{refused:?}");
        let refused = check(&|new| new.field_manager = "them".into()).expect_err("another manager");
        assert!(refused.to_string().contains("\"them\"") && refused.to_string().contains("\"us\""));
        let refused = check(&|new| new.related.push(kind("ConfigMap"))).expect_err("not watched");
        assert!(refused.to_string().contains("needs ConfigMap of v1"), "{refused}");
        let refused = check(&|new| new.owned[0].namespaced = false);
        assert!(matches!(refused, Err(Incompatible::NotWatched(_))), "the same name is not the same kind");
    }
}
