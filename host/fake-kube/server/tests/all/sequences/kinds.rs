//! The kinds that sequences are about.

use serde_json::{Value, json};

use super::random::Random;

/// A kind, and bodies of its objects.
pub struct Kind {
    pub api_version: &'static str,
    pub kind: &'static str,
    /// The path of a namespace's objects, with `NAMESPACE` in it.
    pub collection: &'static str,
    /// Whether there is a status subresource, and a status to write through it.
    pub status: Option<fn(&mut Random) -> Value>,
    pub scale: bool,
    /// The members of an object besides apiVersion, kind and metadata. Some are invalid.
    pub content: fn(&mut Random) -> Value,
    /// A path in `content` for JSON patches, and a value of a wrong type for it.
    pub patched: (&'static str, fn(&mut Random) -> Value),
}

impl Kind {
    pub fn collection(&self, namespace: &str) -> String {
        self.collection.replace("NAMESPACE", namespace)
    }
}

fn word(random: &mut Random) -> &'static str {
    ["one", "two", "three"][random.below(3) as usize]
}

fn config_map(random: &mut Random) -> Value {
    match random.below(10) {
        0 => json!({"data": {"key": 1}}),
        1 => json!({"data": {"not a key": "x"}}),
        2 => json!({"data": {"key": word(random)}, "immutable": true}),
        3 => json!({"data": {"key": word(random)}, "unknown": {"a": 1}}),
        _ => json!({"data": {"key": word(random), "other": word(random)}}),
    }
}

fn secret(random: &mut Random) -> Value {
    match random.below(8) {
        0 => json!({"data": {"key": "no base64!"}}),
        1 => json!({"stringData": {"key": word(random)}, "type": "example.com/other"}),
        2 => json!({"type": "kubernetes.io/basic-auth", "stringData": {"username": "u"}}),
        _ => json!({"stringData": {"key": word(random)}}),
    }
}

fn service(random: &mut Random) -> Value {
    let port = [80, 443, 5000][random.below(3) as usize];
    match random.below(9) {
        0 => json!({"spec": {"selector": {"app": word(random)}, "ports": []}}),
        1 => json!({"spec": {"ports": [{"port": 70_000}]}}),
        2 => json!({"spec": {"ports": [{"port": "eighty"}]}}),
        3 => json!({"spec": {"ports": [{"name": "a", "port": port}, {"name": "b", "port": port + 1}]}}),
        _ => {
            json!({"spec": {"clusterIP": "None", "selector": {"app": word(random)}, "ports": [{"port": port}]}})
        }
    }
}

fn container(random: &mut Random) -> Value {
    let mut container = json!({"name": "main", "image": format!("{}:1", word(random))});
    if random.chance(40) {
        container["env"] = json!([{"name": "A", "value": word(random)}, {"name": "B", "value": "b"}]);
    }
    if random.chance(20) {
        container["resources"] = json!({"requests": {"cpu": "1000m", "memory": "1024Mi"}});
    }
    container
}

fn stateful_set(random: &mut Random) -> Value {
    let app = if random.chance(12) { "other" } else { "set" };
    let mut spec = json!({
        "serviceName": "set", "selector": {"matchLabels": {"app": "set"}},
        "template": {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container(random)]}},
    });
    match random.below(6) {
        0 => spec["replicas"] = json!("many"),
        1 => spec["replicas"] = json!(-1),
        2 | 3 => spec["replicas"] = json!(random.below(4)),
        _ => {}
    }
    json!({"spec": spec})
}

fn pod(random: &mut Random) -> Value {
    match random.below(8) {
        0 => json!({"spec": {"containers": []}}),
        1 => json!({"spec": {"containers": [{"name": "Main", "image": "i"}]}}),
        _ => json!({"spec": {"containers": [container(random)]}}),
    }
}

fn widget(random: &mut Random) -> Value {
    let mut spec = json!({});
    if random.chance(70) {
        spec["size"] = json!(random.below(9));
    }
    if random.chance(40) {
        spec["mode"] = json!(*random.pick(&["small", "big", "huge"]));
    }
    if random.chance(30) {
        spec["fixed"] = json!(word(random));
    }
    if random.chance(40) {
        spec["tags"] = if random.chance(25) { json!(["x", "x"]) } else { json!(["x", word(random)]) };
    }
    if random.chance(40) {
        spec["parts"] = json!([{"name": word(random), "count": random.below(3)}]);
    }
    match random.below(10) {
        0 => spec["size"] = json!("large"),
        1 => spec["unknown"] = json!(true),
        2 => spec["size"] = Value::Null,
        _ => {}
    }
    json!({"spec": spec})
}

fn lease(random: &mut Random) -> Value {
    match random.below(8) {
        0 => json!({"spec": {"leaseDurationSeconds": 0}}),
        1 => {
            json!({"spec": {"renewTime": "2026-01-01T10:00:00.250000+02:00", "holderIdentity": word(random)}})
        }
        _ => json!({"spec": {"holderIdentity": word(random), "leaseDurationSeconds": 15}}),
    }
}

pub const KINDS: [Kind; 7] = [
    Kind {
        api_version: "v1",
        kind: "ConfigMap",
        collection: "/api/v1/namespaces/NAMESPACE/configmaps",
        status: None,
        scale: false,
        content: config_map,
        patched: ("/data", |_| json!("no map")),
    },
    Kind {
        api_version: "v1",
        kind: "Secret",
        collection: "/api/v1/namespaces/NAMESPACE/secrets",
        status: None,
        scale: false,
        content: secret,
        patched: ("/data", |_| json!([])),
    },
    Kind {
        api_version: "v1",
        kind: "Service",
        collection: "/api/v1/namespaces/NAMESPACE/services",
        status: Some(|_| json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})),
        scale: false,
        content: service,
        patched: ("/spec/ports/0/port", |_| json!("http")),
    },
    Kind {
        api_version: "apps/v1",
        kind: "StatefulSet",
        collection: "/apis/apps/v1/namespaces/NAMESPACE/statefulsets",
        status: Some(|random| json!({"replicas": random.below(3), "readyReplicas": random.below(3)})),
        scale: true,
        content: stateful_set,
        patched: ("/spec/replicas", |random| json!([random.below(2)])),
    },
    Kind {
        api_version: "v1",
        kind: "Pod",
        collection: "/api/v1/namespaces/NAMESPACE/pods",
        status: Some(|random| json!({"phase": *random.pick(&["Pending", "Running"])})),
        scale: false,
        content: pod,
        patched: ("/spec/containers/0/image", |_| json!(1)),
    },
    Kind {
        api_version: "sequences.example.com/v1",
        kind: "Widget",
        collection: "/apis/sequences.example.com/v1/namespaces/NAMESPACE/widgets",
        status: Some(|random| json!({"ready": random.chance(50), "replicas": random.below(3)})),
        scale: true,
        content: widget,
        patched: ("/spec/size", |_| json!("large")),
    },
    Kind {
        api_version: "coordination.k8s.io/v1",
        kind: "Lease",
        collection: "/apis/coordination.k8s.io/v1/namespaces/NAMESPACE/leases",
        status: None,
        scale: false,
        content: lease,
        patched: ("/spec/leaseDurationSeconds", |_| json!("long")),
    },
];

/// The definition of `Widget`: defaults, bounds, associative lists, CEL rules, both subresources.
pub fn definition() -> Value {
    let part = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"}, "count": {"type": "integer", "default": 1}}});
    let spec = json!({
        "type": "object", "default": {},
        "x-kubernetes-validations": [
            {"rule": "self.size <= 5 || self.mode == 'big'", "message": "more than 5 needs mode big"},
        ],
        "properties": {
            "size": {"type": "integer", "minimum": 0, "maximum": 7, "default": 1},
            "mode": {"type": "string", "enum": ["small", "big"], "default": "small"},
            "fixed": {"type": "string", "x-kubernetes-validations": [
                {"rule": "self == oldSelf", "message": "fixed cannot change"}]},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": part},
        },
    });
    let status = json!({"type": "object", "properties": {
        "ready": {"type": "boolean"}, "replicas": {"type": "integer"}}});
    let scale = json!({"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.sequences.example.com"},
        "spec": {
            "group": "sequences.example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}, "scale": scale},
                "schema": {"openAPIV3Schema":
                    {"type": "object", "properties": {"spec": spec, "status": status}}},
            }],
        },
    })
}
