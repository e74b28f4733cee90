//! What the cache shows, and which primaries a change concerns.

use super::{Cache, Listed, Source, View};
use crate::decoded::{Decoded, Ownership};
use crate::object::{Key, Stored};
use crate::roles::Roles;
use crate::scope::{Scope, scopes};
use crate::testing::{description, kind, object};
use crate::watches::{KindIndex, watches};
use orascache_contract::{Description, Kind, WatchedKind};
use serde_json::json;

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

/// What the first reconciler is shown.
fn seen(cache: &Cache, key: &Key) -> Option<View> {
    let roles = Roles::of(&description(&["C", "S"], &["S"]), cache.watches()).expect("watched kinds");
    cache.view(key, &roles)
}

/// An object in namespace `other`.
fn elsewhere(name: &str, uid: &str, controller: Option<&str>) -> Stored {
    Stored { key: Key::new("other", name), ..object(name, uid, 50, controller) }
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
    let own = object("t", "T", 14, Some("P"));
    cache.store(2, own, Source::Watch);
    let view = seen(&cache, &p).expect("a view");
    assert_eq!((view.owned.len(), view.related.len()), (2, 1));
}

#[test]
fn security_an_object_in_another_namespace_is_never_a_child() {
    let cache = cache();
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    assert_eq!(cache.store(1, elsewhere("c", "C", Some("P")), Source::Watch), []);
    assert!(seen(&cache, &p).expect("a view").owned.is_empty());
    assert_eq!(cache.remove(1, &elsewhere("c", "C", Some("P"))), []);
}

#[test]
fn a_primary_without_namespace_has_children_in_any() {
    let mut cluster_wide = description(&["C"], &[]);
    cluster_wide.primary.namespaced = false;
    let cache = cache_for(&cluster_wide);
    let p = Key::new("", "p");
    cache.store(0, Stored { key: p.clone(), ..object("p", "P", 10, None) }, Source::Watch);
    assert_eq!(cache.store(1, elsewhere("c", "C", Some("P")), Source::Watch), vec![p.clone()]);
    let roles = Roles::of(&cluster_wide, cache.watches()).expect("roles");
    assert_eq!(cache.view(&p, &roles).expect("a view").owned.len(), 1);
}

#[test]
fn a_child_that_arrives_before_its_owner_is_found() {
    let cache = cache();
    assert_eq!(cache.store(1, object("c", "C", 11, Some("P")), Source::Watch), []);
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    assert_eq!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.len(), 1);
}

#[test]
fn older_states_do_not_replace_newer_ones_and_equal_ones_concern_no_primary() {
    let cache = cache();
    cache.store(0, object("p", "P", 20, None), Source::Write);
    assert_eq!(cache.store(0, object("p", "P", 11, None), Source::Watch), []);
    assert!(seen(&cache, &Key::new("n", "p")).expect("a view").primary.ends_with('2'));
    assert_eq!(cache.store(0, object("p", "P", 25, None), Source::Watch), [], "only the revision changed");
}

#[test]
fn a_relist_removes_what_it_does_not_have_but_not_what_we_wrote_meanwhile() {
    let cache = cache();
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("old", "O", 11, Some("P")), Source::Watch);
    cache.begin_relist(&all(1));
    cache.store(1, object("new", "N", 30, Some("P")), Source::Write);
    assert_eq!(cache.end_relist(&all(1)), [Key::new("n", "p")]);
    let view = seen(&cache, &Key::new("n", "p")).expect("a view");
    assert_eq!(view.owned.len(), 1);
    assert!(view.owned[0].starts_with("new"));
}

#[test]
fn a_relist_of_one_namespace_removes_nothing_of_another() {
    let cache = cache();
    let (here, there) = (within(1, "n"), within(1, "other"));
    cache.begin_relist(&here);
    cache.begin_relist(&there);
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
    cache.store(1, elsewhere("d", "D", None), Source::Watch);
    assert_eq!((cache.end_relist(&here), cache.end_relist(&there)), (vec![], vec![]));
    cache.begin_relist(&there);
    assert_eq!(cache.end_relist(&there), []);
    assert!(cache.get(1, &Key::new("other", "d")).is_none(), "the list did not have it");
    assert!(cache.get(1, &Key::new("n", "c")).is_some());
    for _ in 0..3 {
        cache.begin_relist(&here);
        cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
        assert_eq!(cache.end_relist(&here), []);
    }
    cache.begin_relist(&here);
    assert_eq!(cache.end_relist(&here), [Key::new("n", "p")]);
}

#[test]
fn a_kind_may_be_absent_in_one_namespace() {
    let mut optional = description(&[], &[]);
    optional.owned = vec![WatchedKind::whole(kind("C")).or_absent()];
    let cache = cache_for(&optional);
    let roles = Roles::of(&optional, cache.watches()).expect("roles");
    let (p, q) = (Key::new("n", "p"), Key::new("other", "q"));
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(0, elsewhere("q", "Q", None), Source::Watch);
    cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
    cache.store(1, elsewhere("d", "D", Some("Q")), Source::Watch);
    assert!(cache.mark_absent(&within(1, "other")));
    let view = cache.view(&q, &roles).expect("a view");
    assert_eq!((view.owned.len(), view.absent), (0, vec![kind("C")]));
    let view = cache.view(&p, &roles).expect("a view");
    assert_eq!((view.owned.len(), view.absent), (1, vec![]));
    assert_eq!(cache.primaries_of(&within(1, "other")), [q]);
    assert!(cache.is_absent(&within(1, "other")) && !cache.is_absent(&within(1, "n")));
    let nothing = Listed::new("20", std::iter::empty());
    assert!(!cache.has_caught_up(&within(1, "n"), &nothing), "C is there still");
    assert!(cache.mark_present(&within(1, "other")));
    assert!(cache.has_caught_up(&within(1, "other"), &nothing), "objects elsewhere do not count");
}

#[test]
fn a_late_answer_does_not_bring_back_a_deleted_object() {
    let cache = cache();
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
    cache.remove(1, &object("c", "C", 12, Some("P")));
    cache.store(1, object("c", "C", 11, Some("P")), Source::Write);
    assert!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.is_empty());
    assert!(cache.was_deleted("C"));
    cache.store(1, object("c", "C", 13, Some("P")), Source::Watch);
    assert_eq!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.len(), 1, "its label came back");
}

#[test]
fn our_deletion_hides_the_object_with_that_uid_alone() {
    let cache = cache();
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
    cache.mark_deleted("C");
    assert!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.is_empty());
    assert_eq!(cache.store(1, object("c", "C", 12, Some("P")), Source::Watch), []);
    cache.store(1, object("c", "C2", 13, Some("P")), Source::Write);
    assert_eq!(cache.remove(1, &object("c", "C", 12, Some("P"))), []);
    assert_eq!(seen(&cache, &Key::new("n", "p")).expect("a view").owned.len(), 1);
}

#[test]
fn another_reconciler_gives_other_roles_to_the_same_objects() {
    let cache = cache();
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, None), Source::Watch);
    cache.store(2, object("s", "S", 12, Some("P")), Source::Watch);
    let mut other = description(&["S"], &[]);
    other.related = vec![WatchedKind::reduced(kind("C"), &[])];
    let roles = Roles::of(&other, cache.watches()).expect("watched kinds");
    let seen = cache.view(&p, &roles).expect("a view");
    assert!(seen.owned[0].starts_with('s') && seen.related[0].starts_with('c'));
    assert_eq!((seen.owned.len(), seen.related.len()), (1, 1));
    assert_eq!(cache.store(1, object("c", "C", 21, None), Source::Watch), [], "no reconciler reads it yet");
    cache.add_roles(&roles);
    assert_eq!(cache.store(1, object("c", "C", 31, None), Source::Watch)[0], p);
}

#[test]
fn a_kind_with_too_much_text_is_left_out_and_named() {
    let cache = Cache { max_bytes: 100, ..cache() };
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let sized =
        |name: &str, bytes: usize| Stored { text: "x".repeat(bytes).into(), ..object(name, name, 9, None) };
    cache.store(2, sized("a", 60), Source::Watch);
    cache.store(2, sized("b", 40), Source::Watch);
    let view = seen(&cache, &p).expect("a view");
    assert_eq!((view.related.len(), view.omitted.len()), (2, 0));
    let own = Stored { controller: Some("P".into()), ..sized("own", 80) };
    cache.store(2, own, Source::Watch);
    assert_eq!(seen(&cache, &p).expect("a view").omitted, [], "children do not count");
    cache.store(2, sized("c", 1), Source::Watch);
    let view = seen(&cache, &p).expect("a view");
    assert_eq!((view.related.len(), view.omitted), (0, vec![kind("S")]));
    assert_eq!(view.owned.len(), 1);
}

#[test]
fn security_children_beyond_the_bound_are_left_out_and_their_kind_is_named() {
    let cache = Cache { max_bytes: 100, ..cache() };
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let child = |name: &str, bytes: usize| Stored {
        text: "x".repeat(bytes).into(),
        ..object(name, name, 9, Some("P"))
    };
    cache.store(1, child("a", 60), Source::Watch);
    cache.store(2, child("b", 40), Source::Watch);
    let view = seen(&cache, &p).expect("a view");
    assert_eq!((view.owned.len(), view.omitted), (2, vec![]));
    // Anybody may make objects whose owner reference names the primary.
    cache.store(1, child("c", 1), Source::Watch);
    let view = seen(&cache, &p).expect("a view");
    assert_eq!((view.owned.len(), view.omitted), (1, vec![kind("C")]), "the kind with most text");
    cache.store(2, child("d", 61), Source::Watch);
    let view = seen(&cache, &p).expect("a view");
    assert_eq!((view.owned.len(), view.omitted), (2, vec![kind("S")]));
}

#[test]
fn strays_of_the_namespace_are_shown_once() {
    let cache = cache();
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let stray = |kind: KindIndex, name: &str, revision: u64| {
        let stray = Stored { is_stray: true, ..object(name, name, revision, None) };
        cache.store(kind, stray, Source::Watch)
    };
    stray(1, "c", 11);
    stray(2, "s", 11);
    cache.store(1, Stored { is_stray: true, ..elsewhere("d", "D", None) }, Source::Watch);
    cache.store(1, object("e", "E", 11, None), Source::Watch);
    let related = || {
        let names: Vec<String> =
            seen(&cache, &p).expect("a view").related.iter().map(|text| text[..1].to_owned()).collect();
        names
    };
    assert_eq!(related(), ["s", "c"], "what is related is shown anyway");
    cache.store(1, object("c", "c", 21, Some("P")), Source::Write);
    assert_eq!(related(), ["s"], "it has a controller again");
    stray(1, "c", 31);
    cache.mark_deleted("c");
    assert_eq!(related(), ["s"], "it was deleted");
}

#[test]
fn a_primary_that_needs_a_name_learns_of_every_change_of_the_object_that_has_it() {
    let cache = cache();
    let (p, name) = (Key::new("n", "p"), Key::new("n", "c"));
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, None), Source::Watch);
    assert_eq!(cache.store(1, object("c", "C", 12, None), Source::Watch), []);
    for revision in [13, 14] {
        cache.await_change(1, name.clone(), &p);
        // What the cache keeps of it looks as before.
        let concerned = cache.store(1, object("c", "C", revision, None), Source::Watch);
        assert_eq!(concerned, vec![p.clone()]);
    }
    assert_eq!(cache.store(1, object("c", "C", 15, None), Source::Watch), [], "until it asks again");
    cache.await_change(1, name, &p);
    assert_eq!(cache.remove(1, &object("c", "C", 16, None)), [p]);
}

#[test]
fn an_absent_kind_is_named_and_has_no_objects() {
    let mut optional = description(&[], &[]);
    optional.owned = vec![WatchedKind::whole(kind("C")).or_absent()];
    let cache = cache_for(&optional);
    let roles = Roles::of(&optional, cache.watches()).expect("roles");
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
    assert!(cache.mark_absent(&all(1)) && !cache.mark_absent(&all(1)));
    let view = cache.view(&p, &roles).expect("a view");
    assert_eq!((view.owned.len(), view.absent), (0, vec![kind("C")]));
    assert!(cache.mark_present(&all(1)) && !cache.mark_present(&all(1)));
    assert_eq!(cache.view(&p, &roles).expect("a view").absent, []);
}

#[test]
fn the_cache_has_caught_up_when_it_has_the_listed_states_and_no_others() {
    let cache = cache();
    let listed = |names: &[(&str, u64)], revision: &str| {
        let objects = names.iter().map(|(name, revision)| (Key::new("n", name), (*name).into(), *revision));
        Listed::new(revision, objects)
    };
    cache.store(1, object("a", "a", 10, None), Source::Watch);
    assert!(cache.has_caught_up(&all(1), &listed(&[("a", 10)], "10")));
    assert!(!cache.has_caught_up(&all(1), &listed(&[("a", 11)], "11")), "a newer state");
    assert!(!cache.has_caught_up(&all(1), &listed(&[("a", 10), ("b", 12)], "12")), "a new object");
    assert!(!cache.has_caught_up(&all(1), &listed(&[], "13")), "a deletion");
    cache.store(1, object("b", "b", 20, None), Source::Write);
    assert!(cache.has_caught_up(&all(1), &listed(&[("a", 10)], "15")), "one that was made after the list");
    cache.remove(1, &object("a", "a", 21, None));
    assert!(cache.has_caught_up(&all(1), &listed(&[("a", 10)], "15")), "one that was deleted after the list");
}

/// How many objects with long annotations there are in a namespace.
const CROWD: usize = 400;
/// Length of the annotations of each; the API server takes 256 KiB.
const ANNOTATION_BYTES: usize = 250_000;
/// What the cache may hold of each object that no primary controls, beside what the guest reads.
const IDENTITY_BYTES: usize = 512;

#[test]
fn security_long_annotations_of_others_are_not_held_in_memory() {
    let secret = || Kind::namespaced("v1", "Secret", "secrets");
    let service = || Kind::namespaced("v1", "Service", "services");
    // As with OrasCaches: Secrets are owned and read, Services are owned only.
    let mut described = description(&[], &[]);
    described.owned = vec![WatchedKind::whole(secret()), WatchedKind::whole(service())];
    described.related = vec![WatchedKind::reduced(secret(), &[])];
    let cache = cache_for(&described);
    let long = "x".repeat(ANNOTATION_BYTES);
    for kind in [1, 2] {
        for number in 0..CROWD {
            let object = json!({"metadata": {
                "name": format!("s{number}"), "namespace": "n", "uid": format!("{kind}-{number}"),
                "resourceVersion": "1", "annotations": {"a": long},
            }});
            let decoded: Decoded = serde_json::from_value(object).expect("any JSON");
            cache.store(kind, cache.decode(kind, decoded).expect("it has an identity"), Source::Watch);
        }
    }
    let held = cache.bytes_held();
    assert!(held > 0 && held < 2 * CROWD * IDENTITY_BYTES, "{held} bytes");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let roles = Roles::of(&described, cache.watches()).expect("roles");
    let view = cache.view(&Key::new("n", "p"), &roles).expect("a view");
    assert_eq!((view.related.len(), view.omitted), (CROWD, vec![]));
}

#[test]
fn an_event_of_an_own_write_concerns_the_primary_only_when_the_answer_does_not_have_it() {
    let p = Key::new("n", "p");
    // Revisions that the watch reports before the write ends, and that of the answer.
    let cases: [(&[u64], Option<u64>, bool); 6] = [
        (&[], Some(20), false),
        (&[20], Some(20), false),
        (&[20], None, true),
        (&[20], Some(30), true),
        (&[30], Some(20), true),
        (&[20, 30], Some(30), true),
    ];
    for (events, answer, is_due) in cases {
        let cache = cache();
        cache.store(0, object("p", "P", 10, None), Source::Watch);
        let own = cache.begin_write(0, &p, &p);
        for event in events {
            assert_eq!(cache.store(0, object("p", "P", *event, None), Source::Watch), []);
        }
        if let Some(answer) = answer {
            cache.store(0, object("p", "P", answer, None), Source::Write);
        }
        assert_eq!(own.end(), is_due, "events {events:?}, answer {answer:?}");
        let later = object("p", "P", 90, None);
        assert_eq!(cache.store(0, later, Source::Watch), std::slice::from_ref(&p), "the write has ended");
    }
}

#[test]
fn an_event_that_comes_after_the_answer_and_before_the_end_of_an_own_write_is_not_lost() {
    let (cache, p) = (cache(), Key::new("n", "p"));
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let own = cache.begin_write(0, &p, &p);
    cache.store(0, object("p", "P", 20, None), Source::Write);
    assert_eq!(cache.store(0, object("p", "P", 20, None), Source::Watch), []);
    assert_eq!(cache.store(0, object("p", "P", 30, None), Source::Watch), []);
    assert!(own.end());
}

#[test]
fn an_own_write_hides_events_from_the_primary_that_wrote_and_from_no_other() {
    let (cache, p, q) = (cache(), Key::new("n", "p"), Key::new("n", "q"));
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(0, object("q", "Q", 11, None), Source::Watch);
    let own = cache.begin_write(2, &Key::new("n", "s"), &p);
    assert_eq!(cache.store(2, object("s", "S", 20, None), Source::Watch), std::slice::from_ref(&q));
    drop(own);
    assert_eq!(cache.store(2, object("s", "S", 30, None), Source::Watch), [p, q]);
}
