//! Security: what the ValidatingAdmissionPolicy lets the operator change of a pod.

use deploy_manifests::ManifestOptions;
use deploy_manifests::gates::{admission_policy, admission_policy_binding};
use fake_kube_apimachinery::match_condition::{MatchCondition, Variables};
use serde_json::{Value, json};

const OURS: &str = "cache.converged-computing.github.io";

fn gated() -> Value {
    json!({
        "metadata": {
            "name": "p", "namespace": "lab", "uid": "u", "generation": 1,
            "labels": {"a": "b", format!("{OURS}/gated"): "true"},
            "annotations": {"c": "d"},
            "finalizers": ["x/y"],
        },
        "spec": {
            "schedulingGates": [{"name": "other/gate"}, {"name": format!("{OURS}/inputs")}],
            "containers": [{"name": "app", "image": "busybox:1"}],
            "tolerations": [{"operator": "Exists"}],
        },
    })
}

/// The pod as the operator's patch leaves it.
fn released() -> Value {
    let mut pod = gated();
    pod["spec"]["schedulingGates"] = json!([{"name": "other/gate"}]);
    pod["metadata"]["labels"] = json!({"a": "b"});
    pod["metadata"]["annotations"] = json!({"c": "d", format!("{OURS}/input-wait-remaining"): "1740"});
    // What the API server changes by itself.
    pod["metadata"]["generation"] = json!(2);
    pod["metadata"]["resourceVersion"] = json!("7");
    pod
}

/// The messages of the validations that a change violates.
fn denied(old: &Value, new: &Value) -> Vec<String> {
    let variables = Variables::new(Some(new), Some(old), &json!({}));
    let spec = admission_policy(&ManifestOptions::default()).spec.expect("a spec");
    let mut messages = Vec::new();
    for validation in spec.validations.expect("validations") {
        let condition = MatchCondition::compile(&validation.expression).expect(&validation.expression);
        if !condition.evaluate(&variables).expect(&validation.expression) {
            messages.push(validation.message.expect("a message"));
        }
    }
    messages
}

#[test]
fn the_policy_applies_to_the_operator_alone_and_denies() {
    let options = ManifestOptions { namespace: "ops".to_owned(), ..ManifestOptions::default() };
    let spec = admission_policy(&options).spec.expect("a spec");
    let condition = &spec.match_conditions.expect("conditions")[0];
    let condition = MatchCondition::compile(&condition.expression).expect("CEL");
    for (user, wanted) in [
        ("system:serviceaccount:ops:orascache", true),
        ("system:serviceaccount:ops:my-orascache", true),
        ("system:serviceaccount:ops2:orascache", false),
        ("system:serviceaccount:lab:orascache", false),
        ("kubernetes-admin", false),
    ] {
        let request = json!({"userInfo": {"username": user}});
        assert_eq!(condition.evaluate(&Variables::new(None, None, &request)), Ok(wanted), "{user}");
    }
    assert_eq!(spec.failure_policy.as_deref(), Some("Fail"));
    let binding = admission_policy_binding().spec;
    assert_eq!(binding.validation_actions, ["Deny"]);
    assert_eq!(Some(binding.policy_name), admission_policy(&options).metadata.name);
}

#[test]
fn the_operator_may_release_a_pod() {
    assert_eq!(denied(&gated(), &released()), Vec::<String>::new());
    assert_eq!(denied(&gated(), &gated()), Vec::<String>::new(), "a change of nothing");
    let mut bare = gated();
    bare["spec"]["schedulingGates"] = json!([{"name": format!("{OURS}/inputs")}]);
    bare["metadata"].as_object_mut().expect("a map").remove("annotations");
    bare["metadata"]["labels"] = json!({format!("{OURS}/gated"): "true"});
    let mut after = bare.clone();
    after["spec"].as_object_mut().expect("a map").remove("schedulingGates");
    after["metadata"].as_object_mut().expect("a map").remove("labels");
    after["metadata"]["annotations"] = json!({format!("{OURS}/input-wait-remaining"): "0"});
    assert_eq!(denied(&bare, &after), Vec::<String>::new(), "absent maps and lists are empty ones");
    let mut label_only = gated();
    label_only["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(denied(&gated(), &label_only), Vec::<String>::new());
}

#[test]
fn every_other_change_is_denied() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change, &str); 20] = [
        ("another gate", |pod| pod["spec"]["schedulingGates"] = json!([]), "no other one"),
        (
            "a gate that comes",
            |pod| pod["spec"]["schedulingGates"] = json!([{"name": "other/gate"}, {"name": "new/gate"}]),
            "its own scheduling gate",
        ),
        ("another label", |pod| pod["metadata"]["labels"] = json!({}), "its own label"),
        ("a label's value", |pod| pod["metadata"]["labels"]["a"] = json!("c"), "its own label"),
        ("a new label", |pod| pod["metadata"]["labels"]["e"] = json!("f"), "its own label"),
        (
            "the label back",
            |pod| pod["metadata"]["labels"][format!("{OURS}/gated")] = json!("false"),
            "its own label",
        ),
        ("an annotation", |pod| pod["metadata"]["annotations"]["c"] = json!("x"), "its own annotation"),
        ("a new annotation", |pod| pod["metadata"]["annotations"]["e"] = json!("x"), "its own annotation"),
        (
            "an annotation removed",
            |pod| _ = pod["metadata"]["annotations"].as_object_mut().and_then(|map| map.remove("c")),
            "its own annotation",
        ),
        (
            "no number",
            |pod| pod["metadata"]["annotations"][format!("{OURS}/input-wait-remaining")] = json!("1; x"),
            "its own annotation",
        ),
        ("finalizers", |pod| pod["metadata"]["finalizers"] = json!([]), "owners and finalizers"),
        (
            "owners",
            |pod| pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "j", "uid": "1"}]),
            "owners and finalizers",
        ),
        ("an image", |pod| pod["spec"]["containers"][0]["image"] = json!("evil"), "the spec of pods"),
        ("a container", |pod| pod["spec"]["containers"] = json!([]), "the spec of pods"),
        (
            "init containers",
            |pod| pod["spec"]["initContainers"] = json!([{"name": "i", "image": "evil"}]),
            "the spec of pods",
        ),
        ("tolerations", |pod| pod["spec"]["tolerations"] = json!([]), "the spec of pods"),
        (
            "no tolerations",
            |pod| _ = pod["spec"].as_object_mut().and_then(|map| map.remove("tolerations")),
            "the spec of pods",
        ),
        ("a node", |pod| pod["spec"]["nodeSelector"] = json!({"a": "b"}), "the spec of pods"),
        ("affinity", |pod| pod["spec"]["affinity"] = json!({}), "the spec of pods"),
        ("a deadline", |pod| pod["spec"]["activeDeadlineSeconds"] = json!(1), "the spec of pods"),
    ];
    for (what, change, message) in changes {
        for start in [gated(), released()] {
            let mut changed = start;
            change(&mut changed);
            // A gate or label that was released already cannot change in these ways.
            let messages = denied(&gated(), &changed);
            assert!(messages.iter().any(|found| found.contains(message)), "{what}: {messages:?}");
        }
    }
}
