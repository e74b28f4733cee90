//! A reconciler that is a closure, and that remembers what it was shown.

use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{Description, GuestError, Kind, Observed, Plan, WatchedKind};
use orascache_controller::Reconciler;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a test waits for what must come. Only failures take that long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The primary of all tests.
pub const WIDGET: Kind = Kind::namespaced("example.org/v1", "Widget", "widgets");
pub const CONFIG_MAP: Kind = Kind::namespaced("v1", "ConfigMap", "configmaps");
pub const SECRET: Kind = Kind::namespaced("v1", "Secret", "secrets");
pub const POD: Kind = Kind::namespaced("v1", "Pod", "pods");

/// A description of a guest that manages widgets.
pub fn description(owned: Vec<WatchedKind>, related: Vec<WatchedKind>) -> Description {
    Description {
        primary: WIDGET,
        owned,
        related,
        field_manager: "widgets".to_owned(),
        admission: Vec::new(),
        sensitive: Vec::new(),
    }
}

type Planner = Box<dyn Fn(&Observed) -> Plan + Send + Sync>;

pub struct Script {
    description: Description,
    plan: Planner,
    seen: Mutex<Vec<Observed>>,
    calls: watch::Sender<usize>,
}

impl Script {
    pub fn new(
        description: Description,
        plan: impl Fn(&Observed) -> Plan + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (seen, calls) = (Mutex::default(), watch::Sender::new(0));
        Arc::new(Self { description, plan: Box::new(plan), seen, calls })
    }

    /// What the last call was shown.
    pub fn last(&self) -> Observed {
        self.seen().last().cloned().expect("a call")
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        *self.calls.borrow()
    }

    /// The first call, past or future, that was shown what is expected.
    pub async fn until(&self, what: &str, holds: impl Fn(&Observed) -> bool) -> Observed {
        let mut calls = self.calls.subscribe();
        let found = async {
            loop {
                calls.mark_unchanged();
                let found = self.seen().iter().find(|observed| holds(observed)).cloned();
                match found {
                    Some(found) => return found,
                    None => calls.changed().await.expect("the script is there"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("never shown: {what}"))
    }

    /// Waits until it was called so often.
    pub async fn until_calls(&self, at_least: usize) {
        let mut calls = self.calls.subscribe();
        let called = calls.wait_for(|calls| *calls >= at_least);
        tokio::time::timeout(PATIENCE, called).await.expect("it is called").expect("the script is there");
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Observed>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reconciler for Script {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        let plan = (self.plan)(&observed);
        self.seen().push(observed);
        self.calls.send_modify(|calls| *calls += 1);
        futures::future::ready(Ok(plan)).boxed()
    }
}

/// An object as JSON.
pub fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A field of an object, as text.
pub fn text_at(object: &str, pointer: &str) -> String {
    json_of(object).pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Names of objects.
pub fn names(objects: &[Arc<str>]) -> Vec<String> {
    objects.iter().map(|object| text_at(object, "/metadata/name")).collect()
}
