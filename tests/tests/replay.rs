//! Records of decisions: what they contain, what is redacted, and that a replay gives the same
//! output byte for byte.

use orascache_controller::contract::{Observed, Reconciler};
use orascache_operator::engine::{EMBEDDED, Guest, Outcome, ReviewContext};
use orascache_operator::operator::{self, Options};
use orascache_operator::record::{self, Bounds, Recorder};
use orascache_operator::replay::replay;
use orascache_operator::version::Version;
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
        related: Vec::new(),
        failures: Vec::new(),
        now: 1_795_521_759,
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
    found.map(|found| found.content.unwrap_or_else(|damage| panic!("{}: {damage:?}", found.place))).collect()
}

#[test]
fn records_have_the_decisions_and_replay_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let (recorder, registry) = recorder(record::Options::new(&directory));
    let version = Version::trusted(GUEST.clone(), Some(recorder.clone()));
    let mut plans = Vec::new();
    for spec in
        [json!({}), json!({"replicas": 2}), json!({"image": "registry:3", "storage": {"size": "1Gi"}})]
    {
        plans.push(version.reconcile(&observed(spec, &[])));
    }
    let children = plans[0].clone().expect("a plan").apply;
    plans.push(version.reconcile(&observed(json!({}), &children)));
    plans.push(version.reconcile(&Observed { primary: "{}".into(), ..observed(json!({}), &[]) }));
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
    assert_eq!(metric(&registry, "orascache_records_written_total"), 5);
    assert_eq!(metric(&registry, "orascache_records_bytes"), files(&directory).len() as u64);
}

#[test]
fn no_file_has_secrets_and_redacted_records_replay() {
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
    let context =
        ReviewContext { objects: vec![pods::cache().into()], complete: true, ..ReviewContext::default() };
    let verdict = match version.review(&review.to_string(), &context).expect("an outcome") {
        Outcome::Decided(verdict) => verdict,
        Outcome::Need(_) => panic!("the cache is there"),
    };
    assert!(verdict.patch.as_ref().is_some_and(|patch| patch.contains("hunter2hunter2")), "{verdict:?}");
    let plan = version.reconcile(&observed(json!({"secrets": {"registryHttp": "7Zq1n0dQv8s2"}}), &[]));
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
    assert_eq!((kept.allowed, kept.code, &kept.uid), (verdict.allowed, verdict.code, &verdict.uid));
    assert_eq!(metric(&registry, "orascache_records_altered_total"), 2);
}

#[test]
fn replay_shows_where_another_component_decides_differently() {
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
        version.reconcile(&observed).expect("a plan");
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

#[test]
fn a_slow_writer_drops_records_but_no_decisions() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let options = record::Options {
        bounds: Bounds { bytes: 8 << 20, records: 80 },
        ..record::Options::new(&directory)
    };
    let (recorder, registry) = recorder(options);
    let version = Version::trusted(GUEST.clone(), Some(recorder.clone()));
    let plain = observed(json!({}), &[]);
    let expected = GUEST.reconcile(&plain).expect("a plan");
    const DECISIONS: u64 = 3_000;
    for _ in 0..DECISIONS {
        assert_eq!(version.reconcile(&plain).expect("a plan"), expected);
    }
    recorder.flush();
    let written = metric(&registry, "orascache_records_written_total");
    let dropped = metric(&registry, "orascache_records_dropped_total{reason=\"busy\"}");
    assert_eq!(written + dropped, DECISIONS, "every decision is written or counted");
    assert!(written > 0);
    assert!((71..=80).contains(&read(&directory).len()), "the ring is full, within its bound");
    // A record that is larger than a file may be is dropped.
    let large = observed(json!({"image": "x".repeat(2 << 20)}), &[]);
    let _ = version.reconcile(&large);
    recorder.flush();
    assert_eq!(metric(&registry, "orascache_records_dropped_total{reason=\"too-large\"}"), 1);
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
