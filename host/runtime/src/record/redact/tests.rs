use super::{Redacted, Redaction};
use crate::record::Decision;
use orascache_contract::{
    ArtifactAnswer, ArtifactAspect, ArtifactFinding, ArtifactQuestion, Context, Description, Failure,
    FailureReason, Kind, Needs, ObjectRef, Observed, Outcome, Plan, Verb,
};
use serde_json::{Value, json};

const PRIMARY: Kind = Kind::namespaced("lab.example.com/v1", "Vault", "vaults");

/// A guest whose primaries have a secret at `/spec/code`.
fn description() -> Description {
    Description {
        primary: PRIMARY,
        owned: Vec::new(),
        related: Vec::new(),
        field_manager: "us".into(),
        admission: Vec::new(),
        sensitive: vec!["/spec/code".into(), "/spec/keys/0".into()],
    }
}

fn observed(primary: &Value, owned: &[Value], failure: &str) -> Decision {
    let observed = Observed {
        primary: primary.to_string().into(),
        owned: owned.iter().map(|object| object.to_string().into()).collect(),
        failures: vec![Failure {
            target: ObjectRef { kind: PRIMARY, namespace: None, name: "n".into(), uid: None },
            verb: Verb::Apply,
            code: 422,
            reason: FailureReason::Invalid,
            message: failure.into(),
        }],
        now: 7,
        ..Observed::default()
    };
    Decision::Reconcile { observed, output: Ok(Plan::default()) }
}

fn review(review: &Value) -> Decision {
    let output = Ok(Outcome::Need(Needs::default()));
    Decision::Review { review: review.to_string().into(), context: Context::default(), output }
}

fn redacted(decision: &Decision, names: &[&str]) -> Decision {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    match Redaction::new(names).apply(&description(), decision) {
        Redacted::Changed(redacted) => *redacted,
        Redacted::Unchanged => decision.clone(),
        Redacted::Unreadable => panic!("unreadable"),
    }
}

fn text(decision: &Decision) -> String {
    match decision {
        Decision::Reconcile { observed, .. } | Decision::Attend { observed, .. } => format!("{observed:?}"),
        Decision::Review { review, .. } => review.to_string(),
    }
}

fn is_unchanged(decision: &Decision) -> bool {
    matches!(Redaction::new(Vec::new()).apply(&description(), decision), Redacted::Unchanged)
}

#[test]
fn inputs_without_secrets_stay_byte_for_byte() {
    let plain = observed(
        &json!({"kind": "P", "metadata": {"annotations": {"a": "b"}, "labels": {"app": "x"}}, "spec": {"secretName": "name", "code": "of another kind"}}),
        &[json!({"kind": "StatefulSet", "spec": {"template": {"spec": {"containers": [{"env": [
            {"name": "REGISTRY_HTTP_ADDR", "value": ":5000"},
            {"name": "REGISTRY_HTTP_SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ]}]}}}})],
        "no",
    );
    assert!(is_unchanged(&plain));
    let spaced = Decision::Review {
        review: "{ \"request\" : {} }".into(),
        context: Context::default(),
        output: Ok(Outcome::Need(Needs::default())),
    };
    assert!(is_unchanged(&spaced));
}

#[test]
fn a_secret_remains_nowhere_in_the_input() {
    const SECRET: &str = "hunter2hunter2";
    let primary = json!({
        "apiVersion": "lab.example.com/v2", "kind": "Vault",
        "metadata": {"annotations": {
            "example.com/api-token": SECRET,
            "kubectl.kubernetes.io/last-applied-configuration": format!("{{\"code\":\"{SECRET}\"}}"),
        }, "labels": {"vault-password": "hunter2"}},
        "spec": {"code": SECRET, "image": format!("registry/{SECRET}:1")},
    });
    let owned = [
        json!({"kind": "Secret", "data": {"k": "aHVudGVyMmh1bnRlcjI="}, "metadata": {"annotations": {"applied-hash": "432873a001408fd8"}}}),
        json!({"kind": "StatefulSet", "spec": {"env": [{"name": "DB_PASSWORD", "value": "short"}, {"name": "MODE", "value": "fast"}]}}),
    ];
    let redacted = redacted(&observed(&primary, &owned, &format!("Invalid value: {SECRET}")), &[]);
    let text = text(&redacted);
    for secret in [SECRET, "hunter2", "aHVudGVyMmh1bnRlcjI", "432873a001408fd8", "\"short\""] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("fast") && !text.contains("last-applied"), "{text}");
    let Decision::Reconcile { observed, .. } = redacted else { panic!("another call") };
    let primary: Value = serde_json::from_str(&observed.primary).expect("JSON");
    let replacement = primary["spec"]["code"].as_str().expect("a text");
    assert_eq!(
        primary["metadata"]["annotations"]["example.com/api-token"], replacement,
        "equal texts stay equal"
    );
    assert_eq!(primary["spec"]["image"], format!("registry/{replacement}:1"));
    assert_eq!(observed.failures[0].message, format!("Invalid value: {replacement}"));
}

#[test]
fn references_stay() {
    let pod = json!({"spec": {
        "imagePullSecrets": [{"name": "pull"}],
        "automountServiceAccountToken": false,
        "tokenExpirationSeconds": 3600,
        "containers": [{"envFrom": [{"secretRef": {"name": "all", "optional": true}}], "env": [
            {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ]}],
        "volumes": [
            {"secret": {"secretName": "tls", "defaultMode": 256, "items": [{"key": "k", "path": "p"}]}},
            {"projected": {"sources": [
                {"secret": {"name": "tls"}},
                {"serviceAccountToken": {"audience": "api", "expirationSeconds": 600, "path": "token"}},
            ]}},
            {"csi": {"driver": "d", "nodePublishSecretRef": {"name": "csi"}}},
        ],
    }});
    assert!(is_unchanged(&observed(&pod, &[], "no")));
    assert!(is_unchanged(&review(&json!({"request": {"object": pod}}))));
}

/// A field such as `spec.secret` may name a Secret. Where the Secret is, its name tells nothing
/// new.
#[test]
fn a_text_that_names_an_object_of_the_input_stays() {
    let cache = |name: &str| json!({"kind": "Cache", "metadata": {"name": "demo"}, "spec": {"secret": name}});
    let secret = json!({"kind": "Secret", "metadata": {"name": "demo-http"}});
    assert!(is_unchanged(&observed(&cache("demo-http"), std::slice::from_ref(&secret), "")));
    let other = text(&redacted(&observed(&cache("hunter2"), &[secret], ""), &[]));
    assert!(!other.contains("hunter2"), "{other}");
}

#[test]
fn secrets_are_found_in_lists_and_in_reviews_without_a_kind() {
    let list = json!({"kind": "SecretList", "items": [{"data": {"k": "aHVudGVyMg=="}}]});
    assert!(!text(&redacted(&observed(&list, &[], ""), &[])).contains("aHVudGVyMg"));
    let asked = json!({"request": {"kind": {"group": "", "version": "v1", "kind": "Secret"},
        "object": {"metadata": {"annotations": {"hash": "432873a001408fd8"}}, "stringData": {"k": "hunter2"}},
        "oldObject": {"data": {"k": "aHVudGVyMg=="}}}});
    let shown = text(&redacted(&review(&asked), &[]));
    for gone in ["432873a001408fd8", "hunter2", "aHVudGVyMg"] {
        assert!(!shown.contains(gone), "{gone} in {shown}");
    }
}

#[test]
fn json_within_texts_is_redacted_and_stays_json() {
    let inner = json!({"password": "hunter2", "user": "u"}).to_string();
    let outer = json!([{ "config": inner }]).to_string();
    let object = json!({"metadata": {"annotations": {"config": outer, "list": "[ 1,2 ]", "no": "{x"}}});
    let Decision::Reconcile { observed, .. } = redacted(&observed(&object, &[], ""), &[]) else {
        panic!("a review")
    };
    let left: Value = serde_json::from_str(&observed.primary).expect("JSON");
    let annotations = &left["metadata"]["annotations"];
    assert_eq!((&annotations["list"], &annotations["no"]), (&"[ 1,2 ]".into(), &"{x".into()), "unchanged");
    let outer: Value = serde_json::from_str(annotations["config"].as_str().expect("text")).expect("JSON");
    let inner: Value = serde_json::from_str(outer[0]["config"].as_str().expect("text")).expect("JSON");
    assert_eq!(inner["user"], "u");
    assert!(inner["password"].as_str().is_some_and(|text| text.starts_with("redacted-")), "{inner}");
}

#[test]
fn json_that_is_nested_too_deep_is_left_out_whole() {
    let mut nested = json!({"password": "hunter2"}).to_string();
    for _ in 0..6 {
        nested = json!({ "config": nested }).to_string();
    }
    let shown = text(&redacted(&observed(&json!({ "note": nested }), &[], ""), &[]));
    assert!(!shown.contains("hunter2") && shown.contains("redacted-"), "{shown}");
}

#[test]
fn a_secret_with_quotes_is_found_within_texts_of_json() {
    let secret = "hunter\"2\"hunter";
    let object = json!({"password": secret, "config": json!({"motd": secret}).to_string()});
    let shown = text(&redacted(&observed(&object, &[], secret), &[]));
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn settings_are_redacted() {
    let observed = Observed {
        primary: "{}".into(),
        settings: r#"{"mirror":"https://u:hunter2@h","limit":1}"#.into(),
        ..Observed::default()
    };
    let decision = Decision::Reconcile { observed, output: Ok(Plan::default()) };
    let shown = text(&redacted(&decision, &[]));
    assert!(!shown.contains("hunter2") && shown.contains("limit"), "{shown}");
}

#[test]
fn an_input_with_more_secrets_than_can_be_searched_for_is_not_kept() {
    let annotations: serde_json::Map<String, Value> =
        (0..5_000).map(|number| (format!("token-{number}"), format!("hunter2-{number}").into())).collect();
    let decision = observed(&json!({"metadata": {"annotations": annotations}}), &[], "");
    let redacted = Redaction::new(Vec::new()).apply(&description(), &decision);
    assert!(matches!(redacted, Redacted::Unreadable));
}

/// The guest's pointers count wherever one of its primaries is, and nowhere else.
#[test]
fn sensitive_fields_of_primaries_are_left_out_in_reviews_and_contexts_too() {
    let vault = |pin: &str| json!({"apiVersion": "lab.example.com/v1", "kind": "Vault", "spec": {"code": pin, "keys": ["first-key", "other-key"]}});
    let asked = json!({"request": {
        "kind": {"group": "lab.example.com", "version": "v1", "kind": "Vault"},
        "object": vault("pin-number-one"), "oldObject": vault("pin-number-two"),
        "options": {"spec": {"code": "stays-as-it-is"}},
    }});
    let context =
        Context { objects: vec![vault("pin-number-three").to_string().into()], ..Context::default() };
    let output = Ok(Outcome::Need(Needs::default()));
    let decision = Decision::Review { review: asked.to_string().into(), context, output };
    let Decision::Review { review, context, .. } = redacted(&decision, &["code"]) else {
        panic!("a reconcile")
    };
    let shown = format!("{review} {context:?}");
    for secret in ["pin-number", "first-key"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("other-key"), "{shown}");
    let Decision::Review { review, .. } = redacted(&decision, &[]) else { panic!("a reconcile") };
    assert!(review.contains("stays-as-it-is"), "{review}");
}

#[test]
fn two_rules_for_one_text_replace_it_once() {
    let vault = json!({"kind": "Vault", "metadata": {"annotations": {"password": "hunter2hunter2"}},
        "spec": {"code": "hunter2hunter2"}});
    let Decision::Reconcile { observed, .. } = redacted(&observed(&vault, &[], ""), &["code"]) else {
        panic!("a review")
    };
    let vault: Value = serde_json::from_str(&observed.primary).expect("JSON");
    assert_eq!(vault["spec"]["code"], vault["metadata"]["annotations"]["password"]);
}

#[test]
fn reviews_lose_persons_variables_and_managed_fields() {
    let asked = json!({"request": {
        "userInfo": {"username": "alice", "groups": ["staff"], "extra": {"session": ["s3ss10n"]}},
        "object": {
            "metadata": {"managedFields": [{"manager": "kubectl"}], "name": "step"},
            "spec": {"containers": [{"name": "main", "command": ["run"], "env": [
                {"name": "MODE", "value": "confidential"}, {"name": "EMPTY", "value": ""},
                {"name": "FROM", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ]}]},
        },
    }});
    let left: Value = serde_json::from_str(&text(&redacted(&review(&asked), &[]))).expect("JSON");
    let shown = left.to_string();
    for gone in ["alice", "staff", "s3ss10n", "managedFields", "confidential"] {
        assert!(!shown.contains(gone), "{gone} in {shown}");
    }
    let container = &left["request"]["object"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["run"]));
    assert_eq!(container["env"][0]["name"], "MODE");
    assert_eq!(container["env"][1]["value"], "", "an empty text is no secret");
    assert_eq!(container["env"][2], asked["request"]["object"]["spec"]["containers"][0]["env"][2]);
}

#[test]
fn secret_variables_of_image_configurations_are_left_out() {
    let question = ArtifactQuestion {
        registry: "registry.example.com".into(),
        plain_http: false,
        repository: "tools/run".into(),
        reference: "1".into(),
        credentials: None,
        aspect: ArtifactAspect::ImageConfig,
    };
    let config = r#"{"config":{"Env":["PATH=/bin","API_TOKEN=hunter2hunter2"],"Entrypoint":["/run"]}}"#;
    let answers = vec![
        ArtifactAnswer { question: question.clone(), finding: ArtifactFinding::ImageConfig(config.into()) },
        ArtifactAnswer { question, finding: ArtifactFinding::Unknown("no hunter2hunter2".into()) },
    ];
    let observed = Observed { primary: "{}".into(), answers, ..Observed::default() };
    let decision = Decision::Reconcile { observed, output: Ok(Plan::default()) };
    let shown = text(&redacted(&decision, &[]));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("PATH=/bin") && shown.contains("API_TOKEN=redacted-"), "{shown}");
}

#[test]
fn names_of_the_user_count_everywhere() {
    let object = json!({"request": {"object": {
        "metadata": {"annotations": {"example.com/budget": "1000"}, "labels": {"team": "red"}},
        "spec": {"args": ["--pin", "1234"], "nodeSelector": {"team": "red"}, "replicas": 3},
    }}});
    let names = ["example.com/budget", "team", "args", "replicas"];
    let left: Value = serde_json::from_str(&text(&redacted(&review(&object), &names))).expect("JSON");
    let object = &left["request"]["object"];
    let shown = left.to_string();
    assert!(!shown.contains("1000") && !shown.contains("red\"") && !shown.contains("1234"), "{shown}");
    assert_eq!(object["metadata"]["labels"]["team"], object["spec"]["nodeSelector"]["team"]);
    assert_eq!(object["spec"]["args"].as_array().map(Vec::len), Some(2));
    assert_eq!(object["spec"]["replicas"], 3, "numbers stay");
}

#[test]
fn replacements_differ_by_process_and_fit_into_labels() {
    let (one, other) = (Redaction::new(Vec::new()), Redaction::new(Vec::new()));
    assert_eq!(one.replacement("x"), one.replacement("x"));
    assert_ne!(one.replacement("x"), one.replacement("y"));
    assert_ne!(one.replacement("x"), other.replacement("x"), "nobody can try guesses");
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(one.replacement("x").len() <= 63 && one.replacement("x").chars().all(fits));
}

#[test]
fn inputs_that_are_no_json_are_not_kept() {
    let context = Context::default();
    let output = Ok(Outcome::Need(Needs::default()));
    let decision = Decision::Review { review: "password=hunter2".into(), context, output };
    let redacted = Redaction::new(Vec::new()).apply(&description(), &decision);
    assert!(matches!(redacted, Redacted::Unreadable));
}
