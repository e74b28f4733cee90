//! An example guest: a `ConfigMapMirror` names ConfigMaps of its namespace, and gets a copy of each under another name.
//!
//! Copy the folder to write a guest of your own: docs/writing-a-guest.md goes through it step by step.

mod mirror;

use orascache_guest_sdk::{Admission, Description, Error, Kind, Observed, Plan, Reconciler, WatchedKind};

const MIRROR: Kind = Kind::namespaced("lab.example.com/v1", "ConfigMapMirror", "configmapmirrors");
const CONFIG_MAP: Kind = Kind::namespaced("v1", "ConfigMap", "configmaps");

/// The guest.
struct Mirrors;

impl Reconciler for Mirrors {
    fn describe() -> Description {
        Description {
            // The copies are ours. The sources, and objects that already have a copy's name, belong to others.
            owned: vec![WatchedKind::whole(CONFIG_MAP)],
            related: vec![WatchedKind::reduced(CONFIG_MAP, &["/data", "/binaryData"])],
            ..Description::new(MIRROR, "configmap-mirror")
        }
    }

    fn reconcile(observed: &Observed<String>) -> Result<Plan, Error> {
        mirror::reconcile(observed)
    }
}

/// The world has admission in it. This guest allows everything, which is what the methods do that it leaves out.
impl Admission for Mirrors {}

orascache_guest_sdk::export!(Mirrors);
