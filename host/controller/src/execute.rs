//! Carries out a plan, in order: secrets, applies, deletes, status, events.

use crate::apply::{self, Applier};
use crate::cache::{Cache, KindIndex, Roles, Source, View};
use crate::contract::{Event, Failure, Generated, Kind, ObjectRef, Plan, Severity};
use crate::object::{Decoded, Key};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::events::{self, Recorder, Reporter};
use kube::{Client, Resource};
use rand::RngCore;
use serde_json::Value;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Among how many recorders the primaries are spread.
const RECORDERS: u64 = 256;

pub(crate) struct Executor {
    client: Client,
    field_manager: String,
    applier: Applier,
    /// One of them knows a primary: every recorder looks through all that it remembers at every event.
    recorders: Vec<Recorder>,
    may_write: std::sync::Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Writes that did not succeed or were held back.
    pub(crate) failures: Vec<Failure>,
    /// The status could not be written, or another write was not allowed just now.
    pub(crate) incomplete: Option<String>,
    /// Whether anything was written: what the server made of it may matter to the next decision.
    pub(crate) changed: bool,
}

impl Executor {
    pub(crate) fn new(
        client: Client,
        field_manager: String,
        instance: String,
        may_write: std::sync::Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> Self {
        let reporter = Reporter { controller: field_manager.clone(), instance: Some(instance) };
        let recorders = (0..RECORDERS).map(|_| Recorder::new(client.clone(), reporter.clone())).collect();
        Self {
            applier: Applier::new(client.clone(), field_manager.clone()),
            client,
            field_manager,
            recorders,
            may_write,
        }
    }

    /// `roles` are those of the reconciler that planned.
    pub(crate) async fn execute(
        &self,
        cache: &Cache,
        roles: &Roles,
        key: &Key,
        view: &View,
        plan: &Plan,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        for generated in &plan.generate {
            if !self.may_write(&mut outcome) {
                return outcome;
            }
            match identify(cache, &generated.secret) {
                Some((kind, child, object)) if roles.is_owned(kind) => {
                    let failed = self.generate(cache, kind, child, object, generated).await.err();
                    outcome.failures.extend(failed);
                    outcome.changed = true;
                }
                _ => left_out(key, "generates"),
            }
        }
        for text in &plan.apply {
            if !self.may_write(&mut outcome) {
                return outcome;
            }
            match identify(cache, text) {
                Some((kind, child, object)) if roles.is_owned(kind) => {
                    match self.applier.apply(cache, kind, &child, &object, &view.uid).await {
                        Ok(changed) => outcome.changed |= changed,
                        Err(failures) => outcome.failures.extend(failures),
                    }
                }
                _ => left_out(key, "applies"),
            }
        }
        for target in &plan.delete {
            if !self.may_write(&mut outcome) {
                return outcome;
            }
            if cache.index_of(&target.kind).is_some_and(|kind| roles.is_owned(kind)) {
                outcome.failures.extend(self.delete(cache, target).await.err());
                outcome.changed = true;
            } else {
                left_out(key, "deletes");
            }
        }
        if let Some(status) = &plan.status {
            if !self.may_write(&mut outcome) {
                return outcome;
            }
            match self.write_status(cache, key, view, status).await {
                Ok(overtaken) => outcome.changed |= overtaken,
                Err(error) => {
                    outcome.incomplete = Some(format!("the status could not be written: {error}"));
                }
            }
        }
        for event in &plan.events {
            self.record(cache, key, view, event).await;
        }
        outcome
    }

    fn may_write(&self, outcome: &mut Outcome) -> bool {
        let may = (self.may_write)();
        if !may {
            outcome.incomplete = Some("this process may not write just now".to_owned());
        }
        may
    }

    /// Create-only: a Secret that exists is left as it is.
    async fn generate(
        &self,
        cache: &Cache,
        kind: KindIndex,
        key: Key,
        mut object: Value,
        generated: &Generated,
    ) -> Result<(), Failure> {
        let Some(definition) = cache.kinds().get(kind) else { return Ok(()) };
        let mut bytes = vec![0; usize::try_from(generated.bytes).unwrap_or_default().min(4_096)];
        rand::rng().fill_bytes(&mut bytes);
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        if let Some(members) = object.as_object_mut() {
            members.insert("stringData".to_owned(), serde_json::json!({ generated.key.as_str(): text }));
        }
        let parameters =
            PostParams { field_manager: Some(self.field_manager.clone()), ..PostParams::default() };
        match self.create(definition, &key, &parameters, &object).await {
            Ok(answer) => {
                if let Some(stored) = answer.store(definition, &self.field_manager) {
                    cache.store(kind, stored, Source::Write);
                }
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(apply::failure(apply::target(definition, &key), "create", &error)),
        }
    }

    async fn create(
        &self,
        kind: &Kind,
        key: &Key,
        parameters: &PostParams,
        object: &Value,
    ) -> Result<Decoded, kube::Error> {
        let path = Decoded::url_path(
            &crate::object::api_resource(kind),
            kind.namespaced.then_some(key.namespace.as_ref()),
        );
        let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
        let request =
            kube::core::Request::new(path).create(parameters, body).map_err(kube::Error::BuildRequest)?;
        self.client.request(request).await
    }

    async fn delete(&self, cache: &Cache, target: &ObjectRef) -> Result<(), Failure> {
        let preconditions =
            target.uid.clone().map(|uid| Preconditions { uid: Some(uid), resource_version: None });
        let Some(preconditions) = preconditions else {
            tracing::error!(
                name = target.name,
                "the plan deletes an object without naming its UID; it is left alone"
            );
            return Ok(());
        };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        let namespace = target.namespace.clone().unwrap_or_default();
        let deleted =
            apply::api(&self.client, &target.kind, &namespace).delete(&target.name, &parameters).await;
        let uid = target.uid.as_deref().unwrap_or_default();
        match deleted {
            Ok(either::Either::Left(object)) if object.is_being_deleted() => {
                // A finalizer holds it.
                if let (Some(kind), Some(stored)) =
                    (cache.index_of(&target.kind), object.store(&target.kind, &self.field_manager))
                {
                    cache.store(kind, stored, Source::Write);
                }
                Ok(())
            }
            Ok(_) => {
                cache.mark_gone(uid);
                Ok(())
            }
            // Gone, or another object of that name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                cache.mark_gone(uid);
                Ok(())
            }
            Err(error) => Err(apply::failure(target.clone(), "delete", &error)),
        }
    }

    /// Returns whether the answer has something in it that was not decided about: somebody changed the primary
    /// meanwhile, and the watch's event of that is older than the answer and concerns nobody any more.
    async fn write_status(
        &self,
        cache: &Cache,
        key: &Key,
        view: &View,
        status: &str,
    ) -> Result<bool, kube::Error> {
        let Some(kind) = cache.kinds().first() else { return Ok(false) };
        let planned: Value = serde_json::from_str(status).map_err(kube::Error::SerdeError)?;
        // The status of the primary that was decided about, and nothing else: not of one that was made anew.
        let document = serde_json::json!({
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": key.name, "uid": view.uid},
            "status": planned.get("status"),
        });
        let api = apply::api(&self.client, kind, &key.namespace);
        let parameters = PatchParams::apply(&self.field_manager).force();
        match api.patch_status(&key.name, &parameters, &Patch::Apply(&document)).await {
            Ok(answer) => {
                let Some(stored) = answer.store(kind, &self.field_manager) else { return Ok(false) };
                let overtaken = apply::content(&stored.text) != apply::content(&view.primary);
                cache.store(0, stored, Source::Write);
                Ok(overtaken)
            }
            // Deleted, or deleted and made anew: the new one gets a status of its own.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Events are a courtesy: one that cannot be recorded is logged.
    async fn record(&self, cache: &Cache, key: &Key, view: &View, event: &Event) {
        let Some(kind) = cache.kinds().first() else { return };
        let regarding = ObjectReference {
            api_version: Some(kind.api_version.clone()),
            kind: Some(kind.kind.clone()),
            name: Some(key.name.to_string()),
            namespace: (!key.namespace.is_empty()).then(|| key.namespace.to_string()),
            uid: Some(view.uid.to_string()),
            ..ObjectReference::default()
        };
        let event = events::Event {
            type_: match event.severity {
                Severity::Normal => events::EventType::Normal,
                Severity::Warning => events::EventType::Warning,
            },
            reason: event.reason.clone(),
            // The API server refuses notes of more than 1,024 bytes.
            note: Some(shortened(&event.note, 1_000)),
            action: event.action.clone(),
            secondary: None,
        };
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shard = usize::try_from(hasher.finish() % RECORDERS).unwrap_or_default();
        let Some(recorder) = self.recorders.get(shard) else { return };
        if let Err(error) = recorder.publish(&event, &regarding).await {
            tracing::warn!(primary = %key, reason = event.reason, %error, "an event could not be recorded");
        }
    }
}

/// A component's rights end where its description ends.
fn left_out(primary: &Key, does: &str) {
    tracing::error!(%primary, "the plan {does} an object of a kind that the guest did not describe as owned; it is left out");
}

/// Kind, key and content of a planned object.
fn identify(cache: &Cache, text: &str) -> Option<(KindIndex, Key, Value)> {
    let object: Value = serde_json::from_str(text).ok()?;
    let field = |name: &str| object.get(name).and_then(Value::as_str);
    let (version, kind) = (field("apiVersion")?, field("kind")?);
    let index = cache.kinds().iter().position(|known| known.api_version == version && known.kind == kind)?;
    let meta = |name: &str| object.pointer(&format!("/metadata/{name}")).and_then(Value::as_str);
    let key = Key::new(meta("namespace").unwrap_or_default(), meta("name")?);
    Some((index, key, object))
}

fn shortened(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}...", text.get(..end).unwrap_or_default())
}
