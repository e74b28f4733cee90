//! Goes through one input and leaves its secrets out.

use super::found::Found;
use super::{Redaction, is_replacement, rules, text};
use orascache_contract::{ArtifactAnswer, ArtifactFinding, Context, Description, Kind, Observed};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `kubectl apply` keeps a copy of the whole object in it (kubernetes.io, reference of well-known
/// annotations).
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Deepest nesting of JSON in texts of JSON that is read. Deeper texts are left out as a whole.
const NESTED_TEXTS: usize = 4;
/// Where objects have their name, in documents and in reviews.
const NAMES: &[&str] =
    &["/metadata/name", "/request/name", "/request/object/metadata/name", "/request/oldObject/metadata/name"];

/// One input while it is redacted.
pub(super) struct Pass<'r> {
    rules: &'r Redaction,
    description: &'r Description,
    is_review: bool,
    /// Names of the objects in the input.
    names: BTreeSet<String>,
    /// Texts that were left out and must not occur elsewhere either.
    secrets: Found,
    /// How many texts of JSON contain the value.
    nested: usize,
    changed: bool,
}

fn texts(values: &[Value]) -> Vec<Arc<str>> {
    values.iter().map(|value| value.to_string().into()).collect()
}

fn parse_all(all: &[Arc<str>]) -> serde_json::Result<Vec<Value>> {
    all.iter().map(|text| serde_json::from_str(text)).collect()
}

impl<'r> Pass<'r> {
    pub(super) fn new(rules: &'r Redaction, description: &'r Description, is_review: bool) -> Self {
        let (names, secrets) = (BTreeSet::new(), Found::default());
        Self { rules, description, is_review, names, secrets, nested: 0, changed: false }
    }

    /// Whether something was left out.
    pub(super) fn has_changed(&self) -> bool {
        self.changed
    }

    /// Whether all secrets were looked for everywhere.
    pub(super) fn is_complete(&self) -> bool {
        !self.secrets.is_too_many()
    }

    pub(super) fn observed(&mut self, observed: &Observed) -> serde_json::Result<Observed> {
        let mut primary: Value = serde_json::from_str(&observed.primary)?;
        let mut owned = parse_all(&observed.owned)?;
        let mut related = parse_all(&observed.related)?;
        let mut redacted = observed.clone();
        let all = || std::iter::once(&primary).chain(&owned).chain(&related);
        all().for_each(|value| self.note_names(value));
        self.names.extend(observed.failures.iter().map(|failure| failure.target.name.clone()));

        let all = std::iter::once(&mut primary).chain(&mut owned).chain(&mut related);
        all.for_each(|value| self.walk("", value));
        redacted.failures.iter_mut().for_each(|failure| self.text(&mut failure.message));
        self.answers(&mut redacted.answers)?;
        self.shared_text(&mut redacted.settings);

        let all = std::iter::once(&mut primary).chain(&mut owned).chain(&mut related);
        all.for_each(|value| self.search(value));
        redacted.failures.iter_mut().for_each(|failure| self.search_text(&mut failure.message));
        self.search_answers(&mut redacted.answers);
        self.search_shared_text(&mut redacted.settings);
        redacted.primary = primary.to_string().into();
        (redacted.owned, redacted.related) = (texts(&owned), texts(&related));
        Ok(redacted)
    }

    pub(super) fn review(
        &mut self,
        review: &str,
        context: &Context,
    ) -> serde_json::Result<(Arc<str>, Context)> {
        let mut review: Value = serde_json::from_str(review)?;
        let mut objects = parse_all(&context.objects)?;
        let mut redacted = context.clone();
        std::iter::once(&review).chain(&objects).for_each(|value| self.note_names(value));

        let reviewed = review.pointer("/request/kind/kind").and_then(Value::as_str).map(ToOwned::to_owned);
        if reviewed.as_deref() == Some("Secret") {
            for pointer in ["/request/object", "/request/oldObject"] {
                if let Some(Value::Object(members)) = review.pointer_mut(pointer) {
                    self.walk_secret(members);
                }
            }
        }
        std::iter::once(&mut review).chain(&mut objects).for_each(|value| self.walk("", value));
        self.answers(&mut redacted.answers)?;
        self.shared_text(&mut redacted.settings);

        std::iter::once(&mut review).chain(&mut objects).for_each(|value| self.search(value));
        self.search_answers(&mut redacted.answers);
        self.search_shared_text(&mut redacted.settings);
        redacted.objects = texts(&objects);
        Ok((review.to_string().into(), redacted))
    }

    fn note_names(&mut self, value: &Value) {
        let names = NAMES.iter().filter_map(|pointer| value.pointer(pointer)?.as_str());
        self.names.extend(names.map(ToOwned::to_owned));
    }

    /// Configurations of images, in which environment variables and labels may be secret.
    fn answers(&mut self, answers: &mut [ArtifactAnswer]) -> serde_json::Result<()> {
        for answer in answers {
            match &mut answer.finding {
                ArtifactFinding::ImageConfig(config) => {
                    let mut value = serde_json::from_str(config)?;
                    self.walk("", &mut value);
                    *config = value.to_string();
                }
                ArtifactFinding::Unknown(sentence) => self.text(sentence),
                ArtifactFinding::Digest(_) | ArtifactFinding::Missing => {}
            }
        }
        Ok(())
    }

    /// `parent` is the name of the member that has the value.
    fn walk(&mut self, parent: &str, value: &mut Value) {
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
                self.walk_secrets(members);
                // `managedFields` name fields that redaction removed. A decision that depends on them
                // is recorded as it would be without them.
                self.changed |= members.remove("managedFields").is_some();
                self.changed |= members.remove(LAST_APPLIED).is_some();
                self.walk_named_value(members);
                for (name, member) in members.iter_mut() {
                    self.walk_member(parent, name, member);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(parent, item)),
            Value::String(text) => self.text(text),
            _ => {}
        }
    }

    fn walk_member(&mut self, parent: &str, name: &str, member: &mut Value) {
        if self.rules.is_named(name) {
            self.leave_out(member, true);
        } else if rules::is_secret_field(parent, name, self.is_review) {
            self.leave_out(member, false);
        } else if rules::is_secret_name(name) {
            self.leave_out_named(name, member);
        } else if name == "Env" && member.is_array() {
            let variables = member.as_array_mut().into_iter().flatten();
            variables.for_each(|variable| self.walk_image_variable(variable));
        } else {
            if rules::is_value_list(name, self.is_review) {
                let items = member.as_array_mut().into_iter().flatten();
                for item in items.filter_map(Value::as_object_mut) {
                    // This comes first, since values of secret names are searched for elsewhere.
                    self.walk_named_value(item);
                    if let Some(value) = item.get_mut("value") {
                        self.leave_out(value, false);
                    }
                }
            }
            self.walk(name, member);
        }
    }

    /// The value of an object with `name` and `value`, such as an environment variable or a
    /// parameter of a workflow. References to Secrets have no `value`, and stay.
    fn walk_named_value(&mut self, members: &mut Map<String, Value>) {
        let secret =
            members.get("name").and_then(Value::as_str).is_some_and(|name| self.rules.is_secret(name));
        if secret && let Some(value) = members.get_mut("value") {
            self.leave_out(value, true);
        }
    }

    /// A variable of an image's configuration: `NAME=value` (image-spec, `config.Env`).
    fn walk_image_variable(&mut self, variable: &mut Value) {
        let Value::String(variable) = variable else { return self.walk("Env", variable) };
        match variable.split_once('=') {
            Some((name, value)) if self.rules.is_secret(name) => {
                let (name, mut value) = (name.to_owned(), Value::from(value));
                self.leave_out(&mut value, true);
                *variable = format!("{name}={}", value.as_str().unwrap_or_default());
            }
            _ => self.text(variable),
        }
    }

    /// Secrets, and lists of them, whose items have no `kind`.
    fn walk_secrets(&mut self, members: &mut Map<String, Value>) {
        match members.get("kind").and_then(Value::as_str) {
            Some("Secret") => self.walk_secret(members),
            Some("SecretList") => {
                let items = members.get_mut("items").and_then(Value::as_array_mut);
                for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
                    self.walk_secret(item);
                }
            }
            _ => {}
        }
    }

    /// Hosts show Secrets as metadata only. Content is left out nevertheless, and annotations too,
    /// since some hold digests of the content.
    fn walk_secret(&mut self, members: &mut Map<String, Value>) {
        for name in rules::SECRET_CONTENT {
            if let Some(content) = members.get_mut(*name) {
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

    /// Replaces the texts in a member whose name says that it is secret, but for references to
    /// Secrets: they are no secrets, and decisions are about them. A text that is the name of an
    /// object in the same input is such a reference; it stands there anyway.
    fn leave_out_named(&mut self, name: &str, value: &mut Value) {
        match value {
            Value::String(text)
                if rules::REFERENCE_NAMES.contains(&name) || self.names.contains(text.as_str()) => {}
            Value::Object(members) if rules::is_reference(members.keys()) => self.walk(name, value),
            Value::Object(members) => {
                for (name, member) in members {
                    self.leave_out_named(name, member);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.leave_out_named(name, item)),
            value => self.leave_out(value, true),
        }
    }

    /// Replaces all texts in a value. Numbers, booleans and empty texts stay. Secret texts are
    /// searched for elsewhere; others may be ordinary words.
    fn leave_out(&mut self, value: &mut Value, secret: bool) {
        match value {
            Value::String(text) if !text.is_empty() && !is_replacement(text) => {
                let replacement = self.rules.replacement(text);
                let text = std::mem::replace(text, replacement);
                self.changed = true;
                if secret {
                    self.add_secret(&text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.leave_out(item, secret)),
            Value::Object(members) => {
                for (name, member) in members {
                    self.leave_out(member, secret || rules::is_secret_name(name));
                }
            }
            _ => {}
        }
    }

    /// A secret is searched for as it is, and as it is written within a text of JSON.
    fn add_secret(&mut self, secret: &str) {
        self.secrets.add(secret);
        let written = Value::from(secret).to_string();
        self.secrets.add(written.trim_matches('"'));
    }

    fn shared_text(&mut self, text: &mut Arc<str>) {
        let mut redacted = text.to_string();
        self.text(&mut redacted);
        *text = redacted.into();
    }

    /// Leaves out what is secret in a text: as JSON where it is some, else private keys and
    /// credentials in URLs.
    fn text(&mut self, text: &mut String) {
        if text.trim_start().starts_with(['{', '['])
            && let Ok(mut value) = serde_json::from_str::<Value>(text)
        {
            if self.nested == NESTED_TEXTS {
                *text = self.rules.replacement(text);
                self.changed = true;
                return;
            }
            let changed = std::mem::take(&mut self.changed);
            self.nested += 1;
            self.walk("", &mut value);
            self.nested -= 1;
            if self.changed {
                *text = value.to_string();
            }
            self.changed |= changed;
            return;
        }
        for range in text::secret_parts(text).into_iter().rev() {
            let Some(part) = text.get(range.clone()).filter(|part| !is_replacement(part)) else { continue };
            let part = part.to_owned();
            self.add_secret(&part);
            // In URLs it is `user:password`.
            self.add_secret(part.split_once(':').map_or("", |(_, password)| password));
            let replacement = self.rules.replacement(&part);
            text.replace_range(range, &replacement);
            self.changed = true;
        }
    }

    /// Replaces secrets that occur in other texts too, such as arguments and messages.
    fn search(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.search_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.search(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.search(member)),
            _ => {}
        }
    }

    fn search_text(&mut self, text: &mut String) {
        if self.secrets.is_empty() || self.secrets.is_too_many() {
            return;
        }
        if let Some(replaced) = self.secrets.replaced(text, |secret| self.rules.replacement(secret)) {
            *text = replaced;
            self.changed = true;
        }
    }

    fn search_shared_text(&mut self, text: &mut Arc<str>) {
        let mut searched = text.to_string();
        self.search_text(&mut searched);
        *text = searched.into();
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

/// Whether a value is an object of that kind, in whatever version. A value without an apiVersion
/// counts as one.
fn is_of(value: &Value, kind: &Kind) -> bool {
    let member = |name| value.get(name).and_then(Value::as_str);
    let group = member("apiVersion").map(|version| version.rsplit_once('/').map_or("", |(group, _)| group));
    member("kind") == Some(&kind.kind) && group.is_none_or(|group| group == kind.group())
}
