//! Admission: OrasCaches are checked, pods are rewritten so that the agent runs their step, Jobs hand their
//! annotations to their pods.

mod agent;
mod artifact;
mod bounds;
mod cache;
mod carry;
mod findings;
mod inject;
mod job;
mod lookup;
mod members;
mod names;
mod patch;
mod pod;
mod policy;
mod request;
mod rules;
mod selector;
mod settings;
mod step;
mod target;
mod template;

use crate::fields;
use agent::Endpoint;
use findings::Findings;
use lookup::Found;
use orascache_api::names::KIND;
use orascache_api::steps::ANNOTATION_PREFIX as PREFIX;
use orascache_api::steps::annotation;
use orascache_contract::{Context, Error, Needs, ObjectRef, Outcome, Refusal, Response, Verdict};
use patch::Patch;
use pod::{Pod, Stands, member, member_of};
use request::{Operation, Request, Subject};
pub(crate) use rules::rules;
use settings::Settings;
use step::Step;

/// Decides about one AdmissionReview (admission.k8s.io/v1).
///
/// # Errors
/// When the text is no AdmissionReview with a request, or the context is not what the contract says.
pub fn review<T: AsRef<str>>(text: &str, context: &Context<T>) -> Result<Outcome, Error> {
    let known =
        Known { objects: context.objects.iter().map(AsRef::as_ref).collect(), complete: context.complete };
    decide(text, &known, context.settings.as_ref())
}

/// What a review knows of the cluster.
#[derive(Debug)]
struct Known<'a> {
    /// JSON text.
    objects: Vec<&'a str>,
    /// Whether the host has looked for everything that was asked for.
    complete: bool,
}

fn decide(text: &str, context: &Known<'_>, settings: &str) -> Result<Outcome, Error> {
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
        (Subject::Pod, Operation::Create) => create_pod(&request, context, &settings, &mut findings)?,
        (Subject::Pod, Operation::Update) => update_pod(&request, &mut findings),
        (Subject::Job, Operation::Create) => create_job(&request, context, &settings, &mut findings)?,
        (Subject::Job, Operation::Update) => update_job(&request, &mut findings),
        _ => Decision::default(),
    };
    Ok(match decision {
        Decision::Need(objects) => Outcome::Need(Needs { objects, questions: Vec::new() }),
        Decision::Made { patch, note } => Outcome::Decided(response(&request, findings, patch, note)),
    })
}

/// Checks an administrator's settings, JSON text; empty text stands for the defaults.
///
/// # Errors
/// When they cannot be used: everything that is wrong, and what to write instead.
pub fn check_settings(text: &str) -> Result<(), Error> {
    let tree = Settings::parse(text)?;
    Settings::read(tree.as_ref()).map(drop)
}

/// Where a review led to, as long as nothing is refused.
enum Decision {
    Need(Vec<ObjectRef>),
    Made {
        /// JSON text.
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
    fn patch(patch: Patch, note: &'static str) -> Self {
        let patch = patch.into_text();
        let note = patch.is_some().then_some(note);
        Decision::Made { patch, note }
    }
}

/// Key of the audit annotation.
const AUDIT_KEY: &str = "decision";
/// HTTP status of all refusals (RFC 9110, section 15.5.21): what the API server answers to an object that contradicts
/// itself.
const UNPROCESSABLE: u16 = 422;

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
    context: &Known<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Result<Decision, Error> {
    let Some(object) = request.object else { return Ok(Decision::default()) };
    let annotations = member_of(object, "metadata", "annotations");
    if step::ours(annotations).next().is_none() {
        return Ok(Decision::default());
    }
    let Some(pod) = Pod::read(object, Stands::Itself, findings) else { return Ok(Decision::default()) };
    if inject::is_injected(&pod) {
        return Ok(Decision::default());
    }
    let step = step::read(annotations, findings);
    if step.is_idle() && findings.problems.is_empty() {
        warn_idle(findings);
        return Ok(Decision::default());
    }
    let container = inject::prepare(&pod, &step, findings);
    let namespace = request.namespace;
    policy::check_step(settings, &step, findings);
    let needs_namespace = policy::require(settings, &[annotations], context, namespace, findings)?;
    if step.cache.is_empty() {
        return Ok(Decision::default());
    }
    let candidates = lookup::candidates(context, step.cache)?;
    let found = lookup::find(&candidates, context, step.cache, namespace);
    if let Some(needed) = need(&found, &step, namespace, needs_namespace, findings) {
        return Ok(needed);
    }
    let cache = match found {
        Found::Need => return Ok(Decision::default()),
        Found::Cache(cache) => cache,
        Found::Useless(why) => {
            findings.problems.push(why);
            return Ok(Decision::default());
        }
        Found::Missing => {
            findings.refuse(
                "% % does not exist in namespace %: create it first, or name another one in @%",
                &[KIND, step.cache, namespace, annotation::CACHE],
            );
            return Ok(Decision::default());
        }
    };
    let credentials = lookup::check(&pod, &step, cache, findings);
    let Some(container) = container else { return Ok(Decision::default()) };
    let plan = inject::Plan {
        step: &step,
        endpoint: match step.registry {
            Some(registry) => Endpoint::Registry { host: registry.host, plain_http: registry.plain_http },
            None => Endpoint::Cache { name: step.cache, namespace },
        },
        credentials,
        image: step.image.unwrap_or(settings.agent_image),
        proxy: settings.proxy,
    };
    Ok(Decision::patch(inject::patch(&pod, container, &plan), "injected"))
}

fn update_pod(request: &Request<'_>, findings: &mut Findings) -> Decision {
    let (Some(new), Some(old)) = (request.object, request.old_object) else { return Decision::default() };
    // Whatever is wrong with an update is not for us to say: finalizers must stay removable.
    let unheard = &mut Findings::default();
    let (Some(new), Some(old)) =
        (Pod::read(new, Stands::Itself, unheard), Pod::read(old, Stands::Itself, unheard))
    else {
        return Decision::default();
    };
    if !inject::is_injected(&old) {
        return Decision::default();
    }
    Decision::patch(carry::patch(&new, &old, findings), "carried over")
}

fn create_job(
    request: &Request<'_>,
    context: &Known<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Result<Decision, Error> {
    let Some(job) = request.object else { return Ok(Decision::default()) };
    let annotations = job::of_pods(job, findings);
    if step::ours(Some(&annotations)).next().is_none() {
        return Ok(Decision::default());
    }
    let template = member_of(job, "spec", "template");
    let pod = match template {
        Some(template) => Pod::read(template, Stands::InTemplate, findings),
        None => {
            findings.refuse("spec.template is missing: write the pod that the Job runs", &[]);
            None
        }
    };
    let step = step::read(Some(&annotations), findings);
    let Some(pod) = pod else { return Ok(Decision::default()) };
    if step.is_idle() && findings.problems.is_empty() {
        warn_idle(findings);
        return Ok(Decision::default());
    }
    inject::prepare(&pod, &step, findings);
    job::check(job, &step, findings);
    let namespace = request.namespace;
    policy::check_step(settings, &step, findings);
    // Of the Job's annotations, its pods get ours.
    let of_pods = [Some(&annotations), job::of_template(job)];
    let needs_namespace = policy::require(settings, &of_pods, context, namespace, findings)?;
    if step.cache.is_empty() {
        return Ok(Decision::default());
    }
    let candidates = lookup::candidates(context, step.cache)?;
    let found = lookup::find(&candidates, context, step.cache, namespace);
    if let Some(needed) = need(&found, &step, namespace, needs_namespace, findings) {
        return Ok(needed);
    }
    match found {
        Found::Need => return Ok(Decision::default()),
        Found::Cache(cache) => {
            lookup::check(&pod, &step, cache, findings);
        }
        Found::Useless(why) => findings.warnings.push(why),
        // The Job's controller tries again and again, so that the cache may come later.
        Found::Missing => findings.warn(
            "% % does not exist in namespace % yet: the pods of this Job are refused until it does",
            &[KIND, step.cache, namespace],
        ),
    }
    Ok(Decision::patch(job::copy(job), "annotations handed to the template"))
}

fn update_job(request: &Request<'_>, findings: &mut Findings) -> Decision {
    match (request.object, request.old_object) {
        (Some(new), Some(old)) if member(new, "spec").is_some() => {
            Decision::patch(job::carry_over(new, old, findings), "annotations carried over")
        }
        _ => Decision::default(),
    }
}

/// What must be read from the API before there is an answer. What is refused anyway needs nothing more.
fn need(
    found: &Found<'_>,
    step: &Step<'_>,
    namespace: &str,
    needs_namespace: bool,
    findings: &Findings,
) -> Option<Decision> {
    if !findings.problems.is_empty() || !(needs_namespace || matches!(found, Found::Need)) {
        return None;
    }
    // The host answers with what was asked for, and nothing else.
    let mut references = vec![lookup::cache_reference(step.cache, namespace)];
    if needs_namespace {
        references.push(lookup::namespace_reference(namespace));
    }
    Some(Decision::Need(references))
}

fn warn_idle(findings: &mut Findings) {
    findings.warn(
        "the annotations under @ ask for nothing: write % or %, or remove them",
        &[annotation::INPUT_URI, annotation::OUTPUT_URI],
    );
}
