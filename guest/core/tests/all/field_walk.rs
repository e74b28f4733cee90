//! The field walk: every field of a spec is changed on a live cache, and changed back. Each time the
//! cache ends up as a fresh cache with that spec would be, or admission refuses the change.
//!
//! The fields come from the schema of the CRD: a field without a line in [`lines`] fails the test.

use crate::reviewing;
use crate::reviewing::decided;
use crate::world;
use crate::world::World;
use kube::CustomResourceExt;
use orascache_api::orascache::OrasCache;
use orascache_contract::{Context, Response};
use orascache_core::admission;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Fields whose content is a type of Kubernetes: one line stands for all of it.
const OF_KUBERNETES: [&str; 2] = ["affinity", "resources"];

/// Children that outlive the fields that made them: artifacts, the secret with which uploads under
/// way are signed, and the Service to which running steps were sent.
const KEPT: [&str; 3] =
    ["PersistentVolumeClaim/demo-data", "Secret/demo-http-secret", "Service/demo-registry"];

/// One change of one field, and back.
struct Line {
    /// Path of the field in the spec.
    field: &'static str,
    before: Value,
    after: Value,
    /// Parts of the refusals of the change and of its reversal. `None` where it is admitted.
    refused: [Option<&'static str>; 2],
}

/// A change that is admitted in both directions.
fn line(field: &'static str, before: Value, after: Value) -> Line {
    Line { field, before, after, refused: [None, None] }
}

/// A change that is refused, and so is its reversal.
fn fixed(field: &'static str, before: Value, after: Value, sentence: &'static str) -> Line {
    Line { field, before, after, refused: [Some(sentence), Some(sentence)] }
}

/// A change that is admitted in one direction only.
fn one_way(field: &'static str, before: Value, after: Value, sentence: &'static str) -> Line {
    Line { field, before, after, refused: [None, Some(sentence)] }
}

/// Storage that several pods can write.
fn shared() -> Value {
    json!({"size": "1Gi", "accessModes": ["ReadWriteMany"]})
}

/// One line or more for each field of the spec, in the order of the schema.
fn lines() -> Vec<Line> {
    vec![
        line(
            "affinity",
            json!({}),
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]}}}}),
        ),
        line("auth.htpasswdSecret", json!({"auth": {}}), json!({"auth": {"htpasswdSecret": "mysecret"}})),
        line("auth.htpasswdSecret", json!({}), json!({"auth": {"htpasswdSecret": "mysecret"}})),
        line(
            "auth.credentialsSecret",
            json!({"auth": {"htpasswdSecret": "mysecret"}}),
            json!({"auth": {"htpasswdSecret": "mysecret", "credentialsSecret": "mysecret"}}),
        ),
        line(
            "auth.credentialsSecret",
            json!({"auth": {}, "retention": {"keepTags": 5}, "export": {"destination": "ghcr.io/lab"}}),
            json!({
                "auth": {"htpasswdSecret": "mysecret", "credentialsSecret": "mysecret"},
                "retention": {"keepTags": 5}, "export": {"destination": "ghcr.io/lab"},
            }),
        ),
        line("auth.rotateAfter", json!({"auth": {}}), json!({"auth": {"rotateAfter": "90d"}})),
        line("delete", json!({}), json!({"delete": true})),
        line("deploy", json!({}), json!({"deploy": false})),
        line("deploy", json!({"storage": shared()}), json!({"storage": shared(), "deploy": false})),
        line("env", json!({}), json!({"env": [{"name": "REGISTRY_LOG_LEVEL", "value": "debug"}]})),
        line(
            "env",
            json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}),
            json!({"env": [{"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
        ),
        line("export.destination", json!({}), json!({"export": {"destination": "ghcr.io/lab"}})),
        line(
            "export.destination",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "registry.example.org"}}),
        ),
        line(
            "export.repositories",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "ghcr.io/lab", "repositories": ["flow/*", "words"]}}),
        ),
        line(
            "export.tags",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "ghcr.io/lab", "tags": ["release-*"]}}),
        ),
        line(
            "export.schedule",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "ghcr.io/lab", "schedule": "@daily"}}),
        ),
        line(
            "export.secret",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "ghcr.io/lab", "secret": "mysecret"}}),
        ),
        line("flavor", json!({}), json!({"flavor": "zot"})),
        fixed(
            "flavor",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"size": "1Gi"}, "flavor": "zot"}),
            "do not read each other's storage",
        ),
        line("image", json!({}), json!({"image": "registry:3"})),
        line("image", json!({"tls": {}, "auth": {}}), json!({"tls": {}, "auth": {}, "image": "zot:2"})),
        line("imagePullPolicy", json!({}), json!({"imagePullPolicy": "Always"})),
        line("imagePullSecrets", json!({}), json!({"imagePullSecrets": [{"name": "pull"}]})),
        line("metrics.enabled", json!({}), json!({"metrics": {"enabled": true}})),
        line(
            "metrics.enabled",
            json!({"metrics": {"enabled": true, "serviceMonitor": {}}}),
            json!({"metrics": {"enabled": false, "serviceMonitor": {}}}),
        ),
        line(
            "metrics.allowedNamespaces",
            json!({"metrics": {}}),
            json!({"metrics": {"allowedNamespaces": ["monitoring"]}}),
        ),
        line(
            "metrics.serviceMonitor.interval",
            json!({"metrics": {}}),
            json!({"metrics": {"serviceMonitor": {"interval": "30s"}}}),
        ),
        line(
            "metrics.serviceMonitor.labels",
            json!({"metrics": {"serviceMonitor": {"labels": {"team": "a"}}}}),
            json!({"metrics": {"serviceMonitor": {"labels": {"release": "prometheus"}}}}),
        ),
        line("networkPolicy.enabled", json!({}), json!({"networkPolicy": {"enabled": false}})),
        line(
            "networkPolicy.allowedNamespaces",
            json!({}),
            json!({"networkPolicy": {"allowedNamespaces": ["team"]}}),
        ),
        line("nodeSelector", json!({}), json!({"nodeSelector": {"disk": "ssd"}})),
        line("podAnnotations", json!({}), json!({"podAnnotations": {"example.org/a": "b"}})),
        line("podLabels", json!({}), json!({"podLabels": {"team": "a"}})),
        line("priorityClassName", json!({}), json!({"priorityClassName": "high"})),
        line("progressDeadlineSeconds", json!({}), json!({"progressDeadlineSeconds": 60})),
        line("proxy.remoteURL", json!({}), json!({"proxy": {"remoteURL": "https://ghcr.io"}})),
        line(
            "proxy.credentialsSecret",
            json!({"proxy": {"remoteURL": "https://ghcr.io"}}),
            json!({"proxy": {"remoteURL": "https://ghcr.io", "credentialsSecret": "mysecret"}}),
        ),
        line(
            "proxy.ttl",
            json!({"proxy": {"remoteURL": "https://ghcr.io"}}),
            json!({"proxy": {"remoteURL": "https://ghcr.io", "ttl": "1h"}}),
        ),
        line("readOnly", json!({}), json!({"readOnly": true})),
        line("replicas", json!({"storage": shared()}), json!({"storage": shared(), "replicas": 3})),
        line("replicas", json!({"storage": shared()}), json!({"storage": shared(), "replicas": 0})),
        line("replicas", json!({}), json!({"replicas": 0})),
        line("resources", json!({}), json!({"resources": {"limits": {"memory": "1Gi"}}})),
        line("retention.keepTags", json!({}), json!({"retention": {"keepTags": 5}})),
        line(
            "retention.keepTags",
            json!({"storage": shared(), "retention": {"keepTags": 5}}),
            json!({"storage": shared(), "retention": {"keepTags": 6}}),
        ),
        line(
            "retention.maxAge",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5, "maxAge": "30d"}}),
        ),
        line(
            "retention.patterns",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5, "patterns": ["run-*"]}}),
        ),
        line(
            "retention.schedule",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5, "schedule": "@weekly"}}),
        ),
        line(
            "retention.garbageCollection",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5, "garbageCollection": false}}),
        ),
        line(
            "retention.garbageCollection",
            json!({"storage": shared(), "retention": {"keepTags": 5}}),
            json!({"storage": shared(), "retention": {"keepTags": 5, "garbageCollection": false}}),
        ),
        Line {
            refused: [Some("tolerates no other registry pods"), None],
            ..line(
                "retention.garbageCollection",
                json!({"storage": shared(), "replicas": 2, "retention": {"keepTags": 5}}),
                json!({"storage": shared(), "replicas": 2, "retention": {"keepTags": 5, "garbageCollection": true}}),
            )
        },
        line(
            "replicas",
            json!({"storage": shared(), "retention": {"keepTags": 5}}),
            json!({"storage": shared(), "retention": {"keepTags": 5}, "replicas": 3}),
        ),
        line(
            "flavor",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5}, "flavor": "zot"}),
        ),
        line(
            "retention.keepTags",
            json!({"flavor": "zot", "tls": {}, "auth": {}}),
            json!({"flavor": "zot", "tls": {}, "auth": {}, "retention": {"keepTags": 5}}),
        ),
        line(
            "retention.unusedSince",
            json!({"flavor": "zot", "retention": {"keepTags": 5}}),
            json!({"flavor": "zot", "retention": {"keepTags": 5, "unusedSince": "7d"}}),
        ),
        Line {
            refused: [Some("zot deletes by itself once a day"), None],
            ..line(
                "retention.schedule",
                json!({"flavor": "zot", "retention": {"keepTags": 5}}),
                json!({"flavor": "zot", "retention": {"keepTags": 5, "schedule": "@daily"}}),
            )
        },
        Line {
            refused: [Some("zot deletes by its garbage collection alone"), None],
            ..line(
                "retention.garbageCollection",
                json!({"flavor": "zot", "retention": {"keepTags": 5}}),
                json!({"flavor": "zot", "retention": {"keepTags": 5, "garbageCollection": false}}),
            )
        },
        Line {
            refused: [Some("does not record when an artifact was pulled"), None],
            ..line(
                "retention.unusedSince",
                json!({"retention": {"keepTags": 5}}),
                json!({"retention": {"keepTags": 5, "unusedSince": "7d"}}),
            )
        },
        line("secret", json!({}), json!({"secret": "mysecret"})),
        line("secrets.orasEnv", json!({}), json!({"secrets": {"orasEnv": "mysecret"}})),
        line(
            "secrets.orasEnvRegistry",
            json!({"secrets": {"orasEnv": "mysecret"}}),
            json!({"secrets": {"orasEnv": "mysecret", "orasEnvRegistry": "ghcr.io"}}),
        ),
        line("secrets.registryHttp", json!({}), json!({"secrets": {"registryHttp": "literal"}})),
        line(
            "seed.artifacts",
            json!({}),
            json!({"seed": {"artifacts": [{"source": "docker.io/library/busybox:1"}]}}),
        ),
        line(
            "seed.artifacts",
            json!({"seed": {"artifacts": [{"source": "ghcr.io/a:1"}, {"source": "ghcr.io/b:1"}]}}),
            json!({"seed": {"artifacts": [{"source": "ghcr.io/b:1", "target": "c:2"}]}}),
        ),
        line(
            "seed.secret",
            json!({"seed": {"artifacts": [{"source": "ghcr.io/a:1"}]}}),
            json!({"seed": {"artifacts": [{"source": "ghcr.io/a:1"}], "secret": "mysecret"}}),
        ),
        line("service.type", json!({}), json!({"service": {"type": "NodePort"}})),
        line(
            "service.type",
            json!({"service": {"type": "NodePort", "nodePort": 30500}}),
            json!({"service": {"type": "ClusterIP"}}),
        ),
        line(
            "service.type",
            json!({"storage": shared(), "replicas": 2, "service": {"type": "LoadBalancer", "sourceRanges": ["192.0.2.0/24"]}}),
            json!({"storage": shared(), "replicas": 2}),
        ),
        line("service.port", json!({"service": {}}), json!({"service": {"port": 80}})),
        line(
            "service.nodePort",
            json!({"service": {"type": "NodePort"}}),
            json!({"service": {"type": "NodePort", "nodePort": 30500}}),
        ),
        line(
            "service.sourceRanges",
            json!({"service": {"type": "LoadBalancer"}}),
            json!({"service": {"type": "LoadBalancer", "sourceRanges": ["192.0.2.0/24", "2001:db8::/32"]}}),
        ),
        line(
            "service.annotations",
            json!({"service": {"annotations": {"a": "1", "b": "2"}}}),
            json!({"service": {"annotations": {"b": "3"}}}),
        ),
        line("serviceAccountName", json!({}), json!({"serviceAccountName": "cloud"})),
        line(
            "storage.emptyDir.sizeLimit",
            json!({}),
            json!({"storage": {"emptyDir": {"sizeLimit": "1024Mi"}}}),
        ),
        line("storage.size", json!({}), json!({"storage": {"size": "1Gi"}})),
        one_way(
            "storage.size",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"size": "2Gi"}}),
            "storage cannot shrink",
        ),
        fixed(
            "storage.storageClassName",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"size": "1Gi", "storageClassName": "nfs"}}),
            "storageClassName cannot change",
        ),
        fixed(
            "storage.accessModes",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": shared()}),
            "accessModes cannot change",
        ),
        line(
            "storage.whenDeleted",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"size": "1Gi", "whenDeleted": "Retain"}}),
        ),
        one_way(
            "storage.size",
            json!({"storage": {"size": "1Gi", "whenDeleted": "Retain"}}),
            json!({"storage": {"size": "2Gi", "whenDeleted": "Retain"}}),
            "storage cannot shrink",
        ),
        line("storage.existingClaim", json!({}), json!({"storage": {"existingClaim": "scratch"}})),
        line(
            "storage.existingClaim",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"existingClaim": "scratch"}}),
        ),
        fixed(
            "storage.s3.bucket",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "c", "region": "r"}}}),
            "another bucket",
        ),
        line(
            "storage.s3.region",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "s"}}}),
        ),
        fixed(
            "storage.s3.endpoint",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r", "endpoint": "https://a"}}}),
            "another bucket",
        ),
        line(
            "storage.s3.pathStyle",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r", "pathStyle": true}}}),
        ),
        fixed(
            "storage.s3.prefix",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r", "prefix": "/"}}}),
            "another bucket",
        ),
        line(
            "storage.s3.credentialsSecret",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r", "credentialsSecret": "mysecret"}}}),
        ),
        fixed(
            "storage.gcs.bucket",
            json!({"storage": {"gcs": {"bucket": "b"}}}),
            json!({"storage": {"gcs": {"bucket": "c"}}}),
            "another bucket",
        ),
        fixed(
            "storage.gcs.prefix",
            json!({"storage": {"gcs": {"bucket": "b"}}}),
            json!({"storage": {"gcs": {"bucket": "b", "prefix": "/"}}}),
            "another bucket",
        ),
        line(
            "storage.gcs.credentialsSecret",
            json!({"storage": {"gcs": {"bucket": "b"}}}),
            json!({"storage": {"gcs": {"bucket": "b", "credentialsSecret": "mysecret"}}}),
        ),
        fixed(
            "storage.azure.accountName",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "c", "container": "b"}}}),
            "another bucket",
        ),
        fixed(
            "storage.azure.container",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "a", "container": "c"}}}),
            "another bucket",
        ),
        line(
            "storage.azure.realm",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "a", "container": "b", "realm": "r"}}}),
        ),
        fixed(
            "storage.azure.prefix",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "a", "container": "b", "prefix": "/"}}}),
            "another bucket",
        ),
        line(
            "storage.azure.credentialsSecret",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "a", "container": "b", "credentialsSecret": "mysecret"}}}),
        ),
        fixed(
            "storage.s3.bucket",
            json!({}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            "between a bucket and other storage",
        ),
        fixed(
            "storage.gcs.bucket",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"gcs": {"bucket": "b"}}}),
            "between a bucket and other storage",
        ),
        line("suspend", json!({}), json!({"suspend": true})),
        line(
            "tls.secretName",
            json!({"seed": {"artifacts": [{"source": "ghcr.io/lab/words:1"}]}}),
            json!({"seed": {"artifacts": [{"source": "ghcr.io/lab/words:1"}]}, "tls": {"secretName": "mysecret"}}),
        ),
        line("tls.secretName", json!({"tls": {}}), json!({"tls": {"secretName": "mysecret"}})),
        line("tls.secretName", json!({}), json!({"tls": {"secretName": "mysecret"}})),
        line("tls.issuerRef.name", json!({"tls": {}}), json!({"tls": {"issuerRef": {"name": "lab"}}})),
        line(
            "tls.issuerRef.name",
            json!({"tls": {"secretName": "mysecret"}}),
            json!({"tls": {"issuerRef": {"name": "lab"}}}),
        ),
        line(
            "tls.issuerRef.kind",
            json!({"tls": {"issuerRef": {"name": "lab"}}}),
            json!({"tls": {"issuerRef": {"name": "lab", "kind": "ClusterIssuer"}}}),
        ),
        line(
            "tls.issuerRef.group",
            json!({"tls": {"issuerRef": {"name": "lab"}}}),
            json!({"tls": {"issuerRef": {"name": "lab", "group": "awspca.cert-manager.io"}}}),
        ),
        line(
            "tls.ca",
            json!({"tls": {"secretName": "mysecret"}}),
            json!({"tls": {"secretName": "mysecret", "ca": "system"}}),
        ),
        line("tolerations", json!({}), json!({"tolerations": [{"operator": "Exists"}]})),
        line(
            "topologySpreadConstraints",
            json!({"storage": shared(), "replicas": 2}),
            json!({"storage": shared(), "replicas": 2, "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}),
        ),
        line(
            "topologySpreadConstraints",
            json!({"storage": shared(), "replicas": 2}),
            json!({"storage": shared(), "replicas": 2, "topologySpreadConstraints": []}),
        ),
    ]
}

#[test]
fn every_field_of_the_crd_has_a_line() {
    let crd = serde_json::to_value(OrasCache::crd()).unwrap();
    let mut fields = BTreeSet::new();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    collect(schema, "", &mut fields);
    let lines: BTreeSet<String> = lines().iter().map(|line| line.field.to_owned()).collect();
    let missing: Vec<_> = fields.difference(&lines).collect();
    assert!(missing.is_empty(), "these fields need a line in the walk: {missing:?}");
    let unknown: Vec<_> = lines.difference(&fields).collect();
    assert!(unknown.is_empty(), "the CRD does not have these fields: {unknown:?}");
}

/// Paths of the fields that have no fields of their own. Items of lists belong to their list.
fn collect(schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(members) if !OF_KUBERNETES.contains(&path) => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                collect(member, &format!("{path}{dot}{name}"), fields);
            }
        }
        _ => {
            fields.insert(path.to_owned());
        }
    }
}

#[test]
fn every_line_changes_its_field() {
    for line in lines() {
        let pointer = format!("/{}", line.field.replace('.', "/"));
        assert_ne!(line.before.pointer(&pointer), line.after.pointer(&pointer), "{}", line.field);
    }
}

#[test]
fn every_change_of_a_live_cache_converges_or_is_refused() {
    for line in lines() {
        let mut world = settled(&line.before);
        let [there, back] = line.refused;
        walk(&mut world, &line.before, &line.after, there, line.field);
        if there.is_some() {
            world = settled(&line.after);
        }
        walk(&mut world, &line.after, &line.before, back, line.field);
    }
}

/// Changes the spec of a live cache, unless admission refuses that.
fn walk(world: &mut World, old: &Value, new: &Value, refused: Option<&str>, field: &str) {
    let response = review(world, old, new);
    let message = response.refusal().map(|refusal| refusal.message.clone());
    match (refused, message) {
        (None, None) => {}
        (Some(wanted), Some(message)) => {
            assert!(message.contains(wanted), "{field}, from {old} to {new}: {message}");
            return;
        }
        (wanted, found) => panic!("{field}, from {old} to {new}: {found:?} instead of {wanted:?}"),
    }
    let live = world.children.clone();
    world.edit(|spec| *spec = new.clone());
    world.settle();
    if new["suspend"] == true {
        assert_eq!(world.children, live, "{field}, from {old} to {new}: nothing may change");
        return;
    }
    let fresh = settled(new);
    let mut children = comparable(world);
    for (key, child) in comparable(&fresh) {
        let walked = children.remove(&key);
        assert_eq!(walked.as_ref(), Some(&child), "{field}, from {old} to {new}: {key}");
    }
    children.retain(|key, _| !KEPT.contains(&key.as_str()));
    assert!(children.is_empty(), "{field}, from {old} to {new}: {:?} is left", children.keys());
    assert_eq!(status(world), status(&fresh), "{field}, from {old} to {new}");
}

fn review(world: &World, old: &Value, new: &Value) -> Response {
    let with = |spec: &Value| {
        let mut cache = world.cache.clone();
        cache["spec"] = spec.clone();
        cache
    };
    let review = reviewing::wrap(&with(new), Some(&with(old)));
    decided(admission::review(&review, &Context::<String>::default()).expect("a review"))
}

/// A cache with this spec that has everything it asks for.
fn settled(spec: &Value) -> World {
    let mut world = World::new(spec.clone());
    world.related.push(world::secret("mysecret"));
    world.related.push(world::claim("scratch", "ReadWriteMany"));
    world.settle();
    world
}

/// The children without what tells one object from another of the same content.
fn comparable(world: &World) -> BTreeMap<String, Value> {
    let mut children = world.children.clone();
    for child in children.values_mut() {
        let metadata = child["metadata"].as_object_mut().unwrap();
        if metadata.get("ownerReferences") == Some(&json!([])) {
            // A claim that was released is patched from then on, and its digest is of what was applied.
            metadata["annotations"]
                .as_object_mut()
                .unwrap()
                .remove("cache.converged-computing.github.io/applied-hash");
        }
        metadata.remove("uid");
        metadata.remove("resourceVersion");
        metadata.remove("generation");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("cache.converged-computing.github.io/applied-generation");
        }
        if let Some(status) = child.get_mut("status").and_then(Value::as_object_mut) {
            status.remove("observedGeneration");
        }
    }
    children
}

/// The status without times and generations.
fn status(world: &World) -> Value {
    let mut status = world.cache["status"].clone();
    status.as_object_mut().unwrap().remove("observedGeneration");
    for condition in status["conditions"].as_array_mut().unwrap() {
        let condition = condition.as_object_mut().unwrap();
        condition.remove("lastTransitionTime");
        condition.remove("observedGeneration");
    }
    status
}
