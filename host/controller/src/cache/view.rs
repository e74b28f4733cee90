//! The objects that a reconciler is shown about one primary.

use super::{Cache, State};
use crate::object::Key;
use crate::roles::Roles;
use crate::watches::{KindIndex, PRIMARY};
use orascache_contract::Kind;
use std::sync::Arc;

/// The objects that a reconciler is shown about one primary, but for failures, answers, settings
/// and time.
pub(crate) struct View {
    pub(crate) uid: Box<str>,
    pub(crate) primary: Arc<str>,
    pub(crate) owned: Vec<Arc<str>>,
    pub(crate) related: Vec<Arc<str>>,
    pub(crate) absent: Vec<Kind>,
    pub(crate) omitted: Vec<Kind>,
}

impl Cache {
    /// The objects that a reconciler with these roles is shown; `None` when there is no such
    /// primary.
    pub(crate) fn view(&self, key: &Key, roles: &Roles) -> Option<View> {
        let state = self.read();
        let primary = &state.objects.get(PRIMARY)?.by_key.get(key)?.object;
        let kinds =
            |indexes: Vec<KindIndex>| indexes.into_iter().filter_map(|index| self.kind(index).cloned());
        let (mut related, mut omitted) = (Vec::new(), Vec::new());
        for kind in roles.related() {
            match state.related(*kind, key, &primary.uid, self.max_related_bytes) {
                Some(texts) => related.extend(texts),
                None => omitted.push(*kind),
            }
        }
        let absent = roles.optional().iter().filter(|kind| state.is_absent(**kind, key)).copied().collect();
        Some(View {
            uid: primary.uid.clone(),
            primary: primary.text.clone(),
            owned: state.owned(key, &primary.uid, roles),
            related,
            absent: kinds(absent).collect(),
            omitted: kinds(omitted).collect(),
        })
    }
}

impl State {
    /// Whether objects of a kind that this primary may own or read are absent.
    fn is_absent(&self, kind: KindIndex, primary: &Key) -> bool {
        self.absent.iter().any(|scope| scope.kind == kind && scope.concerns(primary))
    }

    /// Texts of the objects that the primary controls.
    fn owned(&self, primary: &Key, uid: &str, roles: &Roles) -> Vec<Arc<str>> {
        let children = self.children.get(uid).into_iter().flatten();
        let children = children.filter(|(kind, child)| roles.is_owned(*kind) && primary.may_control(child));
        children
            .filter_map(|(kind, child)| self.objects.get(*kind)?.by_key.get(child))
            .filter(|entry| !self.pending_deletes.contains(&entry.object.uid))
            .map(|entry| entry.object.text.clone())
            .collect()
    }

    /// Texts of the objects of a kind in the primary's namespace that the primary does not control;
    /// `None` when there is more text than `at_most` bytes.
    fn related(&self, kind: KindIndex, primary: &Key, uid: &str, at_most: usize) -> Option<Vec<Arc<str>>> {
        let Some(objects) = self.objects.get(kind) else { return Some(Vec::new()) };
        let (mut texts, mut bytes) = (Vec::new(), 0_usize);
        for object in objects.in_namespace(&primary.namespace) {
            if object.controller.as_deref() == Some(uid) {
                continue;
            }
            bytes = bytes.saturating_add(object.text.len());
            if bytes > at_most {
                return None;
            }
            texts.push(object.text.clone());
        }
        Some(texts)
    }
}
