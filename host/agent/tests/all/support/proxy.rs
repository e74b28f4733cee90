//! A credential proxy for tests, and steps that use it.

use super::http::ask;
use super::tree::{content, write};
use super::{Agent, Finished, Running, eventually};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use test_registries::{DockerRegistry, Network};

/// Password "secret" of user "ann".
pub const HTPASSWD: &str = include_str!("../../../../oci-registry-client/tests/htpasswd");
/// The same in a request (RFC 7617), as `printf ann:secret | base64` prints it.
pub const AUTHORIZATION: &str = "Basic YW5uOnNlY3JldA==";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A proxy that may pull `in/words:1` and push `out/words:1`, and a folder for its socket.
pub struct Proxy {
    pub folder: TempDir,
}

impl Proxy {
    pub fn new() -> Self {
        Proxy { folder: tempfile::tempdir().unwrap() }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("proxy.sock")
    }

    /// Starts the proxy, with credentials in environment variables.
    pub fn start(&self, host: &str, pull: Option<&str>, push: Option<&str>) -> Running {
        let running = self.call(host, pull, push).start();
        eventually("the socket", || self.socket().exists());
        running
    }

    pub fn call(&self, host: &str, pull: Option<&str>, push: Option<&str>) -> Agent {
        let mut agent = Agent::new(["proxy", &format!("--registry=http://{host}")])
            .flag(format!("--socket={}", self.socket().display()))
            .flag("--pull=in/words:1")
            .flag("--push=out/words:1")
            .flag("--debug=true")
            .env("ORAS_USER", "ann")
            .env_remove("ORAS_PULL_PASS")
            .env_remove("ORAS_PUSH_PASS");
        for (name, password) in [("ORAS_PULL_PASS", pull), ("ORAS_PUSH_PASS", push)] {
            if let Some(password) = password {
                agent = agent.env(name, password);
            }
        }
        agent
    }

    /// A step that uses the proxy, and has no credentials.
    pub fn step(&self, host: &str, script: &str, directory: &Path) -> Agent {
        Agent::step(host, ["sh", "-c", script])
            .directory(directory)
            .flag(format!("--proxy={}", self.socket().display()))
            .env_remove("ORAS_USER")
            .env_remove("ORAS_PULL_PASS")
            .env_remove("ORAS_PUSH_PASS")
    }
}

/// A registry with a password, which has `in/words:1`; a network in front of it; and a proxy that
/// knows the password.
pub struct Guarded {
    registry: DockerRegistry,
    pub network: Network,
    pub proxy: Proxy,
    /// The files of `in/words:1`.
    pub words: TempDir,
}

impl Guarded {
    /// Starts all but the proxy. None where `docker-registry` is not installed.
    pub fn start() -> Option<Self> {
        let registry = DockerRegistry::with_password(HTPASSWD)?;
        let (words, network) = (put_words(&registry.host()), Network::to(&registry.host()));
        Some(Guarded { registry, network, proxy: Proxy::new(), words })
    }

    /// Host and port of the registry, without the network.
    pub fn host(&self) -> String {
        self.registry.host()
    }

    /// The call of the proxy, which is not started yet.
    pub fn call(&self) -> Agent {
        self.proxy.call(&self.network.host(), Some("secret"), Some("secret"))
    }

    /// Starts the proxy, and waits for its socket.
    pub fn serve(&self) -> Running {
        self.proxy.start(&self.network.host(), Some("secret"), Some("secret"))
    }

    /// A step that pulls `in/words:1`, runs a script, and pushes what is at the path as
    /// `out/words:1`.
    pub fn step(&self, script: &str, directory: &Path, output: &str) -> Agent {
        self.proxy
            .step(&self.host(), script, directory)
            .flag("--input=in/words:1")
            .flag("--output=out/words:1")
            .flag(format!("--output-path={output}"))
    }

    /// Whether the registry has an artifact: asked with the password, and without the proxy.
    pub fn has(&self, repository: &str, tag: &str) -> bool {
        let headers = [("Authorization", AUTHORIZATION), ("Accept", MANIFEST)];
        let path = format!("/v2/{repository}/manifests/{tag}");
        ask(&self.host(), "HEAD", &path, &headers, b"").status == 200
    }

    /// Pulls `out/words:1` without the proxy.
    pub fn pull_output(&self) -> TempDir {
        let into = tempfile::tempdir().unwrap();
        let outcome = Agent::new(["pull", &format!("{}/out/words:1", self.host())])
            .directory(into.path())
            .env("ORAS_USER", "ann")
            .env("ORAS_PULL_PASS", "secret")
            .run();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        into
    }
}

/// Ends a proxy that no step uses, and checks that it has printed no password.
pub fn stop(running: Running) -> Finished {
    running.signal(Signal::TERM);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_silent(&outcome);
    outcome
}

/// Checks that a result shows no secret: neither a password nor its base64.
pub fn assert_silent(outcome: &Finished) {
    for text in [outcome.stdout(), outcome.stderr.clone(), outcome.message.clone().unwrap_or_default()] {
        for secret in ["secret", "hunter2", "YW5uOnNlY3JldA", "YW5uOmh1bnRlcjI"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

/// Pushes `in/words:1`. Returns the folder with its content.
pub fn put_words(host: &str) -> TempDir {
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("words/data"), content(3 << 20, 1), 0o644);
    write(&from.path().join("words/text"), "hello\n", 0o644);
    let outcome = Agent::new(["push", &format!("{host}/in/words:1"), "words"])
        .directory(from.path())
        .env("ORAS_USER", "ann")
        .env("ORAS_PULL_PASS", "secret")
        .env("ORAS_PUSH_PASS", "secret")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    from
}
