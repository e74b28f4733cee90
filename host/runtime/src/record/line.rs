//! A record as one line of JSON, with a checksum at its end.
//!
//! Objects stay text within the JSON: a record has the bytes that the guest got and gave.

use super::{Decision, version1};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The version in which records are written. Version 1 is read too.
const VERSION: u32 = 2;
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
    /// Whether something was left out of the input. The output is then what the component answers
    /// to what is left.
    pub redacted: bool,
    /// Whether the component answered something else to the whole input.
    pub altered: bool,
    /// Input and output.
    pub decision: Decision,
}

/// A line without its checksum. `C` is the form of its call.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<C> {
    version: u32,
    at: u64,
    component: String,
    #[serde(default, skip_serializing_if = "is_false")]
    redacted: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    altered: bool,
    call: C,
}

/// What lines of all versions have.
#[derive(Deserialize)]
struct Header {
    version: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
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
            call: &self.decision,
        };
        let mut text = serde_json::to_string(&line)?;
        // The checksum covers everything before it.
        text.pop();
        let sum = sum(&text);
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
        if tail.strip_suffix("\"}") != Some(sum(content).as_str()) {
            return Err("its checksum does not fit: it was damaged or edited".to_owned());
        }
        let text = format!("{content}}}");
        let unreadable = |error: serde_json::Error| error.to_string();
        match serde_json::from_str::<Header>(&text).map_err(unreadable)?.version {
            VERSION => {
                let line: Line<Decision> = serde_json::from_str(&text).map_err(unreadable)?;
                Ok(line.into_record(|call| call))
            }
            1 => {
                let line: Line<version1::Call> = serde_json::from_str(&text).map_err(unreadable)?;
                Ok(line.into_record(version1::Call::into_decision))
            }
            other => Err(format!(
                "its form has version {other}, but this program reads versions 1 and {VERSION}: use a newer one"
            )),
        }
    }
}

impl<C> Line<C> {
    fn into_record(self, decision: impl FnOnce(C) -> Decision) -> Record {
        Record {
            at: self.at,
            component: self.component,
            redacted: self.redacted,
            altered: self.altered,
            decision: decision(self.call),
        }
    }
}

fn sum(text: &str) -> String {
    hex::encode(Sha256::digest(text).get(..SUM_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::Record;
    use crate::record::Decision;
    use orascache_contract::{
        Account, ArtifactAnswer, ArtifactAspect, ArtifactFinding, ArtifactQuestion, Certificate, Context,
        Credentials, Event, Failure, FailureReason, Generated, GuestError, Kind, Needs, ObjectPatch,
        ObjectRef, Observed, Outcome, Plan, RandomKey, Recipe, Response, Rotation, RotationStep, Severity,
        Verb,
    };

    const KIND: Kind = Kind::namespaced("v1", "K", "ks");

    fn reference() -> ObjectRef {
        ObjectRef { kind: KIND, namespace: Some("n".into()), name: "x".into(), uid: Some("u".into()) }
    }

    fn question() -> ArtifactQuestion {
        ArtifactQuestion {
            registry: "r".into(),
            plain_http: true,
            repository: "flow/words".into(),
            reference: "1".into(),
            credentials: Some(reference()),
            aspect: ArtifactAspect::ImageConfig,
        }
    }

    fn record(decision: Decision) -> Record {
        Record { at: 7, component: "sha256:00".into(), redacted: true, altered: false, decision }
    }

    fn reconcile(output: Result<Plan, GuestError>) -> Decision {
        let failure = |reason| Failure {
            target: reference(),
            verb: Verb::Apply,
            code: 409,
            reason,
            message: "m".into(),
        };
        let observed = Observed {
            primary: "{\"a\": \"é\\u0001,\\\"sum\\\":\\\"x\\\"\"}".into(),
            owned: vec!["{}".into(), "".into()],
            related: vec!["[1e400]".into()],
            absent: vec![KIND],
            omitted: vec![KIND],
            failures: vec![failure(FailureReason::Conflict), failure(FailureReason::Other("Gone".into()))],
            answers: vec![ArtifactAnswer {
                question: question(),
                finding: ArtifactFinding::Digest("sha256:11".into()),
            }],
            settings: "{}".into(),
            now: u64::MAX,
        };
        Decision::Reconcile { observed, output }
    }

    fn review(output: Result<Outcome, GuestError>) -> Decision {
        let context = Context {
            objects: vec!["{}".into()],
            complete: true,
            answers: vec![ArtifactAnswer { question: question(), finding: ArtifactFinding::Missing }],
            settings: "{\"limit\":\"i\"}".into(),
            now: 1,
        };
        Decision::Review { review: "{\"request\":{}}".into(), context, output }
    }

    fn samples() -> Vec<Decision> {
        let generated = |recipe| Generated { secret: "{}".into(), recipe };
        let account = Account { username: "u".into(), password_key: "p".into() };
        let plan = Plan {
            generate: vec![
                generated(Recipe::Random(RandomKey { key: "k".into(), bytes: 32 })),
                generated(Recipe::Credentials(Credentials {
                    accounts: vec![account],
                    htpasswd_key: "h".into(),
                })),
                generated(Recipe::Certificate(Certificate { dns_names: vec!["d".into()], days: 90 })),
            ],
            rotate: vec![Rotation {
                secret: "{\"c\":1}".into(),
                recipe: Recipe::Random(RandomKey { key: "k".into(), bytes: 32 }),
                joined: vec!["j".into()],
                step: RotationStep::Switch,
            }],
            apply: vec!["{\"b\":1}".into()],
            patch: vec![ObjectPatch { target: reference(), patch: "[]".into() }],
            delete: vec![reference()],
            status: Some("{}".into()),
            events: vec![Event {
                severity: Severity::Warning,
                reason: "R".into(),
                action: "A".into(),
                note: "n\n".into(),
            }],
            questions: vec![question()],
            requeue_after: Some(3),
        };
        let response = Response {
            warnings: vec!["w".into()],
            audit: vec![("k".into(), "v".into())],
            ..Response::refused("u", 422, "no")
        };
        vec![
            reconcile(Ok(plan)),
            reconcile(Ok(Plan::default())),
            reconcile(Err(GuestError::Internal("i".into()))),
            Decision::Attend {
                observed: Observed { primary: "{}".into(), ..Observed::default() },
                output: Ok(Plan { requeue_after: Some(5), ..Plan::default() }),
            },
            review(Ok(Outcome::Decided(response))),
            review(Ok(Outcome::Decided(Response::patched("u", "[]".into())))),
            review(Ok(Outcome::Need(Needs { objects: vec![reference()], questions: vec![question()] }))),
            review(Err(GuestError::InvalidInput("no \"request\"".into()))),
        ]
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
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
    fn decisions_with_different_outputs_differ() {
        let samples = samples();
        for (at, one) in samples.iter().enumerate() {
            for (of, other) in samples.iter().enumerate() {
                assert_eq!(one.decides_like(other), at == of, "{one:?} and {other:?}");
            }
        }
        let stopped = |why: &str| reconcile(Err(GuestError::Stopped(why.into())));
        assert!(stopped("it ran for more than 2s").decides_like(&stopped("it panicked")));
        assert!(!stopped("it panicked").decides_like(&reconcile(Ok(Plan::default()))));
    }

    #[test]
    fn damage_is_noticed_at_every_place() {
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
    fn a_later_version_is_refused_with_a_sentence() {
        let line = record(samples().remove(1)).to_line().expect("a line");
        let (content, _) = line.rsplit_once(super::SUM).expect("a sum");
        let content = content.replacen("\"version\":2", "\"version\":3", 1);
        let line = format!("{content}{}{}\"}}", super::SUM, super::sum(&content));
        let error = Record::from_line(&line).expect_err("another version");
        assert!(error.contains("version 3"), "{error}");
    }

    #[test]
    fn fields_that_later_contracts_add_may_be_missing() {
        let content = r#"{"version":2,"at":1,"component":"sha256:00","call":{"reconcile":{"observed":{"primary":"{}","now":3},"output":{"decided":{}}}}"#;
        let line = format!("{content}{}{}\"}}", super::SUM, super::sum(content));
        let record = Record::from_line(&line).expect("a record");
        assert!(record.decision.decides_like(&reconcile(Ok(Plan::default()))));
    }
}
