//! Properties of the decision, and examples.

use super::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const NOW: u64 = 1_000_000;

fn digest(n: u8) -> String {
    format!("sha256:{n:064x}")
}

fn contents(tags: &[(&str, u8, u64)], manifests: &[(u8, &[u8], Option<u8>)]) -> Contents {
    let tags =
        tags.iter().map(|(name, of, since)| ((*name).to_owned(), Tag { digest: digest(*of), since: *since }));
    let manifests = manifests.iter().map(|(of, children, subject)| {
        let children = children.iter().map(|child| digest(*child)).collect();
        (digest(*of), Named { children, subject: subject.map(digest), ..Named::default() })
    });
    Contents { tags: tags.collect(), manifests: manifests.collect(), ..Contents::default() }
}

fn rules(keep_tags: Option<usize>, max_age: Option<u64>, patterns: &[&str]) -> Rules {
    Rules { keep_tags, max_age, min_age: 0, patterns: patterns.iter().map(|one| (*one).to_owned()).collect() }
}

/// The manifests that go, by number.
fn gone(plan: &Plan) -> Vec<u8> {
    let number = |doomed: &Doomed| u8::from_str_radix(&doomed.digest[doomed.digest.len() - 2..], 16).unwrap();
    plan.manifests.iter().map(number).collect()
}

#[test]
fn a_tag_is_kept_if_one_rule_keeps_it() {
    let all = contents(
        &[("run-9", 9, 100), ("run-10", 10, 100), ("run-11", 11, 200), ("release", 1, 0)],
        &[(1, &[], None), (9, &[], None), (10, &[], None), (11, &[], None)],
    );
    let decide = |keep, age, patterns: &[&str]| {
        let mut gone = gone(&plan(&all, &rules(keep, age, patterns), 300));
        gone.sort_unstable();
        gone
    };
    assert_eq!(decide(Some(1), None, &[]), [1, 9, 10]);
    assert_eq!(decide(Some(2), None, &[]), [1, 9], "of one age, the higher number is the newer one");
    assert_eq!(decide(None, Some(150), &[]), [1, 9, 10]);
    assert_eq!(decide(None, Some(201), &[]), [1]);
    assert_eq!(decide(Some(3), Some(1), &[]), [1]);
    assert_eq!(decide(Some(1), None, &["run-*"]), [9, 10]);
    let young = Rules { min_age: 201, ..rules(Some(1), None, &[]) };
    assert_eq!(gone(&plan(&all, &young, 300)), [1]);
}

#[test]
fn a_manifest_that_lost_its_tag_goes_by_its_age() {
    let mut all = contents(&[("latest", 1, 90)], &[(1, &[], None), (2, &[3], None), (3, &[], None)]);
    all.former.insert(("latest".to_owned(), digest(2)), 50);
    let decide = |keep, age, patterns: &[&str]| gone(&plan(&all, &rules(keep, age, patterns), 100));
    assert_eq!(decide(None, Some(60), &[]), [0_u8; 0]);
    assert_eq!(decide(None, Some(40), &[]), [2, 3]);
    assert_eq!(decide(Some(5), None, &[]), [2, 3], "a number of tags does not keep what has none");
    assert_eq!(decide(None, Some(40), &["run-*"]), [0_u8; 0], "its tag was none of these");
    let hour = Rules { min_age: 60, ..rules(Some(5), None, &[]) };
    assert_eq!(gone(&plan(&all, &hour, 100)), [0_u8; 0]);
}

#[test]
fn a_manifest_that_somebody_has_just_named_stays_with_its_tags() {
    let mut all = contents(&[("a", 1, 0), ("b", 2, 0)], &[(1, &[3], None), (2, &[], None), (3, &[], None)]);
    all.pinned.insert(digest(1));
    let decided = plan(&all, &rules(None, Some(1), &[]), 100);
    assert_eq!((gone(&decided), decided.shared), (vec![2], Vec::<String>::new()));
}

#[test]
fn the_oldest_go_first() {
    let tags = [("a", 1, 30), ("b", 2, 10), ("c", 3, 20)];
    let all = contents(&tags, &[(0, &[], None), (1, &[0], None), (2, &[], None), (3, &[0], None)]);
    assert_eq!(gone(&plan(&all, &rules(None, Some(1), &[]), 100)), [2, 3, 1, 0]);
}

#[test]
fn keys_age_like_tags_and_keep_what_they_name() {
    let key = |n: u8| format!("key-{n:064x}");
    let (one, two) = (key(1), key(2));
    let all = contents(
        &[("run-1", 1, 0), ("run-2", 2, 50), (&one, 1, 90), (&two, 2, 0)],
        &[(1, &[], None), (2, &[], None)],
    );
    // The last key and the last tag name different manifests.
    let decided = plan(&all, &rules(Some(1), None, &[]), 100);
    assert_eq!((gone(&decided), decided.shared), (vec![], vec![two.clone(), "run-1".to_owned()]));
    let decided = plan(&all, &rules(None, Some(20), &["none-*"]), 100);
    assert_eq!((gone(&decided), decided.shared), (vec![], vec![two.clone()]), "patterns are not for keys");
    let decided = plan(&all, &rules(None, Some(20), &[]), 100);
    assert_eq!(gone(&decided), [2]);
    assert_eq!(decided.manifests[0].tags, [two, "run-2".to_owned()]);
}

#[test]
fn an_index_goes_with_the_manifests_that_only_it_names() {
    let manifests: &[(u8, &[u8], Option<u8>)] =
        &[(1, &[2, 3], None), (2, &[], None), (3, &[], None), (4, &[3], None)];
    let all = contents(&[("old", 1, 0), ("new", 4, 90)], manifests);
    assert_eq!(gone(&plan(&all, &rules(Some(1), None, &[]), 100)), [1, 2], "the index comes first");
}

#[test]
fn referrers_stay_and_go_with_their_subject() {
    let fallback = format!("sha256-{:064x}", 1);
    let signature = format!("{fallback}.sig");
    let manifests: &[(u8, &[u8], Option<u8>)] =
        &[(1, &[], None), (2, &[], Some(1)), (3, &[2], None), (4, &[], None), (5, &[], None)];
    let tags = [("a", 1, 0), (fallback.as_str(), 3, 0), (signature.as_str(), 4, 0), ("b", 5, 90)];
    let all = contents(&tags, manifests);
    assert_eq!(gone(&plan(&all, &rules(Some(2), None, &[]), 100)), [0_u8; 0]);
    let mut all_gone = gone(&plan(&all, &rules(Some(1), None, &[]), 100));
    all_gone.sort_unstable();
    assert_eq!(all_gone, [1, 2, 3, 4]);
    // A kept tag of a referrer keeps the subject.
    let tags = [("a", 1, 0), ("note", 2, 90)];
    let mut all_gone = gone(&plan(&contents(&tags, manifests), &rules(Some(1), None, &[]), 100));
    all_gone.sort_unstable();
    assert_eq!(all_gone, [3, 4, 5]);
    // The list of an unknown subject is nobody's business.
    let tags = [(fallback.as_str(), 3, 0)];
    let unknown = contents(&tags, &[(2, &[], Some(1)), (3, &[2], None)]);
    assert_eq!(gone(&plan(&unknown, &rules(None, Some(1), &[]), 100)), [0_u8; 0]);
}

#[test]
fn tags_that_stand_for_referrers_are_told_from_others() {
    let digits = "a".repeat(64);
    let subject = Some(format!("sha256:{digits}"));
    assert_eq!(subject_of_tag(&format!("sha256-{digits}")), subject);
    assert_eq!(subject_of_tag(&format!("sha256-{digits}.att")), subject);
    for tag in ["sha256-1", "latest", &format!("sha256-{digits}0"), &format!("sha256-{}", "A".repeat(64))] {
        assert_eq!(subject_of_tag(tag), None, "{tag}");
    }
}

#[test]
fn numbers_in_names_count_as_numbers() {
    let mut names = ["run-10", "run-9", "run-09", "a", "run-9-b", "run-", "run-9-a10", "run-9-a9"];
    names.sort_by(|a, b| natural_order(a, b));
    assert_eq!(names, ["a", "run-", "run-9", "run-09", "run-9-a9", "run-9-a10", "run-9-b", "run-10"]);
}

fn some_contents() -> impl Strategy<Value = Contents> {
    let name = prop_oneof![
        "run-[0-9]{1,2}",
        "[ab]{1,2}",
        (0_u8..6).prop_map(|n| format!("key-{n:064x}")),
        (0_u8..8).prop_map(|n| format!("sha256-{n:064x}")),
    ];
    let tag = (0_u8..10, NOW - 50..=NOW + 10).prop_map(|(of, since)| Tag { digest: digest(of), since });
    // A manifest names only manifests with a lower number, as digests cannot form a circle.
    let named = (vec(0_u8..10, 0..3), prop::option::of(0_u8..10));
    let pinned = vec((0_u8..10).prop_map(digest), 0..2);
    let former = btree_map(("run-[0-9]|a", (0_u8..10).prop_map(digest)), NOW - 50..=NOW, 0..3);
    let parts = (btree_map(name, tag, 0..14), btree_map(0_u8..10, named, 0..10), pinned, former);
    parts.prop_map(|(tags, manifests, pinned, former)| {
        let manifests = manifests.into_iter().map(|(of, (children, subject))| {
            let lower = |n: &u8| *n < of;
            let children = children.into_iter().filter(lower).map(digest).collect();
            (digest(of), Named { children, subject: subject.filter(lower).map(digest), ..Named::default() })
        });
        Contents { tags, manifests: manifests.collect(), pinned: pinned.into_iter().collect(), former }
    })
}

fn some_rules() -> impl Strategy<Value = Rules> {
    let patterns = prop_oneof![Just(Vec::new()), Just(vec!["run-*".to_owned()])];
    let rules = (prop::option::of(1_usize..5), prop::option::of(1_u64..60), 0_u64..10, patterns);
    rules.prop_map(|(keep_tags, max_age, min_age, patterns)| Rules { keep_tags, max_age, min_age, patterns })
}

/// Tags that a rule keeps by its words, one tag at a time.
fn is_protected(contents: &Contents, rules: &Rules, name: &str, tag: &Tag) -> bool {
    if subject_of_tag(name).is_some() {
        return false;
    }
    let counts = |name: &str| {
        let is_wanted = |one: &String| matches(one, name);
        is_key_tag(name) || rules.patterns.is_empty() || rules.patterns.iter().any(is_wanted)
    };
    let newer = contents.tags.iter().filter(|(other, theirs)| {
        is_key_tag(other) == is_key_tag(name)
            && subject_of_tag(other).is_none()
            && counts(other)
            && (theirs.since, natural_order(other, name)) > (tag.since, Ordering::Equal)
    });
    !counts(name)
        || rules.keep_tags.is_some_and(|keep| newer.count() < keep)
        || rules.max_age.is_some_and(|age| tag.since + age > NOW)
        || tag.since + rules.min_age > NOW
}

/// What is kept, by going through everything until nothing is added.
fn kept_slowly(contents: &Contents, rules: &Rules) -> BTreeSet<String> {
    let mut kept = contents.pinned.clone();
    for ((tag, digest), since) in &contents.former {
        let is_chosen = rules.patterns.is_empty() || rules.patterns.iter().any(|one| matches(one, tag));
        if !is_chosen || since + rules.max_age.unwrap_or(0) > NOW || since + rules.min_age > NOW {
            kept.insert(digest.clone());
        }
    }
    loop {
        let before = kept.len();
        for (name, tag) in &contents.tags {
            let of_subject = subject_of_tag(name)
                .is_some_and(|subject| kept.contains(&subject) || !contents.manifests.contains_key(&subject));
            if of_subject || is_protected(contents, rules, name, tag) {
                kept.insert(tag.digest.clone());
            }
        }
        for (digest, named) in &contents.manifests {
            if kept.contains(digest) {
                kept.extend(named.children.iter().cloned());
                kept.extend(named.subject.clone());
            }
            if named.subject.as_ref().is_some_and(|subject| kept.contains(subject)) {
                kept.insert(digest.clone());
            }
        }
        if kept.len() == before {
            return kept;
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_is_kept_is_ever_deleted(contents in some_contents(), rules in some_rules()) {
        let decided = plan(&contents, &rules, NOW);
        let kept = kept_slowly(&contents, &rules);
        for doomed in &decided.manifests {
            prop_assert!(!kept.contains(&doomed.digest), "{} is kept", doomed.digest);
            for tag in &doomed.tags {
                prop_assert!(!is_protected(&contents, &rules, tag, &contents.tags[tag]), "{tag} is kept");
            }
        }
        for tag in &decided.shared {
            prop_assert!(!is_protected(&contents, &rules, tag, &contents.tags[tag]), "{tag} is kept");
        }
    }

    #[test]
    fn everything_else_that_is_known_is_deleted_once(contents in some_contents(), rules in some_rules()) {
        let decided = plan(&contents, &rules, NOW);
        let kept = kept_slowly(&contents, &rules);
        let mut wanted: Vec<&String> =
            contents.manifests.keys().filter(|digest| !kept.contains(*digest)).collect();
        let mut found: Vec<&String> = decided.manifests.iter().map(|doomed| &doomed.digest).collect();
        found.sort();
        wanted.sort();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn no_manifest_goes_after_one_that_it_names(contents in some_contents(), rules in some_rules()) {
        let decided = plan(&contents, &rules, NOW);
        for (place, doomed) in decided.manifests.iter().enumerate() {
            let named = &contents.manifests[&doomed.digest];
            for before in &decided.manifests[..place] {
                prop_assert!(!named.children.contains(&before.digest));
                prop_assert_ne!(named.subject.as_ref(), Some(&before.digest));
            }
        }
    }
}
