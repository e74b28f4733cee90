//! The object cache.

mod changes;
mod memory;
mod own_writes;
mod relists;
mod views;

use super::{Cache, Texts};
use crate::object::{Key, Stored};
use crate::reduce::Ownership;
use crate::roles::Roles;
use crate::scope::{Scope, scopes};
use crate::testing::{description, object};
use crate::watches::{KindIndex, watches};
use orascache_contract::Description;

fn cache_for(description: &Description) -> Cache {
    let watches = watches(description).expect("watches");
    let roles = Roles::of(description, &watches).expect("roles");
    let ownership = Ownership { field_manager: "us".to_owned(), primary: description.primary.clone() };
    let scopes = scopes(&watches, &[]).expect("scopes");
    Cache::new(watches, scopes, ownership, roles)
}

/// All objects of a kind.
fn all(kind: KindIndex) -> Scope {
    Scope { kind, namespace: None }
}

/// The objects of a kind in one namespace.
fn within(kind: KindIndex, namespace: &str) -> Scope {
    Scope { kind, namespace: Some(namespace.into()) }
}

/// `P` is the primary (0), `C` owned (1), `S` owned and related (2).
fn cache() -> Cache {
    cache_for(&description(&["C", "S"], &["S"]))
}

/// What a reconciler with these roles is shown.
fn texts(cache: &Cache, key: &Key, roles: &Roles) -> Texts {
    cache.view(key, roles).expect("a view").1
}

/// What the first reconciler is shown.
fn seen(cache: &Cache, key: &Key) -> Texts {
    let roles = Roles::of(&description(&["C", "S"], &["S"]), cache.watches()).expect("watched kinds");
    texts(cache, key, &roles)
}

/// An object in namespace `other`.
fn elsewhere(name: &str, uid: &str, controller: Option<&str>) -> Stored {
    Stored { key: Key::new("other", name), ..object(name, uid, 50, controller) }
}
