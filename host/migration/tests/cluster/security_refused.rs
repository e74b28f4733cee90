//! What a migration does not touch, and what it needs the right to do.

use crate::lab::{DEMO, LAB, Lab, MIGRATE, former};
use fake_kube::{Fault, Matcher};
use orascache_migration::{Action, Direction};
use serde_json::{Value, json};

async fn refusal(lab: &Lab) -> String {
    lab.migration(Direction::Forward).advance().await.expect_err("refused").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_of_somebody_else_is_left_alone() {
    let lab = Lab::start().await;
    lab.create(json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": DEMO}, "spec": {},
    }))
    .await;
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}});
    let uid = lab.create(other).await["metadata"]["uid"].clone();
    let controlled = json!([
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": uid, "controller": true},
    ]);
    // Each looks like the former operator's but for its owner.
    for owners in [json!([]), controlled] {
        let mut object = former("objects.yaml", "other").remove(1);
        object["metadata"]["ownerReferences"] = owners;
        lab.create(object).await;
        for direction in [Direction::Forward, Direction::Back] {
            let refused = lab.migration(direction).advance().await.expect_err("refused").to_string();
            assert!(refused.contains("StatefulSet demo is not controlled by OrasCache demo"), "{refused}");
            let report = lab.migration(direction).report().await.expect("a report");
            assert!(report.would_do.is_empty() && !report.in_the_way.is_empty(), "{report}");
        }
        lab.sets().delete(DEMO, &Default::default()).await.expect("deleted");
        lab.until(&lab.sets(), DEMO, "gone", Value::is_null).await;
    }
    assert_eq!(lab.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_would_make_its_objects_again_has_to_be_stopped() {
    let (lab, _controller) = Lab::with_former_cache(json!({})).await;
    let mut made = Vec::new();
    for mut object in former("installation.yaml", "") {
        if object["metadata"]["namespace"].is_string() {
            object["metadata"]["namespace"] = json!(LAB);
        }
        made.push(lab.create(object).await);
    }
    let refused = refusal(&lab).await;
    assert!(
        refused.contains("kubectl scale -n lab deployment/oras-operator-controller-manager"),
        "{refused}"
    );
    assert!(
        refused.contains(
            "kubectl delete mutatingwebhookconfiguration oras-operator-mutating-webhook-configuration"
        ),
        "{refused}"
    );
    assert_eq!(lab.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_this_operator_nothing_is_begun() {
    let lab = Lab::start().await;
    lab.make_as_former_operator(json!({})).await;
    lab.registry("demo-0").await;
    let refused = refusal(&lab).await;
    assert!(refused.contains("Install it"), "{refused}");
    assert_eq!(lab.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_would_fail_are_waited_for() {
    let (lab, _controller) = Lab::with_former_cache(json!({})).await;
    let step: Value = former("step-rewritten.yaml", "").remove(0);
    lab.create(step).await;
    let refused = refusal(&lab).await;
    assert!(refused.contains("pumpkin-pod") && refused.contains("--ignore-running-steps"), "{refused}");
    let report = lab.migration(Direction::Forward).report().await.expect("a report");
    assert!(
        report.notes.iter().any(|note| note.contains("lose them") && note.contains("pumpkin-pod")),
        "{report}"
    );
    assert_eq!(lab.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named_and_nothing_is_lost() {
    let (lab, _controller) = Lab::with_former_cache(json!({})).await;
    let forbid = |verb: &str, group: &str, resource: &str| {
        let matcher = Matcher::any().user_agent(MIGRATE).verb(verb).resource(group, resource);
        lab.server.faults().inject(matcher, Fault::Answer { code: 403, retry_after: None }, 1);
    };
    // Whoever may not look at the cluster is told to make sure, and can go on.
    forbid("list", "apps", "deployments");
    let report = lab.migration(Direction::Forward).report().await.expect("a report");
    assert!(report.notes.iter().any(|note| note == "You may not look at Deployments."), "{report}");
    assert!(report.in_the_way.is_empty(), "{report}");

    forbid("list", "", "pods");
    let error = refusal(&lab).await;
    assert!(error.contains("cannot list Pods of namespace lab") && error.contains("rights"), "{error}");

    lab.go(Direction::Forward, |action| action == Action::CloseService).await;
    forbid("delete", "apps", "statefulsets");
    let stopped = loop {
        match lab.migration(Direction::Forward).advance().await {
            Ok(orascache_migration::Advance::Waits(_)) => {
                tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            }
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    assert!(stopped.contains("Delete StatefulSet demo of the former operator"), "{stopped}");
    lab.assert_complete().await;
    lab.go(Direction::Forward, |_| false).await;
    lab.assert_complete().await;
}
