//! The component decides as the same Rust does natively, byte for byte, on generated inputs.

use orascache_contract::{
    ArtifactAnswer, ArtifactFinding, Failure, FailureReason, GuestError, Kind, ObjectRef, Observed, Plan,
    Verb,
};
use orascache_operator::EMBEDDED;
use orascache_runtime::Guest;
use orascache_tests::cluster::guest;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

static GUEST: LazyLock<Guest> = LazyLock::new(|| guest(EMBEDDED));

fn text() -> impl Strategy<Value = String> {
    // Escapes, several bytes a character, and nothing at all.
    prop_oneof!["[a-z0-9./:-]{0,20}", "[a-z\"\\\\\u{1}é漢]{0,6}"]
}

fn storage() -> impl Strategy<Value = Value> {
    let size = proptest::option::of(prop_oneof![Just("1Gi".to_owned()), Just("0.5Ti".to_owned()), text()]);
    let modes = proptest::option::of(proptest::collection::vec(
        prop_oneof![Just("ReadWriteOnce"), Just("ReadWriteMany"), Just("Nonsense")],
        0..3,
    ));
    (size, modes, proptest::option::of(text())).prop_map(|(size, modes, claim)| {
        without_nulls(json!({"size": size, "accessModes": modes, "existingClaim": claim}))
    })
}

fn spec() -> impl Strategy<Value = Value> {
    let images = proptest::option::of(prop_oneof![Just("registry:3".to_owned()), text()]);
    let secrets = proptest::option::of((proptest::option::of(text()), proptest::option::of(text())));
    let resources = proptest::option::of(prop_oneof![
        Just(json!({})),
        Just(json!({"requests": {"cpu": "1000m", "memory": 1024}})),
        Just(json!({"limits": {"cpu": 0.5}})),
        Just(json!({"limits": {"cpu": u64::MAX}})),
    ]);
    let simple = (
        images,
        proptest::option::of(any::<bool>()),
        proptest::option::of(-1_i64..4),
        proptest::option::of(text()),
    );
    (simple, secrets, proptest::option::of(storage()), resources).prop_map(
        |((image, deploy, replicas, secret), secrets, storage, resources)| {
            let secrets =
                secrets.map(|(env, http)| without_nulls(json!({"orasEnv": env, "registryHttp": http})));
            without_nulls(json!({
                "image": image, "deploy": deploy, "replicas": replicas, "secret": secret, "secrets": secrets,
                "storage": storage, "resources": resources,
            }))
        },
    )
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, member)| !member.is_null()).collect())
        }
        other => other,
    }
}

fn primary(name: &str, spec: &Value, status: Option<&Value>) -> String {
    let mut object = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": name, "namespace": "lab", "uid": "u-1", "generation": 3}, "spec": spec,
    });
    if let Some(status) = status {
        object["status"] = status.clone();
    }
    object.to_string()
}

fn failure(reason: FailureReason) -> Failure {
    let kind = Kind::namespaced("apps/v1", "StatefulSet", "statefulsets");
    Failure {
        target: ObjectRef { kind, namespace: Some("lab".into()), name: "demo".into(), uid: None },
        verb: Verb::Apply,
        code: 409,
        reason,
        message: "why".into(),
    }
}

fn shared(texts: &[String]) -> Vec<Arc<str>> {
    texts.iter().map(|text| Arc::from(text.as_str())).collect()
}

fn through_component(observed: &Observed) -> Result<Plan, GuestError> {
    GUEST.blocking().reconcile(observed)
}

fn natively(observed: &Observed) -> Result<Plan, GuestError> {
    orascache_core::reconcile(observed).map_err(GuestError::from)
}

/// The objects of plans as a server would show them.
fn observed_children(plans: [&Plan; 2]) -> Vec<String> {
    let with_uid = |(position, text): (usize, &String)| {
        let mut object: Value = serde_json::from_str(text).expect("planned objects are JSON");
        object["metadata"]["uid"] = json!(format!("c-{position}"));
        object["metadata"]["generation"] = 1.into();
        object.to_string()
    };
    plans.into_iter().flat_map(|plan| &plan.apply).enumerate().map(with_uid).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn component_and_native_agree(
        name in prop_oneof![Just("demo".to_owned()), "[a-z-]{1,60}"],
        spec in spec(),
        later in spec(),
        reason in proptest::option::of(prop_oneof![Just(FailureReason::NotControlled), Just(FailureReason::FieldOwnedByOther), Just(FailureReason::Other("Gone".to_owned()))]),
        now in 0_u64..4_000_000_000,
    ) {
        let failures: Vec<_> = reason.into_iter().map(failure).collect();
        let related = [r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"lab"}}"#.to_owned()];
        let first_primary = primary(&name, &spec, None);
        let first = Observed { primary: first_primary.into(), related: shared(&related), failures: failures.clone(), now, ..Observed::default() };
        let plan = natively(&first);
        prop_assert_eq!(&through_component(&first), &plan);
        let Ok(plan) = plan else { return Ok(()) };

        // The registry pods follow their NetworkPolicy.
        let none = Plan::default();
        let next = Observed { owned: shared(&observed_children([&plan, &none])), ..first.clone() };
        prop_assert_eq!(through_component(&next), natively(&next));
        let next = natively(&next).expect("it was a plan before");

        // Then with children and a status, under another spec.
        let owned = shared(&observed_children([&plan, &next]));
        let status = next.status.as_deref().or(plan.status.as_deref());
        let status: Option<Value> = status.and_then(|text| serde_json::from_str(text).ok());
        let second_primary = primary(&name, &later, status.as_ref().map(|document| &document["status"]));
        let second = Observed { primary: second_primary.into(), owned: owned.clone(), ..first.clone() };
        prop_assert_eq!(through_component(&second), natively(&second));

        // Deterministic, and nothing is planned twice for what is there already.
        let repeated = natively(&first).expect("it was a plan before");
        prop_assert_eq!(&repeated, &plan);
        let again_primary = primary(&name, &spec, status.as_ref().map(|document| &document["status"]));
        let again = Observed { primary: again_primary.into(), owned, now: now + 60, ..first.clone() };
        let again = natively(&again).expect("it was a plan before");
        prop_assert!(again.apply.is_empty() || !failures.is_empty(), "{:?}", again.apply);
        prop_assert!(again.delete.is_empty());
    }

    #[test]
    fn garbage_is_an_error_on_both_sides(primary in "\\PC{0,80}", owned in proptest::collection::vec("\\PC{0,40}", 0..2)) {
        let observed = Observed { primary: primary.into(), owned: shared(&owned), ..Observed::default() };
        let native = natively(&observed);
        prop_assert!(native.is_err());
        prop_assert_eq!(through_component(&observed), native);
    }
}

/// A pod behind a scheduling gate, with annotations that may be anything.
fn gated(wait: &str, input: &str, registry: Option<&str>) -> String {
    let prefix = "oras.converged-computing.github.io";
    let mut annotations = json!({
        format!("{prefix}/oras-cache"): "demo",
        format!("{prefix}/input-wait"): wait,
        format!("{prefix}/input-uri"): input,
    });
    if let Some(registry) = registry {
        annotations[format!("{prefix}/registry")] = json!(registry);
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "p", "namespace": "lab", "uid": "u", "creationTimestamp": "2026-11-24T12:02:39Z",
            "labels": {"cache.converged-computing.github.io/gated": "true"}, "annotations": annotations,
        },
        "spec": {"schedulingGates": [{"name": "cache.converged-computing.github.io/inputs"}]},
    })
    .to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn component_and_native_agree_about_gated_pods(
        wait in prop_oneof![Just("30m".to_owned()), text()],
        input in prop_oneof![Just("a:1".to_owned()), Just("a:{1..3}".to_owned()), text()],
        registry in proptest::option::of(prop_oneof![Just("ghcr.io".to_owned()), text()]),
        is_there in any::<bool>(),
        after in -100_i64..4_000,
    ) {
        let settings: Arc<str> = r#"{"gates":true,"allowedRegistries":["ghcr.io"]}"#.into();
        let mut observed = Observed {
            primary: gated(&wait, &input, registry.as_deref()).into(),
            related: shared(&[primary("demo", &json!({}), None)]),
            settings,
            now: 1_795_521_759_u64.saturating_add_signed(after),
            ..Observed::default()
        };
        let natively = |observed: &Observed| orascache_core::gates::attend(observed).map_err(GuestError::from);
        let first = natively(&observed);
        prop_assert_eq!(&GUEST.blocking().attend(&observed), &first);
        let Ok(plan) = first else { return Ok(()) };
        let finding = if is_there { ArtifactFinding::Digest("sha256:0".to_owned()) } else { ArtifactFinding::Missing };
        observed.answers = plan
            .questions
            .into_iter()
            .map(|question| ArtifactAnswer { question, finding: finding.clone() })
            .collect();
        prop_assert_eq!(GUEST.blocking().attend(&observed), natively(&observed));
    }
}
