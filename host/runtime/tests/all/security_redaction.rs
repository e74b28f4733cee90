//! A secret at any position that the table of rules names is in no record, and the record replays.
//!
//! The test guest plans its whole primary, so that a secret in it would be in the output too.

use crate::guest::load;
use orascache_contract::{
    ArtifactAnswer, ArtifactAspect, ArtifactFinding, ArtifactQuestion, Context, Observed,
};
use orascache_runtime::record::{self, Recorder, rules};
use orascache_runtime::replay::replay;
use orascache_runtime::{Guest, Limits, Version};
use prometheus_client::registry::Registry;
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A guest whose plans depend on nothing but the input.
static GUEST: LazyLock<Arc<Guest>> =
    LazyLock::new(|| load(Limits { calls_per_instance: 1, ..Limits::default() }));

static POSITIONS: LazyLock<Vec<Position>> = LazyLock::new(positions);

/// A place for a secret: a value that contains [`SECRET`].
struct Position {
    rule: String,
    value: Value,
    only_reviews: bool,
}

/// Stands for the secret in values.
const SECRET: &str = "PLACEHOLDER";

impl Position {
    fn with(&self, secret: &str) -> Value {
        serde_json::from_str(&self.value.to_string().replace(SECRET, secret)).expect("JSON")
    }
}

/// One or more positions for each row of the table.
fn positions() -> Vec<Position> {
    let mut all = Vec::new();
    let mut add = |rule: &str, only_reviews, value| {
        all.push(Position { rule: rule.to_owned(), value, only_reviews });
    };
    for name in rules::NAME_PARTS.iter().chain(rules::NAME_WORDS) {
        for value in [
            json!({ *name: SECRET }),
            json!({ name.to_ascii_uppercase(): SECRET }),
            json!({ *name: [SECRET, { "other": SECRET }] }),
            json!({ *name: {"value": SECRET, "nested": { "name": "x", "more": SECRET }} }),
            json!({"metadata": {"annotations": { format!("example.org/db-{name}"): SECRET }}}),
            json!({"metadata": {"labels": { format!("{name}.example.org/x"): SECRET }}}),
            json!({"env": [{"name": format!("DB_{name}"), "value": SECRET}]}),
            json!({"parameters": [{"name": name, "value": SECRET}]}),
            json!({"Env": [format!("{name}={SECRET}")]}),
            json!({"note": json!({ *name: SECRET }).to_string()}),
            json!({"path": format!("/?x=1&{name}={SECRET}")}),
            json!({"url": format!("https://host/#{name}={SECRET}")}),
            // The secret is somewhere else too.
            json!({"args": [format!("--x={SECRET}")], "note": json!({"x": [SECRET]}).to_string(), *name: SECRET}),
        ] {
            add(name, false, value);
        }
    }
    for field in rules::FIELDS {
        for content in [json!(SECRET), json!({ "k": SECRET, "l": {"name": SECRET} }), json!([SECRET])] {
            let parent = field.parent.unwrap_or("any");
            let only_reviews = field.scope == rules::Scope::Reviews;
            add(field.name, only_reviews, json!({ parent: { field.name: content } }));
            add(field.name, only_reviews, json!({"volumes": [{ parent: { field.name: content } }]}));
        }
    }
    for (list, scope) in rules::VALUE_LISTS {
        let only_reviews = *scope == rules::Scope::Reviews;
        add(list, only_reviews, json!({ *list: [{"name": "X", "value": SECRET}] }));
    }
    add(
        "httpHeaders",
        false,
        json!({"livenessProbe": {"httpGet": {"httpHeaders": [
        {"name": "Authorization", "value": format!("Bearer {SECRET}")}]}}}),
    );
    add(
        "httpHeaders",
        false,
        json!({"lifecycle": {"postStart": {"httpGet": {"httpHeaders": [
        {"name": "X", "value": SECRET}]}}}}),
    );
    for content in rules::SECRET_CONTENT {
        add(content, false, json!({"kind": "Secret", *content: { "k": SECRET }}));
        add(content, false, json!({"kind": "SecretList", "items": [{ *content: { "k": SECRET } }]}));
    }
    add(
        "annotations of Secrets",
        false,
        json!({"kind": "Secret", "metadata": {"annotations": {"k": SECRET}}}),
    );
    add("managedFields", false, json!({"metadata": {"managedFields": [{"manager": SECRET}]}}));
    let copy = "kubectl.kubernetes.io/last-applied-configuration";
    add(copy, false, json!({"metadata": {"annotations": { copy: SECRET }}}));
    add(
        "private keys",
        false,
        json!({"any": format!(
        "x\n-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----\n")}),
    );
    add("private keys", false, json!({"args": [format!("-----BEGIN OPENSSH PRIVATE KEY-----{SECRET}")]}));
    add("URLs", false, json!({"any": format!("postgres://u:{SECRET}@db/x")}));
    add("URLs", false, json!({"command": ["sh", "-c", format!("curl 'https://{SECRET}@host/x'")]}));
    add(
        "sensitive",
        false,
        json!({"apiVersion": "lab.example.com/v1", "kind": "Note", "spec": {"box": SECRET}}),
    );
    all
}

/// Decides about inputs with that value at every place of an input, and reads the files.
fn recorded(values: &[(Value, bool)]) -> (String, Vec<record::Record>) {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let recorder = Recorder::start(record::Options::new(&directory), &mut Registry::default());
    let recorder = Arc::new(recorder.expect("recording starts"));
    let version = Version::trusted(GUEST.clone(), Some(recorder.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (value, only_reviews) in values {
        let text = || value.to_string().into();
        let settings = value.to_string().into();
        let empty = || Observed { primary: "{}".into(), ..Observed::default() };
        let observed = [
            Observed { primary: text(), ..empty() },
            Observed { owned: vec![text()], related: vec!["{}".into(), text()], ..empty() },
            Observed { settings, ..empty() },
            Observed { answers: vec![answer(value)], ..empty() },
        ];
        for observed in observed.iter().filter(|_| !only_reviews) {
            runtime.block_on(version.reconcile(observed)).expect("a plan");
        }
        let review =
            json!({"request": {"uid": "u", "object": value, "oldObject": {"spec": [value]}}}).to_string();
        let context = Context {
            objects: vec![text()],
            settings: text(),
            answers: vec![answer(value)],
            ..Context::default()
        };
        runtime.block_on(version.review(&review, &context)).expect("an outcome");
    }
    recorder.flush();
    let files = std::fs::read_dir(&directory).expect("readable").map(|entry| entry.expect("an entry").path());
    let text = files.map(|file| std::fs::read_to_string(file).expect("text")).collect();
    let records = record::records(&directory).expect("readable");
    (text, records.map(|entry| entry.content.expect("whole")).collect())
}

fn answer(value: &Value) -> ArtifactAnswer {
    let question = ArtifactQuestion {
        registry: "registry.example.com".into(),
        plain_http: false,
        repository: "tools/run".into(),
        reference: "1".into(),
        credentials: None,
        aspect: ArtifactAspect::ImageConfig,
    };
    ArtifactAnswer { question, finding: ArtifactFinding::ImageConfig(value.to_string()) }
}

#[test]
fn every_row_of_the_table_keeps_its_secret_out_of_records() {
    for (number, position) in POSITIONS.iter().enumerate() {
        let secret = format!("s3cr3t{number:04}value");
        let (text, records) = recorded(&[(position.with(&secret), position.only_reviews)]);
        assert_eq!(records.len(), if position.only_reviews { 1 } else { 5 });
        assert!(!text.contains(&secret), "{}: {} in {text}", position.rule, position.value);
        for record in records {
            assert!(record.redacted, "{}: {}", position.rule, position.value);
            assert!(replay(&record, &GUEST).is_none(), "{}: {}", position.rule, position.value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The values around it do not matter: a random secret at random positions, one within another.
    #[test]
    fn a_random_secret_at_random_positions_is_in_no_record(
        secret in "[a-zA-Z0-9!$%^*()_+=~.,ü€ -]{0,10}[a-zA-Z0-9]{8}[a-zA-Z0-9!$%^*()_+=~.,ü€-]{0,10}",
        first in any::<proptest::sample::Index>(),
        second in any::<proptest::sample::Index>(),
        depth in 0..4_usize,
    ) {
        let (first, second) = (first.get(POSITIONS.as_slice()), second.get(POSITIONS.as_slice()));
        // A URL ends at a space.
        let secret = secret.replace(' ', "_");
        let mut value = json!({"spec": {"first": first.with(&secret), "list": [second.with(&secret)]}});
        for level in 0..depth {
            value = if level % 2 == 0 { json!([value]) } else { json!({"template": value}) };
        }
        let only_reviews = first.only_reviews || second.only_reviews;
        let (text, records) = recorded(&[(value.clone(), only_reviews)]);
        prop_assert!(!text.contains(&secret), "{} in {}: {}", secret, value, text);
        for record in records {
            prop_assert!(record.redacted && replay(&record, &GUEST).is_none(), "{}", value);
        }
    }
}

/// What users are promised is what is done.
#[test]
fn the_documentation_has_every_row_of_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/replay.md");
    let text = std::fs::read_to_string(file).expect("readable");
    let names = rules::NAME_PARTS.iter().chain(rules::NAME_WORDS).chain(rules::SECRET_CONTENT);
    let lists = rules::VALUE_LISTS.iter().map(|(list, _)| list);
    for name in names.chain(lists).chain(rules::REFERENCE_NAMES) {
        assert!(text.contains(&format!("`{name}`")), "{name} is not documented");
    }
    for field in rules::FIELDS {
        let name =
            field.parent.map_or_else(|| field.name.to_owned(), |parent| format!("{parent}.{}", field.name));
        assert!(text.contains(&format!("`{name}`")), "{name} is not documented");
    }
}
