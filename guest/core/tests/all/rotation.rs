//! Generated accounts that are replaced: which change comes when, and that no account that a mount
//! may still show is refused.

use crate::rotating::{DAY, LATE, MOUNT, request, steps, visible};
use crate::world::{NOW, World, is_settled};
use orascache_contract::time::rfc3339;
use orascache_contract::{Plan, Recipe, Rotation, RotationStep};
use proptest::prelude::*;
use serde_json::{Value, json};

const ACCOUNT: &str = "Secret/demo-account";

fn settled(auth: Value) -> World {
    let mut world = World::new(json!({ "auth": auth }));
    world.settle();
    world
}

fn username(rotation: &Rotation) -> String {
    match &rotation.recipe {
        Recipe::Credentials(credentials) => credentials.accounts[0].username.clone(),
        other => panic!("{other:?}"),
    }
}

/// The user whose name a change writes into the Secret.
fn used(rotation: &Rotation) -> Option<String> {
    use base64::Engine;
    let secret: Value = serde_json::from_str(&rotation.secret).unwrap();
    let user = secret["data"]["ORAS_USER"].as_str()?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(user).unwrap();
    Some(String::from_utf8(bytes).unwrap())
}

#[test]
fn an_account_gets_as_old_as_the_spec_says_and_is_replaced_in_three_changes() {
    let mut world = settled(json!({"rotateAfter": "90d"}));
    let plan = world.plan();
    assert_eq!((steps(&plan), plan.requeue_after), (vec![], Some(7_776_000)));
    world.now += 90 * DAY - 1;
    assert_eq!(world.plan().requeue_after, Some(1));

    world.now += 1;
    let staged = world.plan();
    assert_eq!((steps(&staged), staged.requeue_after), (vec![RotationStep::Stage], Some(600)));
    let name = username(&staged.rotate[0]);
    assert_eq!(name, format!("orascache-{}", NOW + 90 * DAY));
    assert_eq!(staged.rotate[0].joined, ["htpasswd"]);
    assert_eq!(used(&staged.rotate[0]), None, "steps go on with the former account");
    assert!(staged.events[0].note.contains("demo-account"), "{:?}", staged.events);
    world.execute(&staged);
    assert!(is_settled(&world.plan()), "the same plan again makes no other account");

    world.now += MOUNT - 1;
    assert_eq!((steps(&world.plan()), world.plan().requeue_after), (vec![], Some(1)));
    world.now += 1;
    let switched = world.plan();
    assert_eq!(steps(&switched), [RotationStep::Switch]);
    assert_eq!((username(&switched.rotate[0]), used(&switched.rotate[0])), (name.clone(), Some(name)));
    world.execute(&switched);
    assert!(is_settled(&world.plan()));

    world.now += MOUNT;
    let finished = world.plan();
    assert_eq!(steps(&finished), [RotationStep::Finish]);
    assert!(finished.events[0].note.contains("removed"), "{:?}", finished.events);
    world.execute(&finished);
    assert_eq!(world.plan().requeue_after, Some(7_776_000), "the new account gets as old");
}

#[test]
fn another_value_of_the_annotation_replaces_the_account_once() {
    let mut world = settled(json!({}));
    assert_eq!(world.plan().requeue_after, None, "accounts are replaced for no other reason");
    request(&mut world, "2026-11-30");
    let staged = world.plan();
    assert_eq!(steps(&staged), [RotationStep::Stage]);
    world.execute(&staged);
    for _ in 0..3 {
        world.now += MOUNT;
        let plan = world.plan();
        world.execute(&plan);
    }
    world.now += 100 * DAY;
    assert!(world.plan().is_empty());
    request(&mut world, "again");
    assert_eq!(steps(&world.plan()), [RotationStep::Stage]);
    // Somebody who removes it asks for nothing.
    world.cache["metadata"]["annotations"] = json!({});
    assert!(world.plan().is_empty());
}

#[test]
fn a_cache_that_begins_with_the_annotation_has_a_new_account_already() {
    let mut world = World::new(json!({"auth": {}}));
    request(&mut world, "1");
    world.settle();
    assert!(world.plan().is_empty());
}

#[test]
fn nothing_is_replaced_of_others_while_the_cache_is_suspended_and_with_zot() {
    for spec in [
        json!({"auth": {"htpasswdSecret": "demo-account"}}),
        json!({"auth": {}, "suspend": true}),
        json!({"auth": {}, "image": "zot:2"}),
        json!({"auth": {}, "deploy": false}),
    ] {
        let mut world = settled(json!({}));
        world.edit(|live| *live = spec.clone());
        request(&mut world, "1");
        assert_eq!(world.plan().rotate, [], "{spec}");
    }
}

#[test]
fn an_account_of_unknown_age_and_annotations_that_say_nothing_are_no_reason_to_panic() {
    let mut world = settled(json!({"rotateAfter": "1h"}));
    world.now += 2 * 60 * 60;
    let annotate = |world: &mut World, phase: &str, time: &str| {
        world.children.get_mut(ACCOUNT).unwrap()["metadata"]["annotations"] = json!({
            "cache.converged-computing.github.io/rotation-phase": phase,
            "cache.converged-computing.github.io/rotation-time": time,
        });
        steps(&world.plan())
    };
    // The rotation begins anew: what the registry accepts only grows by that.
    assert_eq!(annotate(&mut world, "staged", "yesterday"), [RotationStep::Stage]);
    assert_eq!(annotate(&mut world, "unknown", "2026-11-30T03:00:00Z"), [RotationStep::Stage]);
    let now = world.now;
    assert_eq!(annotate(&mut world, "staged", &rfc3339(now + DAY)), [], "a clock that is ahead");
    world.children.get_mut(ACCOUNT).unwrap()["metadata"]["creationTimestamp"] = json!(null);
    assert_eq!(annotate(&mut world, "", ""), []);
}

#[test]
fn a_rotation_that_began_ends_also_when_nobody_wants_it_any_more() {
    let mut world = settled(json!({"rotateAfter": "1h"}));
    world.now += 60 * 60;
    let staged = world.plan();
    world.execute(&staged);
    world.edit(|spec| spec["auth"] = json!({}));
    for step in [RotationStep::Switch, RotationStep::Finish] {
        world.now += MOUNT;
        let plan = world.plan();
        assert_eq!(steps(&plan), [step]);
        world.execute(&plan);
    }
}

#[test]
fn intervals_that_are_none_are_named() {
    for (auth, says) in [
        (json!({"rotateAfter": "59m"}), "from 1h to 3650d"),
        (json!({"rotateAfter": "soon"}), "\"soon\" must be"),
        (json!({"htpasswdSecret": "mine", "rotateAfter": "90d"}), "remove rotateAfter, or htpasswdSecret"),
    ] {
        let mut world = World::new(json!({ "auth": auth }));
        world.start();
        let message = world.condition("Ready")["message"].clone();
        let message = message.as_str().unwrap_or_default();
        assert!(message.starts_with("spec.auth.rotateAfter: ") && message.contains(says), "{message}");
    }
    let mut world = World::new(json!({"auth": {"rotateAfter": "90d"}, "flavor": "zot"}));
    world.start();
    assert!(world.condition("Ready")["message"].as_str().unwrap_or_default().contains("zot"));
}

/// The values of the Secret from one change to the next one.
#[derive(Clone, Debug)]
struct Content {
    since: u64,
    /// The account that clients use.
    user: String,
    /// The accounts that the registry accepts.
    accepted: Vec<String>,
    staged: Option<String>,
}

/// What a host makes of the Secret.
fn changed(before: &Content, rotation: &Rotation, now: u64) -> Content {
    let mut after = Content { since: now, ..before.clone() };
    match rotation.step {
        RotationStep::Stage => {
            let name = username(rotation);
            after.accepted.push(name.clone());
            after.staged = Some(name);
        }
        RotationStep::Switch => after.user = used(rotation).expect("a user"),
        RotationStep::Finish => after.accepted = vec![after.staged.take().expect("a staged account")],
    }
    after
}

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Happening {
    /// Time passes.
    Wait(u64),
    /// A plan is made and carried out.
    Reconcile,
    /// A plan is made, and is not carried out yet, or never.
    Delay,
    /// The plan that was delayed is carried out, perhaps again.
    Late,
    /// Somebody asks for another account.
    Request(u8),
    /// Somebody edits the spec.
    Interval(bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        3 => prop_oneof![1..50_u64, 1..2_000_u64].prop_map(Happening::Wait),
        4 => Just(Happening::Reconcile),
        1 => Just(Happening::Delay),
        2 => Just(Happening::Late),
        1 => (0_u8..4).prop_map(Happening::Request),
        1 => any::<bool>().prop_map(Happening::Interval),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_account_that_a_mount_may_show_is_accepted_by_every_registry(happenings in happenings()) {
        let mut world = settled(json!({"rotateAfter": "1h"}));
        let first = "orascache".to_owned();
        let mut contents =
            vec![Content { since: 0, user: first.clone(), accepted: vec![first], staged: None }];
        let mut delayed: Option<(u64, Plan)> = None;
        let mut names = Vec::new();
        for happening in happenings {
            let carry_out = |world: &mut World, plan: &Plan, contents: &mut Vec<Content>, names: &mut Vec<String>| {
                for rotation in &plan.rotate {
                    if world.rotate(rotation) {
                        if rotation.step == RotationStep::Stage {
                            names.push(username(rotation));
                        }
                        let after = changed(contents.last().unwrap(), rotation, world.now);
                        contents.push(after);
                    }
                }
            };
            match happening {
                Happening::Wait(seconds) => world.now += seconds,
                Happening::Reconcile => {
                    let plan = world.plan();
                    carry_out(&mut world, &plan, &mut contents, &mut names);
                }
                Happening::Delay => delayed = Some((world.now, world.plan())),
                Happening::Late => {
                    let in_time = delayed.as_ref().filter(|(made, _)| world.now - made <= LATE);
                    if let Some((_, plan)) = in_time {
                        carry_out(&mut world, plan, &mut contents, &mut names);
                    }
                }
                Happening::Request(value) => request(&mut world, &value.to_string()),
                Happening::Interval(is_set) => {
                    let auth = if is_set { json!({"rotateAfter": "1h"}) } else { json!({}) };
                    world.edit(|spec| spec["auth"] = auth);
                }
            }
            let visible = visible(&contents, |content| content.since, world.now);
            for client in &visible {
                for registry in &visible {
                    prop_assert!(registry.accepted.contains(&client.user), "{client:?} at {registry:?}");
                }
            }
        }
        let count = names.len();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), count, "no name is used twice");
        prop_assert!(contents.iter().all(|content| content.accepted.len() <= 2));
    }
}
