//! What is left out of records.
//!
//! Only inputs are looked through. The output that is recorded is what the component says to the input as it is
//! recorded: a pure function of what may be kept cannot tell what was left out. A text is not removed but replaced by a
//! keyed digest, so that what was equal stays equal, and decisions stay what they were as far as possible. The
//! key is random, in memory only, and another one in every process.

use super::Decision;
use crate::engine::ReviewContext;
use orascache_controller::contract::Observed;
use rand::RngCore;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// `kubectl apply` keeps the whole object in it once more (kubernetes.io, reference of well-known annotations).
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Members whose texts are left out wherever they are: a literal of OrasCaches that is a secret.
const FIELDS: &[&str] = &["registryHttp"];
/// Members of reviews about persons rather than objects (`UserInfo` of authentication.k8s.io/v1).
const PERSONS: &[&str] = &["userInfo"];
/// Annotations, labels and environment variables with such a word in their name hold secrets.
const WORDS: &[&str] =
    &["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "api-key", "api_key"];
/// Shorter secrets are not looked for in other texts: they would be found everywhere.
const SOUGHT_BYTES: usize = 8;
/// Bytes of the digest that stand for a text.
const DIGEST_BYTES: usize = 6;

/// Rules about what is left out of records.
pub struct Redaction {
    key: [u8; 32],
    /// Names that the user gave.
    names: Vec<String>,
}

/// What is left of an input.
pub(super) enum Left {
    /// Nothing had to be left out.
    All,
    /// An input without it; its output is not known yet.
    Part(Box<Decision>),
    /// It is no JSON: what is in it cannot be told.
    Unreadable,
}

/// One input while it is looked through.
struct Sight<'r> {
    rules: &'r Redaction,
    /// Values of all environment variables are left out.
    all_variables: bool,
    /// Texts that were left out and are not to occur elsewhere either.
    secrets: BTreeSet<String>,
    changed: bool,
}

impl Redaction {
    /// `names` are of annotations, labels, environment variables or members of objects; whatever text stands under them is
    /// left out, beside what always is.
    pub fn new(names: Vec<String>) -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self { key, names }
    }

    pub(super) fn apply(&self, decision: &Decision) -> Left {
        self.try_apply(decision).unwrap_or(Left::Unreadable)
    }

    fn try_apply(&self, decision: &Decision) -> serde_json::Result<Left> {
        // Environment variables of pods are the user's; those of children were mostly set by the component itself, which
        // compares them.
        let all_variables = matches!(decision, Decision::Review { .. });
        let mut sight = Sight { rules: self, all_variables, secrets: BTreeSet::new(), changed: false };
        match decision {
            Decision::Reconcile { observed, output } => {
                let mut primary = sight.look_at(&observed.primary)?;
                let mut owned = sight.look_at_all(&observed.owned)?;
                let mut related = sight.look_at_all(&observed.related)?;
                let mut failures = observed.failures.clone();
                for value in std::iter::once(&mut primary).chain(&mut owned).chain(&mut related) {
                    sight.seek(value);
                }
                for failure in &mut failures {
                    sight.seek_text(&mut failure.message);
                }
                if !sight.changed {
                    return Ok(Left::All);
                }
                let observed = Observed {
                    primary: primary.to_string().into(),
                    owned: texts(&owned),
                    related: texts(&related),
                    failures,
                    now: observed.now,
                };
                Ok(Left::Part(Box::new(Decision::Reconcile { observed, output: output.clone() })))
            }
            Decision::Review { review, context, output } => {
                let mut request = sight.look_at(review)?;
                let mut objects = sight.look_at_all(&context.objects)?;
                for value in std::iter::once(&mut request).chain(&mut objects) {
                    sight.seek(value);
                }
                if !sight.changed {
                    return Ok(Left::All);
                }
                let context = ReviewContext { objects: texts(&objects), ..context.clone() };
                let review = request.to_string().into();
                Ok(Left::Part(Box::new(Decision::Review { review, context, output: output.clone() })))
            }
        }
    }

    /// Whether the user named it.
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|named| named == name)
    }

    fn is_secret(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        self.is_named(name) || WORDS.iter().any(|word| lower.contains(word))
    }

    /// What stands for a text: valid wherever a label's value is.
    fn stand_in(&self, text: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.key);
        hasher.update(text.as_bytes());
        let mut stand_in = String::from("redacted-");
        for byte in hasher.finalize().iter().take(DIGEST_BYTES) {
            // Writing into a String cannot fail.
            let _ = write!(stand_in, "{byte:02x}");
        }
        stand_in
    }
}

fn texts(values: &[Value]) -> Vec<Arc<str>> {
    values.iter().map(|value| value.to_string().into()).collect()
}

impl Sight<'_> {
    fn look_at(&mut self, text: &str) -> serde_json::Result<Value> {
        let mut value = serde_json::from_str(text)?;
        self.walk(&mut value);
        Ok(value)
    }

    fn look_at_all(&mut self, all: &[Arc<str>]) -> serde_json::Result<Vec<Value>> {
        all.iter().map(|text| self.look_at(text)).collect()
    }

    fn walk(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                if members.get("kind").is_some_and(|kind| kind == "Secret") {
                    self.walk_secret(members);
                }
                // Who set which field says nothing to a decision, and names what was taken away.
                self.changed |= members.remove("managedFields").is_some();
                for (name, member) in members.iter_mut() {
                    self.walk_member(name, member);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            _ => {}
        }
    }

    fn walk_member(&mut self, name: &str, member: &mut Value) {
        if FIELDS.contains(&name) || self.rules.is_named(name) {
            return self.leave_out(member, true);
        }
        if PERSONS.contains(&name) {
            return self.leave_out(member, false);
        }
        match (name, member) {
            ("annotations" | "labels", Value::Object(entries)) => {
                self.changed |= entries.remove(LAST_APPLIED).is_some();
                for (name, text) in entries {
                    if self.rules.is_secret(name) {
                        self.leave_out(text, true);
                    }
                }
            }
            ("env", Value::Array(variables)) => {
                for variable in variables {
                    self.walk_variable(variable);
                }
            }
            (_, member) => self.walk(member),
        }
    }

    /// An EnvVar of core/v1. References to Secrets are no secrets.
    fn walk_variable(&mut self, variable: &mut Value) {
        let secret =
            variable.get("name").and_then(Value::as_str).is_some_and(|name| self.rules.is_secret(name));
        match variable.get_mut("value") {
            Some(value) if secret || self.all_variables => self.leave_out(value, secret),
            _ => self.walk(variable),
        }
    }

    /// Secrets arrive as metadata only; one with content, and digests of the content in annotations, are left out.
    fn walk_secret(&mut self, members: &mut Map<String, Value>) {
        for name in ["data", "stringData"] {
            if let Some(content) = members.get_mut(name) {
                self.leave_out(content, true);
            }
        }
        let annotations = members.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
        if let Some(Value::Object(annotations)) = annotations {
            self.changed |= annotations.remove(LAST_APPLIED).is_some();
            for text in annotations.values_mut() {
                self.leave_out(text, false);
            }
        }
    }

    /// Replaces all texts in a value.
    fn leave_out(&mut self, value: &mut Value, secret: bool) {
        match value {
            Value::String(text) if !text.is_empty() => {
                let stand_in = self.rules.stand_in(text);
                let text = std::mem::replace(text, stand_in);
                self.changed = true;
                if secret && text.len() >= SOUGHT_BYTES {
                    self.secrets.insert(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.leave_out(item, secret)),
            Value::Object(members) => members.values_mut().for_each(|member| self.leave_out(member, secret)),
            _ => {}
        }
    }

    /// Replaces secrets that stand elsewhere too, as in an argument or in a message.
    fn seek(&mut self, value: &mut Value) {
        if self.secrets.is_empty() {
            return;
        }
        match value {
            Value::String(text) => self.seek_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.seek(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.seek(member)),
            _ => {}
        }
    }

    fn seek_text(&mut self, text: &mut String) {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), &self.rules.stand_in(secret));
                self.changed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Left, Redaction};
    use crate::engine::{Outcome, ReviewContext};
    use crate::record::Decision;
    use orascache_controller::contract::{Failure, Kind, ObjectRef, Observed, Plan};
    use serde_json::{Value, json};

    fn observed(primary: &Value, owned: &[Value], failure: &str) -> Decision {
        let kind = Kind { api_version: "v1".into(), kind: "K".into(), plural: "ks".into(), namespaced: true };
        let observed = Observed {
            primary: primary.to_string().into(),
            owned: owned.iter().map(|object| object.to_string().into()).collect(),
            related: Vec::new(),
            failures: vec![Failure {
                target: ObjectRef { kind, namespace: None, name: "n".into(), uid: None },
                verb: "apply".into(),
                code: 422,
                reason: "Invalid".into(),
                message: failure.into(),
            }],
            now: 7,
        };
        Decision::Reconcile { observed, output: Ok(Plan::default()) }
    }

    fn review(review: &Value) -> Decision {
        let output = Ok(Outcome::Need(Vec::new()));
        Decision::Review { review: review.to_string().into(), context: ReviewContext::default(), output }
    }

    fn left(decision: &Decision, names: &[&str]) -> Decision {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        match Redaction::new(names).apply(decision) {
            Left::Part(left) => *left,
            Left::All => decision.clone(),
            Left::Unreadable => panic!("unreadable"),
        }
    }

    fn text(decision: &Decision) -> String {
        match decision {
            Decision::Reconcile { observed, .. } => format!("{observed:?}"),
            Decision::Review { review, .. } => review.to_string(),
        }
    }

    #[test]
    fn what_holds_no_secret_stays_byte_for_byte() {
        let plain = observed(
            &json!({"kind": "P", "metadata": {"annotations": {"a": "b"}, "labels": {"app": "x"}}, "spec": {"secret": "name"}}),
            &[json!({"kind": "StatefulSet", "spec": {"template": {"spec": {"containers": [{"env": [
                {"name": "REGISTRY_HTTP_ADDR", "value": ":5000"},
                {"name": "REGISTRY_HTTP_SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ]}]}}}})],
            "no",
        );
        assert!(matches!(Redaction::new(Vec::new()).apply(&plain), Left::All));
        let spaced = Decision::Review {
            review: "{ \"request\" : {} }".into(),
            context: ReviewContext::default(),
            output: Ok(Outcome::Need(Vec::new())),
        };
        assert!(matches!(Redaction::new(Vec::new()).apply(&spaced), Left::All));
    }

    #[test]
    fn a_secret_is_nowhere_in_what_is_left() {
        const SECRET: &str = "hunter2hunter2";
        let primary = json!({
            "kind": "OrasCache",
            "metadata": {"annotations": {
                "example.com/api-token": SECRET,
                "kubectl.kubernetes.io/last-applied-configuration": format!("{{\"registryHttp\":\"{SECRET}\"}}"),
            }, "labels": {"vault-password": "hunter2"}},
            "spec": {"secrets": {"registryHttp": SECRET}, "image": format!("registry/{SECRET}:1")},
        });
        let owned = [
            json!({"kind": "Secret", "data": {"k": "aHVudGVyMmh1bnRlcjI="}, "metadata": {"annotations": {"applied-hash": "432873a001408fd8"}}}),
            json!({"kind": "StatefulSet", "spec": {"env": [{"name": "DB_PASSWORD", "value": "short"}, {"name": "MODE", "value": "fast"}]}}),
        ];
        let left = left(&observed(&primary, &owned, &format!("Invalid value: {SECRET}")), &[]);
        let text = text(&left);
        for secret in [SECRET, "hunter2", "aHVudGVyMmh1bnRlcjI", "432873a001408fd8", "\"short\""] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(text.contains("fast") && !text.contains("last-applied"), "{text}");
        let Decision::Reconcile { observed, .. } = left else { panic!("another call") };
        let primary: Value = serde_json::from_str(&observed.primary).expect("JSON");
        let stand_in = primary["spec"]["secrets"]["registryHttp"].as_str().expect("a text");
        assert_eq!(
            primary["metadata"]["annotations"]["example.com/api-token"], stand_in,
            "equal texts stay equal"
        );
        assert_eq!(primary["spec"]["image"], format!("registry/{stand_in}:1"));
        assert_eq!(observed.failures[0].message, format!("Invalid value: {stand_in}"));
    }

    #[test]
    fn reviews_lose_persons_variables_and_managed_fields() {
        let asked = json!({"request": {
            "userInfo": {"username": "alice", "groups": ["staff"], "extra": {"session": ["s3ss10n"]}},
            "object": {
                "metadata": {"managedFields": [{"manager": "kubectl"}], "name": "step"},
                "spec": {"containers": [{"name": "main", "command": ["run"], "env": [
                    {"name": "MODE", "value": "confidential"}, {"name": "EMPTY", "value": ""},
                    {"name": "FROM", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ]}]},
            },
        }});
        let left: Value = serde_json::from_str(&text(&left(&review(&asked), &[]))).expect("JSON");
        let shown = left.to_string();
        for gone in ["alice", "staff", "s3ss10n", "managedFields", "confidential"] {
            assert!(!shown.contains(gone), "{gone} in {shown}");
        }
        let container = &left["request"]["object"]["spec"]["containers"][0];
        assert_eq!(container["command"], json!(["run"]));
        assert_eq!(container["env"][0]["name"], "MODE");
        assert_eq!(container["env"][1]["value"], "", "that nothing is there is no secret");
        assert_eq!(container["env"][2], asked["request"]["object"]["spec"]["containers"][0]["env"][2]);
    }

    #[test]
    fn names_of_the_user_count_everywhere() {
        let object = json!({"request": {"object": {
            "metadata": {"annotations": {"example.com/budget": "1000"}, "labels": {"team": "red"}},
            "spec": {"args": ["--pin", "1234"], "nodeSelector": {"team": "red"}, "replicas": 3},
        }}});
        let names = ["example.com/budget", "team", "args", "replicas"];
        let left: Value = serde_json::from_str(&text(&left(&review(&object), &names))).expect("JSON");
        let object = &left["request"]["object"];
        let shown = left.to_string();
        assert!(!shown.contains("1000") && !shown.contains("red\"") && !shown.contains("1234"), "{shown}");
        assert_eq!(object["metadata"]["labels"]["team"], object["spec"]["nodeSelector"]["team"]);
        assert_eq!(object["spec"]["args"].as_array().map(Vec::len), Some(2));
        assert_eq!(object["spec"]["replicas"], 3, "numbers stay");
    }

    #[test]
    fn stand_ins_differ_by_process_and_fit_into_labels() {
        let (one, other) = (Redaction::new(Vec::new()), Redaction::new(Vec::new()));
        assert_eq!(one.stand_in("x"), one.stand_in("x"));
        assert_ne!(one.stand_in("x"), one.stand_in("y"));
        assert_ne!(one.stand_in("x"), other.stand_in("x"), "guesses cannot be tried");
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(one.stand_in("x").len() <= 63 && one.stand_in("x").chars().all(fits));
    }

    #[test]
    fn what_is_no_json_is_not_kept() {
        let context = ReviewContext::default();
        let output = Ok(Outcome::Need(Vec::new()));
        let decision = Decision::Review { review: "password=hunter2".into(), context, output };
        assert!(matches!(Redaction::new(Vec::new()).apply(&decision), Left::Unreadable));
    }
}
