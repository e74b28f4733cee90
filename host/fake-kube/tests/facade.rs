//! What a test gets from the builder and from a running server.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use fake_kube::k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use fake_kube::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use fake_kube::kube::api::{ListParams, PostParams};
use fake_kube::kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use fake_kube::kube::{Api, Error, ResourceExt};
use fake_kube::{DefinitionError, FakeKube, Fault, Matcher, StartError};
use serde_json::{Value, json};

fn definition(schema: Value) -> CustomResourceDefinition {
    serde_json::from_value(json!({
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
            }],
        },
    }))
    .expect("a definition")
}

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).expect("a ConfigMap")
}

#[tokio::test]
async fn definitions_are_served_when_the_builder_returns() {
    let schema = json!({"type": "object", "properties": {"spec": {
        "type": "object", "properties": {"size": {"type": "integer", "default": 3}},
    }}});
    let cluster = FakeKube::builder().definition(definition(schema)).start().await.expect("a server");
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Widget"));
    let widgets: Api<DynamicObject> = Api::default_namespaced_with(cluster.client(), &kind);
    let mut widget = DynamicObject::new("w", &kind);
    widget.data = json!({"spec": {}});
    let created = widgets.create(&PostParams::default(), &widget).await.expect("created");
    assert_eq!(created.data["spec"]["size"], 3);
}

#[tokio::test]
async fn a_definition_that_is_refused_is_named() {
    let untyped = json!({"type": "object", "properties": {"spec": {}}});
    let refused = FakeKube::builder().definition(definition(untyped)).start().await.err();
    let Some(StartError::Definition(DefinitionError::Refused { name, source })) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(name, "widgets.example.com");
    assert!(source.to_string().contains("must not be empty for specified object fields"), "{source}");
}

#[tokio::test]
async fn faults_of_the_builder_hit_the_first_matching_requests() {
    let busy = Fault::Answer { code: 503, retry_after: None };
    let creations = Matcher::any().verb("create").resource("", "configmaps");
    let cluster = FakeKube::builder().fault(creations, busy, 1).start().await.expect("a server");
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    let first = maps.create(&PostParams::default(), &map("a")).await;
    assert!(matches!(&first, Err(Error::Api(status)) if status.code == 503), "{first:?}");
    maps.create(&PostParams::default(), &map("a")).await.expect("the second request succeeds");
}

#[tokio::test]
async fn the_request_log_tells_clients_apart() {
    let cluster = FakeKube::start().await.expect("a server");
    let maps = |agent: &str| -> Api<ConfigMap> {
        Api::default_namespaced(cluster.client_as(agent).expect("a client"))
    };
    let mark = cluster.requests().mark();
    maps("one").create(&PostParams::default(), &map("a")).await.expect("created");
    maps("two").list(&ListParams::default()).await.expect("a list");
    let writes = cluster.requests().writes_since(mark, &Matcher::any().user_agent("one"));
    assert_eq!(writes.len(), 1);
    assert!(cluster.requests().writes_since(mark, &Matcher::any().user_agent("two")).is_empty());
    assert_eq!(cluster.requests().count(&Matcher::any().user_agent("two").verb("list")), 1);
    let error = cluster.client_as("a\nb").err().expect("no header").to_string();
    assert_eq!(error, r#""a\nb" cannot be sent as a User-Agent: use visible ASCII characters"#);
}

#[tokio::test]
async fn the_kubeconfig_is_private_and_leads_to_the_server() {
    let cluster = FakeKube::start().await.expect("a server");
    let path = cluster.kubeconfig_path().to_owned();
    let text = std::fs::read_to_string(&path).expect("a kubeconfig");
    assert_eq!(text, cluster.kubeconfig());
    assert!(text.contains(&cluster.url()), "{text}");
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    cluster.shutdown().await;
    assert!(!path.exists(), "a temporary kubeconfig is deleted with its server");

    let folder = tempfile::tempdir().expect("a folder");
    let chosen = folder.path().join("mine");
    let cluster = FakeKube::builder().kubeconfig(&chosen).start().await.expect("a server");
    assert_eq!(cluster.kubeconfig_path(), chosen);
    cluster.shutdown().await;
    assert!(chosen.exists(), "a file that the caller chose stays");

    let nowhere = folder.path().join("missing/mine");
    let error = FakeKube::builder().kubeconfig(&nowhere).start().await.err().expect("no folder").to_string();
    assert!(error.contains(&nowhere.display().to_string()), "{error}");
}

#[tokio::test]
async fn a_dropped_server_stops_listening() {
    let cluster = FakeKube::start().await.expect("a server");
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    assert_eq!(namespaces.get("default").await.expect("a namespace").name_any(), "default");
    let address = cluster.url().trim_start_matches("http://").to_owned();
    drop(cluster);
    let closed = async {
        while TcpStream::connect(&address).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed).await.expect("the port is closed");
}
