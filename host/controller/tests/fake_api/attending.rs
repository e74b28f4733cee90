//! Objects of others that a reconciler looks after.

use crate::script::{CONFIG_MAP, Script, WIDGET, description, text_at};
use crate::world::{LAB, World};
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{
    ArtifactAspect, ArtifactFinding, ArtifactQuestion, Event, ObjectPatch, ObjectRef, Observed, Plan,
    Severity, WatchedKind,
};
use orascache_controller::{Attending, Look, Options, Pace, Registries};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::watch;

/// Knows every artifact, as soon as that is said.
#[derive(Default)]
pub struct Store {
    has_all: watch::Sender<bool>,
    asked: watch::Sender<usize>,
}

impl Registries for Store {
    fn look<'q>(&'q self, _: &'q ArtifactQuestion) -> BoxFuture<'q, Look> {
        self.asked.send_modify(|asked| *asked += 1);
        let found = ArtifactFinding::Digest("sha256:1".to_owned());
        let finding = if *self.has_all.borrow() { found } else { ArtifactFinding::Missing };
        futures::future::ready(Look::Answer(finding)).boxed()
    }
}

pub fn options(store: &Arc<Store>) -> Options {
    let attending = Attending {
        label_selector: "waits=yes".to_owned(),
        fields: Some(vec!["/spec/for".to_owned()]),
        patchable: true,
        registries: store.clone(),
        pace: Pace::default(),
    };
    Options { attending: Some(attending), ..World::options() }
}

fn question(reference: &str) -> ArtifactQuestion {
    ArtifactQuestion {
        registry: "r".to_owned(),
        plain_http: false,
        repository: "flow/words".to_owned(),
        reference: reference.to_owned(),
        credentials: None,
        aspect: ArtifactAspect::Digest,
    }
}

/// The primary of a plan.
pub fn this(observed: &Observed) -> ObjectRef {
    ObjectRef {
        kind: WIDGET,
        namespace: Some(LAB.to_owned()),
        name: text_at(&observed.primary, "/metadata/name"),
        uid: Some(text_at(&observed.primary, "/metadata/uid")),
    }
}

fn event(note: String) -> Event {
    Event { severity: Severity::Normal, reason: "Waits".into(), action: "Wait".into(), note }
}

/// Waits for the artifact that a widget names, and takes its label away then.
fn waits() -> Arc<Script> {
    let related = vec![WatchedKind::reduced(CONFIG_MAP, &[])];
    Script::new(description(Vec::new(), related), |observed: &Observed| {
        if text_at(&observed.primary, "/metadata/labels/waits").is_empty() {
            return Plan::default();
        }
        let name = text_at(&observed.primary, "/spec/for");
        let mut plan = Plan { questions: vec![question(&name)], ..Plan::default() };
        match observed.answers.first().map(|answer| &answer.finding) {
            Some(ArtifactFinding::Digest(_)) => plan.patch.push(ObjectPatch {
                target: this(observed),
                patch: json!([{"op": "remove", "path": "/metadata/labels/waits"}]).to_string(),
            }),
            Some(_) => plan.events.push(event(format!("It waits for {name}."))),
            None => {}
        }
        plan
    })
}

#[tokio::test]
async fn marked_objects_alone_are_shown_and_are_let_go_when_an_answer_changes() {
    let world = World::start().await;
    let spec = json!({"for": "a", "other": "long text"});
    world.create(&WIDGET, "w", json!({"metadata": {"labels": {"waits": "yes"}}, "spec": spec})).await;
    world.create(&WIDGET, "unmarked", json!({"spec": spec})).await;
    let (store, script) = (Arc::new(Store::default()), waits());
    let mut metrics = Default::default();
    let controller = world.controller_with(script.clone(), options(&store), &mut metrics).await;
    assert_eq!(script.calls(), 2, "before and after the first answer");
    let shown = script.last().primary;
    assert_eq!(text_at(&shown, "/spec/for"), "a");
    assert!(!shown.contains("long text"), "{shown}");

    // A change of the namespace leads to a call, and the same event is not recorded again.
    world.create(&CONFIG_MAP, "c", json!({})).await;
    world.settle(&controller).await;
    assert_eq!(script.calls(), 3);
    let events = world.events("w").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].note.as_deref(), &events[0].series), (Some("It waits for a."), &None));

    let mark = world.server.requests().mark();
    store.has_all.send_replace(true);
    controller.waker().expect("it attends").wake("flow/words");
    let released = |observed: &Observed| text_at(&observed.primary, "/metadata/labels/waits").is_empty();
    script.until("an object without its label", released).await;
    world.settle(&controller).await;
    let widget = world.get(&WIDGET, "w").await.expect("a widget");
    assert_eq!(widget["metadata"].get("labels"), None);
    assert_eq!(widget["spec"]["other"], "long text");
    assert_eq!(world.writes_since(mark).len(), 1);
    let asked = *store.asked.borrow();
    controller.waker().expect("it attends").wake("flow/words");
    world.settle(&controller).await;
    assert_eq!(*store.asked.borrow(), asked, "nobody waits any more");
}
