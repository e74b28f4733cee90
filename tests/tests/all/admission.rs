//! Admission end to end: an API server that calls the operator's webhooks over TLS.

use deploy_manifests::access::{AccessRequest, permits};
use deploy_manifests::{ManifestOptions, rbac};
use fake_kube::{Fault, Matcher};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use orascache_tests::access::needed;
use orascache_tests::cluster::{Cluster, PATIENCE};
use orascache_tests::fixtures::cache;
use orascache_tests::tools::{installed, shell};
use orascache_tests::webhooks;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PREFIX: &str = "oras.converged-computing.github.io";

pub(crate) fn pod(name: &str, annotations: &[(&str, &str)]) -> Value {
    let annotations: serde_json::Map<String, Value> =
        annotations.iter().map(|(key, value)| (format!("{PREFIX}/{key}"), json!(value))).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": "busybox", "command": ["sh", "-c", "echo \"a  b\"; exit 3"]},
        ]},
    })
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

pub(crate) fn pods(cluster: &Cluster) -> Api<DynamicObject> {
    cluster.api("v1", "Pod", "pods")
}

/// Creates an object and returns the API server's answer.
pub(crate) async fn create(api: &Api<DynamicObject>, value: Value) -> Result<Value, kube::Error> {
    let created = api.create(&PostParams::default(), &object(value)).await?;
    Ok(serde_json::to_value(created).expect("JSON"))
}

fn refusal(outcome: Result<Value, kube::Error>) -> (u16, String) {
    match outcome {
        Err(kube::Error::Api(status)) => (status.code, status.message),
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn is_injected(pod: &Value) -> bool {
    pod["spec"]["containers"][0]["command"][0] == "/orascache/orascache-agent"
        && pod["spec"]["initContainers"][0]["name"] == "oras-install"
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_with_annotations_are_injected_or_refused_and_others_left_alone() {
    let cluster = Cluster::start().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let api = pods(&cluster);

    // The cache is new. Where the operator's watch has not delivered it yet, the operator reads it
    // from the API.
    let step = [("oras-cache", "demo"), ("input-uri", "flow/words:1")];
    let created = create(&api, pod("step", &step)).await.expect("admitted");
    assert!(is_injected(&created), "{created:#}");
    let command = created["spec"]["containers"][0]["command"].as_array().expect("a command");
    assert_eq!(command[command.len() - 3..], [json!("sh"), json!("-c"), json!("echo \"a  b\"; exit 3")]);

    let plain = create(&api, pod("plain", &[])).await.expect("admitted");
    assert!(!is_injected(&plain) && plain["spec"].get("initContainers").is_none());

    let (code, message) =
        refusal(create(&api, pod("bad", &[("oras-cache", "demo"), ("input-url", "x")])).await);
    assert_eq!(code, 422);
    assert!(
        message.contains("denied the request: oras.converged-computing.github.io/input-url is unknown"),
        "{message}"
    );
    let (_, message) =
        refusal(create(&api, pod("early", &[("oras-cache", "nowhere"), ("input-uri", "a:1")])).await);
    assert!(message.contains("OrasCache nowhere does not exist in namespace"), "{message}");

    // A dry run returns the injected pod and stores nothing.
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let shown = api.create(&dry, &object(pod("dry", &step))).await.expect("admitted");
    assert!(is_injected(&serde_json::to_value(shown).expect("JSON")));
    assert!(api.get_opt("dry").await.expect("an answer").is_none());

    // A pod whose name the API server generates.
    let mut generated = pod("", &[("oras-cache", "demo"), ("output-uri", "x:{pod}"), ("output-path", "out")]);
    generated["metadata"] =
        json!({"generateName": "step-", "annotations": generated["metadata"]["annotations"]});
    let created = create(&api, generated).await.expect("admitted");
    assert!(is_injected(&created));
    assert_eq!(created["spec"]["containers"][0]["env"][0]["name"], "ORASCACHE_POD");

    // The webhook refuses caches that are invalid in ways that the CRD cannot express.
    let (code, message) = refusal(
        create(&cluster.caches(), cache("bad", json!({"secret": "s", "secrets": {"registryHttp": "x"}})))
            .await,
    );
    assert_eq!(code, 422);
    assert!(message.contains("registryHttp"), "{message}");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_the_same_manifest_again_changes_nothing() {
    let cluster = Cluster::start().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let step = [("oras-cache", "demo"), ("input-uri", "a:1")];
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "job", "annotations": {format!("{PREFIX}/oras-cache"): "demo", format!("{PREFIX}/input-uri"): "a:1"}},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": "busybox", "command": ["true"]},
        ]}}},
    });
    let jobs = cluster.api("batch/v1", "Job", "jobs");
    let first = cluster.apply(&pods(&cluster), pod("step", &step)).await;
    let again = cluster.apply(&pods(&cluster), pod("step", &step)).await;
    assert_eq!(first.data["spec"], again.data["spec"]);
    let first = cluster.apply(&jobs, job.clone()).await;
    let again = cluster.apply(&jobs, job).await;
    assert_eq!(first.data["spec"], again.data["spec"]);
    assert_eq!(
        again.data["spec"]["template"]["metadata"]["annotations"][format!("{PREFIX}/input-uri")],
        "a:1"
    );

    if installed("kubectl") {
        let folder = tempfile::tempdir().expect("a folder");
        let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/samples");
        let kubeconfig = cluster.kubeconfig_file();
        let namespace = &cluster.namespace;
        for way in ["", "", "--server-side --force-conflicts", "--server-side --force-conflicts"] {
            let script = format!("kubectl -n {namespace} apply {way} -f {samples}");
            shell(&script, &kubeconfig, folder.path()).expect();
        }
        let read = |script: &str| {
            shell(&format!("kubectl -n {namespace} {script}"), &kubeconfig, folder.path()).expect()
        };
        let command = read("get pod generate -o jsonpath='{.spec.containers[0].command}'");
        assert!(command.starts_with("[\"/orascache/orascache-agent\",\"exec\","), "{command}");
        let sidecar = read("get pod experiment -o jsonpath='{.spec.initContainers[1].restartPolicy}'");
        assert_eq!(sidecar, "Always");
    }
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_and_ephemeral_containers_get_at_no_credentials() {
    let cluster = Cluster::start().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let step = [("oras-cache", "demo"), ("input-uri", "a:1"), ("registry", "ghcr.io"), ("oras-env", "creds")];
    let created = create(&pods(&cluster), pod("step", &step)).await.expect("admitted");

    // With everything that the API server has filled in.
    let mut copy = json!({"apiVersion": "v1", "kind": "Pod", "spec": created["spec"]});
    copy["metadata"] = json!({"name": "copy", "annotations": created["metadata"]["annotations"]});
    let copied = create(&pods(&cluster), copy.clone()).await.expect("admitted");
    assert_eq!(copied["spec"]["initContainers"], created["spec"]["initContainers"]);
    copy["metadata"]["name"] = json!("changed");
    copy["spec"]["initContainers"][1]["env"] = json!([{"name": "HTTPS_PROXY", "value": "http://evil"}]);
    let (code, message) = refusal(create(&pods(&cluster), copy).await);
    assert_eq!(code, 422);
    assert!(message.contains("init container oras is not as it is made for this step"), "{message}");

    let running: Api<Pod> = Api::namespaced(cluster.client(), &cluster.namespace);
    let debug = async |name: &str, target: &str| {
        let container = json!({"name": name, "image": "busybox", "targetContainerName": target});
        let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [container]}}));
        running.patch_ephemeral_containers("step", &PatchParams::default(), &patch).await
    };
    debug("of-step", "app").await.expect("admitted");
    match debug("of-proxy", "oras").await {
        Err(kube::Error::Api(status)) => {
            assert_eq!(status.code, 422);
            assert!(status.message.contains("of-proxy has the targetContainerName oras"), "{status:?}");
        }
        other => panic!("not refused: {other:?}"),
    }
    operator.shutdown().await;
    cluster.finish().await;
}

/// A real API server enforces the level with its PodSecurity plugin. fake-kube has no such plugin.
#[tokio::test(flavor = "multi_thread")]
async fn an_injected_pod_still_meets_the_restricted_pod_security_level() {
    let cluster = Cluster::start().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    let restricted = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let parameters = PatchParams::default();
    namespaces.patch(&cluster.namespace, &parameters, &Patch::Merge(restricted)).await.expect("labelled");

    let step = [("oras-cache", "demo"), ("input-uri", "a:1"), ("registry", "ghcr.io"), ("oras-env", "creds")];
    let mut pod = pod("restricted", &step);
    pod["spec"]["containers"][0]["securityContext"] = json!({
        "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let created = create(&pods(&cluster), pod.clone()).await.expect("admitted");
    assert!(is_injected(&created) && created["spec"]["initContainers"][1]["name"] == "oras");

    if cluster.is_real() {
        pod["metadata"]["name"] = json!("careless");
        pod["spec"]["containers"][0]["securityContext"]["runAsNonRoot"] = json!(false);
        let (code, message) = refusal(create(&pods(&cluster), pod).await);
        assert_eq!(code, 403);
        assert!(message.contains("PodSecurity") && !message.contains("oras-install"), "{message}");
    }
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_job_are_injected_when_they_are_created() {
    // A bare control plane has no Job controller, so a simulator creates the pods on both API
    // servers.
    let cluster = Cluster::start().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "sweep", "annotations": {
            format!("{PREFIX}/oras-cache"): "demo", format!("{PREFIX}/output-uri"): "x:{job}-{index}", format!("{PREFIX}/output-path"): "out",
        }},
        "spec": {"completionMode": "Indexed", "completions": 2, "parallelism": 2, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "app", "image": "busybox", "command": ["true"]}],
        }}},
    });
    cluster.apply(&cluster.api("batch/v1", "Job", "jobs"), job).await;
    let deadline = Instant::now() + PATIENCE;
    let made = loop {
        let list = pods(&cluster).list(&Default::default()).await.expect("a list");
        let of_job: Vec<Value> = list
            .items
            .into_iter()
            .filter(|pod| {
                pod.metadata
                    .labels
                    .as_ref()
                    .is_some_and(|labels| labels.contains_key("batch.kubernetes.io/job-name"))
            })
            .map(|pod| serde_json::to_value(pod).expect("JSON"))
            .collect();
        if of_job.len() == 2 {
            break of_job;
        }
        assert!(Instant::now() < deadline, "the Job has too few pods: {of_job:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    };
    for pod in made {
        assert!(is_injected(&pod), "{pod:#}");
        let names: Vec<&str> = pod["spec"]["containers"][0]["env"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|variable| variable["name"].as_str())
            // Controllers of Jobs add one of their own (batch/v1 Job, completionMode).
            .filter(|name| *name != "JOB_COMPLETION_INDEX")
            .collect();
        assert_eq!(names, ["ORASCACHE_JOB", "ORASCACHE_INDEX"]);
    }
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_37_without_webhooks_only_requests_for_steps_fail() {
    let cluster = Cluster::start().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let step = [("oras-cache", "demo"), ("input-uri", "a:1")];
    let mut finalized = pod("finalized", &step);
    finalized["metadata"]["finalizers"] = json!(["lab.example.com/hold"]);
    create(&pods(&cluster), finalized).await.expect("admitted");
    operator.shutdown().await;

    // A request for a step gets an error. Nothing else is affected.
    let (_, message) = refusal(create(&pods(&cluster), pod("step", &step)).await);
    assert!(
        message.contains("failed calling webhook \"create.pods.cache.converged-computing.github.io\""),
        "{message}"
    );
    create(&pods(&cluster), pod("plain", &[])).await.expect("pods without annotations are admitted");
    cluster.apply(&cluster.caches(), cache("another", json!({}))).await;
    // Pods in the operator's own namespace are admitted, even with step annotations.
    let system: Api<DynamicObject> = Api::namespaced_with(
        cluster.client(),
        deploy_manifests::names::NAMESPACE,
        &kube::core::ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk("", "v1", "Pod")),
    );
    create(&system, pod("orascache-x", &step)).await.expect("the operator's namespace is left out");
    // Injected pods can be updated and deleted.
    let labels = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}, "finalizers": null}}));
    pods(&cluster).patch("finalized", &PatchParams::default(), &labels).await.expect("updated");
    pods(&cluster).delete("finalized", &DeleteParams::default().grace_period(0)).await.expect("deleted");
    cluster.until_gone(&pods(&cluster), "finalized").await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_the_watch_has_not_delivered_is_read_from_the_api() {
    let cluster = Cluster::embedded().await;
    let operator = webhooks::operator(&cluster).await;
    let caches =
        Matcher::any().user_agent("operator").resource("cache.converged-computing.github.io", "orascaches");
    // The watch stays open, but sends no more events.
    assert!(cluster.server().faults().freeze_watches(&caches) > 0);
    cluster.apply(&cluster.caches(), cache("unheard", json!({}))).await;
    let step = |cache| [("oras-cache", cache), ("input-uri", "a:1")];
    let created = create(&pods(&cluster), pod("step", &step("unheard"))).await;
    assert!(is_injected(&created.expect("admitted")));

    // When the API fails, the refusal must not say that the cache does not exist.
    let failing = Fault::Answer { code: 500, retry_after: None };
    cluster.server().faults().inject(caches.verb("get"), failing, usize::MAX);
    let (code, message) = refusal(create(&pods(&cluster), pod("later", &step("nowhere"))).await);
    assert_eq!(code, 500);
    assert!(!message.contains("does not exist"), "{message}");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_allow_every_request_of_the_operator() {
    let cluster = Cluster::embedded().await;
    let operator = webhooks::operator(&cluster).await;
    // These steps make the operator read, write and delete all kinds of objects that it handles.
    cluster
        .apply(
            &cluster.caches(),
            cache("demo", json!({"secrets": {"registryHttp": "x"}, "storage": {"size": "1Gi"}})),
        )
        .await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    cluster
        .apply(
            &cluster.caches(),
            cache(
                "shared",
                json!({"replicas": 2, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}}),
            ),
        )
        .await;
    cluster.until_condition("shared", "Ready", "True", "RegistryReady").await;
    cluster
        .edit(
            &cluster.sets(),
            "demo",
            json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}),
        )
        .await;
    cluster
        .apply(&cluster.caches(), cache("demo", json!({"deploy": false, "storage": {"size": "1Gi"}})))
        .await;
    cluster.until_gone(&cluster.sets(), "demo").await;
    create(&pods(&cluster), pod("step", &[("oras-cache", "shared"), ("input-uri", "a:1")]))
        .await
        .expect("admitted");
    let missing =
        create(&pods(&cluster), pod("late", &[("oras-cache", "nowhere"), ("input-uri", "a:1")])).await;
    refusal(missing);
    cluster.caches().delete("demo", &Default::default()).await.expect("deleted");
    cluster.until_gone(&cluster.services(), "demo").await;
    operator.shutdown().await;

    let asked = cluster.server().requests().distinct(&Matcher::any().user_agent("operator"));
    assert!(asked.len() > 20, "{asked:?}");
    let grants = rbac::granted(&ManifestOptions::default(), &orascache_core::describe());
    let permitted = |request: &fake_kube::Request, verb: &str| {
        permits(&grants, &AccessRequest { verb, ..needed(request) })
    };
    for request in &asked {
        assert!(permitted(request, &request.verb), "not permitted: {request:?}");
        // An apply of an object that does not exist yet also needs the verb `create`. All objects
        // of the kinds below were new once.
        let applies = request.verb == "patch"
            && request.subresource.is_none()
            && request.group != "admissionregistration.k8s.io";
        let creates = ["services", "statefulsets", "persistentvolumeclaims", "secrets"];
        if applies && creates.contains(&request.resource.as_str()) {
            assert!(permitted(request, "create"), "may not create: {request:?}");
        }
    }
    cluster.finish().await;
}
