//! Generated certificates that are replaced: which change comes when, and that no step meets a
//! registry whose certificate it does not trust.

use crate::rotating::{DAY, LATE, MOUNT, request, steps, visible};
use crate::world::{NOW, World};
use orascache_contract::time::rfc3339;
use orascache_contract::{Plan, Recipe, Rotation, RotationStep};
use proptest::prelude::*;
use serde_json::{Value, json};

const SECRET: &str = "Secret/demo-tls";
const SET: &str = "StatefulSet/demo";
const ANNOTATION: &str = "cache.converged-computing.github.io/certificate";
const EXPIRES: &str = "cache.converged-computing.github.io/certificate-expires";

fn settled(has_storage: bool) -> World {
    let mut spec = json!({"tls": {}});
    if has_storage {
        spec["storage"] = json!({"size": "1Gi"});
    }
    let mut world = World::new(spec);
    world.settle();
    start_pod(&mut world);
    world.settle();
    world
}

/// The registry pod begins now, in the place of the one before.
fn start_pod(world: &mut World) {
    let set = world.children[SET]["metadata"]["uid"].clone();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
    "name": "demo-0", "namespace": "lab", "uid": format!("pod-{}", world.now),
    "ownerReferences": [{"controller": true, "uid": set}]},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "registry", "ready": true,
            "state": {"running": {"startedAt": rfc3339(world.now)}}}],
    }});
    world.related.retain(|object| object["kind"] != "Pod");
    world.related.push(pod);
}

fn annotation(world: &World, name: &str) -> Value {
    world.children[SECRET]["metadata"]["annotations"][name].clone()
}

fn template(world: &World) -> Value {
    world.children[SET]["spec"]["template"]["metadata"]["annotations"][ANNOTATION].clone()
}

/// Carries out what is planned now.
fn step(world: &mut World) -> Vec<RotationStep> {
    let plan = world.plan();
    world.execute(&plan);
    world.roll_out();
    steps(&plan)
}

#[test]
fn a_certificate_is_replaced_in_the_last_third_of_its_validity_and_restarts_a_registry_with_storage() {
    let mut world = settled(true);
    let Recipe::Certificate(certificate) = &World::new(json!({"tls": {}})).plan().generate[0].recipe.clone()
    else {
        panic!("a certificate")
    };
    assert_eq!(certificate.days, 730);
    assert_eq!(annotation(&world, EXPIRES), rfc3339(NOW + 730 * DAY));
    world.now += 730 * DAY * 2 / 3 - 1;
    assert_eq!(world.plan().requeue_after, Some(1));
    world.now += 1;
    let staged_at = world.now;
    let plan = world.plan();
    assert_eq!(plan.rotate[0].joined, ["ca.crt"], "steps trust both authorities");
    assert_eq!(step(&mut world), [RotationStep::Stage]);
    assert_eq!(annotation(&world, EXPIRES), rfc3339(NOW + 730 * DAY), "the former one is served");
    world.now += MOUNT;
    assert_eq!(step(&mut world), [RotationStep::Switch]);
    assert_eq!(annotation(&world, EXPIRES), rfc3339(staged_at + 730 * DAY));
    assert_eq!(template(&world), Value::Null, "a node may still have the former certificate");
    world.now += MOUNT;
    let restarted = rfc3339(world.now);
    assert_eq!(step(&mut world), [], "the pod has the former certificate");
    assert_eq!(template(&world), restarted);
    world.now += 5;
    assert_eq!(step(&mut world), []);
    start_pod(&mut world);
    assert_eq!(step(&mut world), [RotationStep::Finish]);
    assert_eq!(annotation(&world, ANNOTATION), restarted);
    world.settle();
    assert_eq!(template(&world), restarted, "nothing restarts again");
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn a_registry_without_storage_is_waited_for_and_says_which_pod_has_the_former_certificate() {
    let mut world = settled(false);
    request(&mut world, "1");
    for wanted in [RotationStep::Stage, RotationStep::Switch] {
        assert_eq!(step(&mut world), [wanted]);
        world.now += MOUNT;
    }
    for _ in 0..3 {
        assert_eq!(step(&mut world), []);
        world.now += DAY;
    }
    assert_eq!(template(&world), Value::Null);
    let degraded = world.condition("Degraded");
    assert_eq!(degraded["reason"], "CertificateRenewed");
    assert!(degraded["message"].as_str().unwrap().contains("kubectl delete pod demo-0"), "{degraded}");
    start_pod(&mut world);
    assert_eq!(step(&mut world), [RotationStep::Finish]);
    world.settle();
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn a_certificate_of_a_version_without_rotation_is_replaced_in_its_tenth_year_alone() {
    let mut world = settled(true);
    world.children.get_mut(SECRET).unwrap()["metadata"]["annotations"] = json!({});
    world.now += 3_400 * DAY;
    assert_eq!(steps(&world.plan()), []);
    world.now += 10 * DAY;
    assert_eq!(steps(&world.plan()), [RotationStep::Stage]);
}

#[test]
fn pods_that_are_not_observed_keep_the_former_authority_trusted() {
    let mut world = settled(true);
    request(&mut world, "1");
    for _ in 0..2 {
        step(&mut world);
        world.now += MOUNT;
    }
    world.related.retain(|object| object["kind"] != "Pod");
    for _ in 0..3 {
        assert_eq!(step(&mut world), []);
        world.now += DAY;
    }
}

#[test]
fn certificates_of_others_are_not_replaced() {
    for tls in [json!({"secretName": "demo-tls"}), json!({"issuerRef": {"name": "lab"}})] {
        let mut world = settled(false);
        world.edit(|spec| spec["tls"] = tls.clone());
        request(&mut world, "1");
        world.now += 800 * DAY;
        assert_eq!(world.plan().rotate, [], "{tls}");
    }
}

/// The values of the Secret from one change to the next one. Certificates are numbers, and so are
/// the authorities that signed them.
#[derive(Clone, Debug)]
struct Content {
    since: u64,
    served: u32,
    trusted: Vec<u32>,
}

fn changed(before: &Content, rotation: &Rotation, now: u64) -> Content {
    let mut after = Content { since: now, ..before.clone() };
    let newest = *after.trusted.last().unwrap();
    match rotation.step {
        RotationStep::Stage => after.trusted.push(newest + 1),
        RotationStep::Switch => after.served = newest,
        RotationStep::Finish => after.trusted = vec![newest],
    }
    after
}

#[derive(Clone, Debug)]
enum Happening {
    Wait(u64),
    /// A plan is made and carried out.
    Reconcile,
    /// A plan is made, and is not carried out yet, or never.
    Delay,
    /// The plan that was delayed is carried out, perhaps again.
    Late,
    /// Somebody asks for another certificate.
    Request(u8),
    /// The registry begins anew, for whatever reason.
    Restart,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        4 => prop_oneof![1..50_u64, 1..2_000_u64].prop_map(Happening::Wait),
        5 => Just(Happening::Reconcile),
        1 => Just(Happening::Delay),
        2 => Just(Happening::Late),
        1 => (0_u8..4).prop_map(Happening::Request),
        2 => Just(Happening::Restart),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_certificate_that_a_registry_may_serve_is_trusted_by_every_step(
        happenings in happenings(),
        has_storage in any::<bool>(),
    ) {
        let mut world = settled(has_storage);
        request(&mut world, "first");
        let mut contents = vec![Content { since: 0, served: 0, trusted: vec![0] }];
        // What the registry may have read at its start.
        let mut served = vec![0];
        let mut delayed: Option<(u64, Plan)> = None;
        let carry_out = |world: &mut World, plan: &Plan, contents: &mut Vec<Content>| {
            for rotation in &plan.rotate {
                if world.rotate(rotation) {
                    let after = changed(contents.last().unwrap(), rotation, world.now);
                    contents.push(after);
                }
            }
        };
        for happening in happenings {
            match happening {
                Happening::Wait(seconds) => world.now += seconds,
                Happening::Reconcile => {
                    let plan = world.plan();
                    carry_out(&mut world, &plan, &mut contents);
                }
                Happening::Delay => delayed = Some((world.now, world.plan())),
                Happening::Late => {
                    let in_time = delayed.as_ref().filter(|(made, _)| world.now - made <= LATE);
                    if let Some((_, plan)) = in_time {
                        carry_out(&mut world, plan, &mut contents);
                    }
                }
                Happening::Request(value) => request(&mut world, &value.to_string()),
                Happening::Restart => {
                    start_pod(&mut world);
                    served = visible(&contents, |content| content.since, world.now).iter().map(|content| content.served).collect();
                }
            }
            for step in visible(&contents, |content| content.since, world.now) {
                for certificate in &served {
                    prop_assert!(step.trusted.contains(certificate), "{certificate} at {step:?}");
                }
            }
        }
        prop_assert!(contents.iter().all(|content| content.trusted.len() <= 2));
    }
}
