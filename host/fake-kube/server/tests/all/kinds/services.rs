//! The type of a Service changes, and what belongs to the former type goes.

use fake_kube_server::{ApiServer, Options};
use serde_json::{Value, json};

use crate::common::{expect, send};

const PATH: &str = "/api/v1/namespaces/default/services/web?fieldManager=me&force=true";

/// Applies a Service as one manager, which drops what it does not say again.
async fn applied(server: &ApiServer, spec: Value) -> Value {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec});
    let headers = [("Content-Type", "application/apply-patch+yaml")];
    let answer = send(server, "PATCH", PATH, &headers, service.to_string()).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.json());
    answer.json()["spec"].clone()
}

#[tokio::test]
async fn a_service_that_is_internal_again_has_nothing_of_its_former_type() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let ports = |node_port: Option<i64>| {
        let mut port = json!({"name": "web", "port": 80, "protocol": "TCP"});
        if let Some(number) = node_port {
            port["nodePort"] = number.into();
        }
        json!([port])
    };
    let internal = applied(&server, json!({"type": "ClusterIP", "ports": ports(None)})).await;
    for spec in [
        json!({"type": "NodePort", "ports": ports(None)}),
        json!({"type": "NodePort", "ports": ports(Some(30500))}),
        json!({"type": "LoadBalancer", "ports": ports(Some(30500)), "externalTrafficPolicy": "Local",
               "loadBalancerSourceRanges": ["192.0.2.0/24"]}),
    ] {
        let external = applied(&server, spec.clone()).await;
        assert_eq!(external["type"], spec["type"]);
        assert!(external["externalTrafficPolicy"].is_string(), "{external}");
        let again = applied(&server, json!({"type": "ClusterIP", "ports": ports(None)})).await;
        assert_eq!(again, internal, "after {spec}");
    }
    // A port that the server chose, and that no manager owns.
    applied(&server, json!({"type": "NodePort", "ports": ports(None)})).await;
    let chosen = json!([{"op": "add", "path": "/spec/ports/0/nodePort", "value": 31000}]);
    let headers = [("Content-Type", "application/json-patch+json")];
    let path = "/api/v1/namespaces/default/services/web";
    assert_eq!(send(&server, "PATCH", path, &headers, chosen.to_string()).await.status, 200);
    let again = applied(&server, json!({"type": "ClusterIP", "ports": ports(None)})).await;
    assert_eq!(again, internal);
    assert_eq!(expect(&server, "GET", path, &Value::Null, 200).await["spec"], internal);
}
