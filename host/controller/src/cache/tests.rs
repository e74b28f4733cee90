//! What the cache shows, and whom a change concerns.

use super::{Cache, Source, View};
use crate::contract::{Description, Kind};
use crate::object::{Key, Stored};

fn kind(name: &str) -> Kind {
    Kind { api_version: "v1".into(), kind: name.into(), plural: name.to_lowercase(), namespaced: true }
}

fn description(owned: &[&str], related: &[&str]) -> Description {
    Description {
        primary: kind("P"),
        owned: owned.iter().copied().map(kind).collect(),
        related: related.iter().copied().map(kind).collect(),
        field_manager: "us".into(),
    }
}

fn cache() -> Cache {
    Cache::new(&description(&["C", "S"], &["S"]))
}

/// What the first reconciler sees.
fn seen(cache: &Cache, key: &Key) -> Option<View> {
    let roles = cache.roles(&description(&["C", "S"], &["S"])).expect("watched kinds");
    cache.view(key, &roles)
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
    let view = seen(&cache, &p).expect("a view");
    assert_eq!((view.owned.len(), view.related.len()), (1, 1));
    let mine = object("t", "T", 14, Some("P"));
    cache.store(2, mine, Source::Watch);
    let view = seen(&cache, &p).expect("a view");
    assert_eq!((view.owned.len(), view.related.len()), (2, 1));
}

#[test]
fn a_child_before_its_owner_is_found_later() {
    let cache = cache();
    assert_eq!(cache.store(1, object("c", "C", 11, Some("P")), Source::Watch), []);
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    assert_eq!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.len(), 1);
}

#[test]
fn older_states_do_not_replace_newer_ones_and_sameness_concerns_nobody() {
    let cache = cache();
    cache.store(0, object("p", "P", 20, None), Source::Write);
    assert_eq!(cache.store(0, object("p", "P", 11, None), Source::Watch), []);
    assert!(seen(&cache, &Key::new("n", "p")).expect("a view").primary.ends_with('2'));
    assert_eq!(cache.store(0, object("p", "P", 25, None), Source::Watch), [], "only the revision changed");
}

#[test]
fn a_relist_forgets_what_it_does_not_mention_but_not_what_we_wrote_meanwhile() {
    let cache = cache();
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("old", "O", 11, Some("P")), Source::Watch);
    cache.begin_relist(1);
    cache.store(1, object("new", "N", 30, Some("P")), Source::Write);
    assert_eq!(cache.end_relist(1), [Key::new("n", "p")]);
    let view = seen(&cache, &Key::new("n", "p")).expect("a view");
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
    assert!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.is_empty());
}

#[test]
fn a_deletion_is_believed_at_once_and_only_for_that_uid() {
    let cache = cache();
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
    cache.mark_gone("C");
    assert!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.is_empty());
    assert_eq!(cache.store(1, object("c", "C", 12, Some("P")), Source::Watch), []);
    cache.store(1, object("c", "C2", 13, Some("P")), Source::Write);
    assert_eq!(cache.remove(1, &object("c", "C", 12, Some("P"))), []);
    assert_eq!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.len(), 1);
}

#[test]
fn roles_change_and_watches_do_not() {
    let cache = cache();
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, None), Source::Watch);
    cache.store(2, object("s", "S", 12, Some("P")), Source::Watch);
    let roles = cache.roles(&description(&["S"], &["C"])).expect("watched kinds");
    let seen = cache.view(&p, &roles).expect("a view");
    assert!(seen.owned[0].starts_with('s') && seen.related[0].starts_with('c'));
    assert_eq!((seen.owned.len(), seen.related.len()), (1, 1));
    assert_eq!(cache.store(1, object("c", "C", 21, None), Source::Watch), [], "nobody reads it yet");
    cache.widen(&roles);
    let concerned = cache.store(1, object("c", "C", 31, None), Source::Watch);
    assert!(!concerned.is_empty() && concerned.iter().all(|key| *key == p), "{concerned:?}");
    assert_eq!(cache.roles(&description(&["C", "T"], &["U"])), Err(vec![kind("T"), kind("U")]));
}
