//! Certificates that cert-manager issues.

use crate::world;
use crate::world::World;
use orascache_contract::Kind;
use orascache_contract::time::rfc3339;
use serde_json::{Value, json};

const CERTIFICATE: &str = "Certificate/demo-registry";
const SET: &str = "StatefulSet/demo";
const ANNOTATION: &str = "cache.converged-computing.github.io/certificate";

fn issued(storage: bool) -> World {
    let mut spec = json!({"tls": {"issuerRef": {"name": "lab"}}});
    if storage {
        spec["storage"] = json!({"size": "1Gi"});
    }
    let mut world = World::new(spec);
    world.settle();
    world.related.push(world::secret("demo-issued-tls"));
    world
}

fn says(world: &mut World, status: Value) -> Value {
    world.children.get_mut(CERTIFICATE).expect("a Certificate")["status"] = status;
    for _ in 0..4 {
        let plan = world.plan();
        world.execute(&plan);
    }
    world.condition("Degraded")
}

fn not_ready(since: u64) -> Value {
    json!({"conditions": [{"type": "Ready", "status": "False", "reason": "Pending",
        "message": "Issuer lab was not found.", "lastTransitionTime": rfc3339(since)}]})
}

#[test]
fn a_certificate_is_asked_for_with_the_names_of_the_registry_and_is_what_pods_and_steps_mount() {
    let mut world = issued(false);
    let certificate = &world.children[CERTIFICATE]["spec"];
    assert_eq!(
        certificate["issuerRef"],
        json!({"group": "cert-manager.io", "kind": "Issuer", "name": "lab"})
    );
    assert_eq!(certificate["dnsNames"], json!(["*.demo.lab.svc", "demo.lab.svc", "demo-registry.lab.svc"]));
    assert_eq!(certificate["secretName"], "demo-issued-tls");
    assert!(!world.children.contains_key("Secret/demo-tls"), "the operator makes none");
    let volumes = world.children[SET]["spec"]["template"]["spec"]["volumes"].to_string();
    assert!(volumes.contains("demo-issued-tls"), "{volumes}");
    world.settings = r#"{"clusterDomain":"cluster.local"}"#.to_owned();
    world.settle();
    assert_eq!(world.children[CERTIFICATE]["spec"]["dnsNames"].as_array().map(Vec::len), Some(6));
}

#[test]
fn a_renewed_certificate_restarts_a_registry_with_storage_alone() {
    for (storage, after) in [(true, json!("2")), (false, Value::Null)] {
        let mut world = issued(storage);
        let template = |world: &World| world.children[SET]["spec"]["template"].clone();
        let before = template(&world);
        says(&mut world, json!({"revision": 1}));
        assert_eq!(template(&world), before, "the first one was there when the pods started");
        says(&mut world, json!({"revision": 2}));
        assert_eq!(template(&world)["metadata"]["annotations"][ANNOTATION], after);
        assert_eq!(template(&world) == before, !storage);
    }
}

#[test]
fn a_registry_without_storage_says_that_it_serves_with_a_former_certificate_until_it_is_restarted() {
    let mut world = issued(false);
    let renewed = world.now + 1_000;
    let pod = |world: &World, started: u64| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "demo-0", "namespace": "lab", "uid": format!("pod-{started}"),
            "ownerReferences": [{"controller": true, "uid": world.children[SET]["metadata"]["uid"]}]},
            "status": {"containerStatuses": [
                {"name": "registry", "state": {"running": {"startedAt": rfc3339(started)}}}]}})
    };
    world.related.push(pod(&world, world.now));
    world.now += 2_000;
    let degraded = says(&mut world, json!({"revision": 2, "notBefore": rfc3339(renewed)}));
    assert_eq!(degraded["reason"], "CertificateRenewed");
    let message = degraded["message"].as_str().unwrap();
    assert!(message.contains("kubectl delete pod demo-0") && message.contains("storage"), "{message}");
    assert_eq!(world.condition("Ready")["status"], "True");
    // The container was started again, and read its files.
    let last = world.related.len() - 1;
    world.related[last] = pod(&world, renewed);
    world.settle();
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn a_certificate_that_is_not_issued_is_a_fault_after_a_minute_in_the_words_of_cert_manager() {
    let mut world = issued(false);
    let now = world.now;
    assert_eq!(says(&mut world, not_ready(now))["status"], "False");
    assert_eq!(world.plan().requeue_after, Some(60));
    world.now += 60;
    let degraded = says(&mut world, not_ready(now));
    assert_eq!(degraded["reason"], "CertificateNotIssued");
    assert!(degraded["message"].as_str().unwrap().contains("Issuer lab was not found"), "{degraded}");
    assert_eq!(world.condition("Ready")["status"], "True", "the former certificate is there");
    // Without any certificate the registry cannot start.
    world.related.clear();
    world.children.get_mut(SET).unwrap()["status"] = json!({"observedGeneration": 1, "replicas": 1});
    says(&mut world, not_ready(now));
    assert_eq!(world.condition("Ready")["reason"], "CertificateNotIssued");
}

#[test]
fn a_cluster_without_cert_manager_is_told_of_and_the_certificate_follows_when_it_is_there() {
    let mut world = World::new(json!({"tls": {"issuerRef": {"name": "lab"}}}));
    world.absent = vec![Kind::namespaced("cert-manager.io/v1", "Certificate", "certificates")];
    world.settle();
    assert!(!world.children.contains_key(CERTIFICATE));
    assert_eq!(world.condition("Degraded")["reason"], "CertificateUnavailable");
    world.absent.clear();
    world.settle();
    assert!(world.children.contains_key(CERTIFICATE));
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn an_issuer_beside_a_certificate_of_ones_own_is_refused() {
    let mut world = World::new(json!({"tls": {"secretName": "mine", "issuerRef": {"name": "lab"}}}));
    world.start();
    let message = world.condition("Ready")["message"].clone();
    assert!(message.as_str().unwrap().starts_with("spec.tls.issuerRef: "), "{message}");
}
