//! Causes of every kind, compared with the API server's sentences.

mod pods;
mod webhooks;

use serde_json::{Value, json};

use super::{validate_create, validate_update};
use crate::catalogue::Resource;
use crate::{canonicalise, default, find, prepare_for_create};

fn resource(name: &str) -> &'static Resource {
    let (plural, group) = name.split_once('.').unwrap_or((name, ""));
    let version = if group == "autoscaling" { "v2" } else { "v1" };
    find(group, version, plural).unwrap()
}

fn made(name: &str, mut object: Value) -> Value {
    let resource = resource(name);
    let map = object.as_object_mut().unwrap();
    let metadata = map.entry("metadata").or_insert(json!({})).as_object_mut().unwrap();
    metadata.entry("name").or_insert("a".into());
    metadata.insert("uid".into(), "1".into());
    if resource.namespaced {
        metadata.entry("namespace").or_insert("default".into());
    }
    canonicalise(resource, &mut object);
    default(resource, &mut object);
    prepare_for_create(resource, &mut object);
    object
}

fn lines(causes: &[super::Cause]) -> Vec<String> {
    causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

/// Asserts the causes for a new object. No cause means that it is accepted.
#[track_caller]
fn created(name: &str, object: Value, expected: &[&str]) {
    let object = made(name, object);
    assert_eq!(lines(&validate_create(resource(name), &object)), expected, "{object:#}");
}

/// Asserts the causes for a change of an object.
#[track_caller]
fn changed(name: &str, old: Value, change: impl Fn(&mut Value), expected: &[&str]) {
    let old = made(name, old);
    let mut new = old.clone();
    change(&mut new);
    assert_eq!(lines(&validate_update(resource(name), &new, &old)), expected, "{new:#}");
}

#[test]
fn metadata_is_checked() {
    let labelled = |metadata: Value| json!({"metadata": metadata});
    created("configmaps", labelled(json!({"labels": {"a/b": "c"}, "finalizers": ["x.io/y"]})), &[]);
    created(
        "configmaps",
        labelled(json!({"labels": {"a": "-"}})),
        &[
            "metadata.labels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric \
           characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
           'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ],
    );
    created(
        "configmaps",
        labelled(json!({"annotations": {"a": "x".repeat(256 * 1024)}})),
        &["metadata.annotations: Too long: may not be more than 262144 bytes"],
    );
    created(
        "namespaces",
        labelled(json!({"name": "A"})),
        &[
            "metadata.name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric \
           characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
           regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ],
    );
    let owner =
        |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": "1", "controller": true});
    let causes = validate_create(
        resource("configmaps"),
        &made("configmaps", labelled(json!({"ownerReferences": [owner("a"), owner("b")]}))),
    );
    assert_eq!(causes.len(), 1);
    assert!(causes[0].message.ends_with(
        "Only one reference can have Controller set to true. Found \"true\" in references for Pod/a and Pod/b"
    ));
}

#[test]
fn services_are_checked() {
    let service = |spec: Value| json!({"spec": spec});
    created("services", service(json!({"ports": [{"port": 80}]})), &[]);
    created("services", service(json!({})), &["spec.ports: Required value"]);
    created("services", service(json!({"clusterIP": "None"})), &[]);
    created(
        "services",
        service(json!({"ports": [{"port": 0}], "type": "Public"})),
        &[
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.type: Unsupported value: \"Public\": supported values: \"ClusterIP\", \"ExternalName\", \
             \"LoadBalancer\", \"NodePort\"",
        ],
    );
    changed(
        "services",
        service(json!({"ports": [{"port": 80}], "clusterIP": "10.96.0.2"})),
        |new| {
            new["spec"]["clusterIP"] = "10.96.0.3".into();
            new["spec"]["clusterIPs"] = json!(["10.96.0.3"]);
        },
        &["spec.clusterIPs[0]: Invalid value: [\"10.96.0.3\"]: may not change once set"],
    );
}

fn claim(size: &str) -> Value {
    json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}})
}

#[test]
fn claims_are_checked() {
    created("persistentvolumeclaims", claim("1Gi"), &[]);
    created(
        "persistentvolumeclaims",
        json!({"spec": {"accessModes": ["Any"]}}),
        &[
            "spec.accessModes: Unsupported value: \"Any\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \
             \"ReadWriteOnce\", \"ReadWriteOncePod\"",
            "spec.resources[storage]: Required value",
        ],
    );
    let bound = |size: &str| {
        let mut claim = made("persistentvolumeclaims", claim(size));
        claim["status"] = json!({"phase": "Bound", "capacity": {"storage": "2Gi"}});
        claim
    };
    let update =
        |new: &Value| lines(&validate_update(resource("persistentvolumeclaims"), new, &bound("2Gi")));
    assert_eq!(update(&bound("3Gi")), [""; 0]);
    assert_eq!(
        update(&bound("1Gi")),
        ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]
    );
    let mut other = bound("2Gi");
    other["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    assert_eq!(
        update(&other),
        [
            "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName \
          for bound claims"
        ]
    );
}

#[test]
fn configuration_is_checked() {
    created("secrets", json!({"stringData": {"a": "b"}, "data": {"c": "ZA=="}}), &[]);
    created(
        "secrets",
        json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{"}}),
        &[
            "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": EOF while parsing an object at \
           line 1 column 1",
        ],
    );
    created(
        "secrets",
        json!({"type": "kubernetes.io/tls"}),
        &["data[tls.crt]: Required value", "data[tls.key]: Required value"],
    );
    changed(
        "secrets",
        json!({"immutable": true}),
        |new| {
            new["type"] = "other".into();
            new["data"] = json!({"a": "ZA=="});
        },
        &[
            "type: Invalid value: \"other\": field is immutable",
            "data: Forbidden: field is immutable when `immutable` is set",
        ],
    );
    changed(
        "configmaps",
        json!({"immutable": true, "data": {"a": "b"}}),
        |new| new["data"]["a"] = "c".into(),
        &["data: Forbidden: field is immutable when `immutable` is set"],
    );
}

fn definition(schema: Value) -> Value {
    json!({
        "metadata": {"name": "caches.lab.example.com"},
        "spec": {
            "group": "lab.example.com",
            "scope": "Namespaced",
            "names": {"plural": "caches", "kind": "Cache"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

#[test]
fn definitions_are_checked() {
    const NAME: &str = "customresourcedefinitions.apiextensions.k8s.io";
    created(NAME, definition(json!({"type": "object"})), &[]);
    let mut misnamed = definition(json!({"type": "object"}));
    misnamed["metadata"]["name"] = "a".into();
    created(
        NAME,
        misnamed,
        &["metadata.name: Invalid value: \"a\": must be spec.names.plural+\".\"+spec.group"],
    );
    let path = "spec.versions[0].schema.openAPIV3Schema";
    created(
        NAME,
        definition(json!({"type": "object", "properties": {"a": {}, "b": {"type": "array"}}})),
        &[
            &format!(
                "{path}.properties[a].type: Required value: must not be empty for specified object fields"
            ),
            &format!("{path}.properties[b].items: Required value: must be specified"),
        ],
    );
    let mut unstored = definition(json!({"type": "object"}));
    unstored["spec"]["versions"][0]["storage"] = false.into();
    let causes = validate_create(resource(NAME), &made(NAME, unstored));
    assert_eq!(causes.len(), 1);
    assert!(causes[0].message.ends_with("must have exactly one version marked as storage version"));
}

#[test]
fn access_is_checked() {
    created(
        "roles.rbac.authorization.k8s.io",
        json!({"rules": [{"verbs": ["get"]}]}),
        &[
            "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
            "rules[0].resources: Required value: resource rules must supply at least one resource",
        ],
    );
    let binding =
        json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]});
    changed(
        "rolebindings.rbac.authorization.k8s.io",
        binding,
        |new| new["roleRef"]["name"] = "s".into(),
        &[
            "roleRef: Invalid value: {\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"s\"}: \
           cannot change roleRef",
        ],
    );
    created(
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        json!({"webhooks": [{
            "name": "a.b.c", "clientConfig": {"url": "http://x"}, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        }]}),
        &[
            "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired \
           format: https://host[/path]",
        ],
    );
}

#[test]
fn events_belong_to_the_namespace_of_their_object() {
    let event =
        |namespace: &str| json!({"involvedObject": {"kind": "Pod", "name": "p", "namespace": namespace}});
    created("events", event("default"), &[]);
    created(
        "events",
        event("other"),
        &["involvedObject.namespace: Invalid value: \"other\": does not match event.namespace"],
    );
    created(
        "leases.coordination.k8s.io",
        json!({"spec": {"leaseDurationSeconds": 0}}),
        &["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    );
}
