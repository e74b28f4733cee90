//! Leaves secrets out of records.
//!
//! Only inputs are redacted. The output that is recorded is what the component answers to the
//! redacted input: a pure function of an input without a secret cannot reveal the secret. Texts are
//! not removed but replaced by a keyed digest: equal texts stay equal, and decisions stay what they
//! were as far as possible. The key is random, is in memory only, and differs in every process.
//!
//! What is secret comes from two sources: general knowledge about Kubernetes (Secrets, environment
//! variables, names such as `password`), and the guest, whose description has JSON pointers to
//! secret values of its primaries.

use super::Decision;
use crate::digest::hex;
use orascache_contract::{ArtifactAnswer, ArtifactFinding, Context, Description, Kind, Observed};
use rand::RngCore;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `kubectl apply` keeps a copy of the whole object in it (kubernetes.io, reference of well-known
/// annotations).
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Members of reviews about persons rather than objects (`UserInfo` of authentication.k8s.io/v1).
const PERSONS: &[&str] = &["userInfo"];
/// Annotations, labels and environment variables with such a word in their name are taken for
/// secrets.
const WORDS: &[&str] =
    &["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "api-key", "api_key"];
/// Secrets of fewer bytes are not searched for in other texts: they would be found everywhere.
const SEARCHED_BYTES: usize = 8;
/// Bytes of the digest that replaces a text.
const DIGEST_BYTES: usize = 6;
/// What every replacement begins with.
const REPLACEMENT: &str = "redacted-";

/// Rules about what is left out of records.
pub struct Redaction {
    key: [u8; 32],
    /// Names that the user gave.
    names: Vec<String>,
}

/// What redaction makes of an input.
pub(super) enum Redacted {
    /// There is no secret in it.
    Unchanged,
    /// The input without its secrets. The output is still that of the whole input.
    Changed(Box<Decision>),
    /// It is no JSON, so that secrets cannot be found in it.
    Unreadable,
}

/// One input while it is redacted.
struct Pass<'r> {
    rules: &'r Redaction,
    description: &'r Description,
    /// Values of all environment variables are left out.
    all_variables: bool,
    /// Texts that were left out and must not occur elsewhere either.
    secrets: BTreeSet<String>,
    changed: bool,
}

impl Redaction {
    /// `names` are of annotations, labels, environment variables or fields of objects: all text under
    /// them is left out, beside what always is.
    pub fn new(names: Vec<String>) -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self { key, names }
    }

    /// Redacts the input of a decision. `description` is that of the guest which decided.
    pub(super) fn apply(&self, description: &Description, decision: &Decision) -> Redacted {
        self.try_apply(description, decision).unwrap_or(Redacted::Unreadable)
    }

    fn try_apply(&self, description: &Description, decision: &Decision) -> serde_json::Result<Redacted> {
        // Environment variables of reviewed pods are the user's. Those of owned objects were mostly
        // set by the guest itself, which compares them.
        let all_variables = matches!(decision, Decision::Review { .. });
        let mut pass =
            Pass { rules: self, description, all_variables, secrets: BTreeSet::new(), changed: false };
        let redacted = match decision {
            Decision::Reconcile { observed, output } => {
                let observed = pass.observed(observed)?;
                Decision::Reconcile { observed, output: output.clone() }
            }
            Decision::Review { review, context, output } => {
                let (review, context) = pass.review(review, context)?;
                Decision::Review { review, context, output: output.clone() }
            }
        };
        Ok(if pass.changed { Redacted::Changed(Box::new(redacted)) } else { Redacted::Unchanged })
    }

    /// Whether the user gave that name.
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|named| named == name)
    }

    fn is_secret(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        self.is_named(name) || WORDS.iter().any(|word| lower.contains(word))
    }

    /// What replaces a text. It is valid as the value of a label too.
    fn replacement(&self, text: &str) -> String {
        let digest = Sha256::new().chain_update(self.key).chain_update(text).finalize();
        format!("{REPLACEMENT}{}", hex(digest.get(..DIGEST_BYTES).unwrap_or_default()))
    }
}

/// Whether a text replaces another one already, since two rules may find the same text.
fn is_replacement(text: &str) -> bool {
    let digits = text.strip_prefix(REPLACEMENT).filter(|digits| digits.len() == DIGEST_BYTES * 2);
    digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn texts(values: &[Value]) -> Vec<Arc<str>> {
    values.iter().map(|value| value.to_string().into()).collect()
}

impl Pass<'_> {
    fn observed(&mut self, observed: &Observed) -> serde_json::Result<Observed> {
        let mut primary = self.parse(&observed.primary)?;
        let mut owned = self.parse_all(&observed.owned)?;
        let mut related = self.parse_all(&observed.related)?;
        let mut answers = self.answers(&observed.answers)?;
        let mut failures = observed.failures.clone();
        for value in std::iter::once(&mut primary).chain(&mut owned).chain(&mut related) {
            self.search(value);
        }
        for failure in &mut failures {
            self.search_text(&mut failure.message);
        }
        self.search_answers(&mut answers);
        Ok(Observed {
            primary: primary.to_string().into(),
            owned: texts(&owned),
            related: texts(&related),
            failures,
            answers,
            ..observed.clone()
        })
    }

    fn review(&mut self, review: &str, context: &Context) -> serde_json::Result<(Arc<str>, Context)> {
        let mut request = self.parse(review)?;
        let mut objects = self.parse_all(&context.objects)?;
        let mut answers = self.answers(&context.answers)?;
        for value in std::iter::once(&mut request).chain(&mut objects) {
            self.search(value);
        }
        self.search_answers(&mut answers);
        let context = Context { objects: texts(&objects), answers, ..context.clone() };
        Ok((request.to_string().into(), context))
    }

    /// Configurations of images, in which environment variables may be secret.
    fn answers(&mut self, answers: &[ArtifactAnswer]) -> serde_json::Result<Vec<ArtifactAnswer>> {
        let mut redacted = answers.to_vec();
        for answer in &mut redacted {
            if let ArtifactFinding::ImageConfig(config) = &mut answer.finding {
                *config = self.parse(config)?.to_string();
            }
        }
        Ok(redacted)
    }

    fn parse(&mut self, text: &str) -> serde_json::Result<Value> {
        let mut value = serde_json::from_str(text)?;
        self.walk(&mut value);
        Ok(value)
    }

    fn parse_all(&mut self, all: &[Arc<str>]) -> serde_json::Result<Vec<Value>> {
        all.iter().map(|text| self.parse(text)).collect()
    }

    fn walk(&mut self, value: &mut Value) {
        if is_of(value, &self.description.primary) {
            let pointers = &self.description.sensitive;
            for pointer in pointers {
                if let Some(sensitive) = value.pointer_mut(pointer) {
                    self.leave_out(sensitive, true);
                }
            }
        }
        match value {
            Value::Object(members) => {
                if members.get("kind").is_some_and(|kind| kind == "Secret") {
                    self.walk_secret(members);
                }
                // Who set which field does not matter to a decision, and names fields that were
                // removed.
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
        if self.rules.is_named(name) {
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
            ("Env", Value::Array(variables)) => {
                for variable in variables {
                    self.walk_image_variable(variable);
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

    /// A variable of an image's configuration: `NAME=value` (image-spec, `config.Env`).
    fn walk_image_variable(&mut self, variable: &mut Value) {
        let Some((name, value)) = variable.as_str().and_then(|text| text.split_once('=')) else { return };
        if self.rules.is_secret(name) {
            let mut value = Value::from(value);
            let name = name.to_owned();
            self.leave_out(&mut value, true);
            *variable = Value::from(format!("{name}={}", value.as_str().unwrap_or_default()));
        }
    }

    /// Hosts show Secrets as metadata only. Content is left out nevertheless, and annotations too,
    /// since some hold digests of the content.
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

    /// Replaces all texts in a value. Numbers, booleans and empty texts stay.
    fn leave_out(&mut self, value: &mut Value, secret: bool) {
        match value {
            Value::String(text) if !text.is_empty() && !is_replacement(text) => {
                let replacement = self.rules.replacement(text);
                let text = std::mem::replace(text, replacement);
                self.changed = true;
                if secret && text.len() >= SEARCHED_BYTES {
                    self.secrets.insert(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.leave_out(item, secret)),
            Value::Object(members) => members.values_mut().for_each(|member| self.leave_out(member, secret)),
            _ => {}
        }
    }

    /// Replaces secrets that occur in other texts too, such as arguments and messages.
    fn search(&mut self, value: &mut Value) {
        if self.secrets.is_empty() {
            return;
        }
        match value {
            Value::String(text) => self.search_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.search(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.search(member)),
            _ => {}
        }
    }

    fn search_text(&mut self, text: &mut String) {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), &self.rules.replacement(secret));
                self.changed = true;
            }
        }
    }

    fn search_answers(&mut self, answers: &mut [ArtifactAnswer]) {
        for answer in answers {
            match &mut answer.finding {
                ArtifactFinding::ImageConfig(text) | ArtifactFinding::Unknown(text) => self.search_text(text),
                ArtifactFinding::Digest(_) | ArtifactFinding::Missing => {}
            }
        }
    }
}

/// Whether a value is an object of that kind, in whatever version. One without an apiVersion may be.
fn is_of(value: &Value, kind: &Kind) -> bool {
    let member = |name| value.get(name).and_then(Value::as_str);
    let group = member("apiVersion").map(|version| version.rsplit_once('/').map_or("", |(group, _)| group));
    member("kind") == Some(&kind.kind) && group.is_none_or(|group| group == kind.group())
}

#[cfg(test)]
mod tests;
