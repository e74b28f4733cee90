//! The administrator's settings: a changed ConfigMap takes effect at once, and an invalid one never
//! does.

use deploy_manifests::access::permits;
use deploy_manifests::{ManifestOptions, names, rbac};
use fake_kube::{Fault, Matcher};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use oci_registry_client::{
    Client, Credentials, EncodedManifest, Endpoint, Manifest, TransferPolicy, media_type,
};
use orascache_operator::EMBEDDED;
use orascache_operator::settings::{SettingsMetrics, SettingsReader, SettingsTask, Source};
use orascache_runtime::{ActiveVersion, Version};
use orascache_tests::access::needed;
use orascache_tests::cluster::{Cluster, PATIENCE, guest};
use orascache_tests::fixtures::cache;
use orascache_tests::webhooks;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use test_registries::Embedded;

const PREFIX: &str = "oras.converged-computing.github.io";

fn step(registry: Option<&str>) -> DynamicObject {
    let mut annotations =
        json!({format!("{PREFIX}/oras-cache"): "demo", format!("{PREFIX}/input-uri"): "a:1"});
    if let Some(registry) = registry {
        annotations[format!("{PREFIX}/registry")] = json!(registry);
    }
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "step-", "annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "busybox", "command": ["id"]}]},
    });
    serde_json::from_value(pod).expect("an object")
}

/// Creates a pod as a dry run. Returns the admitted pod, or the code and message of the refusal.
async fn tried(cluster: &Cluster, registry: Option<&str>) -> Result<Value, (u16, String)> {
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    match cluster.api("v1", "Pod", "pods").create(&parameters, &step(registry)).await {
        Ok(pod) => Ok(serde_json::to_value(pod).expect("JSON")),
        Err(kube::Error::Api(status)) => Err((status.code, status.message)),
        Err(error) => panic!("{error}"),
    }
}

fn config_maps(cluster: &Cluster) -> Api<ConfigMap> {
    Api::namespaced(cluster.client(), names::NAMESPACE)
}

/// Writes the settings and returns the API server's answer.
async fn write(cluster: &Cluster, settings: &str) -> Result<ConfigMap, kube::Error> {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": names::SETTINGS},
        "data": {"settings.yaml": settings},
    });
    let parameters = PatchParams::apply("administrator").force();
    config_maps(cluster).patch(names::SETTINGS, &parameters, &Patch::Apply(&map)).await
}

async fn make_namespace(cluster: &Cluster) {
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names::NAMESPACE}});
    let api: Api<Namespace> = Api::all(cluster.client());
    api.patch(names::NAMESPACE, &PatchParams::apply("test"), &Patch::Apply(&body))
        .await
        .expect("a namespace");
}

/// Asks again until the answer is right.
async fn until<T, F: Future<Output = T>>(
    what: &str,
    mut ask: impl FnMut() -> F,
    is_right: impl Fn(&T) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if is_right(&answer) {
            return;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn is_refused_for_registry(answer: &Result<Value, (u16, String)>) -> bool {
    matches!(answer, Err((422, message)) if message.contains("which the administrator does not allow"))
}

async fn events(cluster: &Cluster) -> Vec<Value> {
    let api: Api<DynamicObject> = Api::namespaced_with(
        cluster.client(),
        names::NAMESPACE,
        &kube::core::ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(
            "events.k8s.io",
            "v1",
            "Event",
        )),
    );
    let list = api.list(&Default::default()).await.expect("events");
    list.items.into_iter().map(|event| serde_json::to_value(event).expect("JSON")).collect()
}

/// Puts an image into a registry that starts this, and returns its digest.
async fn push_image(host: &str, words: &[&str]) -> String {
    let endpoint: Endpoint = format!("http://{host}").parse().expect("an endpoint");
    let client = Client::new(endpoint, Credentials::default(), TransferPolicy::default());
    let config = json!({"config": {"Entrypoint": words}}).to_string();
    let config = client.push_bytes("tool", config.as_bytes(), "application/vnd.oci.image.config.v1+json");
    let mut manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), Default::default());
    manifest.config = Some(config.await.expect("a configuration"));
    let manifest = EncodedManifest::of(&manifest).expect("a manifest");
    client.put_manifest("tool", &manifest).await.expect("a manifest");
    manifest.digest().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_gets_the_command_of_its_image_where_the_settings_let_it_be_read() {
    let cluster = Cluster::start().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let registry = Embedded::start();
    let host = registry.host();
    let digest = push_image(&host, &["/bin/tool", "--fast"]).await;
    let mut pod = step(None);
    pod.data["spec"]["containers"][0] = json!({"name": "app", "image": format!("{host}/tool@{digest}")});
    let create = async || {
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        match cluster.api("v1", "Pod", "pods").create(&parameters, &pod).await {
            Ok(pod) => Ok(serde_json::to_value(pod).expect("JSON")),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(error) => panic!("{error}"),
        }
    };
    let refused = create().await.expect_err("nobody may ask");
    assert!(refused.contains("app has no command"), "{refused}");

    let settings = json!({"imageConfigRegistries": [format!("http://{host}")]});
    write(&cluster, &settings.to_string()).await.expect("stored");
    until("the command is known", &create, Result::is_ok).await;
    let created = create().await.expect("a pod");
    let words = created["spec"]["containers"][0]["command"].as_array().expect("a command").clone();
    assert_eq!(words[words.len() - 3..], [json!("--"), json!("/bin/tool"), json!("--fast")]);
    let annotations = &created["metadata"]["annotations"];
    assert_eq!(annotations["cache.converged-computing.github.io/command-of-image"], digest);
    operator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_take_effect_and_invalid_ones_do_not() {
    let cluster = Cluster::start().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    tried(&cluster, Some("ghcr.io")).await.expect("nothing is limited by default");

    write(&cluster, "allowedRegistries: [quay.io]\nagentImage: mirror.lab/agent:7\n").await.expect("stored");
    until("the limit is in force", || tried(&cluster, Some("ghcr.io")), is_refused_for_registry).await;
    let admitted = tried(&cluster, Some("quay.io")).await.expect("allowed");
    assert_eq!(admitted["spec"]["initContainers"][0]["image"], "mirror.lab/agent:7");
    tried(&cluster, None).await.expect("the cache's own registry is always allowed");

    // The webhook refuses to store invalid settings.
    let refused = write(&cluster, "allowedRegistries: [quay.io]\nmaximumStorage: big").await;
    let Err(kube::Error::Api(status)) = refused else { panic!("not refused: {refused:?}") };
    assert_eq!(status.code, 422);
    assert!(
        status.message.contains("settings.maximumStorage is not a size: write one like 100Gi"),
        "{status:?}"
    );
    let refused = write(&cluster, "allowedRegistries: [quay.io").await;
    assert!(
        matches!(&refused, Err(kube::Error::Api(status)) if status.message.contains("not YAML")),
        "{refused:?}"
    );

    // Without the webhook, invalid settings are stored. The earlier ones stay in force.
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client());
    configurations.delete(names::OPERATOR, &DeleteParams::default()).await.expect("deleted");
    until("it is stored", || write(&cluster, "allowedRegistry: [ghcr.io]"), Result::is_ok).await;
    let is_invalid = |events: &Vec<Value>| events.iter().any(|event| event["reason"] == "InvalidSettings");
    until("there is an event", || events(&cluster), is_invalid).await;
    let events = events(&cluster).await;
    let event = events.iter().find(|event| event["reason"] == "InvalidSettings").expect("that event");
    let note = event["note"].as_str().unwrap_or_default();
    assert!(note.contains("settings.allowedRegistry is unknown") && note.contains("stay in use"), "{note}");
    assert!(is_refused_for_registry(&tried(&cluster, Some("ghcr.io")).await));
    let admitted = tried(&cluster, Some("quay.io")).await.expect("allowed as before");
    assert_eq!(admitted["spec"]["initContainers"][0]["image"], "mirror.lab/agent:7");

    // Without the ConfigMap nothing is limited.
    config_maps(&cluster).delete(names::SETTINGS, &DeleteParams::default()).await.expect("deleted");
    until("no limit is left", || tried(&cluster, Some("ghcr.io")), Result::is_ok).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn required_annotations_depend_on_the_labels_of_the_namespace() {
    let cluster = Cluster::embedded().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let settings = format!(
        "requiredAnnotations: [{{annotation: {PREFIX}/output-uri, namespaceSelector: {{matchLabels: {{team: climate}}}}}}]\nmaximumStorage: 1Gi"
    );
    write(&cluster, &settings).await.expect("stored");
    // The limit for storage shows when the settings are in force.
    let large = || cache("large", json!({"storage": {"size": "2Gi"}}));
    let make = || async {
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        cluster.caches().create(&parameters, &serde_json::from_value(large()).expect("an object")).await
    };
    until("the limit is in force", make, Result::is_err).await;
    tried(&cluster, None).await.expect("the namespace has no such label");

    let namespaces: Api<Namespace> = Api::all(cluster.client());
    let labels = json!({"metadata": {"labels": {"team": "climate"}}});
    namespaces
        .patch(&cluster.namespace, &PatchParams::default(), &Patch::Merge(labels))
        .await
        .expect("labelled");
    let (code, message) = tried(&cluster, None).await.expect_err("required");
    assert_eq!(code, 422);
    assert!(message.contains("output-uri is missing, which the administrator requires"), "{message}");

    // A namespace that cannot be read is not taken for one without labels.
    let failing = Fault::Answer { code: 500, retry_after: None };
    let reads = Matcher::any().user_agent("operator").resource("", "namespaces").verb("get");
    cluster.server().faults().inject(reads.clone(), failing, usize::MAX);
    let (code, _) = tried(&cluster, None).await.expect_err("not known");
    assert_eq!(code, 500);

    // The roles of the manifests allow all requests that were made.
    let asked = cluster.server().requests().distinct(&Matcher::any().user_agent("operator"));
    let grants = rbac::granted(&ManifestOptions::default(), &orascache_core::describe());
    let mut seen = 0;
    for request in
        asked.iter().filter(|request| ["namespaces", "configmaps"].contains(&request.resource.as_str()))
    {
        let wanted = needed(request);
        assert!(permits(&grants, &wanted), "not permitted: {request:?}");
        seen += 1;
    }
    assert!(seen >= 2, "{asked:?}");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_refused_until_the_settings_were_valid_once() {
    let cluster = Cluster::start().await;
    make_namespace(&cluster).await;
    write(&cluster, "allowedRegistries: ghcr.io").await.expect("stored");
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let (code, _) = tried(&cluster, None).await.expect_err("refused");
    assert_eq!(code, 500);
    // Caches are reconciled nevertheless, with the defaults.
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    write(&cluster, "allowedRegistries: [ghcr.io]").await.expect("stored");
    until("steps are admitted", || tried(&cluster, None), Result::is_ok).await;
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_shows_whether_the_stored_settings_are_in_use() {
    let cluster = Cluster::embedded().await;
    make_namespace(&cluster).await;
    let mut registry = Registry::default();
    let metrics = SettingsMetrics::register(&mut registry);
    let source = Source { namespace: names::NAMESPACE.to_owned(), name: names::SETTINGS.to_owned() };
    let reader = SettingsReader::new(Some("mirror.lab/agent:7"));
    let active = Arc::new(ActiveVersion::from_pointee(Version::trusted(Arc::new(guest(EMBEDDED)), None)));
    let settings =
        SettingsTask::start(cluster.operator_client().await, active.clone(), Some(source), reader, metrics)
            .await
            .expect("settings");
    let (in_use, mut for_plans) = (settings.watch(), settings.last_usable());
    assert_eq!(in_use.current().as_deref(), Ok(r#"{"agentImage":"mirror.lab/agent:7"}"#));
    let shown = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        text
    };
    assert!(shown().contains("orascache_settings_usable 1\n"), "{}", shown());

    write(&cluster, "maximumStorage: 1Ti").await.expect("stored");
    let wanted = r#"{"agentImage":"mirror.lab/agent:7","maximumStorage":"1Ti"}"#;
    until("it is accepted", || async { in_use.current() }, |state| state.as_deref() == Ok(wanted)).await;
    write(&cluster, "maximumStorage: 1Tb").await.expect("stored");
    let is_refused = |text: &String| {
        text.contains("orascache_settings_usable 0\n")
            && text.contains(r#"orascache_settings_changes_total{result="refused"} 1"#)
    };
    until("it is refused", || async { shown() }, is_refused).await;
    assert_eq!(in_use.current().as_deref(), Ok(wanted));
    assert_eq!(&**for_plans.borrow_and_update(), wanted, "plans keep the last accepted settings too");
    write(&cluster, "maximumStorage: 2Ti").await.expect("stored");
    let wanted = r#"{"agentImage":"mirror.lab/agent:7","maximumStorage":"2Ti"}"#;
    until("it is accepted", || async { in_use.current() }, |state| state.as_deref() == Ok(wanted)).await;
    assert!(shown().contains("orascache_settings_usable 1\n"), "{}", shown());
    drop(settings);

    // An agent image that the component refuses is an error at the start.
    let reader = SettingsReader::new(Some("No Image"));
    let refused = SettingsTask::start(
        cluster.operator_client().await,
        active,
        None,
        reader,
        SettingsMetrics::default(),
    )
    .await;
    assert!(refused.is_err_and(|error| format!("{error:#}").contains("settings.agentImage is \"No Image\"")));
    cluster.finish().await;
}
