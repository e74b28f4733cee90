//! The Jobs and CronJobs that a cache with TLS and accounts gets, run as processes: against a real
//! registry that is started as its pod would be, and another one with an authority and an account of its
//! own. What they leave becomes the status of the cache.

use crate::client::Certificates;
use crate::pod::{Pod, Secrets};
use crate::support::copies::{copied, tags};
use crate::support::proxy::HTPASSWD;
use crate::support::prunes::{DAY, ago, put, put_of};
use crate::support::{Agent, Finished};
use crate::world;
use crate::world::{NOW, World};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use test_registries::{DockerRegistry, Embedded};

/// Where the cache's registry is in the cluster.
const SERVICE: &str = "demo-0.demo.lab.svc:5000";

/// A cache, its registry, and another registry whose only user is bob.
struct Lab {
    world: World,
    secrets: Secrets,
    own: Pod,
    other: DockerRegistry,
    /// Volumes of pods.
    folder: TempDir,
    _data: TempDir,
}

impl Lab {
    /// `None` where docker-registry or openssl is not installed.
    fn start() -> Option<Self> {
        let other = DockerRegistry::with_tls_and_password(&HTPASSWD.replacen("ann", "bob", 1))?;
        let host = other.host();
        let spec = json!({
            "tls": {}, "auth": {}, "retention": {"maxAge": "30d", "garbageCollection": false},
            "seed": {"secret": "bob", "artifacts": [
                {"source": format!("https://{host}/a:old")}, {"source": format!("https://{host}/a:new")},
                {"source": format!("https://{host}/a:new"), "target": "b:new"},
            ]},
            "export": {"destination": format!("https://{host}/lab"), "repositories": ["a"], "secret": "bob"},
        });
        let certificates = Certificates::make();
        let file = |name: &'static str| (name, certificates.read(name));
        let login = json!({"auths": {host: {"username": "bob", "password": "secret"}}}).to_string();
        let account = [("htpasswd", HTPASSWD), ("ORAS_USER", "ann"), ("ORAS_PULL_PASS", "secret")];
        let secrets: Secrets = [
            ("demo-tls", [file("tls.crt"), file("tls.key"), file("ca.crt")].into()),
            ("demo-account", account.map(|(key, value)| (key, value.to_owned())).into()),
            ("bob", [(".dockerconfigjson", login)].into()),
        ]
        .into();
        let data = tempfile::tempdir().unwrap();
        let own = Pod::run(spec.clone(), &secrets, data.path())?;
        let mut world = World::new(spec);
        let authority = std::fs::read_to_string(other.certificate()).unwrap();
        world.settings = json!({"registryCA": authority}).to_string();
        world.related.push(world::secret("bob"));
        world.settle();
        let folder = tempfile::tempdir().unwrap();
        Some(Lab { world, secrets, own, other, folder, _data: data })
    }

    /// The key of the only Job.
    fn seed_job(&self) -> String {
        self.world.children.keys().find(|key| key.starts_with("Job/")).unwrap().clone()
    }

    /// Runs the container of a Job or CronJob, as the pod with this index.
    fn run(&self, child: &str, index: usize) -> Finished {
        let spec = &self.world.children[child]["spec"];
        let spec = spec.get("jobTemplate").map_or(spec, |template| &template["spec"]);
        let pod = &spec["template"]["spec"];
        let container = &pod["containers"][0];
        let directory = self.folder.path().join(format!("{}-{index}", child.replace('/', "-")));
        let mounts: Vec<(String, PathBuf)> = items(&container["volumeMounts"])
            .map(|mount| {
                let volume = items(&pod["volumes"]).find(|volume| volume["name"] == mount["name"]).unwrap();
                let folder = directory.join(text(&volume["name"]));
                self.write(volume, &folder);
                (text(&mount["mountPath"]).to_owned(), folder)
            })
            .collect();
        let mut words = items(&container["command"]).map(text);
        assert_eq!(words.next(), Some("orascache-agent"));
        let mut agent = Agent::new(words.map(|word| {
            let word = word.replace(SERVICE, &self.own.registry.host());
            let Some((flag, path)) = word.split_once('=') else { return word };
            let rest = |mount: &str| {
                path.strip_prefix(mount).filter(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let found = mounts.iter().find_map(|(mount, folder)| Some((folder, rest(mount)?)));
            found.map_or(word.clone(), |(folder, rest)| format!("{flag}={}{rest}", folder.display()))
        }));
        for variable in items(&container["env"]) {
            agent = agent.env(text(&variable["name"]), text(&variable["value"]));
        }
        let (home, message) = (agent.folder().to_owned(), agent.message().display().to_string());
        let finished = agent
            .env("HOME", home)
            .env_remove("DOCKER_CONFIG")
            .env("JOB_COMPLETION_INDEX", index.to_string())
            .flag(format!("--termination-message={message}"))
            .run();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished
    }

    /// Writes a volume, as the kubelet does.
    fn write(&self, volume: &Value, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        let of_secret = volume.get("secret").map(|secret| (text(&secret["secretName"]), secret));
        let projected = items(&volume["projected"]["sources"]).map(|source| &source["secret"]);
        let projected = projected.map(|secret| (text(&secret["name"]), secret));
        for (name, source) in of_secret.into_iter().chain(projected) {
            for item in items(&source["items"]) {
                let value = &self.secrets[name][text(&item["key"])];
                std::fs::write(folder.join(text(&item["path"])), value).unwrap();
            }
        }
    }

    /// The flags of `copy` for the other registry.
    fn other_flags(&self, side: &str) -> [String; 2] {
        let folder = self.folder.path().join("bob");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(".dockerconfigjson"), &self.secrets["bob"][".dockerconfigjson"]).unwrap();
        [
            format!("--{side}-credentials={}", folder.display()),
            format!("--{side}-ca-file={}", self.other.certificate().display()),
        ]
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn seeds_retention_and_exports_work_on_a_registry_with_tls_and_accounts() {
    let Some(mut lab) = Lab::start() else { return };
    let start = Embedded::start();
    put_of(&start.host(), "a", "old", &ago(40 * DAY));
    put(&start.host(), "a", "new");
    let other = format!("https://{}", lab.other.host());
    let [account, authority] = lab.other_flags("destination");
    copied(&[&account, &authority, "--all-tags", &format!("{}/a", start.host()), &format!("{other}/a")]);

    let job = lab.seed_job();
    let seeds: Vec<Finished> = (0..3).map(|index| lab.run(&job, index)).collect();
    let again = lab.run(&job, 1);
    let retention = lab.run("CronJob/demo-retention", 0);
    let export = lab.run("CronJob/demo-export", 0);

    // Only what is young is mirrored.
    let end = Embedded::start();
    let [account, authority] = lab.other_flags("source");
    copied(&[&account, &authority, "--all-tags", &format!("{other}/lab/a"), &format!("{}/a", end.host())]);
    assert_eq!(tags(&end.host(), "a"), ["new"]);

    // What they say is what the status counts.
    let uid = lab.world.children[&job]["metadata"]["uid"].clone();
    for (index, finished) in [&seeds[0], &again, &seeds[2]].into_iter().enumerate() {
        let message = finished.message.as_deref().unwrap();
        lab.world.related.push(world::ended_pod(&format!("seed-{index}"), &uid, NOW - 9, message));
    }
    lab.world.children.get_mut(&job).unwrap()["status"] = json!({"succeeded": 3});
    lab.world.run_of("CronJob/demo-retention", "now", NOW - 5, retention.message.as_deref().unwrap());
    lab.world.run_of("CronJob/demo-export", "later", NOW - 3, export.message.as_deref().unwrap());
    lab.world.settle();
    let status = &lab.world.cache["status"];
    let numbers = |member: &str, names: [&str; 3]| names.map(|name| status[member][name].clone());
    assert_eq!(numbers("seed", ["artifacts", "copied", "skipped"]), [3, 2, 1].map(Value::from));
    assert_eq!(
        numbers("retention", ["deletedTags", "deletedManifests", "keptTags"]),
        [1, 1, 2].map(Value::from)
    );
    assert_eq!(numbers("export", ["copied", "skipped", "failed"]), [1, 0, 0].map(Value::from));
    assert!(status["bytesReferenced"].as_u64().is_some_and(|bytes| bytes > 100), "{status}");
}
