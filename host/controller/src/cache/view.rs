//! The objects that a reconciler is shown about one primary.

use super::{Cache, State};
use crate::object::{Key, Stored};
use crate::roles::Roles;
use crate::watches::{KindIndex, PRIMARY};
use orascache_contract::Kind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects by their kinds.
type Objects = BTreeMap<KindIndex, Vec<Arc<Stored>>>;

/// The state of a primary that a plan is made from.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) uid: Box<str>,
    /// The content digest of the primary.
    pub(crate) content: u64,
}

/// The texts that a reconciler is shown about one primary. They take much more memory than what the
/// cache holds, and nobody needs them once there is a plan.
pub(crate) struct Texts {
    pub(crate) primary: Arc<str>,
    pub(crate) owned: Vec<Arc<str>>,
    pub(crate) related: Vec<Arc<str>>,
    pub(crate) absent: Vec<Kind>,
    pub(crate) omitted: Vec<Kind>,
}

impl Cache {
    /// The objects that a reconciler with these roles is shown; `None` when there is no such
    /// primary.
    pub(crate) fn view(&self, key: &Key, roles: &Roles) -> Option<(View, Texts)> {
        let state = self.read();
        let primary = state.objects.get(PRIMARY)?.by_key.get(key)?.object.clone();
        let (owned, mut omitted) = within(state.owned(key, &primary.uid, roles), self.max_bytes);
        let mut related = Vec::new();
        for kind in roles.related() {
            match state.related(*kind, key, &primary.uid, self.max_bytes) {
                Some(objects) => related.extend(objects),
                None if omitted.contains(kind) => {}
                None => omitted.push(*kind),
            }
        }
        related.extend(state.strays(key, roles, self.max_bytes));
        let absent = roles.optional().iter().filter(|kind| state.is_absent(**kind, key)).copied().collect();
        // Informers do not wait until the texts are opened.
        drop(state);
        let kinds =
            |indexes: Vec<KindIndex>| indexes.into_iter().filter_map(|index| self.kind(index).cloned());
        let texts = Texts {
            primary: primary.text(),
            owned: owned.into_values().flatten().map(|object| object.text()).collect(),
            related: related.iter().map(|object| object.text()).collect(),
            absent: kinds(absent).collect(),
            omitted: kinds(omitted).collect(),
        };
        Some((View { uid: primary.uid.clone(), content: primary.content }, texts))
    }
}

impl State {
    /// Whether objects of a kind that this primary may own or read are absent.
    fn is_absent(&self, kind: KindIndex, primary: &Key) -> bool {
        self.absent.iter().any(|scope| scope.kind == kind && scope.concerns(primary))
    }

    /// The objects that the primary controls.
    fn owned(&self, primary: &Key, uid: &str, roles: &Roles) -> Objects {
        let mut objects = Objects::new();
        let children = self.children.get(uid).into_iter().flatten();
        for (kind, child) in children.filter(|(kind, _)| roles.is_owned(*kind)) {
            if primary.may_control(child)
                && let Some(object) = self.object(*kind, child)
            {
                objects.entry(*kind).or_default().push(object.clone());
            }
        }
        objects
    }

    /// Strays of owned kinds in the primary's namespace, but for kinds that are related: their
    /// objects are shown anyway. Strays beyond `at_most` bytes are left out.
    fn strays(&self, primary: &Key, roles: &Roles, at_most: usize) -> Vec<Arc<Stored>> {
        let from = (Key { namespace: primary.namespace.clone(), name: "".into() }, 0);
        let range = self.strays.range(from..).take_while(|(key, _)| key.namespace == primary.namespace);
        let owned = range.filter(|(_, kind)| roles.is_owned(*kind) && !roles.is_related(*kind));
        let mut bytes = 0_usize;
        let fits = |object: &&Arc<Stored>| {
            bytes = bytes.saturating_add(object.length());
            bytes <= at_most
        };
        owned.filter_map(|(key, kind)| self.object(*kind, key)).take_while(fits).cloned().collect()
    }

    /// An object that we did not delete.
    fn object(&self, kind: KindIndex, key: &Key) -> Option<&Arc<Stored>> {
        let entry = self.objects.get(kind)?.by_key.get(key)?;
        (!self.pending_deletes.contains(&entry.object.uid)).then_some(&entry.object)
    }

    /// The objects of a kind in the primary's namespace that the primary does not control; `None`
    /// when there is more text than `at_most` bytes.
    fn related(&self, kind: KindIndex, primary: &Key, uid: &str, at_most: usize) -> Option<Vec<Arc<Stored>>> {
        let Some(objects) = self.objects.get(kind) else { return Some(Vec::new()) };
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        for object in objects.in_namespace(&primary.namespace) {
            if object.controller.as_deref() == Some(uid) {
                continue;
            }
            bytes = bytes.saturating_add(object.length());
            if bytes > at_most {
                return None;
            }
            found.push(object.clone());
        }
        Some(found)
    }
}

/// The objects of those kinds that fit into so many bytes together, and the kinds that do not. The
/// kinds with most text are left out first: the objects that somebody added to fill the memory.
fn within(mut objects: Objects, at_most: usize) -> (Objects, Vec<KindIndex>) {
    let bytes = |objects: &[Arc<Stored>]| objects.iter().map(|object| object.length()).sum::<usize>();
    let mut sizes: Vec<(usize, KindIndex)> =
        objects.iter().map(|(kind, objects)| (bytes(objects), *kind)).collect();
    sizes.sort_unstable();
    let mut total: usize = sizes.iter().map(|(size, _)| size).sum();
    let mut omitted = Vec::new();
    while total > at_most
        && let Some((size, kind)) = sizes.pop()
    {
        total -= size;
        objects.remove(&kind);
        omitted.push(kind);
    }
    (objects, omitted)
}
