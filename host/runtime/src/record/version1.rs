//! Records of version 1, as hosts of WIT 0.2 wrote them. They are converted into what the contract
//! says today, so that decisions recorded before an upgrade can be replayed after it.

use super::Decision;
use orascache_contract::{
    Context, Event, Failure, FailureReason, Generated, GuestError, Needs, ObjectRef, Observed, Outcome, Plan,
    RandomKey, Recipe, Refusal, Response, Verb, Verdict,
};
use serde::Deserialize;
use std::sync::Arc;

/// The call of a record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Call {
    Reconcile {
        primary: Arc<str>,
        owned: Vec<Arc<str>>,
        related: Vec<Arc<str>>,
        failures: Vec<FailureV1>,
        now: u64,
        output: OutputV1<PlanV1>,
    },
    Review {
        review: Arc<str>,
        objects: Vec<Arc<str>>,
        complete: bool,
        settings: Arc<str>,
        now: u64,
        output: OutputV1<OutcomeV1>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum OutputV1<T> {
    Decided(T),
    Failed(GuestError),
}

/// Verb and reason were text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureV1 {
    target: ObjectRef,
    verb: VerbV1,
    code: u16,
    reason: String,
    message: String,
}

/// The words that the host wrote.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum VerbV1 {
    Create,
    Apply,
    Delete,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PlanV1 {
    generate: Vec<GeneratedV1>,
    apply: Vec<String>,
    delete: Vec<ObjectRef>,
    status: Option<String>,
    events: Vec<Event>,
    requeue_after: Option<u32>,
}

/// Random bytes were all that could be generated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GeneratedV1 {
    secret: String,
    key: String,
    bytes: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum OutcomeV1 {
    Decided(VerdictV1),
    Need(Vec<ObjectRef>),
}

/// `code` and `message` counted for refusals only, and `patch` for permissions only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerdictV1 {
    uid: String,
    allowed: bool,
    code: u16,
    message: String,
    warnings: Vec<String>,
    patch: Option<String>,
    audit: Vec<(String, String)>,
}

impl Call {
    pub(super) fn into_decision(self) -> Decision {
        match self {
            Self::Reconcile { primary, owned, related, failures, now, output } => Decision::Reconcile {
                observed: Observed {
                    primary,
                    owned,
                    related,
                    failures: failures.into_iter().map(FailureV1::into_failure).collect(),
                    now,
                    ..Observed::default()
                },
                output: output.into_result().map(PlanV1::into_plan),
            },
            Self::Review { review, objects, complete, settings, now, output } => Decision::Review {
                review,
                context: Context { objects, complete, answers: Vec::new(), settings, now },
                output: output.into_result().map(OutcomeV1::into_outcome),
            },
        }
    }
}

impl<T> OutputV1<T> {
    fn into_result(self) -> Result<T, GuestError> {
        match self {
            Self::Decided(decided) => Ok(decided),
            Self::Failed(error) => Err(error),
        }
    }
}

impl FailureV1 {
    fn into_failure(self) -> Failure {
        let reason = match self.reason.as_str() {
            // The host's own words. No server has said them, as far as we know.
            "NotControlled" => FailureReason::NotControlled,
            "FieldOwnedByOther" => FailureReason::FieldOwnedByOther,
            "Unreachable" => FailureReason::Unreachable,
            server => FailureReason::from_status(server),
        };
        let verb = match self.verb {
            VerbV1::Create => Verb::Create,
            VerbV1::Apply => Verb::Apply,
            VerbV1::Delete => Verb::Delete,
        };
        Failure { target: self.target, verb, code: self.code, reason, message: self.message }
    }
}

impl PlanV1 {
    fn into_plan(self) -> Plan {
        let generated = |generated: GeneratedV1| Generated {
            secret: generated.secret,
            recipe: Recipe::Random(RandomKey { key: generated.key, bytes: generated.bytes }),
        };
        Plan {
            generate: self.generate.into_iter().map(generated).collect(),
            apply: self.apply,
            delete: self.delete,
            status: self.status,
            events: self.events,
            requeue_after: self.requeue_after,
            ..Plan::default()
        }
    }
}

impl OutcomeV1 {
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Need(objects) => Outcome::Need(Needs { objects, questions: Vec::new() }),
            Self::Decided(verdict) => Outcome::Decided(Response {
                uid: verdict.uid,
                verdict: if verdict.allowed {
                    Verdict::Allowed(verdict.patch)
                } else {
                    Verdict::Refused(Refusal { code: verdict.code, message: verdict.message })
                },
                warnings: verdict.warnings,
                audit: verdict.audit,
            }),
        }
    }
}
