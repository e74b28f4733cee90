//! Events about primaries, and their repetitions.

use crate::script::{CONFIG_MAP, Script, description};
use crate::world::{LAB, World};
use k8s_openapi::api::events::v1;
use kube::Api;
use kube::api::DeleteParams;
use orascache_contract::{Event, Observed, Plan, Severity, WatchedKind};
use std::sync::Arc;

/// Tells the same with every plan.
fn teller() -> Arc<Script> {
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    Script::new(description(owned, Vec::new()), |_: &Observed| Plan {
        events: vec![Event {
            severity: Severity::Normal,
            reason: "Told".into(),
            action: "Tell".into(),
            note: "It is told.".to_owned(),
        }],
        ..Plan::default()
    })
}

#[tokio::test]
async fn an_event_that_is_repeated_is_counted() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    world.widget("v").await;
    let controller = world.controller(teller()).await;
    let first = world.events("w").await.remove(0);
    assert_eq!((first.series, first.type_.as_deref()), (None, Some("Normal")));
    assert_eq!(first.reporting_controller.as_deref(), Some("widgets"));
    assert_eq!(first.reporting_instance.as_deref(), Some("test"));
    let regarding = first.regarding.expect("what it is about");
    assert_eq!(regarding.uid.as_deref(), widget["metadata"]["uid"].as_str());
    assert_eq!((regarding.kind.as_deref(), regarding.namespace.as_deref()), (Some("Widget"), Some(LAB)));
    for count in 2..4 {
        world.touch("w").await;
        world.settle(&controller).await;
        let events = world.events("w").await;
        let counts: Vec<_> = events.iter().map(|event| event.series.as_ref().map(|one| one.count)).collect();
        assert_eq!(counts, [Some(count)]);
        let last = events[0].series.as_ref().map(|series| series.last_observed_time.0);
        assert!(last > events[0].event_time.as_ref().map(|time| time.0));
    }
    assert_eq!(world.events("v").await[0].series, None, "the other widget has events of its own");
}

#[tokio::test]
async fn an_event_that_was_deleted_is_recorded_again() {
    let world = World::start().await;
    world.widget("w").await;
    let controller = world.controller(teller()).await;
    let name = world.events("w").await[0].metadata.name.clone().expect("a name");
    let api: Api<v1::Event> = Api::namespaced(world.client.clone(), LAB);
    api.delete(&name, &DeleteParams::default()).await.expect("a deletion");
    world.touch("w").await;
    world.settle(&controller).await;
    let events = world.events("w").await;
    assert_eq!(events.len(), 1);
    assert_ne!(events[0].metadata.name.as_deref(), Some(&*name));
    assert_eq!(events[0].series, None);
}
