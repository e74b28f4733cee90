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
mod ephemeral_containers;
mod foreign_caches;
mod gate;
mod image_program;
mod inject;
mod injected;
mod injection;
mod job;
mod known;
#[cfg(any(test, feature = "largest-reviews"))]
pub mod largest_reviews;
mod near_misses;
mod network;
mod parts;
pub(crate) mod patch;
pub(crate) mod pod;
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

use crate::credentials::Credentials;
use crate::fields;
use crate::findings::Findings;
use crate::settings::Settings;
use crate::step_annotations;
use cache_lookup::Found;
use image_program::Program;
use injected::Injected;
use injection::Injection;
use known::Known;
use network::Network;
use orascache_api::names::KIND;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, INJECTED_ANNOTATION, annotation};
use orascache_contract::{ArtifactQuestion, Context, Error, Needs, Outcome, Refusal, Response, Verdict};
use patch::Patch;
use pod::{Container, Pod, PodSource};
use request::{Operation, Request, Subject};
pub(crate) use rules::rules;
use step::Step;

/// Key of the audit annotation.
const AUDIT_KEY: &str = "decision";
/// HTTP status of all refusals (RFC 9110, section 15.5.21): what the API server answers to an
/// object that contradicts itself.
const UNPROCESSABLE: u16 = 422;

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
    let request = Request::read(&tree)?;
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

/// The decision about a review in which nothing is refused.
enum Decision {
    /// The host must look these up first.
    Need(Needs),
    Made {
        /// JSON Patch, JSON text.
        patch: Option<String>,
        /// For the audit log.
        note: Option<&'static str>,
    },
}

impl Default for Decision {
    fn default() -> Self {
        Decision::Made { patch: None, note: None }
    }
}

impl Decision {
    fn patch(patch: Patch<'_>, note: &'static str) -> Self {
        let patch = patch.into_text();
        let note = patch.is_some().then_some(note);
        Decision::Made { patch, note }
    }
}

fn response(
    request: &Request<'_>,
    findings: Findings,
    patch: Option<String>,
    note: Option<&'static str>,
) -> Response {
    let is_refused = !findings.problems.is_empty();
    let note = note.filter(|_| !is_refused).map(|note| (AUDIT_KEY.to_owned(), note.to_owned()));
    Response {
        uid: request.uid.to_owned(),
        verdict: if is_refused {
            Verdict::Refused(Refusal { code: UNPROCESSABLE, message: findings.message() })
        } else {
            Verdict::Allowed(patch)
        },
        warnings: findings.warnings,
        audit: note.into_iter().collect(),
    }
}

fn create_pod(
    request: &Request<'_>,
    known: &Known<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Result<Decision, Error> {
    let Some(object) = request.object else { return Ok(Decision::default()) };
    near_misses::warn(object, "", findings);
    let annotations = object.member_of("metadata", "annotations");
    if step_annotations::of(annotations).next().is_none() {
        return Ok(Decision::default());
    }
    if size::refuse_too_large("pod", object, findings) {
        return Ok(Decision::default());
    }
    let Some(pod) = Pod::read(object, PodSource::Pod, findings) else { return Ok(Decision::default()) };
    let injected = Injected::of(&pod);
    let step = step::read(annotations, findings);
    let container = if injected == Injected::No {
        if step.is_idle() && findings.problems.is_empty() {
            warn_idle(findings);
            return Ok(Decision::default());
        }
        if step_container::takes_no_part(&pod, &step, findings) {
            return Ok(Decision::default());
        }
        step_container::prepare(&pod, &step, findings)
    } else {
        None
    };
    let namespace = request.namespace;
    policy::check_step(settings, &step, findings);
    let program = container.and_then(|container| {
        reuse::check(&pod, container, &step, settings, findings);
        image_program::find(&pod, container, known, settings, findings)
    });
    let question = program.as_ref().and_then(Program::question);
    foreign_caches::check(settings, &step, &pod, namespace, findings);
    let needs_namespace = policy::check_required(settings, &[annotations], known, namespace, findings)?;
    if step.cache.is_empty() || !findings.problems.is_empty() {
        // A request that is refused anyway needs no lookup of its cache.
        return Ok(Decision::default());
    }
    let candidates = known.candidates(step.cache)?;
    let found = cache_lookup::find(&candidates, known, step.cache, namespace);
    if let Some(needed) = need(&found, &step, namespace, needs_namespace, question) {
        return Ok(needed);
    }
    let cache = match found {
        Found::Need => return Ok(Decision::default()),
        Found::Cache(cache) => cache,
        Found::Unusable(why) => {
            findings.refuse(why);
            return Ok(Decision::default());
        }
        Found::Missing => {
            findings.refuse(format!(
                "{KIND} {} does not exist in namespace {namespace}: create it first, or name another one in {PREFIX}{}",
                step.cache,
                annotation::CACHE
            ));
            return Ok(Decision::default());
        }
    };
    let credentials = cache_lookup::check(&pod, container, &step, &cache, settings, findings);
    let network = Network::of(&step, &cache, settings);
    let injection = Injection {
        step: &step,
        endpoint: match &step.registry {
            Some(registry) => registry.clone(),
            None => cache.endpoint.clone(),
        },
        credentials,
        image: step.image.unwrap_or(settings.agent_image),
        proxy_resources: settings.proxy_resources,
        network,
        provenance: settings.provenance,
    };
    if injected != Injected::No {
        // The author of the original pod has already got the warnings about its annotations.
        findings.warnings.clear();
        injected::check(&pod, &injection, settings, injected, findings);
        return Ok(Decision::default());
    }
    let (Some(container), Some(program)) = (container, program) else { return Ok(Decision::default()) };
    check_connection(&pod, container, &injection.credentials, &injection.network, findings);
    let mut patch = inject::patch(&pod, container, &injection, program);
    // The operator does not know the authorities of caches, so that it cannot look for the inputs.
    if step.registry.is_some() || !cache.has_tls() {
        gate::add(&pod, namespace, settings, &mut patch);
    }
    Ok(Decision::patch(patch, "injected"))
}

fn update_pod(request: &Request<'_>, settings: &Settings<'_>, findings: &mut Findings) -> Decision {
    let (Some(new), Some(old)) = (request.object, request.old_object) else { return Decision::default() };
    let marker = old.member_of("metadata", "annotations").and_then(|all| all.member(INJECTED_ANNOTATION));
    // An update that changes neither the spec nor the step is left alone however large the pod is:
    // finalizers must stay removable.
    if marker.is_none() || (size::is_too_large(new) && new.member("spec") == old.member("spec")) {
        return Decision::default();
    }
    if size::refuse_too_large("pod", new, findings) {
        return Decision::default();
    }
    // Wrong types in an update are left to the API server: finalizers must stay removable.
    let ignored = &mut Findings::default();
    let (Some(new), Some(old)) =
        (Pod::read(new, PodSource::Pod, ignored), Pod::read(old, PodSource::Pod, ignored))
    else {
        return Decision::default();
    };
    let injected = Injected::of(&old);
    if injected != Injected::No {
        carry_over::check_images(&new, &old, settings, findings);
    }
    if injected != Injected::Step {
        return Decision::default();
    }
    Decision::patch(carry_over::patch(&new, &old, findings), "carried over")
}

fn create_job(
    request: &Request<'_>,
    known: &Known<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Result<Decision, Error> {
    let Some(job) = request.object else { return Ok(Decision::default()) };
    near_misses::warn(job, "", findings);
    if let Some(template) = job.member_of("spec", "template") {
        near_misses::warn(template, "spec.template.", findings);
    }
    let annotations = job::of_pods(job, findings);
    if step_annotations::of(Some(&annotations)).next().is_none() {
        return Ok(Decision::default());
    }
    if size::refuse_too_large("Job", job, findings) {
        return Ok(Decision::default());
    }
    let pod = match job.member_of("spec", "template") {
        Some(template) => Pod::read(template, PodSource::JobTemplate, findings),
        None => {
            findings.refuse("spec.template is missing: write the pod that the Job runs".to_owned());
            None
        }
    };
    let step = step::read(Some(&annotations), findings);
    let Some(pod) = pod else { return Ok(Decision::default()) };
    if step.is_idle() && findings.problems.is_empty() {
        warn_idle(findings);
        return Ok(Decision::default());
    }
    if step_container::takes_no_part(&pod, &step, findings) {
        return Ok(Decision::patch(job::copy(job), "annotations handed to the template"));
    }
    let container = step_container::prepare(&pod, &step, findings);
    let program = container.and_then(|container| {
        reuse::check(&pod, container, &step, settings, findings);
        image_program::find(&pod, container, known, settings, findings)
    });
    let question = program.as_ref().and_then(Program::question);
    job::check(job, &step, findings);
    let namespace = request.namespace;
    policy::check_step(settings, &step, findings);
    foreign_caches::check(settings, &step, &pod, namespace, findings);
    // The Job's pods get the step annotations among the Job's own annotations.
    let of_pods = [Some(&annotations), job::of_template(job)];
    let needs_namespace = policy::check_required(settings, &of_pods, known, namespace, findings)?;
    if step.cache.is_empty() || !findings.problems.is_empty() {
        return Ok(Decision::default());
    }
    let candidates = known.candidates(step.cache)?;
    let found = cache_lookup::find(&candidates, known, step.cache, namespace);
    if let Some(needed) = need(&found, &step, namespace, needs_namespace, question) {
        return Ok(needed);
    }
    match found {
        Found::Need => return Ok(Decision::default()),
        Found::Cache(cache) => {
            let credentials = cache_lookup::check(&pod, container, &step, &cache, settings, findings);
            let network = Network::of(&step, &cache, settings);
            if let Some(container) = container {
                check_connection(&pod, container, &credentials, &network, findings);
            }
        }
        Found::Unusable(why) => findings.warn(why),
        // The Job's controller tries again and again, so that the cache may come later.
        Found::Missing => findings.warn(format!(
            "{KIND} {} does not exist in namespace {namespace} yet: the pods of this Job are refused until it does",
            step.cache
        )),
    }
    Ok(Decision::patch(job::copy(job), "annotations handed to the template"))
}

fn update_job(request: &Request<'_>, findings: &mut Findings) -> Decision {
    match (request.object, request.old_object) {
        (Some(new), Some(old)) if new.member("spec").is_some() => {
            Decision::patch(job::carry_over(new, old, findings), "annotations carried over")
        }
        _ => Decision::default(),
    }
}

/// Refuses names in the pod that the container which connects to the registry needs.
fn check_connection(
    pod: &Pod<'_>,
    container: &Container<'_>,
    credentials: &Option<Credentials<'_>>,
    network: &Network<'_>,
    findings: &mut Findings,
) {
    if credentials.is_some() {
        step_container::check_proxy_names(pod, findings);
    } else {
        step_container::check_network_variables(pod, container, network, findings);
    }
}

/// What the host must look up before there is an answer.
fn need(
    found: &Found<'_>,
    step: &Step<'_>,
    namespace: &str,
    needs_namespace: bool,
    question: Option<&ArtifactQuestion>,
) -> Option<Decision> {
    if !needs_namespace && !matches!(found, Found::Need) && question.is_none() {
        return None;
    }
    // The next context has what is asked for now, and nothing else: so the cache is asked for in
    // any case.
    let mut objects = vec![cache_lookup::cache_reference(step.cache, namespace)];
    if needs_namespace {
        objects.push(cache_lookup::namespace_reference(namespace));
    }
    Some(Decision::Need(Needs { objects, questions: question.cloned().into_iter().collect() }))
}

fn warn_idle(findings: &mut Findings) {
    findings.warn(format!(
        "the annotations under {PREFIX} ask for nothing: write {} or {}, or remove them",
        annotation::INPUT_URI,
        annotation::OUTPUT_URI
    ));
}
