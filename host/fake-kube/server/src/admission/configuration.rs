//! Reads the webhooks of the stored configurations, again when a configuration has changed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_kube_apimachinery::selector::LabelSelector;
use serde::Deserialize;
use serde_json::Value;
use tracing::warn;

use super::client::{ClientConfig, Place};
use super::conditions::{Conditions, Written};
use super::rules::Rule;
use crate::store::{Store, TableName};

const GROUP: &str = "admissionregistration.k8s.io";

/// The two phases of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Webhooks may change the object.
    Mutating,
    /// Webhooks may only refuse the object.
    Validating,
}

impl Phase {
    fn table(self) -> TableName {
        let plural = match self {
            Self::Mutating => "mutatingwebhookconfigurations",
            Self::Validating => "validatingwebhookconfigurations",
        };
        TableName::new(GROUP, plural)
    }
}

/// One webhook, decoded and with its defaults.
#[derive(Debug)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Its address.
    pub client: ClientConfig,
    /// Which requests it is called for.
    pub rules: Vec<Rule>,
    /// `failurePolicy: Ignore`.
    pub ignores_failures: bool,
    /// `matchPolicy: Equivalent`: other versions of a resource count too.
    pub equivalent: bool,
    /// The namespaces that it is called for.
    pub namespace_selector: LabelSelector,
    /// The objects that it is called for.
    pub object_selector: LabelSelector,
    /// CEL conditions on the request.
    pub conditions: Conditions,
    /// Whether it can be called in a dry run.
    pub allows_dry_run: bool,
    /// The longest that a call may take.
    pub timeout: Duration,
    /// `reinvocationPolicy: IfNeeded`.
    pub reinvocable: bool,
    /// The first version of AdmissionReview that both sides know.
    pub review_version: Option<&'static str>,
}

/// The webhooks of both phases, cached by the revisions of their configurations.
#[derive(Default)]
pub struct Configurations {
    mutating: Mutex<Loaded>,
    validating: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    /// The revisions of the cached configurations. A revision occurs once in the whole store.
    revisions: Vec<u64>,
    webhooks: Arc<[Webhook]>,
}

impl Configurations {
    /// The webhooks of a phase in the order of their calls, and whether they had to be read again.
    pub fn current(&self, store: &Store, phase: Phase) -> (Arc<[Webhook]>, bool) {
        let objects = store.list(&phase.table(), None).objects;
        let revisions: Vec<u64> = objects.iter().map(|object| object.revision).collect();
        let mut loaded = self.of(phase).lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.revisions == revisions {
            return (loaded.webhooks.clone(), false);
        }
        // Configurations are ordered by name, and so is the table.
        let webhooks = objects.iter().flat_map(|object| read(&object.key.name, &object.value())).collect();
        *loaded = Loaded { revisions, webhooks };
        (loaded.webhooks.clone(), true)
    }

    /// The webhooks of both phases as they were last read.
    pub fn loaded(&self) -> [Arc<[Webhook]>; 2] {
        [Phase::Mutating, Phase::Validating]
            .map(|phase| self.of(phase).lock().unwrap_or_else(PoisonError::into_inner).webhooks.clone())
    }

    fn of(&self, phase: Phase) -> &Mutex<Loaded> {
        match phase {
            Phase::Mutating => &self.mutating,
            Phase::Validating => &self.validating,
        }
    }
}

fn read(configuration: &str, object: &Value) -> Vec<Webhook> {
    let webhooks = object.get("webhooks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::with_capacity(webhooks.len());
    for webhook in webhooks {
        match Spec::deserialize(webhook) {
            Ok(spec) => found.push(spec.into_webhook()),
            // Cannot happen to a stored configuration: it was validated.
            Err(error) => warn!(configuration, %error, "a webhook cannot be read and is left out"),
        }
    }
    found
}

/// A webhook of admissionregistration.k8s.io/v1.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    name: String,
    client_config: ClientConfigSpec,
    #[serde(default)]
    rules: Vec<Rule>,
    failure_policy: Option<String>,
    match_policy: Option<String>,
    #[serde(default)]
    namespace_selector: Value,
    #[serde(default)]
    object_selector: Value,
    #[serde(default)]
    match_conditions: Vec<Written>,
    side_effects: Option<String>,
    timeout_seconds: Option<u64>,
    reinvocation_policy: Option<String>,
    #[serde(default)]
    admission_review_versions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientConfigSpec {
    url: Option<String>,
    service: Option<ServiceSpec>,
    #[serde(default)]
    ca_bundle: String,
}

#[derive(Deserialize)]
struct ServiceSpec {
    namespace: String,
    name: String,
    path: Option<String>,
    port: Option<u16>,
}

impl Spec {
    fn into_webhook(self) -> Webhook {
        let known = |version: &String| match version.as_str() {
            "v1" => Some("admission.k8s.io/v1"),
            "v1beta1" => Some("admission.k8s.io/v1beta1"),
            _ => None,
        };
        Webhook {
            name: self.name,
            client: self.client_config.into_config(),
            rules: self.rules,
            ignores_failures: self.failure_policy.as_deref() == Some("Ignore"),
            equivalent: self.match_policy.as_deref() != Some("Exact"),
            namespace_selector: LabelSelector::from_json(&self.namespace_selector),
            object_selector: LabelSelector::from_json(&self.object_selector),
            conditions: Conditions::compile(&self.match_conditions),
            allows_dry_run: matches!(self.side_effects.as_deref(), Some("None" | "NoneOnDryRun")),
            timeout: Duration::from_secs(self.timeout_seconds.unwrap_or(10)),
            reinvocable: self.reinvocation_policy.as_deref() == Some("IfNeeded"),
            review_version: self.admission_review_versions.iter().find_map(known),
        }
    }
}

impl ClientConfigSpec {
    fn into_config(self) -> ClientConfig {
        let place = match (self.service, self.url) {
            (Some(service), _) => Place::Service {
                namespace: service.namespace,
                name: service.name,
                port: service.port.unwrap_or(443),
                path: service.path.unwrap_or_default(),
            },
            (None, url) => Place::Url(url.unwrap_or_default()),
        };
        // Validation has refused bundles that are not base64.
        let ca_bundle = STANDARD.decode(&self.ca_bundle).unwrap_or_default();
        ClientConfig { place, ca_bundle: ca_bundle.into() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Configurations, Phase};
    use crate::store::{Key, Store};

    #[test]
    fn configurations_are_read_when_they_have_changed() {
        let store = Store::new(10);
        let table = Phase::Mutating.table();
        store.open(&table);
        let configurations = Configurations::default();
        let names = |expected: &[&str], fresh: bool| {
            let (webhooks, read) = configurations.current(&store, Phase::Mutating);
            let names: Vec<&str> = webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
            assert_eq!((names.as_slice(), read), (expected, fresh));
        };
        names(&[], false);
        let configuration = |names: &[&str]| {
            let webhooks: Vec<_> = names
                .iter()
                .map(|name| json!({"name": name, "clientConfig": {"url": "https://h"}}))
                .collect();
            json!({"metadata": {}, "webhooks": webhooks})
        };
        store.create(&table, Key::new(None, "b"), configuration(&["b2", "b1"])).unwrap();
        names(&["b2", "b1"], true);
        store.create(&table, Key::new(None, "a"), configuration(&["a"])).unwrap();
        names(&["a", "b2", "b1"], true);
        names(&["a", "b2", "b1"], false);
        let b = store.get(&table, &Key::new(None, "b")).unwrap();
        store.replace(&table, &b.key, b.revision, configuration(&["b3"])).unwrap();
        names(&["a", "b3"], true);
        let a = store.get(&table, &Key::new(None, "a")).unwrap();
        store.remove(&table, &a.key, a.revision).unwrap();
        names(&["b3"], true);
    }

    #[test]
    fn absent_fields_have_their_defaults() {
        let store = Store::new(10);
        let table = Phase::Validating.table();
        store.open(&table);
        let webhook = json!({"name": "a.b.c", "clientConfig": {"service": {"namespace": "n", "name": "s"}}});
        store
            .create(&table, Key::new(None, "a"), json!({"metadata": {}, "webhooks": [webhook, {}]}))
            .unwrap();
        let (webhooks, _) = Configurations::default().current(&store, Phase::Validating);
        let [webhook] = &*webhooks else { panic!("one is not readable: {webhooks:?}") };
        assert!(webhook.equivalent && !webhook.ignores_failures && !webhook.allows_dry_run);
        assert_eq!(webhook.timeout.as_secs(), 10);
        assert_eq!(webhook.client.url().unwrap(), "https://s.n.svc:443/");
    }
}
