//! What lists remove, and kinds that are absent.

use super::{all, cache, cache_for, elsewhere, seen, texts, within};
use crate::cache::{Listed, Source};
use crate::object::Key;
use crate::roles::Roles;
use crate::testing::{description, kind, object};
use orascache_contract::WatchedKind;
#[test]
fn a_relist_removes_what_it_does_not_have_but_not_what_we_wrote_meanwhile() {
    let cache = cache();
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    cache.store(1, object("old", "O", 11, Some("P")), Source::Watch);
    cache.begin_relist(&all(1));
    cache.store(1, object("new", "N", 30, Some("P")), Source::Write);
    assert_eq!(cache.end_relist(&all(1)), [Key::new("n", "p")]);
    let shown = seen(&cache, &Key::new("n", "p"));
    assert_eq!(shown.owned.len(), 1);
    assert!(shown.owned[0].starts_with("new"));
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
    let shown = texts(&cache, &q, &roles);
    assert_eq!((shown.owned.len(), shown.absent), (0, vec![kind("C")]));
    let shown = texts(&cache, &p, &roles);
    assert_eq!((shown.owned.len(), shown.absent), (1, vec![]));
    assert_eq!(cache.primaries_of(&within(1, "other")), [q]);
    assert!(cache.is_absent(&within(1, "other")) && !cache.is_absent(&within(1, "n")));
    let nothing = Listed::new("20", std::iter::empty());
    assert!(!cache.has_caught_up(&within(1, "n"), &nothing), "C is there still");
    assert!(cache.mark_present(&within(1, "other")));
    assert!(cache.has_caught_up(&within(1, "other"), &nothing), "objects elsewhere do not count");
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
    let shown = texts(&cache, &p, &roles);
    assert_eq!((shown.owned.len(), shown.absent), (0, vec![kind("C")]));
    assert!(cache.mark_present(&all(1)) && !cache.mark_present(&all(1)));
    assert_eq!(texts(&cache, &p, &roles).absent, []);
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
