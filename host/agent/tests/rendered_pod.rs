//! What the operator renders for a cache with retention, run as processes: the init container, the
//! registry's container with Debian's registry, and the container of retention.

mod support;

use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use support::prunes::{DAY, ago, put_of};
use support::supervised::{CONFIGURATION, KEY, end, free_address};
use support::{Agent, eventually, program};

/// The plans of the core for a cache with `{"retention": {"maxAge": "30d"}}`.
fn rendered() -> Vec<Value> {
    let snapshot =
        "../../guest/core/tests/snapshots/render__objects_and_status_of_every_cache@retention.json.snap";
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(snapshot)).unwrap();
    let (_, document) = text.trim_start_matches("---").split_once("\n---\n").unwrap();
    let document: Value = serde_saphyr::from_str(document).unwrap();
    document["apply"].as_array().unwrap().clone()
}

/// The folders of a test, in place of what is mounted in the containers.
struct Mounts(Vec<(&'static str, PathBuf)>);

impl Mounts {
    /// A text with folders in place of what is mounted.
    fn replaced(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (mounted, folder)| {
            text.replacen(mounted, folder.to_str().unwrap(), 1)
        })
    }

    /// The words of a container.
    fn words(&self, container: &Value) -> Vec<String> {
        let words = container["command"].as_array().unwrap();
        words.iter().map(|word| self.replaced(word.as_str().unwrap())).collect()
    }
}

#[test]
fn the_containers_of_a_cache_with_retention_free_space() {
    if !test_registries::installed("docker-registry") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["agent", "collection", "data", "bin"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::write(path("collection/key"), KEY).unwrap();
    fs::write(path("config.yml"), CONFIGURATION).unwrap();
    symlink("/usr/bin/docker-registry", path("bin/registry")).unwrap();
    let mounts = Mounts(vec![
        ("/etc/orascache/collection", path("collection")),
        ("/var/lib/registry", path("data")),
        ("/orascache", path("agent")),
    ]);
    let all = rendered();
    let of_kind = |kind: &str| all.iter().find(|object| object["kind"] == kind).unwrap();
    let pod = &of_kind("StatefulSet")["spec"]["template"]["spec"];

    let install = mounts.words(&pod["initContainers"][0]);
    let outcome = Agent::of(program(), &install[1..]).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);

    let container = &pod["containers"][0];
    let words = mounts.words(container);
    let (registry, collections) = (free_address(), free_address());
    let paths = std::env::var("PATH").unwrap();
    let mut agent = Agent::of(&words[0], &words[1..])
        .flag(format!("--listen={collections}"))
        .flag("--pause=0")
        .env("PATH", format!("{}:{paths}", path("bin").display()))
        .env("REGISTRY_CONFIGURATION_PATH", path("config.yml"))
        .env("OTEL_TRACES_EXPORTER", "none");
    for variable in container["env"].as_array().unwrap() {
        let value = mounts.replaced(variable["value"].as_str().unwrap());
        agent = agent.env(variable["name"].as_str().unwrap(), value);
    }
    let running = agent.env("REGISTRY_HTTP_ADDR", &registry).start();
    running.wait_for_error("listening on");
    eventually("the registry", || test_registries::listens(registry.parse().unwrap()));
    put_of(&registry, "a", "old", &ago(40 * DAY));
    put_of(&registry, "a", "new", &ago(DAY));

    let job = &of_kind("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let words: Vec<String> = mounts
        .words(job)
        .iter()
        .map(|word| word.replace("demo-0.demo.lab.svc:5000", &registry))
        .map(|word| word.replace("demo-0.demo.lab.svc:5002", &collections))
        .collect();
    let outcome = Agent::of(program(), &words[1..]).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let line = outcome.stdout();
    assert!(line.contains("deleted 1 tags") && line.contains("garbage collection freed"), "{line}");
    assert_eq!(end(running).code.map(|code| code == 0 || code == 143), Some(true));
}
