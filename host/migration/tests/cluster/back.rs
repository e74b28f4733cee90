//! Back to the former operator.

use crate::lab::{DEMO, Lab, former};
use orascache_migration::{Action, Copy, Direction};
use serde_json::{Value, json};

/// What the former operator's objects are, without what changes by itself.
async fn state(lab: &Lab) -> (String, Value, Value) {
    let set = serde_json::to_value(lab.sets().get(DEMO).await.expect("a StatefulSet")).expect("JSON");
    let service = serde_json::to_value(lab.services().get(DEMO).await.expect("a Service")).expect("JSON");
    (lab.uid_of_pod().await, set["spec"].clone(), service["spec"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn until_the_former_registry_is_gone_every_step_can_be_taken_back() {
    let (lab, _controller) = Lab::with_former_cache(json!({})).await;
    let before = state(&lab).await;
    for last in [
        Action::CreateHolding,
        Action::StartCopy(Copy::First),
        Action::CloseService,
        Action::StartCopy(Copy::Rest),
    ] {
        let made = lab.go(Direction::Forward, |action| action == last).await;
        assert_eq!(made.last(), Some(&last));
        lab.go(Direction::Back, |_| false).await;
        lab.until_nothing_is_left_over().await;
        assert_eq!(state(&lab).await, before, "{last:?}");
        lab.assert_complete().await;
    }
    // And it can still be done.
    lab.go(Direction::Forward, |_| false).await;
    lab.assert_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_it_says_to_go_forward_first() {
    let (lab, _controller) = Lab::with_former_cache(json!({})).await;
    lab.go(Direction::Forward, |action| action == Action::DeleteStatefulSet).await;
    let refused = lab.migration(Direction::Back).advance().await.expect_err("refused").to_string();
    assert!(refused.contains("Go forward first"), "{refused}");
    lab.go(Direction::Forward, |_| false).await;
    lab.assert_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_former_operator_gets_objects_that_it_takes_for_its_own() {
    let (lab, controller) = Lab::with_former_cache(json!({})).await;
    lab.go(Direction::Forward, |_| false).await;
    lab.until_nothing_is_left_over().await;
    controller.shutdown().await;
    let pod = lab.uid_of_pod().await;

    assert_eq!(
        lab.go(Direction::Back, |_| false).await,
        [Action::ReleaseStatefulSet, Action::ReleaseService]
    );
    let cache = lab.cache().await;
    let uid = cache["metadata"]["uid"].as_str().expect("a UID");
    let ours = serde_json::to_value((
        lab.sets().get(DEMO).await.expect("a StatefulSet"),
        lab.services().get(DEMO).await.expect("a Service"),
    ))
    .expect("JSON");
    let objects = former("objects.yaml", uid);
    for (object, made) in [(&ours[1], &objects[0]), (&ours[0], &objects[1])] {
        let metadata = &object["metadata"];
        // It asks for an object of that name, and sets this owner.
        assert_eq!(metadata["name"], made["metadata"]["name"]);
        assert_eq!(metadata["ownerReferences"], made["metadata"]["ownerReferences"]);
        assert!(!metadata["annotations"].to_string().contains("cache.converged-computing"), "{metadata}");
    }
    assert_eq!(lab.uid_of_pod().await, pod, "the registry goes on");
    lab.assert_complete().await;

    // And forward once more: the operator knows its objects by their content.
    let _controller = lab.operator().await;
    lab.until(&lab.services_dynamic(), DEMO, "taken", |service| {
        service["metadata"]["annotations"]["cache.converged-computing.github.io/cache"] == DEMO
    })
    .await;
    assert_eq!(lab.go(Direction::Forward, |_| false).await, []);
    assert_eq!(lab.uid_of_pod().await, pod);
    lab.assert_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_released_while_this_operator_runs() {
    let (lab, _controller) = Lab::with_former_cache(json!({})).await;
    lab.go(Direction::Forward, |_| false).await;
    lab.make_lease("orascache-system", "orascache-operator", "orascache-7d9f").await;
    let writes = lab.writes();
    let refused = lab.migration(Direction::Back).advance().await.expect_err("refused").to_string();
    assert!(refused.contains("orascache-7d9f") && refused.contains("--replicas=0"), "{refused}");
    assert_eq!(lab.writes(), writes);
}
