//! A release in an embedded API, and the chart in a registry.

use super::helm::{chart, helm};
use fake_kube::k8s_openapi::api::apps::v1::Deployment;
use fake_kube::k8s_openapi::api::core::v1::Pod;
use fake_kube::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use fake_kube::kube::Api;
use fake_kube::kube::api::{DynamicObject, ListParams, PostParams};
use fake_kube::kube::core::{ApiResource, GroupVersionKind};
use fake_kube::{FakeKube, Matcher, PodReport, PodRun, PodRunner, Simulators};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use test_registries::Embedded;

const NAMESPACE: &str = "orascache-system";
const DEFINITION: &str = "orascaches.cache.converged-computing.github.io";

/// What the first column of `kubectl get` shows, and what it showed in an older chart.
const COLUMN: &str = "Whether the cache can be used.";
const OLDER_COLUMN: &str = "Whether the cache is ready.";

/// The chart with another definition, as an earlier version had it.
fn older_chart(folder: &Path) -> PathBuf {
    let folder = folder.join("orascache");
    let mut folders = vec![chart()];
    while let Some(from) = folders.pop() {
        let to = folder.join(from.strip_prefix(chart()).expect("below the chart"));
        std::fs::create_dir_all(&to).expect("a folder");
        for entry in std::fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).expect("a file").replace(COLUMN, OLDER_COLUMN);
                std::fs::write(to.join(path.file_name().expect("a name")), text).expect("written");
            }
        }
    }
    folder
}

async fn column(definitions: &Api<CustomResourceDefinition>) -> String {
    let definition = definitions.get(DEFINITION).await.expect("it is there");
    let mut columns =
        definition.spec.versions.into_iter().flat_map(|version| version.additional_printer_columns);
    columns.next().and_then(|columns| columns.first()?.description.clone()).expect("a column")
}

async fn steps(cluster: &FakeKube, steps: Value) -> Option<Vec<Value>> {
    let arguments = json!({
        "kubeconfig": cluster.kubeconfig_path(), "namespace": NAMESPACE, "steps": steps,
    });
    let answers = tokio::task::spawn_blocking(move || helm("release", &arguments)).await.expect("it ends")?;
    Some(answers.as_array().expect("answers").clone())
}

fn done(answer: &Value) -> &Value {
    answer.get("done").unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_installed_upgraded_rolled_back_and_uninstalled() {
    let cluster = FakeKube::start().await.expect("a cluster");
    let folder = tempfile::tempdir().expect("a folder");
    let install = json!({
        "do": "install", "with": [older_chart(folder.path()), "orascache", {"replicas": 3}],
        "options": {"create_namespace": true, "wait": "hookOnly"},
    });
    let Some(answers) = steps(&cluster, json!([install])).await else { return };
    assert_eq!(done(&answers[0])["status"], "deployed");

    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.client());
    let deployments: Api<Deployment> = Api::namespaced(cluster.client(), NAMESPACE);
    let replicas =
        async || deployments.get("orascache").await.expect("it is there").spec.expect("a spec").replicas;
    assert_eq!(replicas().await, Some(3));
    assert_eq!(column(&definitions).await, OLDER_COLUMN);
    // A cache as users make it: the definition of the release serves.
    let kind = GroupVersionKind::gvk("cache.converged-computing.github.io", "v1alpha1", "OrasCache");
    let resource = ApiResource::from_gvk_with_plural(&kind, "orascaches");
    let caches: Api<DynamicObject> = Api::namespaced_with(cluster.client(), "default", &resource);
    let cache = DynamicObject::new("mine", &resource).data(json!({"spec": {}}));
    caches.create(&PostParams::default(), &cache).await.expect("the definition serves");

    let upgrade = json!({
        "do": "upgrade", "with": [chart(), "orascache", {"replicas": 5, "settings": {"gates": true}}],
        "options": {"wait": "hookOnly"},
    });
    let history = json!({"do": "history", "with": ["orascache"]});
    let rollback =
        json!({"do": "rollback", "with": ["orascache"], "options": {"version": 1, "wait": "hookOnly"}});
    let answers = steps(&cluster, json!([upgrade, history])).await.expect("installed");
    assert_eq!(done(&answers[0])["revision"], 2);
    assert_eq!(done(&answers[1]).as_array().map(Vec::len), Some(2));
    assert_eq!(replicas().await, Some(5));
    assert_eq!(column(&definitions).await, COLUMN, "the upgrade reaches the definition");

    done(&steps(&cluster, json!([rollback])).await.expect("installed")[0]);
    assert_eq!(replicas().await, Some(3));
    caches.get("mine").await.expect("caches outlive upgrades");

    let uninstall = json!({"do": "uninstall", "with": ["orascache"]});
    done(&steps(&cluster, json!([uninstall])).await.expect("installed")[0]);
    assert!(deployments.get_opt("orascache").await.expect("an answer").is_none());
    caches.get("mine").await.expect("caches outlive the release");
    // Somebody who installs again gets the definition back, and with it the caches.
    let again = json!({"do": "install", "with": [chart(), "orascache", {}], "options": {"wait": "hookOnly"}});
    let answers = steps(&cluster, json!([again])).await.expect("installed");
    assert_eq!(done(&answers[0])["status"], "deployed");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_release_in_a_cluster_is_refused() {
    let cluster = FakeKube::start().await.expect("a cluster");
    let install = |name: &str| {
        json!({
            "do": "install", "with": [chart(), name, {}],
            "options": {"create_namespace": true, "wait": "hookOnly"},
        })
    };
    let Some(answers) = steps(&cluster, json!([install("first"), install("second")])).await else { return };
    done(&answers[0]);
    let error = answers[1]["error"].as_str().unwrap_or_else(|| panic!("{}", answers[1]));
    assert!(error.contains("first") && error.contains("second"), "{error}");
    let writes = cluster.requests();
    assert_eq!(writes.count(&Matcher::any().verb("delete").resource("apps", "deployments")), 0);
    cluster.shutdown().await;
}

/// Runs pods whose name ends with `pull` with this exit code, and all others with success.
struct Steps {
    pull: i32,
}

impl PodRunner for Steps {
    fn accepts(&self, pod: &Pod) -> bool {
        pod.spec.as_ref().is_some_and(|spec| spec.restart_policy.as_deref() == Some("Never"))
    }

    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let pulls = pod.metadata.name.as_ref().is_some_and(|name| name.ends_with("pull"));
        let code = if pulls { self.pull } else { 0 };
        Box::pin(async move { run.report(PodReport::ended(&pod, code)) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_test_succeeds_only_if_both_steps_do_and_leaves_nothing_behind() {
    for (pull, phase) in [(0, "Succeeded"), (1, "Failed")] {
        let mut cluster = FakeKube::start().await.expect("a cluster");
        cluster.simulate(Simulators::all().with_pod_runner(Arc::new(Steps { pull })));
        let install = json!({
            // Nobody answers reviews here.
            "do": "install", "with": [chart(), "orascache", {"webhooks": {"enabled": false}}],
            "options": {"create_namespace": true, "wait": "hookOnly"},
        });
        let test = json!({"do": "test", "with": ["orascache"], "options": {"timeout": 60}});
        let Some(answers) = steps(&cluster, json!([install, test])).await else { return };
        done(&answers[0]);
        let answer = answers[1].to_string();
        assert_eq!(answers[1].get("error").is_some(), phase == "Failed", "{answer}");
        let pods: Api<Pod> = Api::namespaced(cluster.client(), "default");
        let left = pods.list(&ListParams::default()).await.expect("a list").items;
        let created = cluster.requests().count(&Matcher::any().verb("create").resource("", "pods"));
        let patched = cluster.requests().count(&Matcher::any().verb("patch").resource("", "pods"));
        assert!(created + patched >= 2, "both steps ran");
        if phase == "Succeeded" {
            assert!(left.is_empty(), "{left:?}");
        }
        cluster.shutdown().await;
    }
}

#[test]
fn the_chart_is_pushed_to_a_registry_and_pulled_as_it_was() {
    let registry = Embedded::start();
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = json!({"chart": chart(), "host": registry.host(), "folder": folder.path()});
    let Some(answer) = helm("registry", &arguments) else { return };
    assert_eq!(answer["tags"], json!([env!("CARGO_PKG_VERSION")]));
    assert_eq!(answer["digests"][0], answer["digests"][1]);
    for name in ["Chart.yaml", "values.yaml", "values.schema.json", "templates/deployment.yaml"] {
        let pulled = std::fs::read_to_string(folder.path().join("orascache").join(name)).expect("a file");
        let original = std::fs::read_to_string(chart().join(name)).expect("a file");
        if name == "Chart.yaml" {
            let read = |text: &str| serde_saphyr::from_str::<Value>(text).expect("YAML");
            assert_eq!(read(&pulled), read(&original));
        } else {
            assert_eq!(pulled, original, "{name}");
        }
    }
}
