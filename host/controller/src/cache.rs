//! What is known of the cluster: objects by kind and name, and by the UID of their controller.
//!
//! Our own writes go in at once with the server's answer, so that no decision is made on a state that we
//! have already changed; the watch's older events do not undo that.

use crate::contract::{Description, Kind};
use crate::object::{Key, Stored};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How many deletions are remembered against late answers: far more than writes can be under way.
const BURIED: usize = 256;

/// Position of a kind in [`Cache::kinds`].
pub(crate) type KindIndex = usize;

pub(crate) struct Cache {
    /// Primary first, then owned, then related kinds, each once.
    kinds: Vec<Kind>,
    owned: Vec<KindIndex>,
    related: Vec<KindIndex>,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    objects: Vec<Objects>,
    /// Children by the UID of their controller.
    children: HashMap<Box<str>, BTreeSet<(KindIndex, Key)>>,
    /// Primaries by UID.
    primaries: HashMap<Box<str>, Key>,
    /// UIDs of objects that we deleted and whose deletion the watch has not told yet.
    gone: HashSet<Box<str>>,
    /// UIDs whose deletion the watch told of lately: a late answer to a write does not bring them back.
    buried: VecDeque<Box<str>>,
}

#[derive(Default)]
struct Objects {
    by_key: BTreeMap<Key, Kept>,
    /// Counts relists, so that what a relist did not mention can be told.
    relist: u64,
}

struct Kept {
    object: Stored,
    seen_in: u64,
}

/// Where a state came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The watch, or a list.
    Watch,
    /// The answer to a write of ours.
    Write,
}

/// What is shown to the reconciler about one primary.
pub(crate) struct View {
    pub(crate) uid: Box<str>,
    pub(crate) primary: Arc<str>,
    pub(crate) owned: Vec<Arc<str>>,
    pub(crate) related: Vec<Arc<str>>,
}

impl Cache {
    pub(crate) fn new(description: &Description) -> Self {
        let mut kinds = vec![description.primary.clone()];
        let mut place = |kind: &Kind| {
            kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
                kinds.push(kind.clone());
                kinds.len() - 1
            })
        };
        let owned = description.owned.iter().map(&mut place).collect();
        let related = description.related.iter().map(&mut place).collect();
        let objects = kinds.iter().map(|_| Objects::default()).collect();
        Cache { kinds, owned, related, state: RwLock::new(State { objects, ..State::default() }) }
    }

    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Whether a plan may write objects of this kind.
    pub(crate) fn is_owned(&self, kind: KindIndex) -> bool {
        self.owned.contains(&kind)
    }

    pub(crate) fn index_of(&self, kind: &Kind) -> Option<KindIndex> {
        self.kinds.iter().position(|known| known == kind)
    }

    /// A list of everything begins.
    pub(crate) fn begin_relist(&self, kind: KindIndex) {
        if let Some(objects) = self.write().objects.get_mut(kind) {
            objects.relist += 1;
        }
    }

    /// A list of everything ended: what it did not mention, and what we did not write since it began, is gone.
    pub(crate) fn end_relist(&self, kind: KindIndex) -> Vec<Key> {
        let unmentioned: Vec<(Key, Stored)> = {
            let state = self.read();
            let Some(objects) = state.objects.get(kind) else { return Vec::new() };
            let gone = objects.by_key.iter().filter(|(_, kept)| kept.seen_in < objects.relist);
            gone.map(|(key, kept)| (key.clone(), kept.object.clone())).collect()
        };
        unmentioned.into_iter().flat_map(|(_, object)| self.remove(kind, &object)).collect()
    }

    /// Takes in a state of an object; returns the primaries that it concerns, none when nothing changed.
    pub(crate) fn store(&self, kind: KindIndex, object: Stored, source: Source) -> Vec<Key> {
        let mut state = self.write();
        if state.gone.contains(&object.uid) && source == Source::Watch {
            // An event from before our deletion.
            return Vec::new();
        }
        if source == Source::Write && state.buried.contains(&object.uid) {
            return Vec::new();
        }
        let Some(objects) = state.objects.get_mut(kind) else { return Vec::new() };
        let relist = objects.relist;
        let old = match objects.by_key.get_mut(&object.key) {
            Some(kept) if kept.object.revision() > object.revision() => {
                kept.seen_in = relist;
                return Vec::new();
            }
            Some(kept) => {
                kept.seen_in = relist;
                let unchanged = kept.object.looks_like(&object);
                let old = std::mem::replace(&mut kept.object, object.clone());
                if unchanged {
                    return Vec::new();
                }
                Some(old)
            }
            None => {
                objects.by_key.insert(object.key.clone(), Kept { object: object.clone(), seen_in: relist });
                None
            }
        };
        if let Some(old) = &old {
            state.unlink(kind, old);
        }
        state.link(kind, &object);
        let mut concerned = self.concerned(&state, kind, &object);
        if let Some(old) = &old {
            concerned.extend(self.concerned(&state, kind, old));
        }
        concerned
    }

    /// Forgets an object that was deleted; returns the primaries that it concerns.
    pub(crate) fn remove(&self, kind: KindIndex, object: &Stored) -> Vec<Key> {
        let mut state = self.write();
        state.gone.remove(&object.uid);
        state.buried.push_back(object.uid.clone());
        if state.buried.len() > BURIED {
            state.buried.pop_front();
        }
        let Some(objects) = state.objects.get_mut(kind) else { return Vec::new() };
        match objects.by_key.get(&object.key) {
            Some(kept) if kept.object.uid == object.uid => {}
            // It was recreated meanwhile.
            _ => return Vec::new(),
        }
        let Some(kept) = objects.by_key.remove(&object.key) else { return Vec::new() };
        let concerned = self.concerned(&state, kind, &kept.object);
        state.unlink(kind, &kept.object);
        concerned
    }

    /// Hides an object that we deleted until the watch tells of it.
    pub(crate) fn mark_gone(&self, uid: &str) {
        self.write().gone.insert(uid.into());
    }

    /// The object of that name, whoever owns it.
    pub(crate) fn get(&self, kind: KindIndex, key: &Key) -> Option<Stored> {
        let state = self.read();
        let kept = state.objects.get(kind)?.by_key.get(key)?;
        (!state.gone.contains(&kept.object.uid)).then(|| kept.object.clone())
    }

    /// Everything about one primary, or `None` when it does not exist.
    pub(crate) fn view(&self, key: &Key) -> Option<View> {
        let state = self.read();
        let primary = &state.objects.first()?.by_key.get(key)?.object;
        let mut owned = Vec::new();
        for (kind, child) in state.children.get(&primary.uid).into_iter().flatten() {
            if !self.owned.contains(kind) {
                continue;
            }
            let kept = state.objects.get(*kind).and_then(|objects| objects.by_key.get(child));
            owned.extend(
                kept.filter(|kept| !state.gone.contains(&kept.object.uid))
                    .map(|kept| kept.object.text.clone()),
            );
        }
        let mut related = Vec::new();
        for kind in &self.related {
            let Some(objects) = state.objects.get(*kind) else { continue };
            let in_namespace = objects.in_namespace(&key.namespace);
            let foreign = in_namespace.filter(|object| object.controller.as_ref() != Some(&primary.uid));
            related.extend(foreign.map(|object| object.text.clone()));
        }
        Some(View { uid: primary.uid.clone(), primary: primary.text.clone(), owned, related })
    }

    /// All primaries.
    pub(crate) fn primaries(&self) -> Vec<Key> {
        self.read()
            .objects
            .first()
            .map(|objects| objects.by_key.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Texts of the primaries of a namespace.
    pub(crate) fn primaries_in(&self, namespace: &str, at_most: usize) -> Vec<Arc<str>> {
        let state = self.read();
        let primaries = state.objects.first().into_iter().flat_map(|objects| objects.in_namespace(namespace));
        primaries.take(at_most).map(|object| object.text.clone()).collect()
    }

    fn concerned(&self, state: &State, kind: KindIndex, object: &Stored) -> Vec<Key> {
        let mut keys = Vec::new();
        if kind == 0 {
            keys.push(object.key.clone());
        }
        if self.owned.contains(&kind)
            && let Some(primary) = object.controller.as_ref().and_then(|uid| state.primaries.get(uid))
        {
            keys.push(primary.clone());
        }
        if self.related.contains(&kind)
            && let Some(primaries) = state.objects.first()
        {
            let theirs = primaries.in_namespace(&object.key.namespace);
            keys.extend(
                theirs
                    .filter(|primary| object.controller.as_ref() != Some(&primary.uid))
                    .map(|primary| primary.key.clone()),
            );
        }
        keys
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // Every writer leaves the state whole, whoever panics elsewhere.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    fn in_namespace<'o>(&'o self, namespace: &str) -> impl Iterator<Item = &'o Stored> + use<'o> {
        let namespace: Box<str> = namespace.into();
        let from = Key { namespace: namespace.clone(), name: "".into() };
        let range = self.by_key.range(from..).take_while(move |(key, _)| key.namespace == namespace);
        range.map(|(_, kept)| &kept.object)
    }
}

impl State {
    fn link(&mut self, kind: KindIndex, object: &Stored) {
        if kind == 0 {
            self.primaries.insert(object.uid.clone(), object.key.clone());
        } else if let Some(controller) = &object.controller {
            self.children.entry(controller.clone()).or_default().insert((kind, object.key.clone()));
        }
    }

    fn unlink(&mut self, kind: KindIndex, object: &Stored) {
        if kind == 0 {
            self.primaries.remove(&object.uid);
        } else if let Some(controller) = &object.controller
            && let Some(children) = self.children.get_mut(controller)
        {
            children.remove(&(kind, object.key.clone()));
            if children.is_empty() {
                self.children.remove(controller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Source};
    use crate::contract::{Description, Kind};
    use crate::object::{Key, Stored};

    fn kind(name: &str) -> Kind {
        Kind { api_version: "v1".into(), kind: name.into(), plural: name.to_lowercase(), namespaced: true }
    }

    fn cache() -> Cache {
        Cache::new(&Description {
            primary: kind("P"),
            owned: vec![kind("C"), kind("S")],
            related: vec![kind("S")],
            field_manager: "us".into(),
        })
    }

    fn object(name: &str, uid: &str, revision: u64, controller: Option<&str>) -> Stored {
        Stored {
            key: Key::new("n", name),
            uid: uid.into(),
            resource_version: revision.to_string().into(),
            controller: controller.map(Into::into),
            text: format!("{name} {uid} {controller:?} {}", revision / 10).into(),
            rivals: None,
        }
    }

    #[test]
    fn children_concern_their_controller_and_related_objects_their_namespace() {
        let cache = cache();
        let p = Key::new("n", "p");
        assert_eq!(cache.store(0, object("p", "P", 10, None), Source::Watch), vec![p.clone()]);
        assert_eq!(cache.store(1, object("c", "C", 11, Some("P")), Source::Watch), vec![p.clone()]);
        assert_eq!(cache.store(1, object("d", "D", 12, None), Source::Watch), []);
        assert_eq!(cache.store(2, object("s", "S", 13, None), Source::Watch), vec![p.clone()]);
        let view = cache.view(&p).expect("a view");
        assert_eq!((view.owned.len(), view.related.len()), (1, 1));
        let mine = object("t", "T", 14, Some("P"));
        cache.store(2, mine, Source::Watch);
        let view = cache.view(&p).expect("a view");
        assert_eq!((view.owned.len(), view.related.len()), (2, 1));
    }

    #[test]
    fn a_child_before_its_owner_is_found_later() {
        let cache = cache();
        assert_eq!(cache.store(1, object("c", "C", 11, Some("P")), Source::Watch), []);
        cache.store(0, object("p", "P", 10, None), Source::Watch);
        assert_eq!(cache.view(&Key::new("n", "p")).expect("a view").owned.len(), 1);
    }

    #[test]
    fn older_states_do_not_replace_newer_ones_and_sameness_concerns_nobody() {
        let cache = cache();
        cache.store(0, object("p", "P", 20, None), Source::Write);
        assert_eq!(cache.store(0, object("p", "P", 11, None), Source::Watch), []);
        assert!(cache.view(&Key::new("n", "p")).expect("a view").primary.ends_with('2'));
        assert_eq!(
            cache.store(0, object("p", "P", 25, None), Source::Watch),
            [],
            "only the revision changed"
        );
    }

    #[test]
    fn a_relist_forgets_what_it_does_not_mention_but_not_what_we_wrote_meanwhile() {
        let cache = cache();
        cache.store(0, object("p", "P", 10, None), Source::Watch);
        cache.store(1, object("old", "O", 11, Some("P")), Source::Watch);
        cache.begin_relist(1);
        cache.store(1, object("new", "N", 30, Some("P")), Source::Write);
        assert_eq!(cache.end_relist(1), [Key::new("n", "p")]);
        let view = cache.view(&Key::new("n", "p")).expect("a view");
        assert_eq!(view.owned.len(), 1);
        assert!(view.owned[0].starts_with("new"));
    }

    #[test]
    fn a_late_answer_does_not_bring_back_what_was_deleted() {
        let cache = cache();
        cache.store(0, object("p", "P", 10, None), Source::Watch);
        cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
        cache.remove(1, &object("c", "C", 12, Some("P")));
        cache.store(1, object("c", "C", 11, Some("P")), Source::Write);
        assert!(cache.view(&Key::new("n", "p")).expect("a view").owned.is_empty());
    }

    #[test]
    fn a_deletion_is_believed_at_once_and_only_for_that_uid() {
        let cache = cache();
        cache.store(0, object("p", "P", 10, None), Source::Watch);
        cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
        cache.mark_gone("C");
        assert!(cache.view(&Key::new("n", "p")).expect("a view").owned.is_empty());
        assert_eq!(cache.store(1, object("c", "C", 12, Some("P")), Source::Watch), []);
        cache.store(1, object("c", "C2", 13, Some("P")), Source::Write);
        assert_eq!(cache.remove(1, &object("c", "C", 12, Some("P"))), []);
        assert_eq!(cache.view(&Key::new("n", "p")).expect("a view").owned.len(), 1);
    }
}
