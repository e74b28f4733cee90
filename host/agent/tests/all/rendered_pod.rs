//! What the operator renders for a cache with retention, run as processes: the init container, the
//! registry's container with Debian's registry, and the container of retention.

use crate::client::Certificates;
use crate::support::copies::copied;
use crate::support::proxy::HTPASSWD;
use crate::support::prunes::{DAY, ago, put_of};
use crate::support::supervised::{CONFIGURATION, KEY, end, free_address};
use crate::support::{Agent, eventually, program};
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use test_registries::Embedded;

/// Contents of Secrets by their names: keys and values.
type Secrets = BTreeMap<&'static str, BTreeMap<&'static str, String>>;

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The volumes of a pod, as folders.
struct Volumes {
    folder: PathBuf,
}

impl Volumes {
    /// Makes the volumes of a pod, as the kubelet does.
    fn make(pod: &Value, secrets: &Secrets, folder: PathBuf) -> Self {
        for volume in items(&pod["volumes"]) {
            let into = folder.join(text(&volume["name"]));
            fs::create_dir_all(&into).unwrap();
            let sources = items(&volume["projected"]["sources"]).map(|source| &source["secret"]);
            for source in sources.chain([&volume["secret"]]) {
                let name = if source["name"].is_null() { &source["secretName"] } else { &source["name"] };
                for item in items(&source["items"]) {
                    let value = &secrets[text(name)][text(&item["key"])];
                    fs::write(into.join(text(&item["path"])), value).unwrap();
                }
            }
        }
        Volumes { folder }
    }

    /// A word or a value of a container, with the folder in place of the mount that it names.
    fn of(&self, container: &Value, word: &str) -> String {
        let start = word.find("=/").map_or(0, |at| at + 1);
        let (flag, path) = word.split_at(start);
        let mounted = items(&container["volumeMounts"]).find_map(|mount| {
            let rest = path.strip_prefix(text(&mount["mountPath"]))?;
            let is_whole = rest.is_empty() || rest.starts_with('/');
            is_whole.then(|| format!("{flag}{}{rest}", self.folder.join(text(&mount["name"])).display()))
        });
        mounted.unwrap_or_else(|| word.to_owned())
    }

    fn words(&self, container: &Value) -> Vec<String> {
        items(&container["command"]).map(|word| self.of(container, text(word))).collect()
    }
}

/// Runs the pods of a cache with this spec, and returns what retention says.
fn retain(spec: Value, secrets: &Secrets, fill: impl Fn(&str)) -> String {
    let mut world = World::new(spec);
    world.settle();
    let pod = &world.children["StatefulSet/demo"]["spec"]["template"]["spec"];
    let folder = tempfile::tempdir().unwrap();
    let volumes = Volumes::make(pod, secrets, folder.path().join("registry-pod"));

    let install = &pod["initContainers"][0];
    let outcome = Agent::of(program(), &volumes.words(install)[1..]).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);

    // The image has a program and a configuration.
    let image = folder.path().join("image");
    fs::create_dir(&image).unwrap();
    symlink(Path::new("/usr/bin/docker-registry"), image.join("registry")).unwrap();
    fs::write(image.join("config.yml"), CONFIGURATION).unwrap();
    let container = &pod["containers"][0];
    let words = volumes.words(container);
    let (registry, collections) = (free_address(), free_address());
    let paths = std::env::var("PATH").unwrap();
    let mut agent = Agent::of(&words[0], &words[1..])
        .flag(format!("--listen={collections}"))
        .flag("--pause=0")
        .env("PATH", format!("{}:{paths}", image.display()))
        .env("REGISTRY_CONFIGURATION_PATH", image.join("config.yml"))
        .env("OTEL_TRACES_EXPORTER", "none");
    for variable in items(&container["env"]) {
        let value = volumes.of(container, text(&variable["value"]));
        agent = agent.env(text(&variable["name"]), value);
    }
    let running = agent.env("REGISTRY_HTTP_ADDR", &registry).start();
    eventually("the registry", || test_registries::listens(registry.parse().unwrap()));
    fill(&registry);

    let spec = &world.children["CronJob/demo-retention"]["spec"]["jobTemplate"]["spec"];
    let pod = &spec["template"]["spec"];
    let volumes = Volumes::make(pod, secrets, folder.path().join("retention-pod"));
    let words = volumes.words(&pod["containers"][0]);
    let words = words.iter().map(|word| {
        let word = word.replace("demo-0.demo.lab.svc:5000", &registry);
        word.replace("demo-0.demo.lab.svc:5002", &collections)
    });
    let outcome = Agent::of(program(), words.skip(1)).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    end(running);
    outcome.stdout()
}

fn key() -> BTreeMap<&'static str, String> {
    [("key", KEY.to_owned())].into()
}

#[test]
fn the_pods_of_a_cache_with_retention_free_space() {
    if !test_registries::installed("docker-registry") {
        return;
    }
    let line =
        retain(json!({"retention": {"maxAge": "30d"}}), &[("demo-collection", key())].into(), |registry| {
            put_of(registry, "a", "old", &ago(40 * DAY));
            put_of(registry, "a", "new", &ago(DAY));
        });
    assert!(line.contains("deleted 1 tags") && line.contains("garbage collection freed"), "{line}");
}

#[test]
fn the_pods_of_a_cache_with_tls_and_accounts_free_space() {
    if !test_registries::installed("docker-registry") || !test_registries::installed("openssl") {
        return;
    }
    let certificates = Certificates::make();
    let file = |name: &'static str| (name, certificates.read(name));
    let account = [("htpasswd", HTPASSWD), ("ORAS_USER", "ann"), ("ORAS_PULL_PASS", "secret")];
    let secrets: Secrets = [
        ("demo-collection", key()),
        ("demo-tls", [file("tls.crt"), file("tls.key"), file("ca.crt")].into()),
        ("demo-account", account.map(|(key, value)| (key, value.to_owned())).into()),
    ]
    .into();
    let start = Embedded::start();
    put_of(&start.host(), "a", "old", &ago(40 * DAY));
    put_of(&start.host(), "a", "new", &ago(DAY));
    let login = tempfile::tempdir().unwrap();
    for (name, value) in [("ORAS_USER", "ann"), ("ORAS_PULL_PASS", "secret"), ("ORAS_PUSH_PASS", "secret")] {
        fs::write(login.path().join(name), value).unwrap();
    }
    let spec = json!({"tls": {}, "auth": {}, "retention": {"maxAge": "30d"}});
    let line = retain(spec, &secrets, |registry| {
        let flags = [
            format!("--destination-credentials={}", login.path().display()),
            format!("--destination-ca-file={}", certificates.path("ca.crt")),
        ];
        let (from, to) = (format!("{}/a", start.host()), format!("https://{registry}/a"));
        copied(&[&flags[0], &flags[1], "--all-tags", &from, &to]);
    });
    assert!(line.contains("deleted 1 tags") && line.contains("garbage collection freed"), "{line}");
}
