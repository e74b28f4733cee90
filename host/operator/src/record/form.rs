//! A record as one line of JSON, with a checksum at its end.
//!
//! Objects stay text within the JSON: what is recorded is what the component got and gave, byte for byte.

use super::Decision;
use crate::engine::{Outcome, ReviewContext};
use orascache_controller::contract::{DecideError, Failure, ObjectRef, Observed, Plan};
use orascache_webhook::Verdict;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// Version of the form. A reader refuses records of another one.
const VERSION: u32 = 1;
/// Before the checksum, which is the line's last member.
const SUM: &str = ",\"sum\":\"";
/// Bytes of a SHA-256 that are kept: enough to notice damage.
const SUM_BYTES: usize = 8;

/// A decision as it was recorded.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it was decided, seconds since the Unix epoch.
    pub at: u64,
    /// Digest of the component that decided.
    pub component: String,
    /// Whether something was left out of the input. The output is then what the component says to what is left.
    pub redacted: bool,
    /// Whether the component said something else to the whole input.
    pub altered: bool,
    /// Input and output.
    pub decision: Decision,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    version: u32,
    at: u64,
    component: String,
    #[serde(default, skip_serializing_if = "is_false")]
    redacted: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    altered: bool,
    call: Call,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Call {
    Reconcile {
        primary: String,
        owned: Vec<String>,
        related: Vec<String>,
        failures: Vec<Failure>,
        now: u64,
        output: Output<Plan>,
    },
    Review {
        review: String,
        objects: Vec<String>,
        complete: bool,
        settings: String,
        now: u64,
        output: Output<OutcomeText>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Output<T> {
    Decided(T),
    Failed(DecideError),
}

#[derive(Serialize, Deserialize)]
struct OutcomeText(#[serde(with = "OutcomeForm")] Outcome);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Outcome", rename_all = "camelCase")]
enum OutcomeForm {
    Decided(#[serde(with = "VerdictForm")] Verdict),
    Need(Vec<ObjectRef>),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Verdict", rename_all = "camelCase")]
struct VerdictForm {
    uid: String,
    allowed: bool,
    code: u16,
    message: String,
    warnings: Vec<String>,
    patch: Option<String>,
    audit: Vec<(String, String)>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl<T> Output<T> {
    fn of<U>(result: &Result<U, DecideError>, convert: impl Fn(&U) -> T) -> Self {
        match result {
            Ok(decided) => Self::Decided(convert(decided)),
            Err(error) => Self::Failed(error.clone()),
        }
    }

    fn into_result(self) -> Result<T, DecideError> {
        match self {
            Self::Decided(decided) => Ok(decided),
            Self::Failed(error) => Err(error),
        }
    }
}

impl Record {
    /// One line, with its newline.
    pub(super) fn to_line(&self) -> serde_json::Result<String> {
        let line = Line {
            version: VERSION,
            at: self.at,
            component: self.component.clone(),
            redacted: self.redacted,
            altered: self.altered,
            call: Call::of(&self.decision),
        };
        let mut text = serde_json::to_string(&line)?;
        // The checksum covers everything before it.
        text.pop();
        let sum = sum(text.as_bytes());
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{SUM}{sum}\"}}");
        Ok(text)
    }

    /// Reads a line without its newline.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn from_line(line: &str) -> Result<Self, String> {
        let (content, tail) =
            line.rsplit_once(SUM).ok_or_else(|| "it has no checksum at its end".to_owned())?;
        if tail.strip_suffix("\"}") != Some(sum(content.as_bytes()).as_str()) {
            return Err("its checksum does not fit: it was damaged or edited".to_owned());
        }
        let line: Line = serde_json::from_str(&format!("{content}}}")).map_err(|error| error.to_string())?;
        if line.version != VERSION {
            let version = line.version;
            return Err(format!("its form has version {version}, but this program reads version {VERSION}"));
        }
        Ok(Self {
            at: line.at,
            component: line.component,
            redacted: line.redacted,
            altered: line.altered,
            decision: line.call.into_decision(),
        })
    }
}

impl Call {
    fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Reconcile { observed, output } => Self::Reconcile {
                primary: observed.primary.to_string(),
                owned: owned(&observed.owned),
                related: owned(&observed.related),
                failures: observed.failures.clone(),
                now: observed.now,
                output: Output::of(output, Clone::clone),
            },
            Decision::Review { review, context, output } => Self::Review {
                review: review.to_string(),
                objects: owned(&context.objects),
                complete: context.complete,
                settings: context.settings.to_string(),
                now: context.now,
                output: Output::of(output, |outcome| OutcomeText(outcome.clone())),
            },
        }
    }

    fn into_decision(self) -> Decision {
        match self {
            Self::Reconcile { primary, owned, related, failures, now, output } => Decision::Reconcile {
                observed: Observed {
                    primary: primary.into(),
                    owned: shared(owned),
                    related: shared(related),
                    failures,
                    now,
                },
                output: output.into_result(),
            },
            Self::Review { review, objects, complete, settings, now, output } => Decision::Review {
                review: review.into(),
                context: ReviewContext { objects: shared(objects), complete, settings: settings.into(), now },
                output: output.into_result().map(|outcome| outcome.0),
            },
        }
    }
}

fn owned(texts: &[Arc<str>]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

fn shared(texts: Vec<String>) -> Vec<Arc<str>> {
    texts.into_iter().map(Arc::from).collect()
}

fn sum(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(SUM_BYTES * 2);
    for byte in Sha256::digest(bytes).iter().take(SUM_BYTES) {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Record;
    use crate::engine::{Outcome, ReviewContext};
    use crate::record::Decision;
    use orascache_controller::contract::{
        DecideError, Event, Failure, Generated, Kind, ObjectRef, Observed, Plan, Severity,
    };
    use orascache_webhook::Verdict;

    fn reference() -> ObjectRef {
        let kind = Kind { api_version: "v1".into(), kind: "K".into(), plural: "ks".into(), namespaced: true };
        ObjectRef { kind, namespace: Some("n".into()), name: "x".into(), uid: Some("u".into()) }
    }

    fn record(decision: Decision) -> Record {
        Record { at: 7, component: "sha256:00".into(), redacted: true, altered: false, decision }
    }

    fn reconcile(output: Result<Plan, DecideError>) -> Decision {
        let observed = Observed {
            primary: "{\"a\": \"é\\u0001,\\\"sum\\\":\\\"x\\\"\"}".into(),
            owned: vec!["{}".into(), "".into()],
            related: vec!["[1e400]".into()],
            failures: vec![Failure {
                target: reference(),
                verb: "apply".into(),
                code: 409,
                reason: "R".into(),
                message: "m".into(),
            }],
            now: u64::MAX,
        };
        Decision::Reconcile { observed, output }
    }

    fn review(output: Result<Outcome, DecideError>) -> Decision {
        let context = ReviewContext {
            objects: vec!["{}".into()],
            complete: true,
            settings: "{\"agentImage\":\"i\"}".into(),
            now: 1,
        };
        Decision::Review { review: "{\"request\":{}}".into(), context, output }
    }

    fn samples() -> Vec<Decision> {
        let plan = Plan {
            generate: vec![Generated { secret: "{}".into(), key: "k".into(), bytes: 32 }],
            apply: vec!["{\"b\":1}".into()],
            delete: vec![reference()],
            status: Some("{}".into()),
            events: vec![Event {
                severity: Severity::Warning,
                reason: "R".into(),
                action: "A".into(),
                note: "n\n".into(),
            }],
            requeue_after: Some(3),
        };
        let verdict = Verdict {
            uid: "u".into(),
            allowed: false,
            code: 422,
            message: "no".into(),
            warnings: vec!["w".into()],
            patch: Some("[]".into()),
            audit: vec![("k".into(), "v".into())],
        };
        vec![
            reconcile(Ok(plan)),
            reconcile(Ok(Plan::default())),
            reconcile(Err(DecideError::Internal("i".into()))),
            review(Ok(Outcome::Decided(verdict))),
            review(Ok(Outcome::Need(vec![reference()]))),
            review(Err(DecideError::InvalidInput("no \"request\"".into()))),
        ]
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        for decision in samples() {
            let written = record(decision);
            let line = written.to_line().expect("a line");
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            let read = Record::from_line(line.trim_end_matches('\n')).expect("a record");
            assert_eq!(format!("{read:?}"), format!("{written:?}"));
            assert!(read.decision.decides_like(&written.decision));
            serde_json::from_str::<serde_json::Value>(&line).expect("the whole line is JSON");
        }
    }

    #[test]
    fn different_outputs_are_told_apart() {
        let samples = samples();
        for (at, one) in samples.iter().enumerate() {
            for (of, other) in samples.iter().enumerate() {
                assert_eq!(one.decides_like(other), at == of, "{one:?} and {other:?}");
            }
        }
        let stopped = |why: &str| reconcile(Err(DecideError::Stopped(why.into())));
        assert!(stopped("it ran for more than 2s").decides_like(&stopped("it panicked")));
        assert!(!stopped("it panicked").decides_like(&reconcile(Ok(Plan::default()))));
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let line = record(samples().remove(0)).to_line().expect("a line");
        let line = line.trim_end_matches('\n');
        for (at, _) in line.char_indices() {
            assert!(Record::from_line(&line[..at]).is_err(), "cut at {at}");
            let mut damaged = line.to_owned();
            let other = if line[at..].starts_with('x') { "y" } else { "x" };
            let end = at + line[at..].chars().next().map_or(1, char::len_utf8);
            damaged.replace_range(at..end, other);
            assert!(Record::from_line(&damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn another_version_is_refused_with_a_sentence() {
        let line = record(samples().remove(1)).to_line().expect("a line");
        let (content, _) = line.rsplit_once(super::SUM).expect("a sum");
        let content = content.replacen("\"version\":1", "\"version\":2", 1);
        let line = format!("{content}{}{}\"}}", super::SUM, super::sum(content.as_bytes()));
        let error = Record::from_line(&line).expect_err("another version");
        assert!(error.contains("version 2"), "{error}");
    }
}
