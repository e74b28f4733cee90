//! Managed certificates against an API server: several replicas, hand edits, rotation, and publishing.

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Caller, PATIENCE, Protocol, Script, until};
use devcluster::{ApiServer, Fault, Matcher};
use http::StatusCode;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use prometheus_client::registry::Registry;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use webhook::{
    CertificateMetrics, Certificates, Limits, Managed, ManagedError, ManagedOptions, Policy, Server, Target,
};

const NAMESPACE: &str = "default";
const SECRET: &str = "hook-certificate";
const NAME: &str = "hook";
const DAY: i64 = 24 * 60 * 60;

async fn api() -> (ApiServer, Client) {
    let api = ApiServer::start(devcluster::Options::default()).await.unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&api.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    (api, client)
}

/// A clock that tests turn.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicI64>);

impl Ahead {
    fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::from_secs(self.0.load(Ordering::SeqCst) as u64)
    }
}

fn options(ahead: &Ahead) -> ManagedOptions {
    let mut options = ManagedOptions::new(NAMESPACE, SECRET, NAME);
    options.names.push("127.0.0.1".to_owned());
    options.targets = vec![Target::mutating(NAME), Target::validating(NAME)];
    options.period = Duration::from_millis(50);
    let ahead = ahead.clone();
    options.clock = Arc::new(move || ahead.now());
    options
}

async fn replica(client: &Client, options: ManagedOptions) -> (Arc<Certificates>, Managed) {
    let start = Managed::start(client.clone(), options, CertificateMetrics::default());
    tokio::time::timeout(PATIENCE, start).await.expect("it hangs").unwrap()
}

/// A server with these certificates. It stops when dropped.
async fn serve(certificates: &Arc<Certificates>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let script = Arc::new(Script::default());
    let limits = Limits::default();
    Server::start(listener, script, certificates.clone(), limits, &mut Registry::default()).unwrap()
}

fn roots(bundle: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(bundle).collect::<Result<_, _>>().unwrap()
}

async fn secret(client: &Client) -> Secret {
    Api::namespaced(client.clone(), NAMESPACE).get(SECRET).await.unwrap()
}

async fn data(client: &Client) -> BTreeMap<String, Vec<u8>> {
    let data = secret(client).await.data.unwrap_or_default();
    data.into_iter().map(|(entry, value)| (entry, value.0)).collect()
}

/// Makes a configuration as an installation has it: without a bundle.
async fn configure_mutating(client: &Client, webhooks: &[&str]) {
    let webhooks: Vec<Value> = webhooks
        .iter()
        .map(|name| {
            json!({
                "name": name,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "clientConfig": {"service": {"namespace": NAMESPACE, "name": NAME, "path": "/mutate"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
            })
        })
        .collect();
    let configuration =
        serde_json::from_value(json!({"metadata": {"name": NAME}, "webhooks": webhooks})).unwrap();
    Api::<MutatingWebhookConfiguration>::all(client.clone())
        .create(&PostParams::default(), &configuration)
        .await
        .unwrap();
}

/// The bundles of the configuration's webhooks.
async fn published(client: &Client) -> Vec<Vec<u8>> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let webhooks = api.get(NAME).await.unwrap().webhooks.unwrap_or_default();
    webhooks.into_iter().map(|webhook| webhook.client_config.ca_bundle.unwrap_or_default().0).collect()
}

async fn is_published(client: &Client, bundle: &[u8]) -> bool {
    published(client).await.iter().all(|published| published == bundle)
}

async fn edit(client: &Client, entry: &str, value: Option<&[u8]>) {
    let patch = json!({"data": {entry: value.map(|value| STANDARD.encode(value))}});
    Api::<Secret>::namespaced(client.clone(), NAMESPACE)
        .patch(SECRET, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

/// A server is reached by who trusts this bundle.
async fn is_trusted(server: &Server, bundle: &[u8]) -> bool {
    let caller = Caller::new(server.local_addr(), Protocol::Http2, &roots(bundle));
    caller.act("allow").await.is_ok_and(|answer| answer.status == StatusCode::OK)
}

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
async fn rotation_goes_through_its_phases() {
    let (_api, client) = api().await;
    configure_mutating(&client, &["a.example.com"]).await;
    let ahead = Ahead::default();
    let with = || {
        let mut options = options(&ahead);
        options.policy = Policy {
            authority: Duration::from_secs(90 * DAY as u64),
            leaf: Duration::from_secs(9 * DAY as u64),
            ..Policy::default()
        };
        options
    };
    let (_one, _managed) = replica(&client, with()).await;
    let (_other, _also_managed) = replica(&client, with()).await;
    let first = data(&client).await;
    until("it is published", async || is_published(&client, &first["ca.crt"]).await).await;

    ahead.turn(7 * DAY);
    until("the certificate is renewed", async || data(&client).await["tls.crt"] != first["tls.crt"]).await;
    assert_eq!(data(&client).await["ca.crt"], first["ca.crt"]);

    ahead.turn(53 * DAY + 3600);
    until("a second CA is published", async || {
        let bundle = data(&client).await["ca.crt"].clone();
        roots(&bundle).len() == 2 && is_published(&client, &bundle).await
    })
    .await;
    let both = data(&client).await;
    assert!(roots(&both["ca.crt"]).contains(&roots(&first["ca.crt"])[0]));
    assert_eq!(both["ca.key"], first["ca.key"], "the first one still signs");
    assert!(both.contains_key("next-ca.key"));

    ahead.turn(61);
    until("the second signs", async || data(&client).await.get("ca.key") == both.get("next-ca.key")).await;
    let switched = data(&client).await;
    assert_ne!(switched["tls.crt"], both["tls.crt"]);
    assert_eq!(switched["ca.crt"], both["ca.crt"], "the first one is still trusted");
    assert_eq!(switched["former.crt"], both["tls.crt"]);
    assert!(!switched.contains_key("next-ca.key"));

    ahead.turn(9 * DAY);
    until("the first CA is gone", async || {
        let bundle = data(&client).await["ca.crt"].clone();
        roots(&bundle).len() == 1 && is_published(&client, &bundle).await
    })
    .await;
    let last = data(&client).await;
    assert_ne!(last["ca.crt"], first["ca.crt"]);
    assert!(!last.contains_key("former.crt"));
}

#[tokio::test]
async fn a_ca_that_cannot_be_published_does_not_sign() {
    let (api, client) = api().await;
    configure_mutating(&client, &["a.example.com"]).await;
    let ahead = Ahead::default();
    let (certificates, _managed) = replica(&client, options(&ahead)).await;
    let server = serve(&certificates).await;
    let first = data(&client).await;
    until("it is published", async || is_published(&client, &first["ca.crt"]).await).await;
    let group = "admissionregistration.k8s.io";
    let refused = Fault::Answer { code: 403, retry_after: None };
    let patches = Matcher::any().verb("patch").resource(group, "mutatingwebhookconfigurations");
    let fault = api.faults().inject(patches, refused, 1_000_000);
    edit(&client, "ca.key", None).await;
    until("there is a next CA", async || data(&client).await.contains_key("next-ca.key")).await;
    ahead.turn(DAY);
    let tried = api.faults().remaining(fault);
    until("publishing was tried", async || api.faults().remaining(fault) + 5 < tried).await;
    let waiting = data(&client).await;
    assert_eq!(waiting["tls.crt"], first["tls.crt"]);
    assert!(is_trusted(&server, &published(&client).await[0]).await);
    api.faults().clear();
    until("it is published", async || is_published(&client, &waiting["ca.crt"]).await).await;
    ahead.turn(61);
    until("it signs", async || data(&client).await.get("ca.key") == waiting.get("next-ca.key")).await;
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

/// The whole way: the API server calls the webhooks of two replicas while their CA is replaced. `failurePolicy` is
/// `Fail`, so that a request that cannot be reviewed is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_ca_is_replaced() {
    let (api, client) = api().await;
    configure_mutating(&client, &["a.example.com"]).await;
    let mut with = options(&Ahead::default());
    with.policy.settle = Duration::from_millis(300);
    let (one, _one) = replica(&client, with.clone()).await;
    let (other, _other) = replica(&client, with).await;
    let servers = [serve(&one).await, serve(&other).await];
    let first = data(&client).await;
    until("it is published", async || is_published(&client, &first["ca.crt"]).await).await;
    api.route_service(NAMESPACE, NAME, 443, servers[0].local_addr());

    let done = Arc::new(AtomicBool::new(false));
    let created = Arc::new(AtomicUsize::new(0));
    let load: Vec<_> = (0..3)
        .map(|worker| {
            let (done, created) = (done.clone(), created.clone());
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
            tokio::spawn(async move {
                let mut number = 0;
                while !done.load(Ordering::SeqCst) {
                    number += 1;
                    let map: ConfigMap = serde_json::from_value(
                        json!({"metadata": {"name": format!("map-{worker}-{number}")}}),
                    )
                    .unwrap();
                    maps.create(&PostParams::default(), &map).await.expect("a request failed");
                    created.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut turn = 0;
    for _ in 0..2 {
        // The replicas take turns.
        let before = data(&client).await;
        // Without its key, the CA is replaced.
        edit(&client, "ca.key", None).await;
        until("another CA signs", async || {
            turn += 1;
            api.route_service(NAMESPACE, NAME, 443, servers[turn % 2].local_addr());
            let now = data(&client).await;
            now["tls.crt"] != before["tls.crt"] && now.contains_key("ca.key")
        })
        .await;
        let so_far = created.load(Ordering::SeqCst);
        until("requests go on", async || created.load(Ordering::SeqCst) > so_far + 20).await;
    }
    done.store(true, Ordering::SeqCst);
    for task in load {
        task.await.unwrap();
    }
    assert!(!is_trusted(&servers[0], &first["ca.crt"]).await, "nothing was replaced");
}
