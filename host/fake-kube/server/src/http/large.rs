//! Which requests are large.

use super::call::Call;
use crate::state::State;
use crate::store::Key;

/// Bytes from which an object is large. Less is computed in about a millisecond.
const LARGE_OBJECT: usize = 64 << 10;
/// Bytes from which a list is large. Most of a list is copied.
const LARGE_LIST: usize = 1 << 20;

/// Whether a request concerns so much that it needs turns.
pub fn is_large(state: &State, call: &Call) -> bool {
    let path = &call.path;
    if call.body.len() >= LARGE_OBJECT {
        return true;
    }
    let Some(kind) = state.catalogue().find(&path.group, &path.version, &path.resource) else {
        return false;
    };
    match &path.name {
        Some(name) => {
            let stored = state.store.get(&kind.table, &Key::new(path.namespace.as_deref(), name));
            stored.is_some_and(|stored| stored.body().len() >= LARGE_OBJECT)
        }
        None if call.query.flag("watch") => false,
        None => state.store.bytes(&kind.table) >= LARGE_LIST,
    }
}
