//! The traits that a guest implements, and the type that turns them into exports.

use crate::bindings::exports::orascache::operator::{
    admission, attendant, reconciler, rotating_reconciler, types,
};
use crate::convert;
use crate::exported;
use crate::request::Request;
use orascache_contract::{AttendedKind, Context, Description, Error, Observed, Outcome, Plan};
use std::marker::PhantomData;

/// Decides what should exist for a primary, the object that users write.
///
/// Nothing may be kept between calls: an instance serves calls for many primaries, and is replaced
/// now and then.
pub trait Reconciler {
    /// Describes what the guest manages. The host calls this once, when it loads the component.
    fn describe() -> Description;

    /// Plans what to do about one primary, from what is observed. The same input gives the same
    /// plan, and a primary whose children and status are as they should be gives an empty plan.
    ///
    /// # Errors
    /// When there is no plan. Nothing is written then, and the host repeats the call after a while.
    fn reconcile(observed: &Observed<String>) -> Result<Plan, Error>;

    /// Which objects of others the guest decides about with [`attend`](Self::attend). None unless a
    /// guest says otherwise.
    fn attended() -> Vec<AttendedKind> {
        Vec::new()
    }

    /// Plans what to do about one attended object, which takes the place of the primary. The plan
    /// may patch this object, record events about it, and have questions and a time after which the
    /// object is looked at again. In [`Observed::answers`], a question that is not answered yet is
    /// missing, and `Unknown` says that waiting brings no answer.
    ///
    /// # Errors
    /// As [`reconcile`](Self::reconcile).
    fn attend(observed: &Observed<String>) -> Result<Plan, Error> {
        let _ = observed;
        Ok(Plan::default())
    }
}

/// Decides about requests to the API server. A guest that reviews nothing implements it without any
/// method.
pub trait Admission {
    /// Reviews a request. `review` is an AdmissionReview (admission.k8s.io/v1), JSON text. The host
    /// sends the requests that [`Description::admission`] names. Every request is allowed unless a
    /// guest says otherwise.
    ///
    /// # Errors
    /// When there is no answer. The failure policy of the rule decides then.
    fn review(review: &str, context: &Context<String>) -> Result<Outcome, Error> {
        let _ = context;
        Request::parse(review).map(|request| request.allow())
    }

    /// Whether [`review`](Self::review) and [`Reconciler::reconcile`] accept these settings of an
    /// administrator, JSON text. Empty text must be accepted. A guest accepts no other settings
    /// unless it says so.
    ///
    /// # Errors
    /// When they cannot be used: everything that is wrong, where it is, and what to write instead.
    fn check_settings(settings: &str) -> Result<(), Error> {
        if settings.is_empty() {
            return Ok(());
        }
        Err(Error::invalid_input("this guest has no settings: remove them"))
    }
}

/// Implements the generated interfaces for a guest.
#[derive(Debug)]
pub struct Exports<G>(PhantomData<G>);

/// Compiles only for guests.
pub fn assert_guest<G: Reconciler + Admission>() {}

impl<G: Reconciler> reconciler::Guest for Exports<G> {
    fn describe() -> reconciler::Description {
        convert::description(G::describe())
    }

    fn reconcile(observed: reconciler::Observed) -> Result<reconciler::Plan, types::Error> {
        G::reconcile(&convert::observed(observed)).map(convert::plan).map_err(convert::error)
    }
}

impl<G: Reconciler> rotating_reconciler::Guest for Exports<G> {
    fn reconcile_rotating(
        observed: reconciler::Observed,
    ) -> Result<rotating_reconciler::RotatingPlan, types::Error> {
        // One function for both, so that a component has one copy of what lifts and lowers.
        let decide = if exported::takes_attend() { G::attend } else { G::reconcile };
        decide(&convert::observed(observed)).map(convert::rotating_plan).map_err(convert::error)
    }
}

impl<G: Reconciler> attendant::Guest for Exports<G> {
    fn attended() -> Vec<attendant::AttendedKind> {
        convert::attended(G::attended())
    }

    fn attend(observed: reconciler::Observed) -> Result<reconciler::Plan, types::Error> {
        G::attend(&convert::observed(observed)).map(convert::plan).map_err(convert::error)
    }
}

impl<G: Admission> admission::Guest for Exports<G> {
    fn review(
        review: types::Object,
        context: admission::Context,
    ) -> Result<admission::Outcome, types::Error> {
        G::review(&review, &convert::context(context)).map(convert::outcome).map_err(convert::error)
    }

    fn check_settings(settings: String) -> Result<(), types::Error> {
        G::check_settings(&settings).map_err(convert::error)
    }
}
