//! Generated sequences of requests against the fake API, and against a real API server where there
//! is one.
//!
//! - Always: the answers have the properties that those of every API server have, and recorded
//!   sequences get the recorded answers.
//! - With `KUBEBUILDER_ASSETS` (a folder with `etcd` and `kube-apiserver`): the same properties
//!   hold for the real server, and both servers give the same answers but for UIDs, times and
//!   revisions. With `FAKE_KUBE_RECORD=1` the answers of the real server are recorded into
//!   `recorded/`.

mod generator;
mod kinds;
mod normal;
mod properties;
mod random;
mod record;
mod server;
mod step;

use std::path::{Path, PathBuf};

use fake_kube_control_plane::ControlPlane;
use fake_kube_server::{ApiServer, Options};
use normal::{Normaliser, differences};
use record::Recording;
use serde_json::{Value, json};
use server::Server;
use step::{Answer, Step};

const SEEDS: std::ops::Range<u64> = 1..13;
const LENGTH: usize = 90;

fn namespace(seed: u64) -> String {
    format!("sequence-{seed}")
}

async fn fake() -> (ApiServer, Server) {
    let api = ApiServer::start(Options::default()).await.unwrap();
    let server = Server::connect(&api.kubeconfig()).await;
    (api, server)
}

/// Sends a sequence, checks all properties, and returns what was sent with the normalised answers.
async fn run_checked(server: &mut Server, seed: u64) -> Recording {
    let namespace = namespace(seed);
    server.prepare(&namespace).await;
    let collection = format!("/api/v1/namespaces/{namespace}/configmaps");
    let start = server.request("GET", &collection, "application/json", &Value::Null).await;
    let revision = start.body["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut normaliser = Normaliser::default();
    let mut recording = Recording::new();
    let mut before = server.snapshot(&namespace).await;
    for (index, step) in generator::sequence(seed, LENGTH, &namespace).into_iter().enumerate() {
        let (sent, answer) = server.send(&step).await;
        let after = server.snapshot(&namespace).await;
        let at = || format!("seed {seed}, request {index}: {sent:?}\nanswer: {answer:?}\n");
        if let Err(problem) = properties::check(&sent, &answer, &before, &after) {
            panic!("{}{problem}", at());
        }
        if sent.is_apply() && sent.is_write() && answer.status < 300 {
            // The same apply again changes nothing, so that the resourceVersion stays.
            let (_, again) = server.send(&step).await;
            assert_eq!((200, &again.body), (again.status, &answer.body), "{}", at());
            assert_eq!(server.snapshot(&namespace).await, after, "{}", at());
        }
        recording.push((step, normaliser.normalise(&answer)));
        before = after;
    }
    let watched = server.watched(&namespace, &revision, 1).await;
    assert_eq!(watched, before, "seed {seed}: the watch does not lead to the list");
    recording
}

/// The places where a server's answers differ from a recording.
async fn replay(server: &mut Server, recording: &Recording) -> Vec<String> {
    let mut normaliser = Normaliser::default();
    let mut problems = Vec::new();
    for (index, (step, wanted)) in recording.iter().enumerate() {
        let (_, answer) = server.send(step).await;
        let given = normaliser.normalise(&answer);
        // Every recorded apply was sent twice.
        if step.is_apply() && step.is_write() && answer.status < 300 {
            server.send(step).await;
        }
        let mut found = Vec::new();
        let document = |answer: &Answer| json!({"status": answer.status, "body": answer.body});
        differences(&document(wanted), &document(&given), "", &mut found);
        problems.extend(
            found.into_iter().map(|one| format!("request {index} {} {}: {one}", step.method, step.path)),
        );
    }
    problems
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/sequences/recorded")
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_properties_of_an_api_server() {
    let (api, _) = fake().await;
    let kubeconfig = api.kubeconfig();
    // All at once, each in a namespace of its own: they share the revisions of one server.
    let runs = SEEDS.map(|seed| {
        let kubeconfig = kubeconfig.clone();
        tokio::spawn(async move { run_checked(&mut Server::connect(&kubeconfig).await, seed).await })
    });
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for run in runs.collect::<Vec<_>>() {
        for (_, answer) in run.await.unwrap() {
            *statuses.entry(answer.status).or_default() += 1;
        }
    }
    // Sequences that only fail, or never do, would prove little.
    for status in [200, 201, 400, 404, 409, 415, 422] {
        assert!(statuses.get(&status).is_some_and(|count| *count > 3), "{status} is rare: {statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_replayed_and_other_answers_are_noticed() {
    let (_first, mut server) = fake().await;
    let recording = run_checked(&mut server, 100).await;
    let mut recording = record::read(&record::write(&recording)).unwrap();
    let (_second, mut server) = fake().await;
    server.prepare(&namespace(100)).await;
    assert_eq!(replay(&mut server, &recording).await, Vec::<String>::new());

    let changed = recording.iter_mut().find(|(_, answer)| answer.status == 201).unwrap();
    changed.1.body["metadata"]["generation"] = json!(7);
    let (_third, mut server) = fake().await;
    server.prepare(&namespace(100)).await;
    let problems = replay(&mut server, &recording).await;
    assert!(problems.len() == 1 && problems[0].contains("/body/metadata/generation"), "{problems:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)]
async fn recorded_answers_of_a_real_server_are_given() {
    let mut problems = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(recorded()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        count += 1;
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let recording = record::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (_api, mut server) = fake().await;
        server.prepare(&name).await;
        problems
            .extend(replay(&mut server, &recording).await.into_iter().map(|one| format!("{name}: {one}")));
    }
    if count == 0 {
        println!("skipped: nobody has recorded a sequence of a real API server yet");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)]
async fn a_real_server_gives_the_same_answers() {
    let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") else {
        println!("skipped: KUBEBUILDER_ASSETS does not name a folder with etcd and kube-apiserver");
        return;
    };
    let plane = ControlPlane::start(assets.as_ref()).unwrap();
    let mut real = Server::connect(&plane.kubeconfig()).await;
    let record_them = std::env::var_os("FAKE_KUBE_RECORD").is_some_and(|value| value == "1");
    let mut problems = Vec::new();
    for seed in SEEDS {
        let recording = run_checked(&mut real, seed).await;
        if record_them {
            let path = recorded().join(format!("{}.txt", namespace(seed)));
            std::fs::write(path, record::write(&recording)).unwrap();
        }
        let (_api, mut server) = fake().await;
        server.prepare(&namespace(seed)).await;
        let found = replay(&mut server, &recording).await;
        problems.extend(found.into_iter().map(|one| format!("seed {seed}: {one}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn generated_requests_are_varied() {
    let steps: Vec<Step> = SEEDS.flat_map(|seed| generator::sequence(seed, LENGTH, "n")).collect();
    let media: std::collections::BTreeSet<&str> = steps.iter().map(|step| step.media.as_str()).collect();
    let methods: std::collections::BTreeSet<&str> = steps.iter().map(|step| step.method.as_str()).collect();
    assert_eq!((media.len(), methods.len()), (5, 5));
    for kind in &kinds::KINDS {
        let collection = kind.collection("n");
        let count = steps.iter().filter(|step| step.path.starts_with(&collection)).count();
        assert!(count > 50, "{} {count}", kind.kind);
    }
}
