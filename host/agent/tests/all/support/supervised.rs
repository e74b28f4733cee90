//! A registry under `supervise-registry`, as a pod runs it.

use super::{Agent, Finished, Running, eventually};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The key of a pod.
pub const KEY: &str = "0123456789abcdef0123456789abcdef";

/// What images have in `/etc/docker/registry/config.yml`.
pub const CONFIGURATION: &str = "version: 0.1\nstorage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: /var/lib/registry\nhttp:\n  addr: :5000\n  headers:\n    X-Content-Type-Options: [nosniff]\n";

/// A folder with the data of a registry, and how it is run.
pub struct Pod {
    folder: TempDir,
    registry: String,
    collections: String,
    flags: Vec<String>,
}

impl Pod {
    /// A pod of Debian's registry. None where `docker-registry` is not installed.
    pub fn new() -> Option<Self> {
        if !test_registries::installed("docker-registry") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.yml"), CONFIGURATION).unwrap();
        fs::write(folder.path().join("key"), format!("{KEY}\n")).unwrap();
        let pod = Pod { folder, registry: free_address(), collections: free_address(), flags: Vec::new() };
        Some(pod.of("docker-registry"))
    }

    /// The same pod with another program.
    pub fn of(mut self, program: &str) -> Self {
        self.flags = vec![format!("--program={program}"), "--pause=0".to_owned()];
        self
    }

    /// A pod whose collector is a script. Bash hands on variables whose names are none to a shell. `$LOOK` is `yes` where it shall only look, `$POD` is the
    /// folder of the pod, and `collect` is the collector itself.
    pub fn with_collector(script: &str) -> Option<Self> {
        let pod = Pod::new()?;
        let program = pod.path("registry");
        let text = format!(
            "#!/bin/bash\nPOD={}\n[ \"$1\" = serve ] && exec docker-registry \"$@\"\n[ \"$2\" = --dry-run ] && LOOK=yes\ncollect() {{ docker-registry \"$@\"; }}\n{script}\n",
            pod.folder.path().display()
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Some(pod.of(&program.display().to_string()))
    }

    /// A further flag.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// A file in the folder of the pod.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a file that a script waits for.
    pub fn touch(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    /// Waits for a file that a script makes.
    pub fn wait_for(&self, name: &str) {
        eventually(name, || self.path(name).exists());
    }

    /// Host and port of the registry.
    pub fn host(&self) -> String {
        self.registry.clone()
    }

    /// Starts it, and waits until it listens.
    pub fn start(&self) -> Running {
        let running = self.agent().start();
        self.wait_until_it_listens();
        running
    }

    /// Waits until the registry answers. It knows the signal for its end then.
    pub fn wait_until_it_listens(&self) {
        let address = self.registry.parse().unwrap();
        eventually("the registry", || test_registries::listens(address));
        assert_eq!(super::http::ask(&self.registry, "GET", "/v2/", &[], b"").status, 200);
    }

    /// The call before it is started.
    pub fn agent(&self) -> Agent {
        let flag = |name: &str, path: &Path| -> OsString {
            let mut flag = OsString::from(format!("--{name}="));
            flag.push(path);
            flag
        };
        let mut agent = Agent::new(["supervise-registry", &format!("--listen={}", self.collections)])
            .flag(flag("key", &self.path("key")))
            .flag(flag("config", &self.path("config.yml")));
        for word in &self.flags {
            agent = agent.flag(word);
        }
        agent
            .env("REGISTRY_HTTP_ADDR", &self.registry)
            .env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", self.path("data"))
            .env("REGISTRY_STORAGE_DELETE_ENABLED", "true")
            .env("OTEL_TRACES_EXPORTER", "none")
    }

    /// The flags with which `prune` has garbage collected.
    pub fn prune_flags(&self) -> [String; 2] {
        let url = format!("--collection=http://{}", self.collections);
        [url, format!("--collection-key={}", self.path("key").display())]
    }

    /// A call of `prune` that deletes what is older than five days, and has garbage collected.
    pub fn pruning(&self) -> Agent {
        let flags = self.prune_flags();
        super::prunes::pruning(&["--max-age=5d", "--min-age=0", &flags[0], &flags[1], &self.registry])
    }

    /// Prunes and collects, and returns the line that says what was done.
    pub fn prune(&self) -> String {
        let outcome = self.pruning().run();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        // A collection ends when the registry is started with writes.
        self.wait_until_it_listens();
        outcome.stdout()
    }

    /// Whether a blob is on the disk.
    pub fn has(&self, digest: &str) -> bool {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self.path("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data").exists()
    }
}

/// Ends a supervisor as the kubelet does.
pub fn end(running: Running) -> Finished {
    running.signal(Signal::TERM);
    running.wait()
}

/// A free port of the loopback interface.
pub fn free_address() -> String {
    test_registries::free_address().to_string()
}
