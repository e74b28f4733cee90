//! Security: a review costs what a linear scan costs, in every place where users write lists. A
//! tenant could otherwise stall admission for everybody.
//!
//! Costs are counted in visited members and items, and not by a clock.

use super::largest_reviews::{CACHE, largest, places};
use super::review;
use crate::json::steps;
use orascache_contract::Context;

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
    for (place, review_with) in places() {
        let (once, twice) = (steps_of(&review_with(1000)), steps_of(&review_with(2000)));
        assert!(2 * twice <= 5 * once, "{place}: {once} steps for 1000, and {twice} for 2000");
    }
}

#[test]
fn the_largest_object_costs_what_a_linear_scan_costs() {
    for (place, text) in largest() {
        let steps = steps_of(&text);
        assert!(steps <= MAX_STEPS_PER_BYTE * text.len(), "{place}: {steps} steps for {} bytes", text.len());
    }
}
