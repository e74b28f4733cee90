//! Descriptions and objects for the tests of this crate's modules.

use crate::object::{Key, Stored};
use orascache_contract::{Description, Kind, WatchedKind};

/// A namespaced kind of the core group.
pub(crate) fn kind(name: &str) -> Kind {
    Kind {
        api_version: "v1".into(),
        kind: name.to_owned().into(),
        plural: name.to_lowercase().into(),
        namespaced: true,
    }
}

/// The primary is `P`; the other kinds are watched whole.
pub(crate) fn description(owned: &[&str], related: &[&str]) -> Description {
    let whole = |names: &[&str]| names.iter().map(|&name| WatchedKind::whole(kind(name))).collect();
    Description {
        primary: kind("P"),
        owned: whole(owned),
        related: whole(related),
        field_manager: "us".to_owned(),
        admission: Vec::new(),
        sensitive: Vec::new(),
    }
}

/// An object of namespace `n`. Its text changes with every tenth revision.
pub(crate) fn object(name: &str, uid: &str, revision: u64, controller: Option<&str>) -> Stored {
    Stored {
        key: Key::new("n", name),
        uid: uid.into(),
        resource_version: revision.to_string().into(),
        controller: controller.map(Into::into),
        compressed: format!("{name} {uid} {controller:?} {}", revision / 10).as_str().into(),
        revision_at: None,
        content: revision / 10,
        managers: None,
        is_stray: false,
        has_created_fields: false,
    }
}
