//! Which primaries a change concerns, and which states take the place of others.

use super::{cache, cache_for, elsewhere, seen, texts};
use crate::cache::Source;
use crate::object::{Key, Stored};
use crate::roles::Roles;
use crate::testing::{description, object};
#[test]
fn children_concern_their_controller_and_related_objects_their_namespace() {
    let cache = cache();
    let p = Key::new("n", "p");
    assert_eq!(cache.store(0, object("p", "P", 10, None), Source::Watch), vec![p.clone()]);
    assert_eq!(cache.store(1, object("c", "C", 11, Some("P")), Source::Watch), vec![p.clone()]);
    assert_eq!(cache.store(1, object("d", "D", 12, None), Source::Watch), []);
    assert_eq!(cache.store(2, object("s", "S", 13, None), Source::Watch), vec![p.clone()]);
    let shown = seen(&cache, &p);
    assert_eq!((shown.owned.len(), shown.related.len()), (1, 1));
    let own = object("t", "T", 14, Some("P"));
    cache.store(2, own, Source::Watch);
    let shown = seen(&cache, &p);
    assert_eq!((shown.owned.len(), shown.related.len()), (2, 1));
}

#[test]
fn security_an_object_in_another_namespace_is_never_a_child() {
    let cache = cache();
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    assert_eq!(cache.store(1, elsewhere("c", "C", Some("P")), Source::Watch), []);
    assert!(seen(&cache, &p).owned.is_empty());
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
    assert_eq!(texts(&cache, &p, &roles).owned.len(), 1);
}

#[test]
fn a_child_that_arrives_before_its_owner_is_found() {
    let cache = cache();
    assert_eq!(cache.store(1, object("c", "C", 11, Some("P")), Source::Watch), []);
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    assert_eq!(seen(&cache, &Key::new("n", "p")).owned.len(), 1);
}

#[test]
fn older_states_do_not_replace_newer_ones_and_equal_ones_concern_no_primary() {
    let cache = cache();
    cache.store(0, object("p", "P", 20, None), Source::Write);
    assert_eq!(cache.store(0, object("p", "P", 11, None), Source::Watch), []);
    assert!(seen(&cache, &Key::new("n", "p")).primary.ends_with('2'));
    assert_eq!(cache.store(0, object("p", "P", 25, None), Source::Watch), [], "only the revision changed");
}

#[test]
fn a_late_answer_does_not_bring_back_a_deleted_object() {
    let cache = cache();
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
    cache.remove(1, &object("c", "C", 12, Some("P")));
    cache.store(1, object("c", "C", 11, Some("P")), Source::Write);
    assert!(seen(&cache, &Key::new("n", "p")).owned.is_empty());
    assert!(cache.was_deleted("C"));
    cache.store(1, object("c", "C", 13, Some("P")), Source::Watch);
    assert_eq!(seen(&cache, &Key::new("n", "p")).owned.len(), 1, "its label came back");
}

#[test]
fn our_deletion_hides_the_object_with_that_uid_alone() {
    let cache = cache();
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("c", "C", 11, Some("P")), Source::Watch);
    cache.mark_deleted("C");
    assert!(seen(&cache, &Key::new("n", "p")).owned.is_empty());
    assert_eq!(cache.store(1, object("c", "C", 12, Some("P")), Source::Watch), []);
    cache.store(1, object("c", "C2", 13, Some("P")), Source::Write);
    assert_eq!(cache.remove(1, &object("c", "C", 12, Some("P"))), []);
    assert_eq!(seen(&cache, &Key::new("n", "p")).owned.len(), 1);
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
