//! Every field crosses the boundary.

use super::*;
use std::borrow::Cow;

fn wit_kind(name: &str) -> types::Kind {
    types::Kind { api_version: "v1".into(), kind: name.into(), plural: format!("{name}s"), namespaced: true }
}

fn kind_named(name: &str) -> contract::Kind {
    let plural = Cow::Owned(format!("{name}s"));
    contract::Kind { api_version: "v1".into(), kind: name.to_owned().into(), plural, namespaced: true }
}

fn reference(name: &str) -> contract::ObjectRef {
    contract::ObjectRef {
        kind: kind_named(name),
        namespace: Some(format!("{name}-namespace")),
        name: format!("{name}-name"),
        uid: Some(format!("{name}-uid")),
    }
}

#[test]
fn everything_that_the_host_says_reaches_the_guest() {
    let target = || types::ObjectRef {
        kind: wit_kind("target"),
        namespace: Some("target-namespace".into()),
        name: "target-name".into(),
        uid: Some("target-uid".into()),
    };
    let question = types::ArtifactQuestion {
        registry: "registry".into(),
        plain_http: true,
        repository: "repository".into(),
        reference: "reference".into(),
        credentials: Some(target()),
        aspect: types::ArtifactAspect::ImageConfig,
    };
    let reasons = [
        (reconciler::FailureReason::NotControlled, contract::FailureReason::NotControlled),
        (reconciler::FailureReason::FieldOwnedByOther, contract::FailureReason::FieldOwnedByOther),
        (reconciler::FailureReason::NotPermitted, contract::FailureReason::NotPermitted),
        (reconciler::FailureReason::Unreachable, contract::FailureReason::Unreachable),
        (reconciler::FailureReason::Forbidden, contract::FailureReason::Forbidden),
        (reconciler::FailureReason::Invalid, contract::FailureReason::Invalid),
        (reconciler::FailureReason::Conflict, contract::FailureReason::Conflict),
        (reconciler::FailureReason::NotFound, contract::FailureReason::NotFound),
        (reconciler::FailureReason::TooManyRequests, contract::FailureReason::TooManyRequests),
        (reconciler::FailureReason::Other("Word".into()), contract::FailureReason::Other("Word".into())),
    ];
    let (said, heard): (Vec<_>, Vec<_>) = reasons.into_iter().unzip();
    let given = reconciler::Observed {
        primary: "primary".into(),
        owned: vec!["owned".into()],
        related: vec!["related".into()],
        absent: vec![wit_kind("absent")],
        omitted: vec![wit_kind("omitted")],
        failures: all(said, |reason| reconciler::Failure {
            target: target(),
            verb: reconciler::Verb::Patch,
            code: 409,
            reason,
            message: "message".into(),
        }),
        answers: vec![types::ArtifactAnswer {
            question,
            finding: types::ArtifactFinding::Unknown("why".into()),
        }],
        settings: "settings".into(),
        now: 7,
    };
    let wanted = contract::Observed {
        primary: "primary".to_owned(),
        owned: vec!["owned".to_owned()],
        related: vec!["related".to_owned()],
        absent: vec![kind_named("absent")],
        omitted: vec![kind_named("omitted")],
        failures: all(heard, |reason| contract::Failure {
            target: reference("target"),
            verb: contract::Verb::Patch,
            code: 409,
            reason,
            message: "message".to_owned(),
        }),
        answers: vec![contract::ArtifactAnswer {
            question: contract::ArtifactQuestion {
                registry: "registry".to_owned(),
                plain_http: true,
                repository: "repository".to_owned(),
                reference: "reference".to_owned(),
                credentials: Some(reference("target")),
                aspect: contract::ArtifactAspect::ImageConfig,
            },
            finding: contract::ArtifactFinding::Unknown("why".to_owned()),
        }],
        settings: "settings".to_owned(),
        now: 7,
    };
    assert_eq!(observed(given), wanted);
}

/// The generated types cannot be compared, but shown.
#[test]
fn everything_that_the_guest_plans_reaches_the_host() {
    let generated = |secret: &str, recipe| contract::Generated { secret: secret.to_owned(), recipe };
    let planned = contract::Plan {
        generate: vec![
            generated(
                "random-secret",
                contract::Recipe::Random(contract::RandomKey { key: "random-key".into(), bytes: 41 }),
            ),
            generated(
                "accounts-secret",
                contract::Recipe::Credentials(contract::Credentials {
                    accounts: vec![contract::Account {
                        username: "username".into(),
                        password_key: "password-key".into(),
                    }],
                    htpasswd_key: "htpasswd-key".into(),
                }),
            ),
            generated(
                "certificate-secret",
                contract::Recipe::Certificate(contract::Certificate {
                    dns_names: vec!["dns-name".into()],
                    days: 42,
                }),
            ),
        ],
        rotate: vec![contract::Rotation {
            secret: "rotated-secret".into(),
            recipe: contract::Recipe::Random(contract::RandomKey { key: "rotated-key".into(), bytes: 44 }),
            joined: vec!["joined-key".into()],
            step: contract::RotationStep::Switch,
        }],
        apply: vec!["applied".into()],
        patch: vec![contract::ObjectPatch { target: reference("patched"), patch: "patch-text".into() }],
        delete: vec![reference("deleted")],
        status: Some("status-text".into()),
        events: vec![contract::Event {
            severity: contract::Severity::Warning,
            reason: "EventReason".into(),
            action: "EventAction".into(),
            note: "event-note".into(),
        }],
        questions: vec![contract::ArtifactQuestion {
            registry: "registry".into(),
            plain_http: true,
            repository: "repository".into(),
            reference: "reference".into(),
            credentials: Some(reference("credentials")),
            aspect: contract::ArtifactAspect::Digest,
        }],
        requeue_after: Some(43),
    };
    let shown = format!("{:?}", rotating_plan(planned));
    for wanted in [
        "random-secret",
        "random-key",
        "41",
        "accounts-secret",
        "username",
        "password-key",
        "htpasswd-key",
        "certificate-secret",
        "dns-name",
        "42",
        "rotated-secret",
        "rotated-key",
        "44",
        "joined-key",
        "Switch",
        "applied",
        "patched-uid",
        "patch-text",
        "deleted-namespace",
        "deleted-name",
        "deleted-uid",
        "status-text",
        "Warning",
        "EventReason",
        "EventAction",
        "event-note",
        "registry",
        "plain-http: true",
        "repository",
        "reference",
        "credentials-name",
        "Digest",
        "43",
    ] {
        assert!(shown.contains(wanted), "{wanted} in {shown}");
    }
}
