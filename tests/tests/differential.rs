//! Differential test: on generated inputs, the component decides as the same Rust does natively,
//! byte for byte.

use orascache_controller::contract::{self, Reconciler};
use orascache_core::contract as core;
use orascache_operator::engine::{EMBEDDED, Guest};
use orascache_tests::cluster::guest;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

static GUEST: LazyLock<Guest> = LazyLock::new(|| guest(EMBEDDED));

fn text() -> impl Strategy<Value = String> {
    // Texts with escapes, texts with characters of several bytes, and empty texts.
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

fn failure(reason: &str) -> core::Failure {
    core::Failure {
        target: core::ObjectRef {
            api_version: "apps/v1".into(),
            kind: "StatefulSet".into(),
            plural: "statefulsets".into(),
            namespaced: true,
            namespace: Some("lab".into()),
            name: "demo".into(),
            uid: None,
        },
        verb: "apply".into(),
        code: 409,
        reason: reason.into(),
        message: "why".into(),
    }
}

fn through_component(observed: &core::Observed<'_>) -> Result<contract::Plan, contract::DecideError> {
    let shared = |texts: &[String]| texts.iter().map(|text| Arc::from(text.as_str())).collect();
    let failures = observed.failures.iter().map(|failure| contract::Failure {
        target: reference(failure.target.clone()),
        verb: failure.verb.clone(),
        code: failure.code,
        reason: failure.reason.clone(),
        message: failure.message.clone(),
    });
    GUEST.reconcile(&contract::Observed {
        primary: observed.primary.into(),
        owned: shared(observed.owned),
        related: shared(observed.related),
        failures: failures.collect(),
        now: observed.now,
    })
}

fn reference(reference: core::ObjectRef) -> contract::ObjectRef {
    contract::ObjectRef {
        kind: contract::Kind {
            api_version: reference.api_version,
            kind: reference.kind,
            plural: reference.plural,
            namespaced: reference.namespaced,
        },
        namespace: reference.namespace,
        name: reference.name,
        uid: reference.uid,
    }
}

fn natively(observed: &core::Observed<'_>) -> Result<contract::Plan, contract::DecideError> {
    let plan = match orascache_core::reconcile(observed) {
        Ok(plan) => plan,
        Err(core::Error::InvalidInput(sentence)) => {
            return Err(contract::DecideError::InvalidInput(sentence));
        }
    };
    Ok(contract::Plan {
        generate: plan
            .generate
            .into_iter()
            .map(|g| contract::Generated { secret: g.secret, key: g.key.into(), bytes: g.bytes })
            .collect(),
        apply: plan.apply,
        delete: plan.delete.into_iter().map(reference).collect(),
        status: plan.status,
        events: plan
            .events
            .into_iter()
            .map(|event| contract::Event {
                severity: match event.severity {
                    core::Severity::Normal => contract::Severity::Normal,
                    core::Severity::Warning => contract::Severity::Warning,
                },
                reason: event.reason.into(),
                action: event.action.into(),
                note: event.note,
            })
            .collect(),
        requeue_after: plan.requeue_after,
    })
}

/// The objects that a plan applies, as an API server returns them.
fn observed_children(plan: &contract::Plan) -> Vec<String> {
    let with_uid = |(position, text): (usize, &String)| {
        let mut object: Value = serde_json::from_str(text).expect("planned objects are JSON");
        object["metadata"]["uid"] = json!(format!("c-{position}"));
        object["metadata"]["generation"] = 1.into();
        object.to_string()
    };
    plan.apply.iter().enumerate().map(with_uid).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn component_and_native_agree(
        name in prop_oneof![Just("demo".to_owned()), "[a-z-]{1,60}"],
        spec in spec(),
        later in spec(),
        reason in proptest::option::of(prop_oneof![Just("NotControlled"), Just("FieldOwnedByOther"), Just("Forbidden")]),
        now in 0_u64..4_000_000_000,
    ) {
        let failures: Vec<_> = reason.into_iter().map(failure).collect();
        let related = [r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"lab"}}"#.to_owned()];
        let first_primary = primary(&name, &spec, None);
        let first = core::Observed { primary: &first_primary, owned: &[], related: &related, failures: &failures, now };
        let plan = natively(&first);
        prop_assert_eq!(&through_component(&first), &plan);
        let Ok(plan) = plan else { return Ok(()) };

        // The same cache with children, a status and another spec.
        let owned = observed_children(&plan);
        let status: Option<Value> = plan.status.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let second_primary = primary(&name, &later, status.as_ref().map(|document| &document["status"]));
        let second = core::Observed { primary: &second_primary, owned: &owned, related: &related, failures: &failures, now };
        prop_assert_eq!(through_component(&second), natively(&second));

        // Decisions are deterministic, and objects that exist already are not applied again.
        let repeated = natively(&first).expect("it was a plan before");
        prop_assert_eq!(&repeated, &plan);
        let again_primary = primary(&name, &spec, status.as_ref().map(|document| &document["status"]));
        let again = core::Observed { primary: &again_primary, owned: &owned, related: &related, failures: &failures, now: now + 60 };
        let again = natively(&again).expect("it was a plan before");
        prop_assert!(again.apply.is_empty() || !failures.is_empty(), "{:?}", again.apply);
        prop_assert!(again.delete.is_empty());
    }

    #[test]
    fn invalid_input_is_the_same_error_on_both_sides(primary in "\\PC{0,80}", owned in proptest::collection::vec("\\PC{0,40}", 0..2)) {
        let observed = core::Observed { primary: &primary, owned: &owned, related: &[], failures: &[], now: 0 };
        let native = natively(&observed);
        prop_assert!(native.is_err());
        prop_assert_eq!(through_component(&observed), native);
    }
}
