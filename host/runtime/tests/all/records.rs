//! Recorded decisions: what is kept, what is left out, and that they can be replayed byte for byte.

use crate::guest::{component, context, edited, load, observed};
use orascache_contract::{
    Context, FailureReason, GuestError, Observed, Outcome, RandomKey, Recipe, Response, Verb, Verdict,
};
use orascache_runtime::record::{self, Capacity, Decision, Record, Recorder};
use orascache_runtime::replay::replay;
use orascache_runtime::{CompiledCache, Guest, Limits, Version};
use prometheus_client::registry::Registry;
use std::path::Path;
use std::sync::Arc;

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

/// Records of a folder, none of them damaged.
fn read(directory: &Path) -> Vec<Record> {
    let entries = record::records(directory).expect("readable");
    entries
        .map(|entry| entry.content.unwrap_or_else(|damage| panic!("{}: {damage:?}", entry.location)))
        .collect()
}

/// A guest whose plans depend on nothing but the input.
fn stateless() -> Arc<Guest> {
    load(Limits { calls_per_instance: 1, ..Limits::default() })
}

#[tokio::test]
async fn records_have_the_input_and_the_output_and_replay_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let (recorder, registry) = recorder(record::Options::new(&directory));
    let guest = stateless();
    let version = Version::trusted(guest.clone(), Some(recorder.clone()));
    let all = Observed { settings: "{\"a\":1}".into(), owned: vec!["{}".into()], ..observed("[1]") };
    let plan = version.reconcile(&all).await.expect("a plan");
    let outcome = version.review("{\"request\": {}}", &context()).await.expect("an outcome");
    recorder.flush();
    let records = read(&directory);
    assert_eq!(records.len(), 2);
    for record in &records {
        assert!(!record.redacted && !record.altered);
        assert_eq!(record.component, guest.interface().digest);
        assert!(replay(record, &guest).is_none());
    }
    let Decision::Reconcile { observed, output } = &records[0].decision else { panic!("a review") };
    assert_eq!((observed, output), (&all, &Ok(plan)));
    let Decision::Review { review, output, .. } = &records[1].decision else { panic!("a reconcile") };
    assert_eq!((&**review, output), ("{\"request\": {}}", &Ok(outcome)));
    assert_eq!(metric(&registry, "records_written_total"), 2);
}

/// The description of the test guest says that `/spec/box` is secret.
#[tokio::test]
async fn sensitive_fields_are_recorded_nowhere_and_the_record_replays() {
    const PIN: &str = "7Zq1n0dQv8s2";
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let (recorder, registry) = recorder(record::Options::new(&directory));
    let guest = stateless();
    let version = Version::trusted(guest.clone(), Some(recorder.clone()));
    let note = format!(r#"{{"apiVersion":"lab.example.com/v1","kind":"Note","spec":{{"box":"{PIN}"}}}}"#);
    let plan = version.reconcile(&observed(&note)).await.expect("a plan");
    assert_eq!(plan.apply, [note.as_str()], "the decision itself has the secret");
    let others = Context { objects: vec![note.as_str().into()], ..Context::default() };
    version.review("{}", &others).await.expect("an outcome");
    recorder.flush();
    let records = read(&directory);
    assert_eq!(records.len(), 2);
    for record in &records {
        assert!(record.redacted && !format!("{record:?}").contains(PIN), "{record:?}");
        assert!(replay(record, &guest).is_none());
    }
    assert!(records[0].altered, "the plan repeats what was left out");
    assert_eq!(metric(&registry, "records_altered_total"), 1);
}

#[tokio::test]
async fn errors_are_recorded_and_calls_that_were_not_made_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let (recorder, _) = recorder(record::Options::new(&directory));
    let mut limits = Limits { calls_per_instance: 1, ..Limits::default() };
    limits.review.running = 0;
    limits.review.waiting = 0;
    let guest = load(limits);
    let version = Version::trusted(guest, Some(recorder.clone()));
    let busy = version.review("{}", &context()).await;
    assert!(matches!(busy, Err(GuestError::Busy(_))), "{busy:?}");
    // Not JSON, so that secrets cannot be found in it.
    version.reconcile(&observed("p")).await.expect_err("a panic");
    recorder.flush();
    assert_eq!(read(&directory).len(), 0);
}

#[tokio::test]
async fn another_version_is_caught_where_it_decides_differently() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let (recorder, _) = recorder(record::Options::new(&directory));
    let guest = stateless();
    let other = edited(&component(), "hello", "howdy");
    let other = guest.engine().load(&other, &CompiledCache::none()).expect("it loads");
    let version = Version::trusted(guest.clone(), Some(recorder.clone()));
    let primary = r#"{"kind":"Note","metadata":{"name":"n","namespace":"lab"}}"#;
    version.reconcile(&observed(primary)).await.expect("a plan");
    version.review("{}", &context()).await.expect("an outcome");
    recorder.flush();
    let records = read(&directory);
    let differences: Vec<_> = records.iter().filter_map(|record| replay(record, &other)).collect();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].subject, "reconcile Note lab/n");
    assert_eq!(
        (&differences[0].recorded["plan"]["status"], &differences[0].replayed["plan"]["status"]),
        (&"hello".into(), &"howdy".into())
    );
    assert!(differences[0].diff.contains("hello") && differences[0].diff.contains("howdy"));
}

#[tokio::test]
async fn a_slow_writer_costs_records_and_no_decisions() {
    const DECISIONS: u64 = 3_000;
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let capacity = Capacity { bytes: 8 << 20, records: 80 };
    let (recorder, registry) = recorder(record::Options { capacity, ..record::Options::new(&directory) });
    let version = Version::trusted(load(Limits::default()), Some(recorder.clone()));
    for _ in 0..DECISIONS {
        version.reconcile(&observed("{}")).await.expect("a plan");
    }
    recorder.flush();
    let written = metric(&registry, "records_written_total");
    let dropped = metric(&registry, "records_dropped_total{reason=\"busy\"}");
    assert_eq!(written + dropped, DECISIONS, "every decision is written or counted");
    assert!((71..=80).contains(&read(&directory).len()), "the ring is full, and within its capacity");
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    version.reconcile(&observed(&large)).await.expect("a plan");
    recorder.flush();
    assert_eq!(metric(&registry, "records_dropped_total{reason=\"too-large\"}"), 1);
}

/// The fixtures were recorded by a host of WIT 0.2, before the contract had its own types.
#[test]
fn records_of_version_1_are_converted() {
    let records = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"));
    let records = <[Record; 7]>::try_from(records).expect("seven");
    let [generates, fails, needs, refuses, patches, warns, plans_nothing] = records;

    let Decision::Reconcile { observed, output: Ok(plan) } = generates.decision else { panic!("no plan") };
    assert!(observed.primary.starts_with('{') && observed.settings.is_empty() && observed.answers.is_empty());
    let random = RandomKey { key: "http-secret".into(), bytes: 32 };
    assert_eq!(plan.generate[0].recipe, Recipe::Random(random));
    assert!(plan.generate[0].secret.contains("\"kind\":\"Secret\""));
    assert_eq!((plan.generate.len(), plan.apply.len(), plan.questions.len()), (1, 3, 0));
    assert!(plan.status.is_some() && plan.requeue_after.is_none());

    let Decision::Reconcile { observed, output: Ok(plan) } = fails.decision else { panic!("no plan") };
    let failure = &observed.failures[0];
    assert_eq!((failure.verb, failure.code), (Verb::Apply, 409));
    assert_eq!(failure.reason, FailureReason::NotControlled);
    assert_eq!(failure.target.to_string(), "Service default/taken");
    assert_eq!(plan.apply.len(), 1);

    let Decision::Review { context, output: Ok(Outcome::Need(needs)), .. } = needs.decision else {
        panic!("an answer")
    };
    assert!(!context.complete && needs.questions.is_empty());
    assert_eq!((needs.objects[0].name.as_str(), &*needs.objects[0].kind.kind), ("nowhere", "OrasCache"));

    let response = |record: Record| match record.decision {
        Decision::Review { output: Ok(Outcome::Decided(response)), .. } => response,
        other => panic!("{other:?}"),
    };
    assert!(refuses.redacted);
    let refused: Response = response(refuses);
    let refusal = refused.refusal().expect("refused");
    assert_eq!(refusal.code, 422);
    assert!(refusal.message.contains("imput-uri is unknown"), "{}", refusal.message);
    let patched = response(patches);
    assert!(patched.patch().is_some_and(|patch| patch.starts_with('[')));
    assert_eq!(patched.audit, [("decision".to_owned(), "injected".to_owned())]);
    let warned = response(warns);
    assert_eq!((warned.verdict, warned.warnings.len()), (Verdict::Allowed(None), 1));
    assert!(matches!(
        plans_nothing.decision,
        Decision::Reconcile { output: Ok(plan), .. } if plan.apply.is_empty() && plan.status.is_some()
    ));
}
