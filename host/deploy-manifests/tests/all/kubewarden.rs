//! The Kubewarden policies get the requests that the webhooks get, with the same failure policy.

use deploy_manifests::ManifestOptions;
use deploy_manifests::kubewarden::{policies, rights};
use fake_kube::apimachinery::match_condition::{MatchCondition, Variables};
use orascache_contract::{AdmissionRule, FailurePolicy, Operation};
use orascache_core::describe;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const STEP: &str = "oras.converged-computing.github.io/input-uri";
const MARKER: &str = "cache.converged-computing.github.io/injected";

/// A request: resource with its group, object (null for a deletion), and the object before.
type Request = (&'static str, &'static str, Value, Option<Value>);

fn with(object: &Value, pointer: &str, member: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed.pointer_mut(pointer).expect("an object")[member] = value;
    changed
}

fn requests() -> Vec<Request> {
    let plain = json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a"}]}});
    let annotated = with(&plain, "/metadata", "annotations", json!({STEP: "a:1"}));
    let injected = with(&annotated, "/metadata/annotations", MARKER, json!("v1"));
    let misspelt = with(&plain, "/metadata", "annotations", json!({"oras-cache": "a"}));
    let secret = with(&plain, "/spec", "volumes", json!([{"name": "orascache-credentials"}]));
    let ended = |object: &Value| {
        let object = with(object, "/metadata", "deletionTimestamp", json!("2026-01-01T00:00:00Z"));
        with(&object, "/spec", "activeDeadlineSeconds", json!(3))
    };
    let finalized = |object: &Value| with(object, "/metadata", "finalizers", json!(["a/b"]));
    let changed = |object: &Value| with(object, "/spec", "activeDeadlineSeconds", json!(3));
    let mut all = Vec::new();
    for object in [&plain, &annotated, &injected, &misspelt, &secret] {
        for (group, resource) in [("", "pods"), ("batch", "jobs")] {
            all.push((group, resource, object.clone(), None));
            for new in [object.clone(), changed(object), finalized(object), ended(object), plain.clone()] {
                all.push((group, resource, new, Some(object.clone())));
            }
        }
        all.push(("", "pods/ephemeralcontainers", plain.clone(), Some(object.clone())));
    }
    let template = json!({"metadata": {"name": "x"}, "spec": {"template": annotated}});
    all.push(("batch", "jobs", template, None));
    let group = "cache.converged-computing.github.io";
    let cache = json!({"metadata": {"name": "c"}, "spec": {"image": "a"}});
    all.push((group, "orascaches", cache.clone(), None));
    all.push((group, "orascaches", cache.clone(), Some(cache.clone())));
    all.push((group, "orascaches", finalized(&cache), Some(cache.clone())));
    all.push((group, "orascaches", with(&cache, "/spec", "image", json!("b")), Some(cache.clone())));
    let stored = with(&cache, "/spec", "storage", json!({"size": "1Gi"}));
    for old in [cache, stored] {
        all.push((group, "orascaches", Value::Null, Some(old)));
    }
    all
}

fn holds(expression: &str, (group, resource, object, old): &Request) -> bool {
    let operation = verb(object, old.as_ref());
    let (name, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let mut request = json!({
        "operation": operation, "resource": {"group": group, "version": "v1", "resource": name},
    });
    if !subresource.is_empty() {
        request["subResource"] = json!(subresource);
    }
    let condition =
        MatchCondition::compile(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let object = Some(object).filter(|object| !object.is_null());
    condition.evaluate(&Variables::new(object, old.as_ref(), &request)).expect("an answer")
}

fn verb(object: &Value, old: Option<&Value>) -> &'static str {
    match old {
        None => "CREATE",
        Some(_) if object.is_null() => "DELETE",
        Some(_) => "UPDATE",
    }
}

fn operation(object: &Value, old: Option<&Value>) -> Operation {
    match verb(object, old) {
        "CREATE" => Operation::Create,
        "DELETE" => Operation::Delete,
        _ => Operation::Update,
    }
}

/// Whether a webhook of this failure policy gets the request.
fn reviewed(request: &Request, on_failure: FailurePolicy) -> bool {
    let (group, resource, object, old) = request;
    let is_for = |rule: &AdmissionRule| {
        rule.on_failure == on_failure
            && rule.group == *group
            && rule.resources.iter().any(|other| other == resource)
            && rule.operations.contains(&operation(object, old.as_ref()))
    };
    let rules = describe().admission;
    let mut rules = rules.iter().filter(|rule| is_for(rule));
    rules.any(|rule| rule.conditions.iter().all(|condition| holds(&condition.expression, request)))
}

/// Whether a policy gets the request: by its rules and its condition.
fn gets(policy: &Value, request: &Request) -> bool {
    let (group, resource, object, old) = request;
    let verb = verb(object, old.as_ref());
    let lists = |rule: &Value, name: &str, wanted: &str| {
        rule[name].as_array().expect("a list").iter().any(|item| item == wanted)
    };
    policy["spec"]["rules"].as_array().expect("rules").iter().any(|rule| {
        lists(rule, "apiGroups", group)
            && lists(rule, "resources", resource)
            && lists(rule, "operations", verb)
    }) && holds(policy["spec"]["matchConditions"][0]["expression"].as_str().expect("CEL"), request)
}

#[test]
fn each_policy_gets_what_webhooks_with_its_failure_policy_get() {
    let policies = policies(&ManifestOptions::default(), &describe()).expect("policies");
    let mut seen = BTreeSet::new();
    for (policy, on_failure) in policies.iter().zip([FailurePolicy::Fail, FailurePolicy::Ignore]) {
        assert_eq!(policy["spec"]["failurePolicy"], format!("{on_failure:?}"));
        for request in requests() {
            let wanted = reviewed(&request, on_failure);
            assert_eq!(gets(policy, &request), wanted, "{on_failure:?}: {request:?}");
            seen.insert((format!("{on_failure:?}"), request.1, request.3.is_some(), wanted));
        }
    }
    for wanted in [
        ("Fail", "pods", false, true),
        ("Fail", "pods", true, false),
        ("Fail", "pods/ephemeralcontainers", true, true),
        ("Fail", "jobs", false, true),
        ("Ignore", "pods", false, true),
        ("Ignore", "pods", true, true),
        ("Ignore", "jobs", true, true),
        ("Ignore", "orascaches", true, true),
        ("Ignore", "orascaches", true, false),
    ] {
        assert!(seen.contains(&(wanted.0.to_owned(), wanted.1, wanted.2, wanted.3)), "{wanted:?}");
    }
}

/// With the policy server down, whatever is not decided must go on.
#[test]
fn updates_never_fail_without_an_answer() {
    let policies = policies(&ManifestOptions::default(), &describe()).expect("policies");
    let failing: Vec<&Value> =
        policies.iter().filter(|policy| policy["spec"]["failurePolicy"] != "Ignore").collect();
    assert_eq!(failing.len(), 1);
    for request in requests().iter().filter(|request| request.3.is_some()) {
        let is_ephemeral = request.1 == "pods/ephemeralcontainers";
        assert!(is_ephemeral || !gets(failing[0], request), "{request:?}");
    }
    assert!(policies.iter().all(|policy| policy["spec"]["backgroundAudit"] == false));
}

fn guest(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/kubewarden");
    std::fs::read_to_string(folder.join(name)).expect("a file")
}

#[test]
fn the_metadata_of_the_module_names_what_the_policies_use() {
    let policies = policies(&ManifestOptions::default(), &describe()).expect("policies");
    let metadata: Value = serde_saphyr::from_str(&guest("metadata.yml")).expect("YAML");
    let rules = |of: &Value| -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for rule in of.as_array().expect("rules") {
            for operation in rule["operations"].as_array().expect("operations") {
                all.insert(format!(
                    "{} {} {} {operation}",
                    rule["apiGroups"][0], rule["apiVersions"][0], rule["resources"][0]
                ));
            }
        }
        all
    };
    let used: BTreeSet<String> = policies.iter().flat_map(|policy| rules(&policy["spec"]["rules"])).collect();
    assert_eq!(used, rules(&metadata["rules"]));
    for policy in &policies {
        for field in ["mutating", "backgroundAudit", "contextAwareResources"] {
            assert_eq!(policy["spec"][field], metadata[field], "{field}");
        }
        let module = policy["spec"]["module"].as_str().expect("a module");
        let annotation = |name: &str| {
            metadata["annotations"][format!("io.kubewarden.policy.{name}")].as_str().expect("text")
        };
        assert_eq!(module, format!("registry://{}:v{}", annotation("ociUrl"), annotation("version")));
    }
    // Who reads needs the right to.
    let role = &rights().expect("rights")[0];
    let readable: Vec<&Value> = role["rules"].as_array().expect("rules").iter().collect();
    assert_eq!(readable.len(), metadata["contextAwareResources"].as_array().expect("kinds").len());
    assert!(readable.iter().all(|rule| rule["verbs"] == json!(["get"])));
}

#[test]
fn the_page_of_the_policy_shows_how_to_apply_them() {
    let page = guest("README.md");
    assert!(
        page.contains(
            "kubectl apply -k 'github.com/converged-computing/orascache//manifests/kubewarden?ref=v"
        )
    );
    assert!(page.contains(&format!("?ref=v{}", env!("CARGO_PKG_VERSION"))));
}
