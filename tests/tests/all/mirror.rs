//! The example guests, in Rust and in JavaScript. They are built as docs/writing-a-guest.md says,
//! and the unchanged host runs them over HTTP. Both must pass the same tests.

use clap::Parser;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, ResourceExt};
use orascache_contract::{GuestError, Observed};
use orascache_operator::cli::Cli;
use orascache_runtime::Guest;
use orascache_tests::cluster::{Cluster, GuestReconciler, PATIENCE, guest, install_crd};
use orascache_tests::tools::installed;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Whether cargo set this variable for the build that runs this test. Users build the examples
/// without such variables.
fn is_cargos_own(name: &str) -> bool {
    let kept = matches!(name, "CARGO_HOME" | "CARGO_NET_OFFLINE" | "CARGO_HTTP_CAINFO");
    (name.starts_with("CARGO") && !kept)
        || name.starts_with("RUSTC")
        || matches!(name, "RUSTFLAGS" | "CLIPPY_ARGS")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest/examples").canonicalize().expect("the folder")
}

/// A folder of the target directory.
fn target(name: &str) -> PathBuf {
    // CARGO_TARGET_TMPDIR is `<target>/tmp`.
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory").join(name)
}

fn as_a_user(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_cargos_own) {
            command.env_remove(name);
        }
    }
    command
}

/// Builds the Rust example. Its dependencies are those that the embedded component was built with.
fn built_with_cargo() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let directory = target("guest");
        let status = as_a_user("cargo")
            .args(["build", "--profile", "guest", "--target", "wasm32-unknown-unknown"])
            .arg("--target-dir")
            .arg(&directory)
            .current_dir(examples().join("mirror"))
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the example does not build");
        directory.join("wasm32-unknown-unknown/guest/configmap_mirror.wasm")
    })
}

/// Builds the JavaScript example. `None` where its toolchain cannot be installed.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
fn built_with_npm() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        if !installed("npm") {
            return None;
        }
        let directory = target("mirror-js");
        let file = directory.join("mirror.wasm");
        let output = as_a_user("sh")
            .arg(examples().join("mirror-js/build"))
            .arg(&file)
            .env("ORASCACHE_JS_TOOLS", &directory)
            .output()
            .expect("sh runs");
        if directory.join("installed").is_file() {
            // The toolchain is installed, so the build has to succeed.
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            return Some(file);
        }
        let error = String::from_utf8_lossy(&output.stderr);
        println!("skipped: the JavaScript toolchain cannot be installed: {}", error.trim());
        None
    });
    built.as_deref()
}

/// The Rust example, loaded once for all tests, since compiling it takes long.
fn in_rust() -> Arc<Guest> {
    static LOADED: OnceLock<Arc<Guest>> = OnceLock::new();
    LOADED.get_or_init(|| Arc::new(load(built_with_cargo()))).clone()
}

/// The JavaScript example, loaded once. `None` where it cannot be built.
fn in_javascript() -> Option<Arc<Guest>> {
    static LOADED: OnceLock<Option<Arc<Guest>>> = OnceLock::new();
    LOADED.get_or_init(|| built_with_npm().map(|file| Arc::new(load(file)))).clone()
}

fn load(file: &Path) -> Guest {
    guest(&std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

fn definition() -> CustomResourceDefinition {
    let text = std::fs::read_to_string(examples().join("mirror/crd.yaml")).expect("a file");
    serde_saphyr::from_str(&text).expect("a CustomResourceDefinition")
}

fn mirror(sources: &[&str]) -> Value {
    json!({
        "apiVersion": "lab.example.com/v1", "kind": "ConfigMapMirror", "metadata": {"name": "m"},
        "spec": {"sources": sources},
    })
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// Names, UIDs and resourceVersions of everything that a mirror could have written.
async fn versions(apis: &[&Api<DynamicObject>]) -> Vec<String> {
    let mut versions = Vec::new();
    for api in apis {
        for object in api.list(&ListParams::default()).await.expect("a list").items {
            versions.push(format!(
                "{} {:?} {:?}",
                object.name_any(),
                object.uid(),
                object.resource_version()
            ));
        }
    }
    versions
}

/// Whether the status is up to date (`observedGeneration`) and has these members.
fn has_status(object: &Value, wanted: &Value) -> bool {
    let status = &object["status"];
    status["observedGeneration"] == object["metadata"]["generation"]
        && wanted.as_object().expect("an object").iter().all(|(name, value)| status[name] == *value)
}

/// Waits for events with that reason: they are recorded after the status is written.
async fn events_about(cluster: &Cluster, reason: &str) -> Vec<Value> {
    let api = cluster.api("events.k8s.io/v1", "Event", "events");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let events = api.list(&ListParams::default()).await.expect("events").items;
        let found: Vec<Value> =
            events.into_iter().map(|event| event.data).filter(|event| event["reason"] == reason).collect();
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < deadline, "no event says {reason}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Checks a mirror from its creation to its deletion.
async fn check_life_cycle(guest: Arc<Guest>) {
    let cluster = Cluster::start().await;
    install_crd(&cluster.client(), &definition()).await;
    let mirrors = cluster.api("lab.example.com/v1", "ConfigMapMirror", "configmapmirrors");
    let maps = cluster.api("v1", "ConfigMap", "configmaps");
    let controller = cluster.controller(Arc::new(GuestReconciler(guest.clone()))).await;
    let until_status = async |wanted: Value| {
        cluster.until(&mirrors, "m", &wanted.to_string(), |mirror| has_status(mirror, &wanted)).await
    };
    let until_data = async |name: &str, data: Value| {
        cluster.until(&maps, name, &data.to_string(), |map| map["data"] == data).await
    };

    // Create: every source is copied, and the status counts the copies. Sources may come later.
    cluster.apply(&mirrors, mirror(&["a", "b"])).await;
    until_status(json!({"copies": 0, "missing": ["a", "b"], "taken": []})).await;
    cluster.apply(&maps, config_map("a", json!({"k": "v", "old": "x"}))).await;
    cluster.apply(&maps, config_map("b", json!({"text": "ü\n\"€\" 😀"}))).await;
    let primary = until_status(json!({"copies": 2, "missing": [], "taken": []})).await;
    let copy = until_data("copy-a", json!({"k": "v", "old": "x"})).await;
    until_data("copy-b", json!({"text": "ü\n\"€\" 😀"})).await;
    assert_eq!(copy["metadata"]["ownerReferences"][0]["uid"], primary["metadata"]["uid"]);

    // Change a source: its copy changes, and a key that was removed is removed from the copy.
    cluster.apply(&maps, config_map("a", json!({"k": "w"}))).await;
    until_data("copy-a", json!({"k": "w"})).await;
    // A hand edit of a copy is taken back.
    cluster.edit(&maps, "copy-a", json!({"data": {"k": "by hand"}})).await;
    until_data("copy-a", json!({"k": "w"})).await;
    until_status(json!({"copies": 2})).await;

    // A restarted operator writes nothing when the mirror is converged.
    controller.shutdown().await;
    let before = versions(&[&maps, &mirrors]).await;
    let controller = cluster.controller(Arc::new(GuestReconciler(guest))).await;
    assert_eq!(versions(&[&maps, &mirrors]).await, before);

    // Another object has the name of a copy: it is left alone, and the status and an event say so.
    let foreign = cluster.apply(&maps, config_map("copy-c", json!({"mine": "yes"}))).await;
    cluster.apply(&maps, config_map("c", json!({"k": "c"}))).await;
    cluster.apply(&mirrors, mirror(&["a", "b", "c"])).await;
    until_status(json!({"copies": 2, "taken": ["copy-c"]})).await;
    let left = maps.get("copy-c").await.expect("it is there");
    assert_eq!((left.uid(), left.resource_version()), (foreign.uid(), foreign.resource_version()));
    let told = events_about(&cluster, "NameTaken").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["type"], &told[0]["regarding"]["name"]), (&json!("Warning"), &json!("m")));
    // Once that object is deleted, the copy is made.
    maps.delete("copy-c", &DeleteParams::default()).await.expect("deleted");
    until_data("copy-c", json!({"k": "c"})).await;
    until_status(json!({"copies": 3, "taken": []})).await;

    // The copy of a source that left the list is deleted. The copy of a missing source is kept.
    maps.delete("a", &DeleteParams::default()).await.expect("deleted");
    until_status(json!({"copies": 2, "missing": ["a"]})).await;
    cluster.apply(&mirrors, mirror(&["a", "c"])).await;
    cluster.until_gone(&maps, "copy-b").await;
    until_status(json!({"copies": 1, "missing": ["a"]})).await;
    let kept = maps.get("copy-a").await.expect("it is there");
    assert_eq!(kept.data["data"], json!({"k": "w"}));
    assert!(maps.get_opt("b").await.expect("the API answers").is_some(), "a guest must not delete sources");

    // Deleting the mirror deletes its copies.
    mirrors.delete("m", &DeleteParams::background()).await.expect("deleted");
    cluster.until_gone(&maps, "copy-a").await;
    cluster.until_gone(&maps, "copy-c").await;
    assert_eq!(maps.get("c").await.expect("it is there").data["data"], json!({"k": "c"}));
    controller.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_example_mirrors_config_maps() {
    check_life_cycle(in_rust()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_example_mirrors_config_maps() {
    let Some(guest) = in_javascript() else { return };
    check_life_cycle(guest).await;
}

#[test]
fn both_examples_have_the_same_description_and_no_imports() {
    let ours = in_rust();
    assert!(ours.interface().size < 300_000, "{} bytes", ours.interface().size);
    let Some(theirs) = in_javascript() else { return };
    assert_eq!(theirs.describe(), ours.describe());
    assert_eq!(theirs.interface().imports, Vec::<String>::new());
    assert_eq!(theirs.interface().wit, ours.interface().wit);
    assert!(theirs.interface().size < 1_500_000, "{} bytes", theirs.interface().size);
}

#[test]
fn both_examples_refuse_invalid_input_with_a_sentence() {
    let observed: Observed = Observed { primary: "{".into(), ..Observed::default() };
    for guest in [Some(in_rust()), in_javascript()].into_iter().flatten() {
        match guest.blocking().reconcile(&observed) {
            Err(GuestError::InvalidInput(sentence)) => {
                assert!(sentence.starts_with("the ConfigMapMirror cannot be read: "), "{sentence}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a command line in this process.
fn orascache(arguments: &[&str]) -> ExitCode {
    let words = ["orascache", "--log", "error"].iter().chain(arguments);
    orascache_operator::command::execute(Cli::parse_from(words))
}

#[test]
fn dev_runs_another_component_with_its_crd() {
    let component = built_with_cargo().display().to_string();
    let crd = examples().join("mirror/crd.yaml").display().to_string();
    // Without the CRD, the operator would wait for its kind forever. So `dev` refuses to start.
    assert_eq!(orascache(&["dev", "--component", &component, "--exec", "true"]), ExitCode::from(2));
    let sample = examples().join("mirror/sample.yaml").display().to_string();
    assert_eq!(
        orascache(&["dev", "--component", &component, "--crd", &sample, "--exec", "true"]),
        ExitCode::from(2),
        "a sample is not a CRD"
    );
    if !installed("kubectl") {
        return;
    }
    // The commands of docs/writing-a-guest.md.
    let script = format!(
        "set -e\nexport HOME=$(mktemp -d)\nkubectl apply -f {sample}\n\
         kubectl wait configmapmirror/settings --for=jsonpath='{{.status.copies}}'=2 --timeout=40s\n\
         test \"$(kubectl get configmap test-database -o jsonpath='{{.data.host}}')\" = db.lab.example.com\n\
         ! kubectl get orascaches"
    );
    let code = orascache(&["dev", "--component", &component, "--crd", &crd, "--exec", &script]);
    assert_eq!(code, ExitCode::SUCCESS);
}
