//! The objects that the policy asks its host for.

use super::{PREFIX, pod, policy, request};
use orascache_tests::policy::Cluster;
use serde_json::{Value, json};

#[test]
fn only_needed_objects_are_read_and_namespaces_never_from_the_hosts_cache() {
    let cluster = Cluster::open(Vec::new());
    let policy = policy(&cluster);
    let mut plain = pod("demo", &[]);
    plain["metadata"]["annotations"] = json!({"other": "x"});
    assert_eq!(policy.validate(&request(&plain, &Value::Null), &json!({})), Ok(json!({"accepted": true})));
    let refused = policy.validate(&request(&pod("demo", &[("input-url", "x")]), &Value::Null), &json!({}));
    assert_eq!(refused.expect("an answer")["code"], 422);
    assert_eq!(cluster.take_calls(), []);

    let settings = json!({"requiredAnnotations": [{"annotation": "a/b", "namespaceSelector": {}}]});
    policy.validate(&request(&pod("demo", &[]), &Value::Null), &settings).expect("an answer");
    let get = |kind: &str, api_version: &str, name: &str, namespace: Value, disable_cache: bool| {
        let payload = json!({"api_version": api_version, "kind": kind, "name": name, "namespace": namespace, "disable_cache": disable_cache});
        ("kubernetes/get_resource".to_owned(), payload)
    };
    assert_eq!(
        cluster.take_calls(),
        [
            get("OrasCache", "cache.converged-computing.github.io/v1alpha1", "demo", json!("lab"), false),
            // It is missing: it may have been created just now.
            get("OrasCache", "cache.converged-computing.github.io/v1alpha1", "demo", json!("lab"), true),
            get("Namespace", "v1", "lab", Value::Null, true),
        ]
    );
}

#[test]
fn a_missing_cache_is_refused_and_an_unreadable_one_is_assumed_to_exist() {
    let request = request(&pod("demo", &[]), &Value::Null);
    let missing = policy(&Cluster::open(Vec::new())).validate(&request, &json!({})).expect("an answer");
    assert_eq!((&missing["accepted"], &missing["code"]), (&json!(false), &json!(422)));
    assert_eq!(
        missing["message"],
        format!(
            "OrasCache demo does not exist in namespace lab: create it first, or name another one in {PREFIX}oras-cache"
        )
    );

    let forbidden = Cluster::of(&[], Vec::new(), None);
    let unreachable = Cluster::of(&["OrasCache"], Vec::new(), Some("ApiError: orascaches is forbidden"));
    for (cluster, advice) in [(forbidden, "contextAwareResources"), (unreachable, "rights.yaml")] {
        let found = policy(&cluster).validate(&request, &json!({})).expect("an answer");
        assert_eq!(found["accepted"], true);
        let warnings = found["warnings"].as_array().expect("warnings");
        let warning = warnings[0].as_str().expect("a warning");
        assert!(warnings.len() == 1 && warning.contains(advice), "{warnings:?}");
        assert!(warning.starts_with(
            "OrasCache demo of namespace lab could not be looked up: it is assumed to exist, with a registry of its own and without a Secret; "
        ));
        assert_eq!(
            found["mutated_object"]["spec"]["containers"][0]["command"][2],
            "--registry=http://demo-0.demo.lab.svc:5000"
        );
        let calls = cluster.take_calls();
        let (operation, entry) = &calls[1];
        assert_eq!((operation.as_str(), &entry["level"]), ("tracing/log", &json!("warning")));
        assert!(
            entry["error"]
                .as_str()
                .is_some_and(|error| error.contains("OrasCache") || error.contains("forbidden"))
        );
    }
}

#[test]
fn a_pod_is_refused_when_a_rule_needs_an_unreadable_namespace() {
    let settings = json!({"requiredAnnotations": [{"annotation": "a/b", "namespaceSelector": {"matchLabels": {"team": "x"}}}]});
    let cache = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo", "namespace": "lab"},
    });
    let blind = Cluster::of(&["OrasCache"], vec![cache.clone()], None);
    let step = request(&pod("demo", &[]), &Value::Null);
    let found = policy(&blind).validate(&step, &settings).expect("an answer");
    assert_eq!((&found["accepted"], &found["code"]), (&json!(false), &json!(500)));
    assert!(
        found["message"].as_str().is_some_and(|message| message.starts_with("Namespace lab cannot be read"))
    );

    let labelled = |team: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab", "labels": {"team": team}}});
    for (team, accepted) in [("x", false), ("y", true)] {
        let cluster = Cluster::open(vec![cache.clone(), labelled(team)]);
        let found = policy(&cluster).validate(&step, &settings).expect("an answer");
        assert_eq!(found["accepted"], accepted, "{found}");
    }
}
