//! Tells the API server which CAs to trust: `caBundle` in webhook configurations.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};
use std::fmt;

/// Which of the two kinds of webhook configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigurationKind {
    /// `MutatingWebhookConfiguration`
    Mutating,
    /// `ValidatingWebhookConfiguration`
    Validating,
}

/// A webhook configuration whose webhooks are served with the managed certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Its kind.
    pub kind: ConfigurationKind,
    /// Its name. Configurations have no namespace.
    pub name: String,
}

impl Target {
    /// A `MutatingWebhookConfiguration`.
    pub fn mutating(name: impl Into<String>) -> Self {
        Self { kind: ConfigurationKind::Mutating, name: name.into() }
    }

    /// A `ValidatingWebhookConfiguration`.
    pub fn validating(name: impl Into<String>) -> Self {
        Self { kind: ConfigurationKind::Validating, name: name.into() }
    }

    fn resource(&self) -> ApiResource {
        match self.kind {
            ConfigurationKind::Mutating => ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            ConfigurationKind::Validating => ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}WebhookConfiguration {}", self.kind, self.name)
    }
}

/// What became of a target.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// Its webhooks had the bundle already.
    Current,
    /// They have it now.
    Applied,
    /// There is no such configuration, so nobody to tell.
    Absent,
    /// The bundle is not the newest one, or the configuration changed meanwhile: look again.
    Outdated,
}

/// Publishes a bundle (PEM) to a target where it differs.
///
/// Several replicas do so, and one that lags must not put an old bundle over a new one. So the configuration is read
/// first, then `is_newest` asks the Secret, and the write is refused if the configuration changed since it was read:
/// whoever stored a newer bundle after the Secret was asked, published it after the configuration was read.
pub(super) async fn publish(
    client: &Client,
    target: &Target,
    bundle: &str,
    manager: &str,
    is_newest: impl AsyncFnOnce() -> Result<bool, kube::Error>,
) -> Result<Published, kube::Error> {
    let resource = target.resource();
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let Some(found) = api.get_opt(&target.name).await? else { return Ok(Published::Absent) };
    let encoded = STANDARD.encode(bundle);
    let Some(webhooks) = differing(&found.data, &encoded) else { return Ok(Published::Current) };
    if !is_newest().await? {
        return Ok(Published::Outdated);
    }
    let body = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": { "name": target.name, "resourceVersion": found.metadata.resource_version },
        "webhooks": webhooks,
    });
    match api.patch(&target.name, &PatchParams::apply(manager).force(), &Patch::Apply(body)).await {
        Ok(_) => Ok(Published::Applied),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Published::Outdated),
        Err(error) => Err(error),
    }
}

/// Entries for all webhooks of a configuration, if the bundle of any differs.
fn differing(configuration: &Value, bundle: &str) -> Option<Vec<Value>> {
    let webhooks = configuration.get("webhooks").and_then(Value::as_array)?;
    let current =
        |webhook: &Value| webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str) == Some(bundle);
    if webhooks.iter().all(current) {
        return None;
    }
    let entry = |webhook: &Value| {
        Some(json!({ "name": webhook.get("name")?, "clientConfig": { "caBundle": bundle } }))
    };
    Some(webhooks.iter().filter_map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fake_kube_server::ApiServer;
    use kube::Config;
    use kube::api::PostParams;
    use kube::config::{KubeConfigOptions, Kubeconfig};

    #[test]
    fn all_webhooks_are_named_when_one_differs() {
        let configuration = json!({"webhooks": [
            {"name": "a.example", "clientConfig": {"service": {"name": "s"}, "caBundle": "bmV3"}, "sideEffects": "None"},
            {"name": "b.example", "clientConfig": {"service": {"name": "s"}}},
        ]});
        let expected = vec![
            json!({"name": "a.example", "clientConfig": {"caBundle": "bmV3"}}),
            json!({"name": "b.example", "clientConfig": {"caBundle": "bmV3"}}),
        ];
        assert_eq!(differing(&configuration, "bmV3"), Some(expected));
    }

    #[test]
    fn nothing_differs_where_all_have_it_or_there_are_none() {
        let has = json!({"webhooks": [{"name": "a.example", "clientConfig": {"caBundle": "bmV3"}}]});
        assert_eq!(differing(&has, "bmV3"), None);
        assert_eq!(differing(&json!({"webhooks": []}), "bmV3"), None);
        assert_eq!(differing(&json!({}), "bmV3"), None);
    }

    const NAME: &str = "hook";

    async fn configured() -> (ApiServer, Client, Api<ValidatingWebhookConfiguration>) {
        let server = ApiServer::start(fake_kube_server::Options::default()).await.unwrap();
        let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let api = Api::all(client.clone());
        let configuration = serde_json::from_value(json!({"metadata": {"name": NAME}, "webhooks": [{
            "name": "a.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"url": "https://127.0.0.1/validate"},
        }]}));
        api.create(&PostParams::default(), &configuration.unwrap()).await.unwrap();
        (server, client, api)
    }

    async fn bundle(api: &Api<ValidatingWebhookConfiguration>) -> String {
        let webhooks = api.get(NAME).await.unwrap().webhooks.unwrap();
        let bundle = webhooks[0].client_config.ca_bundle.clone().unwrap_or_default();
        String::from_utf8(bundle.0).unwrap()
    }

    #[tokio::test]
    async fn an_old_bundle_does_not_replace_a_newer_one() {
        let (_server, client, api) = configured().await;
        let target = Target::validating(NAME);
        let old = made();
        let new = made();
        // Somebody who knows a newer bundle publishes it after this one has asked the Secret.
        let overtaken = async || {
            let theirs = publish(&client, &target, &new, "hook", async || Ok(true)).await.unwrap();
            assert_eq!(theirs, Published::Applied);
            Ok(true)
        };
        let ours = publish(&client, &target, &old, "hook", overtaken).await.unwrap();
        assert_eq!(ours, Published::Outdated);
        assert_eq!(bundle(&api).await, new);
        // And this one learns of it when it asks.
        let ours = publish(&client, &target, &old, "hook", async || Ok(false)).await.unwrap();
        assert_eq!(ours, Published::Outdated);
        assert_eq!(bundle(&api).await, new);
        let again = publish(&client, &target, &new, "hook", async || Ok(true)).await.unwrap();
        assert_eq!(again, Published::Current);
        let absent =
            publish(&client, &Target::mutating(NAME), &new, "hook", async || Ok(true)).await.unwrap();
        assert_eq!(absent, Published::Absent);
    }

    fn made() -> String {
        rcgen::generate_simple_self_signed(["hook".to_owned()]).unwrap().cert.pem()
    }
}
