//! Managed certificates against an API server: several replicas, hand edits, rotation, and publishing.

#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod rotation;

use common::{PATIENCE, until};
use fake_kube_server::{Fault, Matcher};
use fixture::*;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use orascache_webhook::{CertificateMetrics, Managed, ManagedError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

#[tokio::test]
async fn replicas_that_start_together_agree() {
    let (api, client) = api().await;
    let starting = (0..4).map(|_| replica(&client, options(&Ahead::default())));
    let replicas = futures::future::join_all(starting).await;
    let made = data(&client).await;
    assert_eq!(roots(&made["ca.crt"]).len(), 1);
    assert_eq!(secret(&client).await.type_.as_deref(), Some("kubernetes.io/tls"));
    for (certificates, managed) in &replicas {
        let server = serve(certificates).await;
        assert!(is_trusted(&server, &made["ca.crt"]).await);
        let mut bundle = managed.bundle();
        bundle.wait_for(|bundle| bundle.as_bytes() == made["ca.crt"]).await.unwrap();
    }
    // From now on they are silent: no write, whatever they look at.
    let (log, mark) = (api.requests(), api.requests().mark());
    let secrets = Matcher::any().verb("get").resource("", "secrets");
    let seen = log.count(&secrets);
    until("everybody has looked again", async || log.count(&secrets) > seen + 12).await;
    assert_eq!(log.writes_since(mark, &Matcher::any()), vec![]);
    for (_, managed) in replicas {
        tokio::time::timeout(PATIENCE, managed.shutdown()).await.unwrap();
    }
    api.shutdown().await;
}

#[tokio::test]
async fn a_deleted_secret_is_made_anew() {
    let (_api, client) = api().await;
    configure_mutating(&client, &["a.example.com"]).await;
    let ahead = Ahead::default();
    let (one, _one) = replica(&client, options(&ahead)).await;
    let (other, _other) = replica(&client, options(&ahead)).await;
    let (one, other) = (serve(&one).await, serve(&other).await);
    let before = data(&client).await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    until("there is another", async || {
        matches!(secrets.get_opt(SECRET).await, Ok(Some(secret)) if secret.data.as_ref().unwrap()["ca.crt"].0 != before["ca.crt"])
    })
    .await;
    let after = data(&client).await;
    assert_ne!(after["tls.key"], before["tls.key"]);
    assert_ne!(after["ca.key"], before["ca.key"]);
    until("both serve it", async || {
        is_trusted(&one, &after["ca.crt"]).await && is_trusted(&other, &after["ca.crt"]).await
    })
    .await;
    // Nothing from before is trusted.
    until("it is published", async || is_published(&client, &after["ca.crt"]).await).await;
    assert!(!is_trusted(&one, &before["ca.crt"]).await);
}

#[tokio::test]
async fn broken_content_is_replaced() {
    let (_api, client) = api().await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    // Somebody made it before, as an installation without content might.
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
    let (certificates, managed) = replica(&client, options(&Ahead::default())).await;
    let server = serve(&certificates).await;
    let made = data(&client).await;
    assert_eq!(made["note"], b"keep me");
    assert_eq!(secret(&client).await.metadata.labels.unwrap()["team"], "a");
    assert!(is_trusted(&server, &made["ca.crt"]).await);

    // The certificate alone: the CA stays.
    for (entry, value) in
        [("tls.crt", Some(&b"garbage"[..])), ("tls.key", Some(&made["ca.key"])), ("tls.crt", None)]
    {
        let before = data(&client).await;
        edit(&client, entry, value).await;
        until("it is replaced", async || {
            let now = data(&client).await;
            now.contains_key("tls.crt") && now["tls.crt"] != before["tls.crt"] && now["tls.crt"] != b"garbage"
        })
        .await;
        assert_eq!(data(&client).await["ca.crt"], made["ca.crt"]);
        assert!(is_trusted(&server, &made["ca.crt"]).await);
    }
    // The CA: everything.
    edit(&client, "ca.crt", Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).await;
    until("a new CA is served", async || {
        let bundle = data(&client).await["ca.crt"].clone();
        bundle != made["ca.crt"]
            && CertificateDer::pem_slice_iter(&bundle).all(|read| read.is_ok_and(|der| der.len() > 100))
            && is_trusted(&server, &bundle).await
    })
    .await;
    managed.shutdown().await;
}

#[tokio::test]
async fn more_names_are_added_at_once() {
    let (_api, client) = api().await;
    let ahead = Ahead::default();
    let (_, first) = replica(&client, options(&ahead)).await;
    first.shutdown().await;
    let before = data(&client).await;
    let mut more = options(&ahead);
    more.names.push("localhost".to_owned());
    let (_certificates, _managed) = replica(&client, more).await;
    let after = data(&client).await;
    assert_ne!(after["tls.crt"], before["tls.crt"]);
    assert_eq!(after["ca.crt"], before["ca.crt"]);
    // A replica that wants fewer leaves it as it is.
    let (_, fewer) = replica(&client, options(&ahead)).await;
    fewer.shutdown().await;
    assert_eq!(data(&client).await["tls.crt"], after["tls.crt"]);
}

#[tokio::test]
async fn publishing_changes_nothing_else_and_is_repeated() {
    let (_api, client) = api().await;
    let (_certificates, _managed) = replica(&client, options(&Ahead::default())).await;
    let bundle = data(&client).await["ca.crt"].clone();
    // The configurations come later.
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
    until("it is published", async || is_published(&client, &bundle).await).await;
    until("to the other kind too", async || {
        let webhooks = validators.get(NAME).await.unwrap().webhooks.unwrap();
        webhooks[0].client_config.ca_bundle.as_ref().is_some_and(|published| published.0 == bundle)
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

    // Somebody installs again.
    configurations.delete(NAME, &DeleteParams::default()).await.unwrap();
    configure_mutating(&client, &["a.example.com"]).await;
    until("it is published again", async || is_published(&client, &bundle).await).await;
}

#[tokio::test]
async fn an_api_that_is_away_is_waited_for() {
    let (api, client) = api().await;
    let secrets = Matcher::any().resource("", "secrets");
    let away = |code| Fault::Answer { code, retry_after: None };
    api.faults().inject(secrets.clone().verb("get"), away(403), 2);
    api.faults().inject(secrets.clone().verb("create"), away(409), 2);
    api.faults().inject(secrets.clone().verb("create"), Fault::LoseResponse, 1);
    let metrics = CertificateMetrics::default();
    let start = Managed::start(client.clone(), options(&Ahead::default()), metrics);
    let (certificates, managed) = tokio::time::timeout(PATIENCE, start).await.unwrap().unwrap();
    assert!(certificates.is_loaded());
    // A watch that says nothing: the regular look finds changes.
    until("it watches", async || api.faults().open_watches(&secrets) > 0).await;
    api.faults().freeze_watches(&secrets);
    let before = data(&client).await;
    edit(&client, "tls.key", Some(b"garbage")).await;
    until("it is replaced", async || data(&client).await["tls.crt"] != before["tls.crt"]).await;
    managed.shutdown().await;
}

#[tokio::test]
async fn names_that_cannot_be_are_refused() {
    let (_api, client) = api().await;
    let start = |names: &[&str]| {
        let mut options = options(&Ahead::default());
        options.names = names.iter().map(|name| (*name).to_owned()).collect();
        Managed::start(client.clone(), options, CertificateMetrics::default())
    };
    assert!(matches!(start(&[]).await, Err(ManagedError::NoNames)));
    let error = start(&["hook.default.svc", "not a name"]).await.unwrap_err();
    assert!(error.to_string().starts_with("\"not a name\" cannot be"), "{error}");
}
