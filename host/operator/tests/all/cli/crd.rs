//! The definition of OrasCache: what its rules say, and that `review` says the same.

use super::{CACHE, err, out, run};
use fake_kube::apimachinery::validation::Validator;
use orascache_api::duration::AGE;
use orascache_api::pattern::{REPOSITORY_PATTERN, TAG_PATTERN};
use orascache_api::schedule::SCHEDULE;
use orascache_api::sentences;
use serde_json::{Value, json};
use std::sync::LazyLock;

fn schema() -> Value {
    let definition = orascache_operator::command::crd::definition();
    let definition = serde_json::to_value(definition).expect("JSON");
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn cache(name: &str, spec: Value) -> Value {
    let mut spec = spec;
    let members = spec.as_object_mut().expect("an object");
    for (name, default) in [("image", json!("i")), ("deploy", json!(true)), ("replicas", json!(1))] {
        members.entry(name).or_insert(default);
    }
    if let Some(policy) = members.get_mut("networkPolicy").and_then(Value::as_object_mut) {
        policy.entry("enabled").or_insert(json!(true));
    }
    json!({"metadata": {"name": name}, "spec": spec})
}

/// What the API server says of a spec: the field and the message of each cause.
fn causes(new: &Value, old: Option<&Value>) -> Vec<String> {
    static VALIDATOR: LazyLock<Validator> =
        LazyLock::new(|| Validator::from_openapi(&schema()).expect("a schema"));
    let causes = VALIDATOR.validate(new, old);
    causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

/// Specs that are refused, with the field and the sentence.
fn refused() -> Vec<(Value, &'static str, String)> {
    let value = |value: &str, sentence: &str| format!("Invalid value: {value}: {sentence}");
    let whole = |sentence: &str| format!("Invalid value: {sentence}");
    vec![
        (json!({"image": "two words"}), "spec.image", value("\"two words\"", sentences::IMAGE)),
        (json!({"image": ""}), "spec.image", value("\"\"", sentences::IMAGE)),
        (json!({"replicas": -1}), "spec.replicas", value("-1", sentences::REPLICAS)),
        (json!({"replicas": 2}), "spec.replicas", whole(sentences::SHARED_STORAGE)),
        (
            json!({"secret": "s", "secrets": {"registryHttp": "x"}}),
            "spec.secrets.registryHttp",
            whole(sentences::TWO_HTTP_SECRETS),
        ),
        (json!({"storage": {}}), "spec.storage", whole(sentences::ONE_STORAGE)),
        (
            json!({"storage": {"size": "1Gi", "existingClaim": "c"}}),
            "spec.storage",
            whole(sentences::ONE_STORAGE),
        ),
        (json!({"storage": {"size": "big"}}), "spec.storage.size", value("\"big\"", sentences::SIZE)),
        (json!({"storage": {"size": "-1Gi"}}), "spec.storage.size", value("\"-1Gi\"", sentences::SIZE)),
        (
            json!({"storage": {"existingClaim": "c", "accessModes": ["ReadWriteMany"]}}),
            "spec.storage",
            whole(sentences::FIELDS_OF_OWN_CLAIM),
        ),
        (
            json!({"storage": {"emptyDir": {"sizeLimit": "big"}}}),
            "spec.storage.emptyDir.sizeLimit",
            value("\"big\"", sentences::SIZE),
        ),
        (
            json!({"service": {"nodePort": 30500}}),
            "spec.service.nodePort",
            whole(sentences::NODE_PORT_IS_INTERNAL),
        ),
        (
            json!({"service": {"type": "ClusterIP", "sourceRanges": ["192.0.2.0/24"]}}),
            "spec.service.sourceRanges",
            whole(sentences::SOURCE_RANGES_ARE_INTERNAL),
        ),
        (
            json!({"networkPolicy": {"allowedNamespaces": ["good", "Not_good"]}}),
            "spec.networkPolicy.allowedNamespaces[1]",
            value("\"Not_good\"", sentences::NAMESPACE),
        ),
        (
            json!({"networkPolicy": {"enabled": false, "allowedNamespaces": ["a"]}}),
            "spec.networkPolicy",
            whole(sentences::POLICY_IS_OFF),
        ),
        (json!({"retention": {"patterns": ["*"]}}), "spec.retention", whole(sentences::NOTHING_IS_KEPT)),
        (json!({"retention": {"maxAge": "30"}}), "spec.retention.maxAge", value("\"30\"", AGE)),
        (
            json!({"retention": {"keepTags": 1, "schedule": "daily"}}),
            "spec.retention.schedule",
            value("\"daily\"", SCHEDULE),
        ),
        (
            json!({"retention": {"keepTags": 1, "patterns": ["a", "a b"]}}),
            "spec.retention.patterns[1]",
            value("\"a b\"", TAG_PATTERN),
        ),
        (
            json!({"retention": {"keepTags": 1}, "readOnly": true}),
            "spec.retention",
            whole(sentences::TASKS_OF_READ_ONLY),
        ),
        (
            json!({"seed": {"artifacts": [{"source": "busybox:1"}]}}),
            "spec.seed.artifacts[0].source",
            value("\"busybox:1\"", sentences::SEED_SOURCE),
        ),
        (
            json!({"seed": {"artifacts": [{"source": "a.io/b:1", "target": "B"}]}}),
            "spec.seed.artifacts[0].target",
            value("\"B\"", sentences::SEED_TARGET),
        ),
        (
            json!({"seed": {"artifacts": [{"source": "a.io/b:1"}]}, "auth": {"htpasswdSecret": "a"}}),
            "spec.seed",
            whole(sentences::TASKS_WITHOUT_ACCOUNT),
        ),
        (
            json!({"seed": {"artifacts": [{"source": "a.io/b:1"}]}, "readOnly": true}),
            "spec.seed",
            whole(sentences::TASKS_OF_READ_ONLY),
        ),
        (
            json!({"export": {"destination": "lab"}}),
            "spec.export.destination",
            value("\"lab\"", sentences::EXPORT_DESTINATION),
        ),
        (
            json!({"export": {"destination": "a.io", "repositories": ["Flow"]}}),
            "spec.export.repositories[0]",
            value("\"Flow\"", REPOSITORY_PATTERN),
        ),
        (
            json!({"export": {"destination": "a.io", "tags": ["a/b"]}}),
            "spec.export.tags[0]",
            value("\"a/b\"", TAG_PATTERN),
        ),
        (
            json!({"export": {"destination": "a.io"}, "auth": {"htpasswdSecret": "a"}}),
            "spec.export",
            whole(sentences::TASKS_WITHOUT_ACCOUNT),
        ),
    ]
}

#[test]
fn rules_say_what_is_wrong_and_what_to_write() {
    for (spec, field, message) in refused() {
        assert_eq!(causes(&cache("demo", spec.clone()), None), [format!("{field}: {message}")], "{spec}");
    }
    let stored = |storage: Value| cache("demo", json!({"storage": storage}));
    let old = stored(json!({"size": "2Gi", "storageClassName": "fast"}));
    for (storage, field, sentence) in [
        (json!({"size": "1Gi", "storageClassName": "fast"}), "size", sentences::SHRINKS),
        (json!({"size": "2Gi"}), "storageClassName", sentences::STORAGE_CLASS_IS_FIXED),
        (
            json!({"size": "2Gi", "storageClassName": "fast", "accessModes": ["ReadOnlyMany"]}),
            "accessModes",
            sentences::ACCESS_MODES_ARE_FIXED,
        ),
    ] {
        assert_eq!(
            causes(&stored(storage), Some(&old)),
            [format!("spec.storage.{field}: Invalid value: {sentence}")]
        );
    }
    let wrong = stored(json!({"size": "big", "storageClassName": "fast"}));
    assert_eq!(causes(&wrong, Some(&old)).len(), 1, "a size that is none is not compared");
    assert!(causes(&cache(&"a".repeat(53), json!({})), None)[0].ends_with(sentences::NAME_LENGTH));
    assert!(causes(&cache("1a", json!({})), None)[0].ends_with(sentences::NAME));
}

#[test]
fn review_and_the_component_say_the_same_as_the_definition() {
    let (mut documents, mut reviews) = (Vec::new(), Vec::new());
    for (number, (spec, ..)) in refused().into_iter().enumerate() {
        let name = format!("demo-{number}");
        let written = CACHE
            .replace("name: demo", &format!("name: {name}"))
            .replace("spec: {}", &format!("spec: {spec}"));
        // An AdmissionReview goes to the component at once.
        let object: Value = serde_saphyr::from_str(&written).expect("YAML");
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u", "operation": "CREATE", "namespace": "lab", "name": name, "object": object,
                "kind": {"group": "cache.converged-computing.github.io", "version": "v1alpha1", "kind": "OrasCache"},
            },
        });
        documents.push(written);
        reviews.push(review.to_string());
    }
    let by_definition = refusals(&documents);
    let by_component = refusals(&reviews);
    for (number, (spec, field, message)) in refused().into_iter().enumerate() {
        let start = format!("OrasCache.cache.converged-computing.github.io \"demo-{number}\" is invalid: ");
        let said = &by_definition[number];
        assert!(said.starts_with(&format!("{start}{field}: {message}")), "{spec}: {said}");
        let sentence = message.trim_start_matches("Invalid value: ");
        let sentence = sentence.split_once(": must ").map_or(sentence, |(_, sentence)| sentence);
        let said = &by_component[number];
        assert!(said.contains(sentence), "{spec}: {said}");
    }
}

/// What `review` says of documents all of which it refuses, without the object and the code. One call
/// for all of them: each call sets the rules up.
fn refusals(documents: &[String]) -> Vec<String> {
    let output = run(&["review"], &documents.join("\n---\n"));
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let text = out(&output);
    let said = text.split("OrasCache/demo-").skip(1).enumerate().map(|(number, said)| {
        let refusal = said.strip_prefix(&format!("{number}: refused (422): "));
        refusal.unwrap_or_else(|| panic!("document {number} is not refused: {said}")).to_owned()
    });
    let said: Vec<String> = said.collect();
    assert_eq!(said.len(), documents.len(), "{text}");
    said
}

#[test]
fn unknown_fields_and_values_of_other_types_are_refused() {
    let review = |spec: &str| {
        let output = run(&["review"], &CACHE.replace("spec: {}", &format!("spec: {spec}")));
        assert_eq!(output.status.code(), Some(1), "{spec}: {}", err(&output));
        out(&output)
    };
    let said = review("{replica: 2, image: 'two words', storage: {siez: 1Gi, size: 1Gi}}");
    assert!(
        said.starts_with("OrasCache/demo: refused (400): OrasCache in version \"v1alpha1\" cannot be handled as a OrasCache: strict decoding error: unknown field \"spec.replica\", unknown field \"spec.storage.siez\"; "),
        "{said}"
    );
    assert!(said.contains(sentences::IMAGE), "all problems at once: {said}");
    assert!(review("{replicas: two}").contains("spec.replicas in body must be of type integer"));
    assert!(
        review("{imagePullPolicy: Sometimes}")
            .contains("supported values: \"Always\", \"IfNotPresent\", \"Never\"")
    );
    let output = run(&["review"], &CACHE.replace("name: demo", "generateName: demo-"));
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
}

/// The rules had patterns before. What they accepted may be stored in clusters.
#[test]
fn values_that_were_accepted_before_are_accepted() {
    let digest = "0".repeat(64);
    for image in [
        "registry",
        "registry:3",
        "localhost/a",
        "localhost:5000/a/b:1",
        "[::1]:5000/a",
        "[::1]/a",
        "Ghcr.io/a/b_c__d-e--f.g:T_1.2-3",
        &format!("registry.example.org:443/a@sha256:{digest}"),
        &format!("a:1@sha512:{digest}{digest}"),
    ] {
        assert_eq!(causes(&cache("demo", json!({"image": image})), None), [""; 0], "{image}");
    }
    for image in ["A", "a//b", "a:", "a@sha256:0", "[::1]a", "a:1:2/b", "-a", "a b", "https://a/b"] {
        assert_eq!(causes(&cache("demo", json!({"image": image})), None).len(), 1, "{image}");
    }
    for unit in ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
        for number in ["0", "1", "1.5", "007"] {
            let size = format!("{number}{unit}");
            assert_eq!(causes(&cache("demo", json!({"storage": {"size": size}})), None), [""; 0], "{size}");
        }
    }
    for name in ["a", "0", "a-b", &"a".repeat(63)] {
        let policy = json!({"networkPolicy": {"allowedNamespaces": [name]}});
        assert_eq!(causes(&cache("demo", policy), None), [""; 0], "{name}");
    }
}

/// A cache that was stored by a definition without these rules: what an update leaves as it is need
/// not be corrected, so that its status can be written and its finalizers removed.
#[test]
fn a_cache_that_breaks_a_rule_can_be_updated_otherwise() {
    let old = cache("demo", json!({"image": "Two Words", "storage": {"size": "big"}, "replicas": -1}));
    assert_eq!(causes(&old, None).len(), 3);
    let mut new = old.clone();
    new["status"] = json!({"endpoint": "demo-0.demo.lab.svc:5000"});
    assert_eq!(causes(&new, Some(&old)), [""; 0]);
    new["spec"]["image"] = json!("Three More Words");
    assert_eq!(causes(&new, Some(&old)).len(), 1);
}

/// Rules see the shape alone, so that the component refuses more. What it accepts, they accept.
#[test]
fn what_the_component_accepts_of_retention_seeds_and_exports_the_rules_accept() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let mut documents = Vec::new();
    let mut accepted = |spec: Value| {
        assert_eq!(causes(&cache("demo", spec.clone()), None), [""; 0], "{spec}");
        let name = format!("name: demo-{}", documents.len());
        documents.push(CACHE.replace("name: demo", &name).replace("spec: {}", &format!("spec: {spec}")));
    };
    for schedule in ["0 3 * * *", "*/5 8-18/2 ? JAN-mar sun", " 0\t0  1 1 0 ", "@yearly", "@hourly"] {
        accepted(json!({"retention": {"keepTags": 1, "schedule": schedule}}));
    }
    for age in ["1s", "1d2h3m4s", "3650d", "90m"] {
        accepted(json!({"retention": {"maxAge": age}}));
    }
    accepted(json!({"flavor": "zot", "retention": {"unusedSince": "30d"}}));
    accepted(json!({"flavor": "zot", "auth": {"htpasswdSecret": "a"}, "retention": {"keepTags": 1}}));
    for pattern in ["*", "v?.*", "_x-1", "Latest"] {
        accepted(json!({"retention": {"keepTags": 1, "patterns": [pattern]}}));
    }
    for source in [
        "docker.io/library/busybox:1",
        "localhost/a",
        "localhost:5000/a/b_c__d-e.f:T_1.2-3",
        "http://mirror/a",
        "https://[::1]:5000/a",
        "[::1]/a:1",
        &format!("a.io/b@{digest}"),
        &format!("a.io/b:1@{digest}"),
    ] {
        accepted(json!({"seed": {"artifacts": [{"source": source, "target": "a/b:1"}]}}));
    }
    for target in ["a", "a/b-c:T_1", "0/1"] {
        accepted(json!({"seed": {"artifacts": [{"source": "a.io/b:1", "target": target}]}}));
    }
    for destination in
        ["a.io", "a.io/", "a.io/lab/x", "http://mirror", "localhost/a", "localhost:5000", "[::1]/a"]
    {
        accepted(json!({"export": {"destination": destination, "repositories": ["flow/*", "a"]}}));
    }
    accepted(json!({"auth": {}, "tls": {}, "retention": {"keepTags": 1}, "export": {"destination": "a.io"}}));
    let auth = json!({"htpasswdSecret": "a", "credentialsSecret": "b"});
    accepted(json!({"auth": auth, "retention": {"keepTags": 1}}));
    accepted(json!({"readOnly": true, "export": {"destination": "a.io"}}));
    let output = run(&["review"], &documents.join("\n---\n"));
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    assert!(documents.len() > 30, "{}", documents.len());
}

/// The schemas of strings that a rule reads: those with a rule, and those below an object with one.
fn texts<'s>(schema: &'s Value, path: &str, below_rules: bool, found: &mut Vec<(String, &'s Value)>) {
    let has_rules = below_rules || schema.get("x-kubernetes-validations").is_some();
    if schema["type"] == "string" && has_rules && schema.get("enum").is_none() {
        found.push((path.to_owned(), schema));
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        texts(member, &format!("{path}.{name}"), has_rules, found);
    }
    if let Some(items) = schema.get("items") {
        texts(items, &format!("{path}[]"), has_rules, found);
    }
}

/// The API server estimates what a rule costs by the longest text, and refuses a definition whose
/// rules may cost too much (kubernetes.io, "Resource constraints" of validation rules).
#[test]
fn texts_that_a_rule_reads_have_a_greatest_length() {
    let schema = schema();
    let mut found = Vec::new();
    for part in ["storage", "networkPolicy", "retention", "seed", "export"] {
        texts(&schema["properties"]["spec"]["properties"][part], part, false, &mut found);
    }
    texts(&schema["properties"]["spec"]["properties"]["image"], "image", false, &mut found);
    assert!(found.len() >= 5, "{found:?}");
    for (path, text) in found {
        assert!(text["maxLength"].as_u64().is_some_and(|length| length <= 512), "{path}: {text}");
    }
}

#[test]
fn no_value_of_a_spec_is_checked_by_a_pattern() {
    let spec = schema()["properties"]["spec"].to_string();
    // Quantities within `resources` have the pattern of Kubernetes.
    let own = spec.replace(&schema()["properties"]["spec"]["properties"]["resources"].to_string(), "");
    assert!(!own.contains("\"pattern\""), "{own}");
}
