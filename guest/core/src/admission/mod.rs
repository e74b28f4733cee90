//! Admission: OrasCaches are checked, pods are rewritten so that the agent runs their step, Jobs
//! hand their annotations to their pods.

mod agent_containers;
mod agent_resources;
mod artifact;
pub(crate) mod awaited;
mod cache;
mod cache_deletion;
mod cache_exposure;
mod cache_lookup;
mod cache_of_step;
mod carry_over;
mod command_place;
mod decision;
mod ephemeral_containers;
mod foreign_caches;
mod gate;
mod image_program;
mod inject;
mod injected;
mod injection;
mod job;
mod job_review;
mod known;
#[cfg(any(test, feature = "largest-reviews"))]
pub mod largest_reviews;
mod near_misses;
mod network;
mod parts;
pub(crate) mod patch;
pub(crate) mod pod;
mod pod_review;
mod policy;
mod request;
mod reuse;
mod rules;
mod same_part;
#[cfg(test)]
mod security_cost;
mod size;
mod step;
mod step_container;
mod step_values;
mod step_warnings;

use crate::fields;
use crate::findings::Findings;
use crate::settings::Settings;
use decision::{Decision, response};
use job_review::{create_job, update_job};
use known::Known;
use orascache_contract::{Context, Error, Outcome};
use pod_review::{create_pod, update_pod};
use request::{Operation, Request, Subject};
pub(crate) use rules::rules;

/// Decides about one AdmissionReview (admission.k8s.io/v1), JSON text. `T` is the type of the
/// context's JSON texts.
///
/// # Errors
/// When the text is not an AdmissionReview with a request, or the context is not what the contract
/// says.
///
/// ```
/// use orascache_contract::{Context, Outcome};
///
/// let review = r#"{"request":{"uid":"1","operation":"CREATE","kind":{"group":"","kind":"Pod"},"object":{
///     "metadata":{"annotations":{"oras.converged-computing.github.io/input-url":"flow/words:1"}},
///     "spec":{"containers":[{"name":"main","command":["count"]}]}}}}"#;
/// let Outcome::Decided(response) = orascache_core::admission::review(review, &Context::<String>::default())? else {
///     panic!("a refusal needs nothing more");
/// };
/// let refusal = response.refusal().expect("an unknown annotation");
/// assert!(refusal.message.starts_with("oras.converged-computing.github.io/input-url is unknown"));
/// # Ok::<(), orascache_contract::Error>(())
/// ```
pub fn review<T: AsRef<str>>(text: &str, context: &Context<T>) -> Result<Outcome, Error> {
    let objects = context.objects.iter().map(AsRef::as_ref).collect();
    let known = Known { objects, complete: context.complete, answers: &context.answers };
    decide(text, &known, context.settings.as_ref())
}

fn decide(text: &str, known: &Known<'_>, settings: &str) -> Result<Outcome, Error> {
    let tree = fields::parse(text, "the AdmissionReview")?;
    let request = Request::read(&tree, text.len())?;
    let settings_tree = Settings::parse(settings)?;
    let settings = Settings::read(settings_tree.as_ref())?;
    let mut findings = Findings::default();
    let decision = match (request.subject, request.operation) {
        (Subject::Cache, Operation::Create | Operation::Update) => {
            cache::check(&request, &settings, &mut findings);
            Decision::default()
        }
        (Subject::Cache, Operation::Delete) => {
            cache_deletion::check(&request, &mut findings);
            Decision::default()
        }
        (Subject::Pod, Operation::Create) => create_pod(&request, known, &settings, &mut findings)?,
        (Subject::Pod, Operation::Update) => update_pod(&request, &settings, &mut findings),
        (Subject::EphemeralContainers, Operation::Update) => {
            ephemeral_containers::check(&request, &mut findings);
            Decision::default()
        }
        (Subject::Job, Operation::Create) => create_job(&request, known, &settings, &mut findings)?,
        (Subject::Job, Operation::Update) => update_job(&request, &mut findings),
        _ => Decision::default(),
    };
    Ok(match decision {
        Decision::Need(needs) => Outcome::Need(needs),
        Decision::Made { patch, note } => Outcome::Decided(response(&request, findings, patch, note)),
    })
}

/// Checks an administrator's settings, JSON text. Empty text stands for the defaults.
///
/// # Errors
/// When they cannot be used: everything that is wrong, where it is, and what to write instead.
pub fn check_settings(text: &str) -> Result<(), Error> {
    let tree = Settings::parse(text)?;
    Settings::read(tree.as_ref()).map(drop)
}
