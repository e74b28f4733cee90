//! Recorded decisions of the component for OrasCaches: what is left out, and that they can be
//! replayed byte for byte. `host/runtime` tests recording by itself.

use orascache_contract::{Context, Observed, Outcome, Plan, Verdict};
use orascache_operator::EMBEDDED;
use orascache_operator::operator::{self, Options};
use orascache_runtime::record::{self, Recorder};
use orascache_runtime::replay::replay;
use orascache_runtime::{Guest, Version};
use orascache_tests::cluster::{Cluster, PATIENCE, guest};
use orascache_tests::components::{edited, load_all};
use orascache_tests::fixtures::cache;
use orascache_tests::{GREETER, pods, reviews};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock};

static GUEST: LazyLock<Arc<Guest>> = LazyLock::new(|| Arc::new(guest(EMBEDDED)));

fn recorder(options: record::Options) -> (Arc<Recorder>, Registry) {
    let mut registry = Registry::default();
    let recorder = Recorder::start(options, &mut registry).expect("recording starts");
    (Arc::new(recorder), registry)
}

fn metric(registry: &Registry, line: &str) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).expect("metrics");
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
    value.unwrap_or_default()
}

fn observed(spec: Value, owned: &[String]) -> Observed {
    let mut primary = cache("demo", spec);
    primary["metadata"]["namespace"] = json!("lab");
    primary["metadata"]["uid"] = json!("u-1");
    primary["metadata"]["generation"] = json!(1);
    Observed {
        primary: primary.to_string().into(),
        owned: owned.iter().map(|text| text.as_str().into()).collect(),
        now: 1_795_521_759,
        ..Observed::default()
    }
}

fn files(directory: &Path) -> String {
    let entries =
        std::fs::read_dir(directory).expect("readable").map(|entry| entry.expect("an entry").path());
    entries.map(|path| std::fs::read_to_string(path).expect("text")).collect()
}

/// Reads all records of a folder. A damaged record fails the test.
fn read(directory: &Path) -> Vec<record::Record> {
    let found = record::records(directory).expect("readable");
    found
        .map(|entry| entry.content.unwrap_or_else(|damage| panic!("{}: {damage:?}", entry.location)))
        .collect()
}

#[tokio::test]
async fn records_have_the_decisions_and_replay_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let (recorder, registry) = recorder(record::Options::new(&directory));
    let version = Version::trusted(GUEST.clone(), Some(recorder.clone()));
    let mut plans = Vec::new();
    for spec in
        [json!({}), json!({"replicas": 2}), json!({"image": "registry:3", "storage": {"size": "1Gi"}})]
    {
        plans.push(version.reconcile(&observed(spec, &[])).await);
    }
    let children = plans[0].clone().expect("a plan").apply;
    plans.push(version.reconcile(&observed(json!({}), &children)).await);
    plans.push(version.reconcile(&Observed { primary: "{}".into(), ..observed(json!({}), &[]) }).await);
    assert!(plans[4].is_err(), "the last decision is an error");
    recorder.flush();
    let records = read(&directory);
    assert_eq!(records.len(), 5);
    for (record, plan) in records.iter().zip(&plans) {
        assert!(!record.redacted && !record.altered);
        assert_eq!(record.component, GUEST.interface().digest);
        let record::Decision::Reconcile { output, .. } = &record.decision else { panic!("not a reconcile") };
        assert_eq!(output, plan);
        assert!(replay(record, &GUEST).is_none());
    }
    assert_eq!(metric(&registry, "records_written_total"), 5);
    assert_eq!(metric(&registry, "records_bytes"), files(&directory).len() as u64);
}

#[tokio::test]
async fn no_file_has_secrets_and_redacted_records_replay() {
    const SECRETS: [&str; 4] =
        ["hunter2hunter2", "value-of-parameter-3", "alice@example.com", "7Zq1n0dQv8s2"];
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let options = record::Options { redact: vec!["team-budget".into()], ..record::Options::new(&directory) };
    let (recorder, registry) = recorder(options);
    let version = Version::trusted(GUEST.clone(), Some(recorder.clone()));

    let mut asking = reviews::pod();
    asking["metadata"]["annotations"]["team-budget"] = json!("hunter2hunter2");
    asking["spec"]["containers"][0]["command"] = json!(["run", "--budget=hunter2hunter2"]);
    let mut review: Value = serde_json::from_str(&reviews::review(&asking)).expect("JSON");
    review["request"]["userInfo"]["username"] = json!("alice@example.com");
    let context = Context { objects: vec![pods::cache().into()], complete: true, ..Context::default() };
    let response = match version.review(&review.to_string(), &context).await.expect("an outcome") {
        Outcome::Decided(response) => response,
        Outcome::Need(_) => panic!("the cache is there"),
    };
    assert!(response.patch().is_some_and(|patch| patch.contains("hunter2hunter2")), "{response:?}");
    let literal = observed(json!({"secrets": {"registryHttp": "7Zq1n0dQv8s2"}}), &[]);
    let plan = version.reconcile(&literal).await;
    assert!(plan.is_ok(), "{plan:?}");
    recorder.flush();

    let text = files(&directory);
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} was recorded");
    }
    // The plan has the secret in another form: base64 in the data of a Secret.
    assert!(!text.contains("N1pxMW4wZFF2OHMy"), "the secret was recorded in base64");
    assert!(text.contains("OMP_PARAMETER_3"), "names are kept");
    let records = read(&directory);
    assert_eq!(records.len(), 2);
    for record in &records {
        assert!(record.redacted && record.altered, "redaction changes the output: {record:?}");
        assert!(replay(record, &GUEST).is_none());
    }
    let record::Decision::Review { output: Ok(Outcome::Decided(kept)), .. } = &records[0].decision else {
        panic!("the first one is the review")
    };
    assert!(matches!(kept.verdict, Verdict::Allowed(Some(_))));
    assert_eq!(kept.uid, response.uid);
    assert_eq!(metric(&registry, "records_altered_total"), 2);
}

#[tokio::test]
async fn replay_shows_where_another_component_decides_differently() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let (recorder, _) = recorder(record::Options::new(&directory));
    let newer = edited(GREETER, "hello", "howdy");
    let [old, new] = load_all([GREETER, &newer]);
    let version = Version::trusted(old.clone(), Some(recorder.clone()));
    for text in [None, Some("hi")] {
        let primary = json!({"apiVersion": "lab.example.com/v1", "kind": "Greeting",
            "metadata": {"name": "g", "namespace": "lab", "uid": "u", "generation": 1}, "spec": {"text": text}});
        let observed = Observed { primary: primary.to_string().into(), ..observed(json!({}), &[]) };
        version.reconcile(&observed).await.expect("a plan");
    }
    recorder.flush();
    let records = read(&directory);
    assert!(records.iter().all(|record| replay(record, &old).is_none()));
    let differences: Vec<_> = records.iter().filter_map(|record| replay(record, &new)).collect();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].subject, "reconcile Greeting lab/g");
    let diff = &differences[0].diff;
    assert!(
        diff.contains("-") && diff.contains("greeting: hello") && diff.contains("greeting: howdy"),
        "{diff}"
    );
}

/// The fixtures were recorded by a host of WIT 0.2 and its component, before the contract had its
/// own types.
#[test]
fn decisions_recorded_before_wit_0_3_are_made_again() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/runtime/tests/fixtures");
    let records = read(&fixtures);
    assert_eq!(records.len(), 7);
    let is_review = |record: &&record::Record| matches!(record.decision, record::Decision::Review { .. });
    let (same, changed): (Vec<_>, Vec<_>) = records.iter().partition(is_review);
    assert_eq!((same.len(), changed.len()), (4, 3));
    for record in same {
        // Refusals say more today, and steps with outputs name their image. All else is as it was.
        let diff = replay(record, &GUEST).map_or_else(String::new, |found| found.diff);
        let changed = diff.lines().filter(|line| !line.starts_with("---") && !line.starts_with("+++"));
        let mut changed = changed.filter_map(|line| line.strip_prefix(['-', '+']));
        let is_known = |line: &str| {
            let line = line.trim_start();
            line.starts_with("message: ") || line.starts_with("- --reuse-image=")
        };
        assert!(changed.all(is_known), "{diff}");
    }
    // Caches get more than they got then: a NetworkPolicy, which the StatefulSet waits for, and an
    // annotation. What else was planned then is planned still.
    let object = |text: &String| {
        let mut object: Value = serde_json::from_str(text).expect("an object");
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            annotations.remove("cache.converged-computing.github.io/cache");
        }
        object
    };
    for record in changed {
        let planned = |decision: &record::Decision| match decision {
            record::Decision::Reconcile { output: Ok(plan), .. } => plan.clone(),
            other => panic!("no plan: {other:?}"),
        };
        let (before, now) = (planned(&record.decision), planned(&record.decision.again(&GUEST)));
        let generated = |plan: &Plan| -> Vec<_> {
            plan.generate.iter().map(|one| (object(&one.secret), one.recipe.clone())).collect()
        };
        assert_eq!(generated(&before), generated(&now));
        let now: Vec<Value> = now.apply.iter().map(object).collect();
        let stays = before.apply.iter().map(object).filter(|object| object["kind"] != "StatefulSet");
        let stays: Vec<Value> = stays.collect();
        assert!(stays.len() + 1 >= before.apply.len(), "one StatefulSet at most");
        assert!(stays.iter().all(|object| now.contains(object)), "{now:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_records_its_decisions() {
    let cluster = Cluster::embedded().await;
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let options = Options { record: Some(record::Options::new(&directory)), ..Options::default() };
    let running =
        operator::start(cluster.operator_client().await, GUEST.clone(), options).await.expect("started");
    tokio::time::timeout(PATIENCE, running.synced()).await.expect("synced");
    let spec = json!({"replicas": 2, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}});
    cluster.apply(&cluster.caches(), cache("demo", spec)).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    running.shutdown().await;
    let records = read(&directory);
    // Every write was decided before, and shutdown waits until all records are on disk.
    let says_ready = |record: &record::Record| match &record.decision {
        record::Decision::Reconcile { output: Ok(plan), .. } => {
            plan.status.as_deref().is_some_and(|status| status.contains("RegistryReady"))
        }
        _ => false,
    };
    assert!(records.len() > 2 && records.iter().any(says_ready), "{}", records.len());
    for record in &records {
        assert!(replay(record, &GUEST).is_none(), "{record:?}");
    }
    cluster.finish().await;
}
