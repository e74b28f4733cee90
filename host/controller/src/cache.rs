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
    state: RwLock<State>,
}

/// Which kinds a reconciler owns and which it only reads, by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    owned: Vec<KindIndex>,
    related: Vec<KindIndex>,
}

impl Roles {
    /// Whether a plan may write objects of this kind.
    pub(crate) fn is_owned(&self, kind: KindIndex) -> bool {
        self.owned.contains(&kind)
    }
}

#[derive(Default)]
struct State {
    objects: Vec<Objects>,
    /// By these a change concerns primaries: the roles of all reconcilers so far.
    roles: Roles,
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
        let roles = Roles {
            owned: description.owned.iter().map(&mut place).collect(),
            related: description.related.iter().map(&mut place).collect(),
        };
        let objects = kinds.iter().map(|_| Objects::default()).collect();
        Cache { kinds, state: RwLock::new(State { objects, roles, ..State::default() }) }
    }

    /// The roles that a description gives to the kinds.
    ///
    /// # Errors
    /// With the kinds that are not watched.
    pub(crate) fn roles(&self, description: &Description) -> Result<Roles, Vec<Kind>> {
        let mut unknown = Vec::new();
        let mut find = |kinds: &[Kind]| {
            let mut found = Vec::new();
            for kind in kinds {
                match self.index_of(kind) {
                    Some(index) => found.push(index),
                    None => unknown.push(kind.clone()),
                }
            }
            found
        };
        let roles = Roles { owned: find(&description.owned), related: find(&description.related) };
        if unknown.is_empty() { Ok(roles) } else { Err(unknown) }
    }

    /// From now on a change concerns primaries by these roles too.
    pub(crate) fn widen(&self, roles: &Roles) {
        let mut state = self.write();
        let known = &mut state.roles;
        for (into, from) in [(&mut known.owned, &roles.owned), (&mut known.related, &roles.related)] {
            let new: Vec<KindIndex> = from.iter().filter(|kind| !into.contains(kind)).copied().collect();
            into.extend(new);
        }
    }

    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
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
        let mut concerned = state.concerned(kind, &object);
        if let Some(old) = &old {
            concerned.extend(state.concerned(kind, old));
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
        let concerned = state.concerned(kind, &kept.object);
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

    /// Everything about one primary that a reconciler with these roles sees, or `None` when it does not exist.
    pub(crate) fn view(&self, key: &Key, roles: &Roles) -> Option<View> {
        let state = self.read();
        let primary = &state.objects.first()?.by_key.get(key)?.object;
        let mut owned = Vec::new();
        for (kind, child) in state.children.get(&primary.uid).into_iter().flatten() {
            if !roles.is_owned(*kind) {
                continue;
            }
            let kept = state.objects.get(*kind).and_then(|objects| objects.by_key.get(child));
            owned.extend(
                kept.filter(|kept| !state.gone.contains(&kept.object.uid))
                    .map(|kept| kept.object.text.clone()),
            );
        }
        let mut related = Vec::new();
        for kind in &roles.related {
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
    /// Primaries that a change of this object concerns.
    fn concerned(&self, kind: KindIndex, object: &Stored) -> Vec<Key> {
        let mut keys = Vec::new();
        if kind == 0 {
            keys.push(object.key.clone());
        }
        if self.roles.owned.contains(&kind)
            && let Some(primary) = object.controller.as_ref().and_then(|uid| self.primaries.get(uid))
        {
            keys.push(primary.clone());
        }
        if self.roles.related.contains(&kind)
            && let Some(primaries) = self.objects.first()
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
mod tests;
