//! What a reconciler is shown about a primary.

use super::{cache, elsewhere, seen, texts};
use crate::cache::{Cache, Source};
use crate::object::{Key, Stored};
use crate::roles::Roles;
use crate::testing::{description, kind, object};
use crate::watches::KindIndex;
use orascache_contract::WatchedKind;
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
    let shown = texts(&cache, &p, &roles);
    assert!(shown.owned[0].starts_with('s') && shown.related[0].starts_with('c'));
    assert_eq!((shown.owned.len(), shown.related.len()), (1, 1));
    assert_eq!(cache.store(1, object("c", "C", 21, None), Source::Watch), [], "no reconciler reads it yet");
    cache.add_roles(&roles);
    assert_eq!(cache.store(1, object("c", "C", 31, None), Source::Watch)[0], p);
}

#[test]
fn a_kind_with_too_much_text_is_left_out_and_named() {
    let cache = Cache { max_bytes: 100, ..cache() };
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let sized = |name: &str, bytes: usize| Stored {
        compressed: "x".repeat(bytes).as_str().into(),
        ..object(name, name, 9, None)
    };
    cache.store(2, sized("a", 60), Source::Watch);
    cache.store(2, sized("b", 40), Source::Watch);
    let shown = seen(&cache, &p);
    assert_eq!((shown.related.len(), shown.omitted.len()), (2, 0));
    let own = Stored { controller: Some("P".into()), ..sized("own", 80) };
    cache.store(2, own, Source::Watch);
    assert_eq!(seen(&cache, &p).omitted, [], "children do not count");
    cache.store(2, sized("c", 1), Source::Watch);
    let shown = seen(&cache, &p);
    assert_eq!((shown.related.len(), shown.omitted), (0, vec![kind("S")]));
    assert_eq!(shown.owned.len(), 1);
}

#[test]
fn security_children_beyond_the_bound_are_left_out_and_their_kind_is_named() {
    let cache = Cache { max_bytes: 100, ..cache() };
    let p = Key::new("n", "p");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let child = |name: &str, bytes: usize| Stored {
        compressed: "x".repeat(bytes).as_str().into(),
        ..object(name, name, 9, Some("P"))
    };
    cache.store(1, child("a", 60), Source::Watch);
    cache.store(2, child("b", 40), Source::Watch);
    let shown = seen(&cache, &p);
    assert_eq!((shown.owned.len(), shown.omitted), (2, vec![]));
    // Anybody may make objects whose owner reference names the primary.
    cache.store(1, child("c", 1), Source::Watch);
    let shown = seen(&cache, &p);
    assert_eq!((shown.owned.len(), shown.omitted), (1, vec![kind("C")]), "the kind with most text");
    cache.store(2, child("d", 61), Source::Watch);
    let shown = seen(&cache, &p);
    assert_eq!((shown.owned.len(), shown.omitted), (2, vec![kind("S")]));
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
        let names: Vec<String> = seen(&cache, &p).related.iter().map(|text| text[..1].to_owned()).collect();
        names
    };
    assert_eq!(related(), ["s", "c"], "what is related is shown anyway");
    cache.store(1, object("c", "c", 21, Some("P")), Source::Write);
    assert_eq!(related(), ["s"], "it has a controller again");
    stray(1, "c", 31);
    cache.mark_deleted("c");
    assert_eq!(related(), ["s"], "it was deleted");
}
