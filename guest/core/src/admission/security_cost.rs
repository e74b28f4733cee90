//! Security: a review costs what a linear scan costs, in every place where users write lists. A
//! tenant could otherwise stall admission for everybody.
//!
//! Costs are counted in visited members and items, and not by a clock.

use super::largest_reviews::{CACHE, largest, largest_reviewed, places};
use super::review;
use crate::json::steps;
use orascache_contract::{Context, Outcome};

/// Steps for each byte of an object. An item has at least eight bytes, and is looked at a few dozen
/// times at most.
const MAX_STEPS_PER_BYTE: usize = 5;

fn steps_of(review_text: &str) -> usize {
    let context = Context { objects: vec![CACHE], complete: true, ..Context::default() };
    steps::of(|| {
        review(review_text, &context).expect("a review");
    })
}

#[test]
fn twice_the_items_cost_twice_the_steps() {
    // Values are counted of long texts only. So both texts are long.
    let space = " ".repeat(2 * super::size::MAX_VALUES);
    for (place, review_with) in places() {
        let steps = |items| steps_of(&(review_with(items) + &space));
        let (once, twice) = (steps(1000), steps(2000));
        assert!(2 * twice <= 5 * once, "{place}: {once} steps for 1000, and {twice} for 2000");
    }
}

#[test]
fn the_largest_object_costs_what_a_linear_scan_costs() {
    for (place, text) in largest().chain(largest_reviewed()) {
        let steps = steps_of(&text);
        assert!(steps <= MAX_STEPS_PER_BYTE * text.len(), "{place}: {steps} steps for {} bytes", text.len());
    }
}

/// Refusals that are about the number of values.
fn is_too_large(review_text: &str) -> bool {
    let context = Context { objects: vec![CACHE], complete: true, ..Context::default() };
    let Ok(Outcome::Decided(response)) = review(review_text, &context) else { return false };
    response.refusal().is_some_and(|refusal| refusal.message.contains("fields and items"))
}

#[test]
fn an_object_is_reviewed_up_to_the_limit_and_refused_for_its_size_beyond() {
    for (place, text) in largest_reviewed() {
        assert!(!is_too_large(&text), "{place}");
    }
    for place in ["containers", "variables that count for reuse", "tolerations of a cache", "updated proxies"]
    {
        let text = largest().find(|(name, _)| *name == place).map(|(_, text)| text).expect("a place");
        assert!(is_too_large(&text), "{place}");
    }
}

#[test]
fn a_finalizer_of_a_pod_that_is_too_large_can_be_removed() {
    let containers = vec![r#"{"name":"c"}"#; 40_000].join(",");
    let pod = |finalizers: &str| {
        format!(
            r#"{{"metadata":{{"annotations":{{"cache.converged-computing.github.io/injected":"v1"}},"finalizers":[{finalizers}]}},"spec":{{"containers":[{{"name":"main","command":["/orascache/orascache-agent","exec","--","sh"]}},{containers}]}}}}"#
        )
    };
    let text = format!(
        r#"{{"request":{{"uid":"u","operation":"UPDATE","namespace":"lab","kind":{{"group":"","kind":"Pod"}},"object":{},"oldObject":{}}}}}"#,
        pod(""),
        pod(r#""example.com/f""#)
    );
    let Ok(Outcome::Decided(response)) = review(&text, &Context::<String>::default()) else {
        panic!("an update needs nothing more")
    };
    assert!(response.refusal().is_none());
}
