//! Checks whether a new version may take over: it gets inputs that the active version can answer,
//! and must answer them too. Its answers have no effect.

use crate::engine::Guest;
use crate::record::{Decision, Record};
use crate::replay::subject;
use orascache_contract::{Context, Description, GuestError, Needs, Observed, Outcome, Plan};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long all checks together may take. Thousands of decisions take less than a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many differences a report names.
const EXAMPLES: usize = 5;

/// Why a new version may not take over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it fails at {subject}, where the version at work does not: {error}")]
    Fails { subject: String, error: GuestError },
    #[error("it had answered {answered} of {of} questions after {PATIENCE:?}")]
    TooSlow { answered: usize, of: usize },
}

/// What was found out about a version that may take over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// How many decisions were compared.
    pub(super) decisions: usize,
    /// How many of them differ from those of the version at work.
    pub(super) different: usize,
    /// Subjects of the first of these.
    pub(super) examples: Vec<String>,
}

/// Asks a candidate about samples, about what is observed now, and about what was recorded. Blocks
/// the thread.
pub(super) fn check(
    candidate: &Guest,
    active: &Guest,
    observed: Vec<Observed>,
    recorded: Vec<Record>,
) -> Result<Report, Refusal> {
    let samples = samples(active.describe()).into_iter();
    let observed = observed.into_iter().map(question);
    let recorded = recorded.into_iter().map(|record| record.decision);
    let questions: Vec<Decision> = samples.chain(observed).chain(recorded).collect();
    let began = Instant::now();
    let mut report = Report::default();
    for question in &questions {
        if began.elapsed() > PATIENCE {
            return Err(Refusal::TooSlow { answered: report.decisions, of: questions.len() });
        }
        let expected = question.again(active);
        let answer = question.again(candidate);
        if let (Some(error), None) = (answer.error(), expected.error()) {
            return Err(Refusal::Fails { subject: subject(question), error: error.clone() });
        }
        report.decisions += 1;
        if !answer.decides_like(&expected) {
            report.different += 1;
            if report.examples.len() < EXAMPLES {
                report.examples.push(subject(question));
            }
        }
    }
    Ok(report)
}

/// A decision whose output does not matter, since it is asked for again.
fn question(observed: Observed) -> Decision {
    Decision::Reconcile { observed, output: Ok(Plan::default()) }
}

/// A primary with an empty spec, and a review of its creation. They test a version before there is
/// anything in the cluster, and show whether its admission works.
fn samples(description: &Description) -> Vec<Decision> {
    let kind = &description.primary;
    let (group, version) = (kind.group(), kind.version());
    let primary = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": "self-test", "namespace": "self-test", "generation": 1, "resourceVersion": "1",
            "uid": "00000000-0000-0000-0000-000000000001", "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {},
    });
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "00000000-0000-0000-0000-000000000002",
            "kind": {"group": group, "version": version, "kind": kind.kind},
            "resource": {"group": group, "version": version, "resource": kind.plural},
            "name": "self-test", "namespace": "self-test", "operation": "CREATE", "dryRun": true,
            "userInfo": {}, "object": primary,
        },
    });
    let observed = Observed {
        primary: primary.to_string().into(),
        // 2026-01-01.
        now: 1_767_225_600,
        ..Observed::default()
    };
    let context = Context { complete: true, ..Context::default() };
    let output = Ok(Outcome::Need(Needs::default()));
    vec![question(observed), Decision::Review { review: review.to_string().into(), context, output }]
}
