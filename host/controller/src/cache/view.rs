//! The objects that a reconciler is shown about one primary.

use super::{Cache, State};
use crate::object::Key;
use crate::roles::Roles;
use crate::watches::{KindIndex, PRIMARY};
use orascache_contract::Kind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects by their kinds.
type Texts = BTreeMap<KindIndex, Vec<Arc<str>>>;

/// The objects that a reconciler is shown about one primary, but for failures, answers, settings
/// and time.
pub(crate) struct View {
    pub(crate) uid: Box<str>,
    pub(crate) primary: Arc<str>,
    /// The content digest of the primary.
    pub(crate) content: u64,
    pub(crate) owned: Vec<Arc<str>>,
    pub(crate) related: Vec<Arc<str>>,
    pub(crate) absent: Vec<Kind>,
    pub(crate) omitted: Vec<Kind>,
}

impl View {
    /// The same primary without any object.
    pub(crate) fn of_primary(&self) -> View {
        View {
            uid: self.uid.clone(),
            primary: "".into(),
            content: self.content,
            owned: Vec::new(),
            related: Vec::new(),
            absent: Vec::new(),
            omitted: Vec::new(),
        }
    }
}

impl Cache {
    /// The objects that a reconciler with these roles is shown; `None` when there is no such
    /// primary.
    pub(crate) fn view(&self, key: &Key, roles: &Roles) -> Option<View> {
        let state = self.read();
        let primary = &state.objects.get(PRIMARY)?.by_key.get(key)?.object;
        let kinds =
            |indexes: Vec<KindIndex>| indexes.into_iter().filter_map(|index| self.kind(index).cloned());
        let (owned, mut omitted) = within(state.owned(key, &primary.uid, roles), self.max_bytes);
        let mut related = Vec::new();
        for kind in roles.related() {
            match state.related(*kind, key, &primary.uid, self.max_bytes) {
                Some(texts) => related.extend(texts),
                None if omitted.contains(kind) => {}
                None => omitted.push(*kind),
            }
        }
        related.extend(state.strays(key, roles, self.max_bytes));
        let absent = roles.optional().iter().filter(|kind| state.is_absent(**kind, key)).copied().collect();
        Some(View {
            uid: primary.uid.clone(),
            primary: primary.text.clone(),
            content: primary.content,
            owned: owned.into_values().flatten().collect(),
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
    fn owned(&self, primary: &Key, uid: &str, roles: &Roles) -> Texts {
        let mut texts = Texts::new();
        let children = self.children.get(uid).into_iter().flatten();
        for (kind, child) in children.filter(|(kind, _)| roles.is_owned(*kind)) {
            if primary.may_control(child)
                && let Some(text) = self.text(*kind, child)
            {
                texts.entry(*kind).or_default().push(text);
            }
        }
        texts
    }

    /// Texts of strays of owned kinds in the primary's namespace, but for kinds that are related:
    /// their objects are shown anyway. Strays beyond `at_most` bytes are left out.
    fn strays(&self, primary: &Key, roles: &Roles, at_most: usize) -> Vec<Arc<str>> {
        let from = (Key { namespace: primary.namespace.clone(), name: "".into() }, 0);
        let range = self.strays.range(from..).take_while(|(key, _)| key.namespace == primary.namespace);
        let owned = range.filter(|(_, kind)| roles.is_owned(*kind) && !roles.is_related(*kind));
        let mut bytes = 0_usize;
        let fits = |text: &Arc<str>| {
            bytes = bytes.saturating_add(text.len());
            bytes <= at_most
        };
        owned.filter_map(|(key, kind)| self.text(*kind, key)).take_while(fits).collect()
    }

    /// Text of an object that we did not delete.
    fn text(&self, kind: KindIndex, key: &Key) -> Option<Arc<str>> {
        let entry = self.objects.get(kind)?.by_key.get(key)?;
        (!self.pending_deletes.contains(&entry.object.uid)).then(|| entry.object.text.clone())
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

/// The objects of those kinds that fit into so many bytes together, and the kinds that do not. The
/// kinds with most text are left out first: the objects that somebody added to fill the memory.
fn within(mut texts: Texts, at_most: usize) -> (Texts, Vec<KindIndex>) {
    let bytes = |texts: &[Arc<str>]| texts.iter().map(|text| text.len()).sum::<usize>();
    let mut sizes: Vec<(usize, KindIndex)> =
        texts.iter().map(|(kind, texts)| (bytes(texts), *kind)).collect();
    sizes.sort_unstable();
    let mut total: usize = sizes.iter().map(|(size, _)| size).sum();
    let mut omitted = Vec::new();
    while total > at_most
        && let Some((size, kind)) = sizes.pop()
    {
        total -= size;
        texts.remove(&kind);
        omitted.push(kind);
    }
    (texts, omitted)
}
