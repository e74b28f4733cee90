//! Differential tests: the operator's component in other runtimes gives the same answers as in our
//! host, byte for byte. Where a runtime cannot be installed, its tests are skipped and print why.

mod answers;
mod arguments;
mod calls;
mod installed;
mod wave;

use calls::Call;
use installed::{NODE, PYTHON, Package, WASMTIME, repository, run};
use orascache_contract::{ArtifactAspect, ArtifactQuestion, Context, Needs, Outcome, Response};
use orascache_operator::EMBEDDED;
use orascache_runtime::Guest;
use orascache_tests::cluster::guest;
use orascache_tests::{GREETER, pods, reviews};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

static GUEST: LazyLock<Guest> = LazyLock::new(|| guest(EMBEDDED));

/// The time that the examples pass to the component.
const NOW: u64 = 1_790_000_000;

/// The input files of an example, and the answers of our host.
struct Example {
    folder: tempfile::TempDir,
    review: PathBuf,
    cache: PathBuf,
    outcome: Value,
    plan: Value,
}

impl Example {
    fn new(review: &str, cache: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).expect("writable");
            path
        };
        write("orascache_component.wasm", EMBEDDED);
        let (review_file, cache_file) =
            (write("review.json", review.as_bytes()), write("cache.json", cache.as_bytes()));
        let outcome = Call::review(review, &[cache.to_owned()], NOW).ask(&GUEST);
        let plan = Call::reconcile(cache, NOW).ask(&GUEST);
        Self { review: review_file, cache: cache_file, folder, outcome, plan }
    }

    /// The input files in `guest/examples/inputs`.
    fn shipped() -> Self {
        let read = |name: &str| {
            fs::read_to_string(repository().join("guest/examples/inputs").join(name)).expect("a file")
        };
        let example = Self::new(&read("review.json"), &read("orascache.json"));
        assert!(example.outcome["ok"]["decided"]["verdict"]["allowed"].is_string(), "{}", example.outcome);
        // The StatefulSet of a new cache waits for the NetworkPolicy.
        assert_eq!(example.plan["ok"]["apply"].as_array().map(Vec::len), Some(3), "{}", example.plan);
        example
    }

    /// Inputs with characters that are easily damaged: quotes, backslashes, escapes, characters of
    /// four bytes, line ends of two bytes.
    fn intricate() -> Self {
        let hard = "\"\\ \u{1}\u{7f}\n\t\r é漢🦀 $(HOME) `id` %s \\u0041 ' {a: some(1)}";
        let mut pod = reviews::pod();
        pod["spec"]["containers"][0]["args"] = json!([hard, "", "--"]);
        pod["metadata"]["annotations"][hard] = json!(hard);
        let cache: Value = serde_json::from_str(&pods::cache()).expect("JSON");
        let mut cache = json!({"metadata": {"uid": "u-1", "generation": 1, "annotations": {hard: hard}}, "spec": {}, "kind": cache["kind"], "apiVersion": cache["apiVersion"]});
        cache["metadata"]["name"] = json!(pods::CACHE);
        cache["metadata"]["namespace"] = json!(pods::NAMESPACE);
        let pretty = serde_json::to_string_pretty(&cache).expect("JSON").replace('\n', "\r\n\t");
        let example = Self::new(&reviews::review(&pod), &pretty);
        assert!(example.outcome["ok"]["decided"]["verdict"]["allowed"].is_string(), "{}", example.outcome);
        assert_eq!(example.plan["ok"]["apply"].as_array().map(Vec::len), Some(2), "{}", example.plan);
        example
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn component(&self) -> PathBuf {
        self.path().join("orascache_component.wasm")
    }

    /// Runs the example on the files and returns what it prints.
    fn printed(&self, program: impl AsRef<Path>, arguments: &[&Path]) -> String {
        run(Command::new(program.as_ref())
            .args(arguments)
            .args([&self.review, &self.cache])
            .current_dir(self.path()))
    }
}

/// Covers what no answer of the component has, such as questions.
#[test]
fn a_value_has_the_same_notation_whatever_program_prints_it() {
    let question = ArtifactQuestion {
        registry: "registry.lab".into(),
        plain_http: true,
        repository: "flow/words".into(),
        reference: "imageConfig".into(),
        credentials: None,
        aspect: ArtifactAspect::ImageConfig,
    };
    let needs = Outcome::Need(Needs { objects: Vec::new(), questions: vec![question] });
    let from_host = answers::answered(Ok(json!(needs)));
    let expected = json!({"ok": {"need": {"objects": [], "questions": [{
        "registry": "registry.lab", "plain-http": true, "repository": "flow/words",
        "reference": "imageConfig", "aspect": "image-config",
    }]}}});
    assert_eq!(from_host, expected);
    let from_node = r#"{"ok": {"tag": "need", "val": {"objects": [], "questions": [{"registry": "registry.lab",
        "plainHttp": true, "repository": "flow/words", "reference": "imageConfig", "aspect": "image-config"}]}}}"#;
    assert_eq!(answers::parsed(from_node), expected);
    let from_python = r#"{"ok": {"tag": "need", "payload": {"objects": [], "questions": [{"registry": "registry.lab",
        "plain_http": true, "repository": "flow/words", "reference": "imageConfig", "credentials": null,
        "aspect": "image-config"}]}}}"#;
    assert_eq!(answers::parsed(from_python), expected);
    let from_wasmtime = r#"ok(need({objects: [], questions: [{registry: "registry.lab", plain-http: true,
        repository: "flow/words", reference: "imageConfig", credentials: none, aspect: image-config}]}))"#;
    assert_eq!(wave::parsed(from_wasmtime), expected);

    let unchanged =
        json!({"ok": {"decided": {"uid": "u", "verdict": "allowed", "warnings": [], "audit": []}}});
    assert_eq!(answers::answered(Ok(json!(Outcome::Decided(Response::allowed("u"))))), unchanged);
    for printed in [
        r#"{"ok": {"tag": "decided", "val": {"uid": "u", "verdict": {"tag": "allowed"}, "warnings": [], "audit": []}}}"#,
        r#"{"ok": {"tag": "decided", "payload": {"uid": "u", "verdict": {"tag": "allowed", "payload": null},
            "warnings": [], "audit": []}}}"#,
    ] {
        assert_eq!(answers::parsed(printed), unchanged);
    }
    let printed = r#"ok(decided({uid: "u", verdict: allowed(none), warnings: [], audit: []}))"#;
    assert_eq!(wave::parsed(printed), unchanged);
}

#[test]
fn the_node_example_answers_like_our_host() {
    let Some(tools) = NODE.as_deref() else { return };
    for example in [Example::shipped(), Example::intricate()] {
        for file in ["run.mjs", "package.json"] {
            let source = repository().join("guest/examples/node").join(file);
            fs::copy(source, example.path().join(file)).expect("copied");
        }
        run(Command::new(tools.join("node_modules/.bin/jco"))
            .args(["transpile", "orascache_component.wasm", "--name", "orascache", "-o", "component"])
            .current_dir(example.path()));
        let printed = example.printed("node", &[Path::new("run.mjs")]);
        let expected = json!({"outcome": example.outcome["ok"], "plan": example.plan["ok"]});
        assert_eq!(answers::parsed(&printed), expected);
    }
}

#[test]
fn the_python_example_answers_like_our_host() {
    let Some(tools) = PYTHON.as_deref() else { return };
    for example in [Example::shipped(), Example::intricate()] {
        let script = repository().join("guest/examples/python/run.py");
        let printed = example.printed(tools.join("bin/python"), &[&script, &example.component()]);
        let mut expected = json!({"outcome": example.outcome["ok"], "plan": example.plan["ok"]});
        // The Python bindings leave out the name of a case where its type in Python identifies it.
        let verdict = &mut expected["outcome"]["decided"]["verdict"];
        *verdict = verdict["allowed"].take();
        assert_eq!(answers::parsed(&printed), expected);
    }
}

#[test]
fn the_wasmtime_command_line_example_answers_like_our_host() {
    let Some(tools) = WASMTIME.as_deref() else { return };
    let garbage = Example::new("no \"review\" at all", "{}");
    assert!(garbage.outcome["err"]["invalid-input"].is_string(), "{}", garbage.outcome);
    for example in [Example::shipped(), Example::intricate(), garbage] {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = [tools.join("bin")].into_iter().chain(std::env::split_paths(&paths));
        let printed = run(Command::new(repository().join("guest/examples/wasmtime/run"))
            .args([&example.component(), &example.review, &example.cache])
            .env("PATH", std::env::join_paths(paths).expect("a path")));
        let answers: Vec<Value> = printed.lines().map(wave::parsed).collect();
        assert_eq!(answers, [example.outcome, example.plan]);
    }
}

/// Makes all calls in a package and compares every answer with our host's.
fn compare(package: &Package) {
    let calls = calls::corpus();
    assert!(calls.len() > 200, "{} calls", calls.len());
    let answers = package.answers(&calls);
    assert_eq!(answers.len(), calls.len());
    let mut kinds = [0_usize; 7];
    for (call, answer) in calls.iter().zip(answers) {
        let expected = call.ask(&GUEST);
        assert_eq!(answer, expected, "{}", call.to_json());
        let ok = &expected["ok"];
        let found = [
            ok["decided"]["verdict"]["allowed"].is_string(),
            ok["decided"]["verdict"]["refused"].is_object(),
            ok["need"].is_object(),
            ok["status"].is_string(),
            ok["generate"][0]["recipe"]["random"].is_object(),
            ok["delete"][0].is_object(),
            expected["err"].is_object(),
        ];
        for (count, found) in kinds.iter_mut().zip(found) {
            *count += usize::from(found);
        }
    }
    // The calls have to cover patches, refusals, needs, plans of several sorts and errors.
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}

#[test]
fn the_npm_package_answers_every_call_like_our_host() {
    if let Some(package) = Package::npm("orascache", EMBEDDED) {
        compare(&package);
    }
}

#[test]
fn the_wheel_answers_every_call_like_our_host() {
    if let Some(package) = Package::wheel(None) {
        compare(&package);
    }
}

/// Asserts that a misbehaving call in a package is stopped with an error, and that the next call
/// works.
fn misbehave(package: &Package, ways: &[&str]) {
    let greeting = |misbehave: &str| {
        let primary = json!({
            "apiVersion": "lab.example.com/v1", "kind": "Greeting",
            "metadata": {"name": "g", "namespace": "n", "uid": "u", "generation": 1},
            "spec": {"text": "hi", "misbehave": misbehave},
        });
        Call::reconcile(&primary.to_string(), NOW)
    };
    let calls: Vec<Call> = ways.iter().flat_map(|how| [greeting(how), greeting("")]).collect();
    let well = greeting("").ask(&guest(GREETER));
    assert_eq!(well["ok"]["apply"].as_array().map(Vec::len), Some(1), "{well}");
    let answers = package.answers(&calls);
    assert_eq!(answers.len(), calls.len());
    for pair in answers.chunks(2) {
        assert!(pair[0]["err"]["stopped"].is_string(), "{}", pair[0]);
        assert_eq!(pair[1], well);
    }
}

#[test]
fn a_misbehaving_guest_in_the_npm_package_is_stopped_and_the_next_call_works() {
    if let Some(package) = Package::npm("greeter", GREETER) {
        // Node limits no memory below the 4 GiB that WebAssembly can address, so that `allocate` is
        // left out.
        misbehave(&package, &["panic", "recurse"]);
    }
}

#[test]
fn a_misbehaving_guest_in_the_wheel_is_stopped_and_the_next_call_works() {
    if let Some(package) = Package::wheel(Some(GREETER)) {
        misbehave(&package, &["panic", "recurse", "allocate"]);
    }
}

#[test]
fn packages_examples_and_host_have_matching_versions() {
    let read = |path: &str| {
        fs::read_to_string(repository().join("guest").join(path)).expect("a file of the repository")
    };
    let json = |path: &str| serde_json::from_str::<Value>(&read(path)).expect("JSON");
    let version = env!("CARGO_PKG_VERSION");
    let package = json("packages/npm/package.json");
    assert_eq!(package["version"], version);
    assert!(read("packages/python/pyproject.toml").contains(&format!("\nversion = \"{version}\"\n")));
    // The examples use the versions that the packages are tested with.
    let jco = "@bytecodealliance/jco";
    assert_eq!(json("examples/node/package.json")["devDependencies"][jco], package["devDependencies"][jco]);
    let wasmtime = |path: &str| {
        let text = read(path);
        text.lines().find(|line| line.starts_with("wasmtime==")).expect("a version").to_owned()
    };
    assert_eq!(wasmtime("examples/python/requirements.txt"), wasmtime("packages/python/requirements.txt"));
    // The component, the wheel and the examples use the version of the WIT package.
    let package = fs::read_to_string(repository().join("wit/world.wit")).expect("a file of the repository");
    let package = package.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'));
    let (name, version) = package.and_then(|package| package.split_once('@')).expect("a version");
    let interface = GUEST.interface();
    for export in ["reconciler", "admission"] {
        let export = format!("{name}/{export}@{version}");
        assert!(interface.exports.contains(&export), "{export}: {:?}", interface.exports);
    }
    assert!(read("examples/python/run.py").contains(&format!("{name}/{{interface}}@{version}\"")));
    assert!(read("packages/python/orascache/_module.py").contains(&format!("\n_VERSION = \"{version}\"\n")));
}

/// Prints the measurements of docs/runtimes.md. It asserts nothing and takes long: run it with
/// `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout, reason = "it prints measurements")]
fn how_long_a_review_takes() {
    let call = Call::review(&reviews::review(&reviews::pod()), &[pods::cache()], NOW);
    // The fastest of many parts: other work on the machine disturbed it least.
    let fastest = |parts: u32, part: u32, run: &dyn Fn()| {
        let times = (0..parts).map(|_| {
            let start = Instant::now();
            (0..part).for_each(|_| run());
            start.elapsed() / part
        });
        times.min().unwrap_or_default().as_secs_f64() * 1e6
    };
    let context: Context =
        Context { objects: vec![Arc::from(pods::cache())], complete: true, now: NOW, ..Context::default() };
    let request = reviews::review(&reviews::pod());
    let host = fastest(100, 30, &|| {
        GUEST.blocking().review(&request, &context).expect("an outcome");
    });
    println!("our host: {host:.1} us");
    for package in [Package::npm("orascache", EMBEDDED), Package::wheel(None)].into_iter().flatten() {
        let took = package.microseconds(&call, 3_000);
        println!("{}: {took:.1} us, {:.1} times our host", package.name(), took / host);
    }
    if let Some(tools) = WASMTIME.as_deref() {
        let example = Example::shipped();
        let process = fastest(10, 1, &|| {
            run(Command::new(tools.join("bin/wasmtime"))
                .args(["run", "--invoke", "describe()"])
                .arg(example.component()));
        });
        println!("wasmtime: {process:.0} us a process");
    }
}
