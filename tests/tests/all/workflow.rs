//! Workflows from the manifest to the artifact: webhooks and the component admit a pod, the agent
//! runs its step, and a live registry stores the output.

use kube::api::{DynamicObject, PostParams};
use orascache_dev_registry::ENDPOINT_ANNOTATION;
use orascache_tests::cluster::{Cluster, PATIENCE};
use orascache_tests::fixtures::cache;
use orascache_tests::node::{Node, Ran};
use orascache_tests::webhooks;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use test_registries::DockerRegistry;

const PREFIX: &str = "oras.converged-computing.github.io";

/// The YAML documents of a sample.
fn sample(name: &str) -> Vec<Value> {
    let path = format!("{}/../manifests/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("a sample");
    serde_saphyr::from_multiple(&text).expect("documents")
}

/// Creates a pod and returns it as the API server stored it.
async fn admit(cluster: &Cluster, pod: Value) -> Value {
    let object: DynamicObject = serde_json::from_value(pod).expect("an object");
    let pods = cluster.api("v1", "Pod", "pods");
    let admitted = pods.create(&PostParams::default(), &object).await.expect("admitted");
    serde_json::to_value(admitted).expect("JSON")
}

/// A node that knows where the cache's registry listens.
async fn node(cluster: &Cluster, name: &str) -> Node {
    let pods = cluster.api("v1", "Pod", "pods");
    let pod = format!("{name}-0");
    let deadline = std::time::Instant::now() + PATIENCE;
    let endpoint = loop {
        let found = pods.get_opt(&pod).await.expect("an answer");
        let annotations = found.and_then(|pod| pod.metadata.annotations).unwrap_or_default();
        if let Some(endpoint) = annotations.get(ENDPOINT_ANNOTATION) {
            break endpoint.clone();
        }
        assert!(std::time::Instant::now() < deadline, "the registry did not start in time");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let inside = format!("{name}-0.{name}.{}.svc:5000", cluster.namespace);
    Node { addresses: vec![(inside, endpoint)], ..Node::default() }
}

/// Runs a pod on a thread of its own, since the API server of this process must not be blocked.
async fn run(node: Node, pod: Value) -> Ran {
    tokio::task::spawn_blocking(move || node.run(&pod)).await.expect("the pod ran")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_reads_the_output_of_an_earlier_step() {
    let cluster = Cluster::embedded().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("orascache-sample", json!({}))).await;
    let documents = sample("11-workflow.yaml");
    let [generate, count] = documents.as_slice() else { panic!("not two pods") };

    let generate = admit(&cluster, generate.clone()).await;
    let ran = run(node(&cluster, "orascache-sample").await, generate).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let count = admit(&cluster, count.clone()).await;
    let ran = run(node(&cluster, "orascache-sample").await, count.clone()).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "3 words/list.txt\n"), "{}", ran.err);
    assert_eq!(ran.file("/data/words/list.txt"), "one\ntwo words\nthree\n");
    assert_eq!(ran.message, "");

    // A third step reads the output of the second one.
    let mut read = sample("11-workflow.yaml").remove(1);
    read["metadata"] = json!({"name": "read", "annotations": {
        format!("{PREFIX}/oras-cache"): "orascache-sample",
        format!("{PREFIX}/input-uri"): "flow/count:run-1",
    }});
    read["spec"]["containers"][0]["command"] = json!(["cat", "count.txt"]);
    read["spec"]["containers"][0]["args"] = json!([]);
    let read = admit(&cluster, read).await;
    let ran = run(node(&cluster, "orascache-sample").await, read).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "3 words/list.txt\n"), "{}", ran.err);
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_step_fails_its_pod_and_pushes_nothing() {
    let cluster = Cluster::embedded().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let step = |name: &str, annotations: Value, script: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": "busybox", "workingDir": "/data", "command": ["sh", "-c", script]},
        ]}})
    };
    let output = json!({
        format!("{PREFIX}/oras-cache"): "demo",
        format!("{PREFIX}/output-uri"): "flow/{namespace}-{pod}:1",
        format!("{PREFIX}/output-path"): "out.txt",
    });
    let failing = admit(&cluster, step("failing", output.clone(), "echo half > out.txt; exit 3")).await;
    let ran = run(node(&cluster, "demo").await, failing).await;
    assert_eq!(ran.code, 3, "{}", ran.err);

    let input = |name: &str| {
        json!({
            format!("{PREFIX}/oras-cache"): "demo",
            format!("{PREFIX}/input-uri"): format!("flow/{}-{name}:1", cluster.namespace),
        })
    };
    let reading = admit(&cluster, step("reading", input("failing"), "echo ran; cat out.txt")).await;
    let ran = run(node(&cluster, "demo").await, reading).await;
    assert_eq!((ran.code, ran.out.as_str()), (98, ""));
    assert!(ran.message.contains("is not in the registry"), "{}", ran.message);

    // Placeholders are replaced by the values of the pod that pushes.
    let working = admit(&cluster, step("working", output, "echo whole > out.txt")).await;
    assert_eq!(run(node(&cluster, "demo").await, working).await.code, 0);
    let reading = admit(&cluster, step("again", input("working"), "cat out.txt")).await;
    let ran = run(node(&cluster, "demo").await, reading).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "whole\n"), "{}", ran.err);
    operator.shutdown().await;
    cluster.finish().await;
}

/// Password "secret" of user "ann", as `htpasswd -Bbn ann secret` prints it.
const HTPASSWD: &str = "ann:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_in_the_sidecar() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let cluster = Cluster::embedded().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let step = |name: &str, annotations: Value, command: Value| {
        let mut all = json!({
            format!("{PREFIX}/oras-cache"): "demo",
            format!("{PREFIX}/oras-env"): "credentials",
            format!("{PREFIX}/registry"): format!("http://{}", registry.host()),
        });
        for (key, value) in annotations.as_object().into_iter().flatten() {
            all[format!("{PREFIX}/{key}")] = value.clone();
        }
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": all},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": "busybox", "workingDir": "/data", "command": command},
        ]}})
    };
    let node = |password: &str| {
        let keys = [("ORAS_USER", "ann"), ("ORAS_PULL_PASS", password), ("ORAS_PUSH_PASS", password)];
        let secret: BTreeMap<_, _> = keys.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Node { secrets: BTreeMap::from([("credentials".to_owned(), secret)]), ..Node::default() }
    };
    let output = json!({"output-uri": "flow/private:1", "output-path": "env.txt", "output-pipe": "env.txt"});
    let writing = admit(&cluster, step("writing", output.clone(), json!(["env"]))).await;
    let names: Vec<_> = writing["spec"]["initContainers"].as_array().expect("containers").iter().collect();
    assert_eq!(names.len(), 2);
    let ran = run(node("secret"), writing.clone()).await;
    assert_eq!((ran.code, ran.sidecars.as_slice()), (0, [0].as_slice()), "{}", ran.err);
    assert!(!ran.out.contains("secret") && !ran.out.contains("ORAS"), "{}", ran.out);

    let input = json!({"input-uri": "flow/private:1"});
    let reading = admit(&cluster, step("reading", input.clone(), json!(["cat", "env.txt"]))).await;
    let again = run(node("secret"), reading.clone()).await;
    assert_eq!((again.code, again.out), (0, ran.out), "{}", again.err);

    let refused = run(node("wrong"), reading).await;
    assert_eq!((refused.code, refused.out.as_str()), (98, ""));
    assert!(refused.message.contains("check the Secret"), "{}", refused.message);
    assert!(!refused.message.contains("wrong") && !refused.err.contains("wrong"), "{}", refused.err);
    let refused = run(node("wrong"), writing).await;
    assert_eq!(refused.code, 99, "{}", refused.err);
    operator.shutdown().await;
    cluster.finish().await;
}
