//! What the tests of accounts and of certificates that are replaced have in common.

use crate::world::World;
use orascache_contract::{Plan, RotationStep};
use serde_json::json;

const ROTATE: &str = "cache.converged-computing.github.io/rotate";
pub const DAY: u64 = 24 * 60 * 60;
/// How long one change waits for the next one, in seconds.
pub const MOUNT: u64 = 600;
/// How long a plan may take until it is carried out, and how long a mounted Secret may be out of
/// date then.
pub const LATE: u64 = 60;
const OUT_OF_DATE: u64 = MOUNT - LATE;

pub fn request(world: &mut World, value: &str) {
    world.cache["metadata"]["annotations"] = json!({ROTATE: value});
}

pub fn steps(plan: &Plan) -> Vec<RotationStep> {
    plan.rotate.iter().map(|rotation| rotation.step).collect()
}

/// What a client or a registry may see at a time: everything that was the content at some time since
/// the bound. `since` says when a content began, which ends with the next one.
pub fn visible<C>(contents: &[C], since: impl Fn(&C) -> u64, now: u64) -> Vec<&C> {
    let ends = contents.iter().skip(1).map(since).chain([u64::MAX]);
    let shown = contents.iter().zip(ends);
    shown.filter(|(_, end)| *end > now.saturating_sub(OUT_OF_DATE)).map(|(content, _)| content).collect()
}
