//! What the watch says while a write is under way.

use super::cache;
use crate::cache::Source;
use crate::object::Key;
use crate::testing::object;
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
