//! Asks the component about documents, as the API server would.

use super::asked::Asked;
use super::finding::{Decision, Finding, Part};
use super::makers::{self, Made};
use super::request::{creation, in_namespace, missing, patched};
use super::subject::{self, NoSubject, Subject};
use crate::cli::ReviewArgs;
use crate::command::definition::{self, Definition};
use crate::input::{Document, Found, Place};
use crate::settings::SettingsReader;
use anyhow::{Context as _, anyhow};
use k8s_openapi::api::core::v1::ConfigMap;
use orascache_api::steps::ANNOTATION_PREFIX;
use orascache_contract::{
    ArtifactAnswer, ArtifactFinding, ArtifactQuestion, Context, GuestError, Outcome, Refusal, Verdict,
};
use orascache_runtime::Guest;
use serde_json::Value;
use std::sync::Arc;

/// What the API server answers to settings that the component refuses.
const UNPROCESSABLE: u16 = 422;

/// A component with everything that its decisions depend on.
pub(super) struct Session<'a> {
    guest: &'a Guest,
    args: &'a ReviewArgs,
    context: Context,
    settings: SettingsReader,
    asked: Asked,
    definition: Option<Definition>,
}

/// What is found about one document, and what is stored of it.
pub(super) struct Reviewed {
    pub(super) findings: Vec<Finding>,
    /// The object as it is stored; `None` where it is not, or where there is none.
    pub(super) stored: Option<Value>,
}

impl<'a> Session<'a> {
    /// `context` are objects that exist, if any were given; caches and namespaces among the reviewed
    /// documents exist too, since they are applied together.
    pub(super) fn new(
        guest: &'a Guest,
        args: &'a ReviewArgs,
        context: Option<&[Document]>,
        reviewed: &[Found],
    ) -> anyhow::Result<Self> {
        let description = guest.describe();
        let settings = SettingsReader::new(args.agent_image.as_deref());
        let reviewed = reviewed.iter().filter_map(|found| match found {
            Found::Document(document) => Some(document),
            Found::Skipped(..) | Found::Broken(..) => None,
        });
        let primary = &description.primary;
        let objects = context.into_iter().flatten().chain(reviewed).filter_map(|document| {
            let value = &document.value;
            let is =
                |api_version: &str, kind: &str| value["apiVersion"] == api_version && value["kind"] == kind;
            if is(&primary.api_version, &primary.kind) {
                Some(in_namespace(value.clone(), &args.namespace).to_string().into())
            } else {
                is("v1", "Namespace").then(|| value.to_string().into())
            }
        });
        let context = Context {
            objects: objects.collect(),
            // Without any context, a cache that is not known may exist nevertheless.
            complete: context.is_some(),
            settings: read_settings(args, guest, &settings)?,
            ..Context::default()
        };
        Ok(Self {
            guest,
            args,
            context,
            settings,
            asked: Asked::about(description)?,
            definition: Definition::of(primary)?,
        })
    }

    /// Reviews what was found at one place.
    pub(super) fn review(&self, found: Found) -> Reviewed {
        let document = match found {
            Found::Document(document) => document,
            Found::Skipped(place, why) => return nothing(Finding::about(place, Decision::NotReviewed(why))),
            Found::Broken(place, why) => return nothing(Finding::about(place, Decision::Unusable(why))),
        };
        let place = document.place.clone();
        match subject::of(&document.value, place.file.as_deref(), &self.guest.describe().primary) {
            Err(NoSubject::Foreign(why)) => {
                nothing(Finding::about(place, Decision::NotReviewed(why.to_owned())))
            }
            Err(NoSubject::Incomplete) => nothing(Finding::about(
                place,
                Decision::Unusable(
                    "this document has metadata, and no apiVersion or no kind: write both".to_owned(),
                ),
            )),
            Ok(Subject::Review) => self.admission_review(place, document.value),
            Ok(Subject::Primary) => match self.refused_by_definition(&document.value) {
                Some(refusal) => {
                    let decision = Decision::Refused(refusal);
                    let finding = Finding::of(place, subject::title(&document.value), decision);
                    nothing(Finding { is_asked: true, ..finding })
                }
                None => self.cache(place, document.value),
            },
            Ok(Subject::Settings) => self.config_map(place, document.value),
            Ok(Subject::Pod) => self.object(place, document.value),
            Ok(Subject::Job) => self.job(&document),
            Ok(Subject::Other) => self.maker(&document),
        }
    }

    /// An AdmissionReview, as it is.
    fn admission_review(&self, place: Place, review: Value) -> Reviewed {
        let request = &review["request"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let kind = text(&request["kind"]["kind"]).unwrap_or_else(|| "object".to_owned());
        let name = text(&request["name"]).unwrap_or_else(|| "(without a name)".to_owned());
        self.ask(
            Finding::of(place, format!("{kind}/{name}"), Decision::Allowed(None)),
            request["object"].clone(),
            &review,
        )
    }

    /// A cache, about which the API server asks when it has a name.
    fn cache(&self, place: Place, object: Value) -> Reviewed {
        let finding = Finding::of(place, subject::title(&object), Decision::Allowed(None));
        let mut named = object.clone();
        definition::generate_name(&mut named);
        self.ask(finding, object, &creation(&named, &self.args.namespace))
    }

    /// An object that is created.
    fn object(&self, place: Place, object: Value) -> Reviewed {
        let review = creation(&object, &self.args.namespace);
        self.ask(Finding::of(place, subject::title(&object), Decision::Allowed(None)), object, &review)
    }

    /// A Job. If the component has nothing to say about it, the pods are reviewed that are made of
    /// it.
    fn job(&self, document: &Document) -> Reviewed {
        let mut reviewed = self.object(document.place.clone(), document.value.clone());
        let says_nothing = reviewed.findings.iter().all(|finding| {
            matches!(finding.decision, Decision::Allowed(None)) && finding.warnings.is_empty()
        });
        if says_nothing && let Some(made) = makers::pod_of_job(&document.value) {
            let below = self.made(document, made);
            if !below.warnings.is_empty() || !matches!(below.decision, Decision::Allowed(None)) {
                reviewed.findings = vec![below];
            }
        }
        reviewed
    }

    /// An object of another kind: whatever is made of it is reviewed.
    fn maker(&self, document: &Document) -> Reviewed {
        let object = &document.value;
        let made = makers::made_by(object);
        let own =
            if makers::hands_on_annotations(object) { Vec::new() } else { subject::step_annotations(object) };
        let misplaced = made.first().filter(|_| !own.is_empty()).map(|made| {
            let kind = object["kind"].as_str().unwrap_or("object");
            let (keys, there) = (own.join(", "), &made.annotations);
            format!(
                "the annotations under {ANNOTATION_PREFIX} of the {kind} itself do not reach its pods: move {keys} to {there}"
            )
        });
        let mut findings: Vec<Finding> = made.into_iter().map(|made| self.made(document, made)).collect();
        if findings.is_empty() {
            let why = "no pod template is found in it".to_owned();
            let mut finding =
                Finding::of(document.place.clone(), subject::title(object), Decision::NotReviewed(why));
            if subject::asks_for_a_step(object) {
                finding.warnings.push(format!(
                    "there are annotations under {ANNOTATION_PREFIX} in it: review the pods that are made of it"
                ));
            }
            findings.push(finding);
        }
        if let (Some(misplaced), Some(first)) = (misplaced, findings.first_mut()) {
            first.warnings.push(misplaced);
        }
        let is_stored = findings
            .iter()
            .all(|finding| matches!(finding.decision, Decision::Allowed(_) | Decision::NotReviewed(_)));
        Reviewed { findings, stored: is_stored.then(|| object.clone()) }
    }

    fn made(&self, document: &Document, made: Made) -> Finding {
        let place = document.place_of(&made.pointer);
        let title = subject::title(&document.value);
        let kind = made.object["kind"].as_str().unwrap_or("object").to_owned();
        let part = Some(Part { kind, path: makers::path_of(&made.pointer) });
        let mut finding = Finding { part, ..Finding::of(place, title, Decision::Allowed(None)) };
        if let Some(why) = made.unknown {
            finding.decision = Decision::NotReviewed(why);
            finding.warnings.push("a template with annotations for a step is not reviewed".to_owned());
            return finding;
        }
        let review = creation(&made.object, &self.args.namespace);
        self.decide(finding, made.object, &review).0
    }

    /// The ConfigMap with the settings, which a webhook refuses when they cannot be used.
    fn config_map(&self, place: Place, object: Value) -> Reviewed {
        let title = subject::title(&object);
        let decision = match serde_json::from_value::<ConfigMap>(object.clone()) {
            Err(error) => Decision::Unusable(format!("this is no ConfigMap: {error}")),
            Ok(map) => match self.settings.read_map(self.guest, &map) {
                Ok(_) => Decision::Allowed(None),
                Err(message) => Decision::Refused(Refusal { code: UNPROCESSABLE, message }),
            },
        };
        let stored = matches!(decision, Decision::Allowed(_)).then_some(object);
        Reviewed { findings: vec![Finding { is_asked: true, ..Finding::of(place, title, decision) }], stored }
    }

    fn refused_by_definition(&self, object: &Value) -> Option<Refusal> {
        let object = in_namespace(object.clone(), &self.args.namespace);
        self.definition.as_ref()?.refuse(&object)
    }

    /// Asks the component about one review of that object.
    fn ask(&self, finding: Finding, object: Value, review: &Value) -> Reviewed {
        let (finding, stored) = self.decide(finding, object, review);
        Reviewed { findings: vec![finding], stored }
    }

    /// Completes a finding by what the component decides, and returns the object as it is stored.
    fn decide(&self, mut finding: Finding, object: Value, review: &Value) -> (Finding, Option<Value>) {
        finding.is_asked = self.asked.is_asked(&review["request"]);
        let undecided =
            |finding: Finding, why: String| (Finding { decision: Decision::Unusable(why), ..finding }, None);
        let response = match self.outcome(&review.to_string()) {
            Ok(Outcome::Decided(response)) => response,
            Ok(Outcome::Need(needs)) => return undecided(finding, missing(&needs)),
            Err(error) => return undecided(finding, error.to_string()),
        };
        let (patch, patched) = match patched(&object, &response) {
            Ok(found) => found,
            Err(error) => return undecided(finding, format!("the component's patch: {error:#}")),
        };
        finding.warnings = response.warnings;
        finding.decision = match response.verdict {
            Verdict::Refused(refusal) => Decision::Refused(refusal),
            Verdict::Allowed(_) => Decision::Allowed(patch),
        };
        let is_allowed = matches!(finding.decision, Decision::Allowed(_));
        // Deletions have no object.
        let stored = (is_allowed && !patched.is_null()).then(|| patched.clone());
        finding.change = Some((object, patched));
        (finding, stored)
    }

    /// What a review leads to where nobody asks registries.
    fn outcome(&self, review: &str) -> Result<Outcome, GuestError> {
        let outcome = self.guest.blocking().review(review, &self.context)?;
        match &outcome {
            Outcome::Need(needs) if !needs.questions.is_empty() => {
                let context = Context { answers: unanswered(&needs.questions), ..self.context.clone() };
                self.guest.blocking().review(review, &context)
            }
            _ => Ok(outcome),
        }
    }
}

/// Answers that say that nobody looked.
fn unanswered(questions: &[ArtifactQuestion]) -> Vec<ArtifactAnswer> {
    let why = "this command asks no registries";
    let unknown = |question: &ArtifactQuestion| ArtifactAnswer {
        question: question.clone(),
        finding: ArtifactFinding::Unknown(why.to_owned()),
    };
    questions.iter().map(unknown).collect()
}

/// A finding about something of which nothing is stored.
fn nothing(finding: Finding) -> Reviewed {
    Reviewed { findings: vec![finding], stored: None }
}

/// The settings of `--settings`, checked.
fn read_settings(args: &ReviewArgs, guest: &Guest, reader: &SettingsReader) -> anyhow::Result<Arc<str>> {
    let (written, name) = match &args.settings {
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
            (Some(text), name)
        }
        None => (None, "--agent-image".to_owned()),
    };
    let settings = reader.read_text(guest, written.as_deref());
    settings.map(Arc::from).map_err(|why| anyhow!(why)).context(name)
}
