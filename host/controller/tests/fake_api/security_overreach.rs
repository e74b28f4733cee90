//! A hostile reconciler: every kind of overreach is refused, reported, and changes nothing.

use crate::script::{CONFIG_MAP, POD, SECRET, Script, WIDGET, description, text_at};
use crate::world::{LAB, OTHER, World, config_map, owned_by};
use orascache_contract::{
    FailureReason, Generated, Kind, ObjectPatch, ObjectRef, Observed, Plan, RandomKey, Recipe, Verb,
    WatchedKind,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

const NAMESPACE: Kind = Kind::cluster_scoped("v1", "Namespace", "namespaces");
const ROLE: Kind = Kind::namespaced("rbac.authorization.k8s.io/v1", "Role", "roles");
const WEBHOOKS: Kind = Kind::cluster_scoped(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
);
const DEFINITION: Kind =
    Kind::cluster_scoped("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions");
const SERVICE: Kind = Kind::namespaced("v1", "Service", "services");

fn object(kind: &Kind, namespace: Option<&str>, name: &str) -> Value {
    let mut object = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}});
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn reference(kind: Kind, namespace: &str, name: &str, uid: &str) -> ObjectRef {
    let namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
    ObjectRef { kind, namespace, name: name.to_owned(), uid: Some(uid.to_owned()) }
}

fn apply(object: Value) -> Plan {
    Plan { apply: vec![object.to_string()], ..Plan::default() }
}

fn generate(object: Value) -> Plan {
    let recipe = Recipe::Random(RandomKey { key: "k".to_owned(), bytes: 8 });
    Plan { generate: vec![Generated { secret: object.to_string(), recipe }], ..Plan::default() }
}

fn delete(target: ObjectRef) -> Plan {
    Plan { delete: vec![target], ..Plan::default() }
}

fn patch(target: ObjectRef, path: &str) -> Plan {
    let patch = json!([{"op": "add", "path": path, "value": []}]).to_string();
    Plan { patch: vec![ObjectPatch { target, patch }], ..Plan::default() }
}

fn release(target: ObjectRef) -> Plan {
    let patch = json!([{"op": "remove", "path": "/metadata/ownerReferences/0"}]).to_string();
    Plan { patch: vec![ObjectPatch { target, patch }], ..Plan::default() }
}

/// Everything a plan may not do, by the name of the widget whose plan does it. `uid` is of an
/// object that exists in the lab, as a Pod's, a ConfigMap's and a Service's.
fn overreach(uid: &dyn Fn(&str) -> String) -> Vec<(&'static str, Verb, Plan)> {
    let mut stolen = config_map("stolen", "v");
    stolen["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1", "controller": true,
    }]);
    let mut lied = config_map("lied", "v");
    lied["metadata"]["ownerReferences"] = json!([{
        "apiVersion": WIDGET.api_version, "kind": WIDGET.kind, "name": "another", "uid": "2",
        "controller": true,
    }]);
    let theirs = |kind: Kind| reference(kind.clone(), LAB, "theirs", &uid(&kind.kind));
    let without_uid = |target: ObjectRef| ObjectRef { uid: None, ..target };
    vec![
        ("apply-elsewhere", Verb::Apply, apply(object(&CONFIG_MAP, Some(OTHER), "x"))),
        ("apply-nowhere", Verb::Apply, apply(object(&CONFIG_MAP, None, "x"))),
        ("apply-cluster-wide", Verb::Apply, apply(object(&NAMESPACE, None, "x"))),
        ("apply-not-described", Verb::Apply, apply(object(&SERVICE, Some(LAB), "x"))),
        ("apply-unknown", Verb::Apply, apply(object(&WEBHOOKS, None, "x"))),
        ("apply-role", Verb::Apply, apply(object(&ROLE, Some(LAB), "x"))),
        ("apply-definition", Verb::Apply, apply(object(&DEFINITION, None, "x"))),
        ("apply-for-another", Verb::Apply, apply(stolen)),
        ("apply-for-a-stranger", Verb::Apply, apply(lied)),
        ("apply-up", Verb::Apply, apply(object(&CONFIG_MAP, Some(LAB), "../secrets/x"))),
        ("apply-query", Verb::Apply, apply(object(&CONFIG_MAP, Some(LAB), "x?force=true"))),
        ("apply-path-namespace", Verb::Apply, apply(object(&CONFIG_MAP, Some("lab/configmaps/x"), "x"))),
        ("generate-elsewhere", Verb::Create, generate(object(&SECRET, Some(OTHER), "x"))),
        ("generate-not-a-secret", Verb::Create, generate(object(&CONFIG_MAP, Some(LAB), "x"))),
        ("delete-theirs", Verb::Delete, delete(theirs(CONFIG_MAP))),
        ("delete-another-widgets", Verb::Delete, delete(reference(CONFIG_MAP, LAB, "child", &uid("child")))),
        ("delete-without-uid", Verb::Delete, delete(without_uid(theirs(CONFIG_MAP)))),
        ("delete-elsewhere", Verb::Delete, delete(reference(CONFIG_MAP, OTHER, "theirs", "1"))),
        ("delete-related", Verb::Delete, delete(theirs(POD))),
        ("delete-namespace", Verb::Delete, delete(reference(NAMESPACE, "", OTHER, "1"))),
        ("delete-role", Verb::Delete, delete(reference(ROLE, LAB, "x", "1"))),
        ("patch-not-patchable", Verb::Patch, patch(theirs(SERVICE), "/metadata/labels")),
        ("patch-owned", Verb::Patch, patch(theirs(CONFIG_MAP), "/metadata/labels")),
        ("release-theirs", Verb::Patch, release(theirs(CONFIG_MAP))),
        ("release-of-another", Verb::Patch, release(reference(CONFIG_MAP, LAB, "child", &uid("child")))),
        ("patch-elsewhere", Verb::Patch, patch(reference(POD, OTHER, "theirs", "1"), "/metadata/labels")),
        ("patch-without-uid", Verb::Patch, patch(without_uid(theirs(POD)), "/metadata/labels")),
        ("patch-owners", Verb::Patch, patch(theirs(POD), "/metadata/ownerReferences")),
        ("patch-subresource", Verb::Patch, {
            patch(reference(POD, LAB, "theirs/ephemeralcontainers", &uid("Pod")), "/spec/containers")
        }),
        ("patch-primary", Verb::Patch, patch(reference(WIDGET, LAB, "another", "1"), "/spec")),
    ]
}

#[tokio::test]
async fn every_overreach_is_refused_reported_and_counted() {
    let world = World::start().await;
    let pod = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}});
    let service = json!({"spec": {"ports": [{"port": 80}]}});
    let another = world.widget("another").await;
    let mut uids = std::collections::BTreeMap::new();
    for (kind, name, content) in [
        (&CONFIG_MAP, "theirs", json!({})),
        (&POD, "theirs", pod),
        (&SERVICE, "theirs", service),
        (&CONFIG_MAP, "child", json!({"metadata": owned_by(&another)})),
    ] {
        let created = world.create(kind, name, content).await;
        let of = if name == "child" { "child" } else { &*kind.kind };
        uids.insert(of.to_owned(), created["metadata"]["uid"].as_str().expect("a UID").to_owned());
    }
    let uid = move |of: &str| uids.get(of).cloned().unwrap_or_else(|| "1".to_owned());
    let cases = overreach(&uid);
    for (name, ..) in &cases {
        world.widget(name).await;
    }
    let owned = [CONFIG_MAP, SECRET, NAMESPACE, ROLE, DEFINITION].map(WatchedKind::whole);
    let patchable = |kind| WatchedKind { patchable: true, ..WatchedKind::whole(kind) };
    let related = vec![patchable(POD), WatchedKind::whole(SERVICE), patchable(CONFIG_MAP), patchable(WIDGET)];
    let planned = cases.clone();
    let script = Script::new(description(owned.to_vec(), related), move |observed: &Observed| {
        let name = text_at(&observed.primary, "/metadata/name");
        let case = planned.iter().find(|(case, ..)| *case == name);
        case.map(|(_, _, plan)| plan.clone()).unwrap_or_default()
    });
    let mut registry = Registry::default();
    let mark = world.server.requests().mark();
    let controller = world.controller_with(script.clone(), World::options(), &mut registry).await;
    for (name, verb, _) in &cases {
        let what = format!("a refusal for {name}");
        let reported = script
            .until(&what, |observed| {
                text_at(&observed.primary, "/metadata/name") == *name && !observed.failures.is_empty()
            })
            .await;
        let failure = &reported.failures[0];
        assert_eq!((failure.verb, &failure.reason), (*verb, &FailureReason::NotPermitted), "{name}");
        assert!(failure.message.ends_with('.'), "{name}: {}", failure.message);
        let events = world.events(name).await;
        assert_eq!(events.len(), 1, "{name}: one event, however often it is tried");
        assert_eq!(events[0].reason.as_deref(), Some("NotPermitted"));
        assert_eq!(events[0].note.as_deref(), Some(failure.message.as_str()));
    }
    world.settle(&controller).await;
    assert_eq!(world.writes_since(mark), [], "no request was sent");
    let mut metrics = String::new();
    encode(&mut metrics, &registry).expect("metrics");
    for verb in ["create", "apply", "patch", "delete"] {
        let counter = format!("controller_refused_writes_total{{controller=\"widget\",verb=\"{verb}\"}}");
        let line = metrics.lines().find(|line| line.starts_with(&counter));
        let count = line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        assert!(count.is_some_and(|count| count > 0), "{counter}: {line:?}");
    }
}

#[tokio::test]
async fn an_object_that_is_no_object_is_invalid() {
    for text in ["", "[]", "{}", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}"#] {
        let world = World::start().await;
        world.widget("w").await;
        let script = Script::new(
            description(vec![WatchedKind::whole(CONFIG_MAP)], Vec::new()),
            move |_: &Observed| Plan { apply: vec![text.to_owned()], ..Plan::default() },
        );
        let _controller = world.controller(script.clone()).await;
        let reported = script.until("a failure", |observed| !observed.failures.is_empty()).await;
        assert_eq!(reported.failures[0].reason, FailureReason::Invalid, "{text}");
    }
}
