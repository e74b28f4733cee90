//! Tells the API server which CAs to trust: `clientConfig.caBundle` of webhook configurations.

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

/// The two kinds of webhook configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WebhookConfigurationKind {
    /// `MutatingWebhookConfiguration`.
    Mutating,
    /// `ValidatingWebhookConfiguration`.
    Validating,
}

/// A webhook configuration whose webhooks are served with the managed certificate: all of them get
/// the CA bundle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CaBundleTarget {
    /// Its kind.
    pub kind: WebhookConfigurationKind,
    /// Its name. Configurations have no namespace.
    pub name: String,
}

impl CaBundleTarget {
    /// A `MutatingWebhookConfiguration`.
    pub fn mutating(name: impl Into<String>) -> Self {
        Self { kind: WebhookConfigurationKind::Mutating, name: name.into() }
    }

    /// A `ValidatingWebhookConfiguration`.
    pub fn validating(name: impl Into<String>) -> Self {
        Self { kind: WebhookConfigurationKind::Validating, name: name.into() }
    }

    fn resource(&self) -> ApiResource {
        match self.kind {
            WebhookConfigurationKind::Mutating => ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            WebhookConfigurationKind::Validating => ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        }
    }
}

impl fmt::Display for CaBundleTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}WebhookConfiguration {}", self.kind, self.name)
    }
}

/// How writing the bundle to a target ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BundleWrite {
    /// All webhooks had the bundle already; nothing was written.
    UpToDate,
    /// The bundle was written.
    Applied,
    /// There is no such configuration.
    NotFound,
    /// The bundle is not the newest, or the configuration changed meanwhile: read again.
    Conflict,
}

/// Writes a bundle (PEM) into the webhooks of a target, if any of them has another one.
///
/// Several replicas do this, and a replica that lags must not overwrite a newer bundle. Three reads
/// and writes in this order prevent it: the configuration is read, then `is_newest` reads the
/// Secret, then the configuration is written with the resourceVersion that was read first. A
/// replica that stores a newer bundle after the second step writes the configuration after the
/// first step, so that the third step conflicts.
pub(super) async fn write_ca_bundle(
    client: &Client,
    target: &CaBundleTarget,
    bundle: &str,
    manager: &str,
    is_newest: impl AsyncFnOnce() -> Result<bool, kube::Error>,
) -> Result<BundleWrite, kube::Error> {
    let resource = target.resource();
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let Some(found) = api.get_opt(&target.name).await? else { return Ok(BundleWrite::NotFound) };
    let encoded = STANDARD.encode(bundle);
    let Some(webhooks) = differing(&found.data, &encoded) else { return Ok(BundleWrite::UpToDate) };
    if !is_newest().await? {
        return Ok(BundleWrite::Conflict);
    }
    let body = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": { "name": target.name, "resourceVersion": found.metadata.resource_version },
        "webhooks": webhooks,
    });
    match api.patch(&target.name, &PatchParams::apply(manager).force(), &Patch::Apply(body)).await {
        Ok(_) => Ok(BundleWrite::Applied),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(BundleWrite::Conflict),
        Err(error) => Err(error),
    }
}

/// Returns what to apply: entries for all webhooks of a configuration, if any of them has another
/// bundle. Server-side apply takes away the bundle of a webhook that is left out.
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
    use fake_kube::FakeKube;
    use kube::api::PostParams;

    #[test]
    fn all_webhooks_are_applied_when_one_differs() {
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
    fn nothing_is_applied_when_all_webhooks_have_the_bundle_or_there_are_none() {
        let has = json!({"webhooks": [{"name": "a.example", "clientConfig": {"caBundle": "bmV3"}}]});
        assert_eq!(differing(&has, "bmV3"), None);
        assert_eq!(differing(&json!({"webhooks": []}), "bmV3"), None);
        assert_eq!(differing(&json!({}), "bmV3"), None);
    }

    const NAME: &str = "hook";

    async fn configured() -> (FakeKube, Client, Api<ValidatingWebhookConfiguration>) {
        let server = FakeKube::start().await.unwrap();
        let client = server.client();
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
        let target = CaBundleTarget::validating(NAME);
        let old = made();
        let new = made();
        // Another replica writes a newer bundle after this one has read the Secret.
        let overtaken = async || {
            let theirs = write_ca_bundle(&client, &target, &new, "hook", async || Ok(true)).await.unwrap();
            assert_eq!(theirs, BundleWrite::Applied);
            Ok(true)
        };
        let ours = write_ca_bundle(&client, &target, &old, "hook", overtaken).await.unwrap();
        assert_eq!(ours, BundleWrite::Conflict);
        assert_eq!(bundle(&api).await, new);
        // The Secret says that the bundle is not the newest.
        let ours = write_ca_bundle(&client, &target, &old, "hook", async || Ok(false)).await.unwrap();
        assert_eq!(ours, BundleWrite::Conflict);
        assert_eq!(bundle(&api).await, new);
        let again = write_ca_bundle(&client, &target, &new, "hook", async || Ok(true)).await.unwrap();
        assert_eq!(again, BundleWrite::UpToDate);
        let absent =
            write_ca_bundle(&client, &CaBundleTarget::mutating(NAME), &new, "hook", async || Ok(true))
                .await
                .unwrap();
        assert_eq!(absent, BundleWrite::NotFound);
    }

    fn made() -> String {
        rcgen::generate_simple_self_signed(["hook".to_owned()]).unwrap().cert.pem()
    }
}
