//! A loaded component.

use super::instances::{Instance, Instances};
use super::interface::{Interface, LoadError};
use super::limits::CallKind;
use super::{Engine, convert};
use orascache_contract::{AttendedKind, Context, Description, GuestError, Observed, Outcome, Plan};

/// A component that was checked and has said what it manages.
///
/// Its functions may be called from many tasks at once. A task must not be blocked on them: they
/// yield to the runtime that polls them. Threads that may block have [`Guest::blocking`].
pub struct Guest {
    instances: Instances,
    interface: Interface,
    description: Description,
    attended: Vec<AttendedKind>,
}

impl Guest {
    pub(super) fn new(instances: Instances, interface: Interface) -> Result<Self, LoadError> {
        let described = instances
            .call_blocking(CallKind::Reconcile, describe)
            .map_err(|error| LoadError::Describe(error.to_string()))?;
        let (description, attended) = described;
        Ok(Self {
            instances,
            interface,
            description: convert::description(description),
            attended: convert::attended(attended),
        })
    }

    /// Which objects of others it decides about; none for a guest that does not say so.
    pub fn attended(&self) -> &[AttendedKind] {
        &self.attended
    }

    /// What it manages.
    pub fn describe(&self) -> &Description {
        &self.description
    }

    /// Imports, exports, size and digest.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// The engine that it runs in.
    pub fn engine(&self) -> &Engine {
        self.instances.engine()
    }

    /// Discards idle instances, so that another version can have their memory. Later calls make
    /// new ones.
    pub fn drop_idle_instances(&self) {
        self.instances.drop_idle();
    }

    /// What to do about one primary.
    ///
    /// # Errors
    /// When the guest cannot use its input, was stopped, or too many calls wait already.
    pub async fn reconcile(&self, observed: &Observed) -> Result<Plan, GuestError> {
        self.instances
            .call(CallKind::Reconcile, |instance| reconcile(instance, observed))
            .await?
            .map(convert::rotating_plan)
            .map_err(convert::error)
    }

    /// What to do about one attended object.
    ///
    /// # Errors
    /// As [`Self::reconcile`], and for a guest that attends nothing.
    pub async fn attend(&self, observed: &Observed) -> Result<Plan, GuestError> {
        self.instances
            .call(CallKind::Reconcile, |instance| attend(instance, observed))
            .await?
            .ok_or_else(attends_nothing)?
            .map(convert::plan)
            .map_err(convert::error)
    }

    /// What to answer to an AdmissionReview (admission.k8s.io/v1), JSON text.
    ///
    /// # Errors
    /// When the text is no review, the guest was stopped, or too many calls wait already.
    pub async fn review(&self, review: &str, context: &Context) -> Result<Outcome, GuestError> {
        self.instances
            .call(CallKind::Review, |instance| self::review(instance, review, context))
            .await?
            .map(convert::outcome)
            .map_err(convert::error)
    }

    /// Whether the guest accepts these settings, JSON text; empty text stands for its defaults.
    ///
    /// # Errors
    /// [`GuestError::InvalidInput`] with everything that is wrong in them; other errors when the
    /// guest was stopped or too many calls wait already.
    pub async fn check_settings(&self, settings: &str) -> Result<(), GuestError> {
        self.instances
            .call(CallKind::Review, |instance| check_settings(instance, settings))
            .await?
            .map_err(convert::error)
    }

    /// The same functions for threads that may block: commands, the recorder, checks of a new
    /// version. They do not count against the limits of how many calls may run.
    pub fn blocking(&self) -> BlockingGuest<'_> {
        BlockingGuest(self)
    }
}

/// A guest as threads see it that may block. Up to sixteen of them may call at the same time.
#[derive(Clone, Copy)]
pub struct BlockingGuest<'g>(&'g Guest);

impl BlockingGuest<'_> {
    /// As [`Guest::reconcile`].
    ///
    /// # Errors
    /// When the guest cannot use its input or was stopped.
    pub fn reconcile(self, observed: &Observed) -> Result<Plan, GuestError> {
        self.0
            .instances
            .call_blocking(CallKind::Reconcile, |instance| reconcile(instance, observed))?
            .map(convert::rotating_plan)
            .map_err(convert::error)
    }

    /// As [`Guest::attend`].
    ///
    /// # Errors
    /// When the guest cannot use its input, was stopped, or attends nothing.
    pub fn attend(self, observed: &Observed) -> Result<Plan, GuestError> {
        self.0
            .instances
            .call_blocking(CallKind::Reconcile, |instance| attend(instance, observed))?
            .ok_or_else(attends_nothing)?
            .map(convert::plan)
            .map_err(convert::error)
    }

    /// As [`Guest::review`].
    ///
    /// # Errors
    /// When the text is no review, or the guest was stopped.
    pub fn review(self, review: &str, context: &Context) -> Result<Outcome, GuestError> {
        self.0
            .instances
            .call_blocking(CallKind::Review, |instance| self::review(instance, review, context))?
            .map(convert::outcome)
            .map_err(convert::error)
    }

    /// As [`Guest::check_settings`].
    ///
    /// # Errors
    /// When the guest does not accept the settings, or was stopped.
    pub fn check_settings(self, settings: &str) -> Result<(), GuestError> {
        self.0
            .instances
            .call_blocking(CallKind::Review, |instance| check_settings(instance, settings))?
            .map_err(convert::error)
    }
}

/// Asks what the guest manages, and which objects of others it decides about.
async fn describe(mut instance: Instance) -> (Instance, wasmtime::Result<convert::Described>) {
    let described = async {
        let Instance { store, functions, .. } = &mut instance;
        let description = functions.reconciler.call_describe(&mut *store).await?;
        let attended = match &functions.attendant {
            Some(attendant) => attendant.call_attended(&mut *store).await?,
            None => Vec::new(),
        };
        Ok((description, attended))
    };
    let described = described.await;
    (instance, described)
}

type Answer<T> = (Instance, wasmtime::Result<Result<T, convert::GuestAnswerError>>);

async fn reconcile(mut instance: Instance, observed: &Observed) -> Answer<convert::GuestRotatingPlan> {
    let arguments = convert::ObservedArguments::new(observed);
    let Instance { store, functions, .. } = &mut instance;
    let plan = match &functions.rotating {
        Some(rotating) => rotating.call_reconcile_rotating(store, arguments.observed()).await,
        None => {
            let plan = functions.reconciler.call_reconcile(store, arguments.observed()).await;
            plan.map(|plan| plan.map(convert::without_rotations))
        }
    };
    (instance, plan)
}

/// `None` when the guest does not export the interface.
async fn attend(
    mut instance: Instance,
    observed: &Observed,
) -> (Instance, wasmtime::Result<Option<Result<convert::GuestPlan, convert::GuestAnswerError>>>) {
    let arguments = convert::ObservedArguments::new(observed);
    let plan = match &instance.functions.attendant {
        Some(attendant) => attendant.call_attend(&mut instance.store, arguments.observed()).await.map(Some),
        None => Ok(None),
    };
    (instance, plan)
}

fn attends_nothing() -> GuestError {
    GuestError::InvalidInput("it decides about no objects of others".to_owned())
}

async fn review(mut instance: Instance, review: &str, context: &Context) -> Answer<convert::GuestOutcome> {
    let arguments = convert::ContextArguments::new(context);
    let admission = &instance.functions.admission;
    let outcome = admission.call_review(&mut instance.store, review, arguments.context()).await;
    (instance, outcome)
}

async fn check_settings(mut instance: Instance, settings: &str) -> Answer<()> {
    let checked = instance.functions.admission.call_check_settings(&mut instance.store, settings).await;
    (instance, checked)
}
