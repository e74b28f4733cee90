//! Certificate managers with an API server: several replicas, edits, rotation, and CA bundles.

mod ca_rotation;
mod fixture;

use crate::common::{PATIENCE, until};
use fake_kube::{Fault, Matcher};
use fixture::*;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use orascache_webhook::{CertificateManager, CertificateManagerError, CertificateMetrics};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

#[tokio::test]
async fn replicas_that_start_together_share_one_certificate() {
    let (api, client) = api().await;
    let starting = (0..4).map(|_| replica(&client, options(&TestClock::default())));
    let replicas = futures::future::join_all(starting).await;
    let created = data(&client).await;
    assert_eq!(roots(&created["ca.crt"]).len(), 1);
    assert_eq!(secret(&client).await.type_.as_deref(), Some("kubernetes.io/tls"));
    for (resolver, manager) in &replicas {
        let server = serve(resolver).await;
        assert!(is_trusted(&server, &created["ca.crt"]).await);
        let mut bundle = manager.ca_bundle();
        bundle.wait_for(|bundle| bundle.as_bytes() == created["ca.crt"]).await.unwrap();
    }
    // From now on they write nothing, however often they read.
    let (log, mark) = (api.requests(), api.requests().mark());
    let secrets = Matcher::any().verb("get").resource("", "secrets");
    let seen = log.count(&secrets);
    until("every replica has read again", async || log.count(&secrets) > seen + 12).await;
    assert_eq!(log.writes_since(mark, &Matcher::any()), vec![]);
    for (_, manager) in replicas {
        tokio::time::timeout(PATIENCE, manager.shutdown()).await.unwrap();
    }
    api.shutdown().await;
}

#[tokio::test]
async fn a_deleted_secret_is_replaced() {
    let (_api, client) = api().await;
    configure_mutating(&client, &["a.example.com"]).await;
    let clock = TestClock::default();
    let (one, _one) = replica(&client, options(&clock)).await;
    let (other, _other) = replica(&client, options(&clock)).await;
    let (one, other) = (serve(&one).await, serve(&other).await);
    let before = data(&client).await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    until("there is a new Secret", async || {
        matches!(secrets.get_opt(SECRET).await, Ok(Some(secret)) if secret.data.as_ref().unwrap()["ca.crt"].0 != before["ca.crt"])
    })
    .await;
    let after = data(&client).await;
    assert_ne!(after["tls.key"], before["tls.key"]);
    assert_ne!(after["ca.key"], before["ca.key"]);
    until("both serve its certificate", async || {
        is_trusted(&one, &after["ca.crt"]).await && is_trusted(&other, &after["ca.crt"]).await
    })
    .await;
    // The deleted CA is not trusted any more.
    until("the CA bundle is written", async || has_ca_bundle(&client, &after["ca.crt"]).await).await;
    assert!(!is_trusted(&one, &before["ca.crt"]).await);
}

#[tokio::test]
async fn unusable_content_is_replaced() {
    let (_api, client) = api().await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    // The Secret exists already, with other labels and other entries.
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let empty = Secret {
        metadata: kube::core::ObjectMeta {
            name: Some(SECRET.to_owned()),
            labels: Some([("team".to_owned(), "a".to_owned())].into()),
            ..Default::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some([("tls.crt".to_owned(), text("x")), ("note".to_owned(), text("keep me"))].into()),
        ..Secret::default()
    };
    secrets.create(&PostParams::default(), &empty).await.unwrap();
    let (resolver, manager) = replica(&client, options(&TestClock::default())).await;
    let server = serve(&resolver).await;
    let created = data(&client).await;
    assert_eq!(created["note"], b"keep me");
    assert_eq!(secret(&client).await.metadata.labels.unwrap()["team"], "a");
    assert!(is_trusted(&server, &created["ca.crt"]).await);

    // When only the certificate is unusable, the CA stays.
    for (entry, value) in
        [("tls.crt", Some(&b"garbage"[..])), ("tls.key", Some(&created["ca.key"])), ("tls.crt", None)]
    {
        let before = data(&client).await;
        edit(&client, entry, value).await;
        until("it is replaced", async || {
            let now = data(&client).await;
            now.contains_key("tls.crt") && now["tls.crt"] != before["tls.crt"] && now["tls.crt"] != b"garbage"
        })
        .await;
        assert_eq!(data(&client).await["ca.crt"], created["ca.crt"]);
        assert!(is_trusted(&server, &created["ca.crt"]).await);
    }
    // When the CA is unusable, everything is replaced.
    edit(&client, "ca.crt", Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).await;
    until("a new CA is served", async || {
        let bundle = data(&client).await["ca.crt"].clone();
        bundle != created["ca.crt"]
            && CertificateDer::pem_slice_iter(&bundle).all(|read| read.is_ok_and(|der| der.len() > 100))
            && is_trusted(&server, &bundle).await
    })
    .await;
    manager.shutdown().await;
}

#[tokio::test]
async fn further_names_are_added_at_once() {
    let (_api, client) = api().await;
    let clock = TestClock::default();
    let (_, first) = replica(&client, options(&clock)).await;
    first.shutdown().await;
    let before = data(&client).await;
    let mut more = options(&clock);
    more.names.push("localhost".to_owned());
    let (_resolver, _manager) = replica(&client, more).await;
    let after = data(&client).await;
    assert_ne!(after["tls.crt"], before["tls.crt"]);
    assert_eq!(after["ca.crt"], before["ca.crt"]);
    // A replica with fewer names does not replace the certificate.
    let (_, fewer) = replica(&client, options(&clock)).await;
    fewer.shutdown().await;
    assert_eq!(data(&client).await["tls.crt"], after["tls.crt"]);
}

#[tokio::test]
async fn only_the_ca_bundle_of_a_configuration_is_written_and_again_when_it_is_lost() {
    let (_api, client) = api().await;
    let (_resolver, _manager) = replica(&client, options(&TestClock::default())).await;
    let bundle = data(&client).await["ca.crt"].clone();
    // The configurations are created later.
    configure_mutating(&client, &["a.example.com", "b.example.com"]).await;
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let before = configurations.get(NAME).await.unwrap();
    let validating = serde_json::from_value(json!({"metadata": {"name": NAME}, "webhooks": [{
        "name": "c.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": {"namespace": NAMESPACE, "name": NAME, "path": "/validate"}},
    }]}))
    .unwrap();
    let validators: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    validators.create(&PostParams::default(), &validating).await.unwrap();
    until("the CA bundle is written", async || has_ca_bundle(&client, &bundle).await).await;
    until("the other kind has it too", async || {
        let webhooks = validators.get(NAME).await.unwrap().webhooks.unwrap();
        webhooks[0].client_config.ca_bundle.as_ref().is_some_and(|found| found.0 == bundle)
    })
    .await;
    let after = configurations.get(NAME).await.unwrap();
    let managers = after.metadata.managed_fields.clone().unwrap();
    let ours = managers.iter().find(|entry| entry.manager.as_deref() == Some(NAME)).unwrap();
    assert_eq!(ours.operation.as_deref(), Some("Apply"));
    let without_bundle = |configuration: MutatingWebhookConfiguration| {
        let mut webhooks = configuration.webhooks.unwrap();
        for webhook in &mut webhooks {
            webhook.client_config.ca_bundle = None;
        }
        webhooks
    };
    assert_eq!(without_bundle(after), without_bundle(before));

    // The configuration is deleted and created again.
    configurations.delete(NAME, &DeleteParams::default()).await.unwrap();
    configure_mutating(&client, &["a.example.com"]).await;
    until("the CA bundle is written again", async || has_ca_bundle(&client, &bundle).await).await;
}

#[tokio::test]
async fn failing_requests_are_repeated() {
    let (api, client) = api().await;
    let secrets = Matcher::any().resource("", "secrets");
    let answer = |code| Fault::Answer { code, retry_after: None };
    api.faults().inject(secrets.clone().verb("get"), answer(403), 2);
    api.faults().inject(secrets.clone().verb("create"), answer(409), 2);
    api.faults().inject(secrets.clone().verb("create"), Fault::LoseResponse, 1);
    let metrics = CertificateMetrics::default();
    let start = CertificateManager::start(client.clone(), options(&TestClock::default()), metrics);
    let (resolver, manager) = tokio::time::timeout(PATIENCE, start).await.unwrap().unwrap();
    assert!(resolver.is_loaded());
    // Without watch events, the periodic round finds changes.
    until("the watch is open", async || api.faults().open_watches(&secrets) > 0).await;
    api.faults().freeze_watches(&secrets);
    let before = data(&client).await;
    edit(&client, "tls.key", Some(b"garbage")).await;
    until("it is replaced", async || data(&client).await["tls.crt"] != before["tls.crt"]).await;
    manager.shutdown().await;
}

#[tokio::test]
async fn names_that_a_certificate_cannot_contain_are_refused() {
    let (_api, client) = api().await;
    let start = |names: &[&str]| {
        let mut options = options(&TestClock::default());
        options.names = names.iter().map(|name| (*name).to_owned()).collect();
        CertificateManager::start(client.clone(), options, CertificateMetrics::default())
    };
    assert!(matches!(start(&[]).await, Err(CertificateManagerError::NoNames)));
    let error = start(&["hook.default.svc", "not a name"]).await.unwrap_err();
    assert!(error.to_string().starts_with("\"not a name\" cannot be"), "{error}");
}
