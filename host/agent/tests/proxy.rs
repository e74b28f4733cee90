//! The credential proxy, and steps that go through it.

mod support;

use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use support::http::{ask, ask_socket, tagged};
use support::tree::{content, paths, tree, write};
use support::{Agent, Outcome, Running, assert_failed, eventually};
use tempfile::TempDir;
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction};

/// Password "secret" of user "ann".
const HTPASSWD: &str = include_str!("../../oci-registry-client/tests/htpasswd");
/// The same in a request (RFC 7617), as `printf ann:secret | base64` prints it.
const AUTHORIZATION: &str = "Basic YW5uOnNlY3JldA==";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A proxy that may pull `in/words:1` and push `out/words:1`, and a folder for its socket.
struct Proxy {
    folder: TempDir,
}

impl Proxy {
    fn new() -> Self {
        Proxy { folder: tempfile::tempdir().unwrap() }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("proxy.sock")
    }

    /// Starts it, with credentials.
    fn start(&self, host: &str, pull: Option<&str>, push: Option<&str>) -> Running {
        let running = self.call(host, pull, push).start();
        eventually("the socket", || self.socket().exists());
        running
    }

    fn call(&self, host: &str, pull: Option<&str>, push: Option<&str>) -> Agent {
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

    /// A step that goes through it. Credentials are none of its business.
    fn step(&self, host: &str, script: &str, directory: &Path) -> Agent {
        Agent::step(host, ["sh", "-c", script])
            .directory(directory)
            .flag(format!("--proxy={}", self.socket().display()))
            .env_remove("ORAS_USER")
            .env_remove("ORAS_PULL_PASS")
            .env_remove("ORAS_PUSH_PASS")
    }
}

/// Ends a proxy that nobody needs any more. What it printed holds no password.
fn stop(running: Running) -> Outcome {
    running.signal(Signal::TERM);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_silent(&outcome);
    outcome
}

/// Holds an outcome to showing no secret: neither a password nor what is made of it.
fn assert_silent(outcome: &Outcome) {
    for text in [outcome.stdout(), outcome.stderr.clone(), outcome.message.clone().unwrap_or_default()] {
        for secret in ["secret", "hunter2", "YW5uOnNlY3JldA", "YW5uOmh1bnRlcjI"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

/// Pushes `in/words:1` by hand, and what is in it.
fn put_words(host: &str) -> TempDir {
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

#[test]
fn a_step_pulls_and_pushes_with_credentials_that_it_never_sees() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    let from = put_words(&host);
    let proxy = Proxy::new();
    let running = proxy.start(&host, Some("secret"), Some("secret"));
    let folder = tempfile::tempdir().unwrap();
    let script = "cat /proc/$PPID/environ /proc/$PPID/cmdline /proc/$$/environ | tr '\\0' '\\n'; echo more >> words/text";
    let outcome = proxy
        .step(&host, script, folder.path())
        .flag("--input=in/words:1")
        .flag("--output=out/words:1")
        .flag("--output-path=words")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout().contains("PATH="));
    assert_silent(&outcome);
    assert!(!outcome.stdout().contains("ORAS_"));
    stop(running);
    // Judged without the proxy.
    let headers = [("Authorization", AUTHORIZATION), ("Accept", MANIFEST)];
    assert_eq!(ask(&host, "GET", "/v2/out/words/manifests/1", &headers, b"").status, 200);
    assert_eq!(ask(&host, "GET", "/v2/out/words/manifests/1", &headers[1..], b"").status, 401);
    let into = tempfile::tempdir().unwrap();
    let outcome = Agent::new(["pull", &format!("{host}/out/words:1")])
        .directory(into.path())
        .env("ORAS_USER", "ann")
        .env("ORAS_PULL_PASS", "secret")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    write(&from.path().join("words/text"), "hello\nmore\n", 0o644);
    assert_eq!(tree(into.path()), tree(from.path()));
}

#[test]
fn what_was_not_declared_is_refused() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    put_words(&host);
    let network = Network::to(&host);
    let proxy = Proxy::new();
    let running = proxy.start(&network.host(), Some("secret"), Some("secret"));
    let digest = format!("sha256:{}", "0".repeat(64));
    for (method, path) in [
        ("GET", "/v2/_catalog"),
        ("GET", "/v2/in/words/tags/list"),
        ("GET", "/v2/other/words/manifests/1"),
        ("GET", "/v2/in/words/manifests/2"),
        ("GET", "/v2/in/words/../../other/words/manifests/1"),
        ("GET", "/v2/in/words/referrers/DIGEST"),
        ("PUT", "/v2/in/words/manifests/1"),
        ("POST", "/v2/in/words/blobs/uploads/"),
        ("PUT", "/v2/out/words/manifests/latest"),
        ("DELETE", "/v2/in/words/manifests/1"),
        ("DELETE", "/v2/out/words/manifests/1"),
        ("DELETE", "/v2/out/words/manifests/DIGEST"),
        ("DELETE", "/v2/out/words/blobs/DIGEST"),
        ("PATCH", "/v2/other/words/blobs/uploads/1"),
        ("GET", "/metrics"),
        ("GET", "/"),
    ] {
        let answer = ask_socket(&proxy.socket(), method, &path.replace("DIGEST", &digest));
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["errors"][0]["code"], "DENIED", "{method} {path}");
        assert!(body["errors"][0]["message"].as_str().is_some_and(|said| said.len() > 20), "{body}");
    }
    // Nothing of that went on.
    assert_eq!(network.sent(), 0);
    let answer = ask_socket(&proxy.socket(), "GET", "/v2/in/words/manifests/1");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some(MANIFEST));
    let blob = format!("/v2/out/words/blobs/{digest}");
    assert_eq!(ask_socket(&proxy.socket(), "HEAD", &blob).status, 404);
    // Uploads have names that are the proxy's own.
    let begun = ask_socket(&proxy.socket(), "POST", "/v2/out/words/blobs/uploads/");
    let location = begun.header("location").unwrap();
    assert!(begun.status == 202 && location.starts_with("/v2/out/words/blobs/uploads/"), "{location}");
    assert!(
        !location.contains("_state") && !begun.headers.iter().any(|(name, _)| name == "www-authenticate")
    );
    let unknown = ask_socket(&proxy.socket(), "PATCH", "/v2/out/words/blobs/uploads/99");
    assert_eq!(unknown.status, 404);
    stop(running);
}

#[test]
fn a_step_is_told_of_what_was_not_declared() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let proxy = Proxy::new();
    let running = proxy.start(&registry.host(), Some("secret"), Some("secret"));
    let folder = tempfile::tempdir().unwrap();
    let outcome = proxy.step(&registry.host(), "touch started", folder.path()).flag("--input=other:1").run();
    assert_failed(&outcome, 98, &["cannot pull other:1", "403"]);
    assert_eq!(paths(folder.path()), [""; 0]);
    let outcome = proxy
        .step(&registry.host(), "touch out", folder.path())
        .flag("--output=out/words:other")
        .flag("--output-path=out")
        .run();
    assert_failed(&outcome, 99, &["cannot push out/words:other", "403"]);
    stop(running);
}

#[test]
fn wrong_passwords_are_said_and_shown_nowhere() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    put_words(&host);
    for (pull, push) in [(Some("hunter2"), Some("hunter2")), (None, None)] {
        let proxy = Proxy::new();
        let running = proxy.start(&host, pull, push);
        let folder = tempfile::tempdir().unwrap();
        let outcome = proxy.step(&host, "touch started", folder.path()).flag("--input=in/words:1").run();
        assert_failed(&outcome, 98, &["cannot pull in/words:1", "refuses access", "ORAS_PULL_PASS"]);
        assert_silent(&outcome);
        assert_eq!(paths(folder.path()), [""; 0]);
        let outcome = proxy
            .step(&host, "touch out", folder.path())
            .flag("--output=out/words:1")
            .flag("--output-path=out")
            .run();
        assert_failed(&outcome, 99, &["cannot push out/words:1", "refuses access", "ORAS_PUSH_PASS"]);
        assert_silent(&outcome);
        stop(running);
    }
}

#[test]
fn push_only_credentials_pull_as_anybody_may() {
    let registry = Embedded::guarded(AUTHORIZATION);
    let host = registry.host();
    put_words(&host);
    let proxy = Proxy::new();
    let running = proxy.start(&host, None, Some("secret"));
    let folder = tempfile::tempdir().unwrap();
    let outcome = proxy
        .step(&host, "cat words/text", folder.path())
        .flag("--input=in/words:1")
        .flag("--output=out/words:1")
        .flag("--output-path=words")
        .run();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "hello\n"), "{}", outcome.stderr);
    stop(running);
    assert!(tagged(&host, "out/words", "1").is_some());
}

#[test]
fn a_step_waits_for_its_proxy() {
    let registry = Embedded::guarded(AUTHORIZATION);
    let host = registry.host();
    put_words(&host);
    let proxy = Proxy::new();
    let folder = tempfile::tempdir().unwrap();
    // What a proxy before this one left: nobody listens there.
    drop(UnixListener::bind(proxy.socket()).unwrap());
    let step = proxy.step(&host, "cat words/text", folder.path()).flag("--input=in/words:1").start();
    // It asks again and again; that it has not given up is seen at its end.
    let running = proxy.call(&host, None, Some("secret")).start();
    let outcome = step.wait();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "hello\n"), "{}", outcome.stderr);
    stop(running);
}

#[test]
fn without_a_proxy_the_command_is_not_started() {
    let proxy = Proxy::new();
    let folder = tempfile::tempdir().unwrap();
    let outcome = proxy
        .step("127.0.0.1:9", "touch started", folder.path())
        .flag("--input=in/words:1")
        .flag("--patience=1")
        .run();
    assert_failed(&outcome, 98, &["credential proxy", &proxy.socket().display().to_string()]);
    let outcome = proxy
        .step("127.0.0.1:9", "touch started", folder.path())
        .flag("--output=out/words:1")
        .flag("--output-path=started")
        .flag("--patience=1")
        .run();
    // Nothing was to be pulled.
    assert_failed(&outcome, 99, &["credential proxy"]);
    assert_eq!(paths(folder.path()), [""; 0]);
}

#[test]
fn a_proxy_outlives_the_step_that_uses_it() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    put_words(&host);
    let network = Network::to(&host);
    let proxy = Proxy::new();
    let running = proxy.start(&network.host(), Some("secret"), Some("secret"));
    let folder = tempfile::tempdir().unwrap();
    let step = proxy
        .step(&host, "echo ready; read go < fifo; cp words/text out", folder.path())
        .flag("--input=in/words:1")
        .flag("--output=out/words:1")
        .flag("--output-path=out");
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("fifo")).status().unwrap();
    assert!(made.success());
    let step = step.start();
    step.wait_for("ready\n");
    // Nothing is being transferred when the pod's end is announced.
    running.signal(Signal::TERM);
    network.when(Event::Request("PUT /v2/out/words/manifests/1".to_owned()), Reaction::Hold);
    fs::write(folder.path().join("fifo"), "go\n").unwrap();
    network.wait_until_held(1);
    // Impatience changes nothing.
    running.signal(Signal::TERM);
    network.clear();
    let outcome = step.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let ended = running.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!proxy.socket().exists());
    let headers = [("Authorization", AUTHORIZATION), ("Accept", MANIFEST)];
    assert_eq!(ask(&host, "HEAD", "/v2/out/words/manifests/1", &headers, b"").status, 200);
}

#[test]
fn cuts_behind_the_proxy_are_survived() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    let from = put_words(&host);
    let network = Network::to(&host);
    let proxy = Proxy::new();
    let running = proxy.start(&network.host(), Some("secret"), Some("secret"));
    network.when(Event::Received(1 << 20), Reaction::Cut);
    network.when(Event::Sent(1 << 20), Reaction::Cut);
    network.when(Event::Sent(2 << 20), Reaction::Cut);
    let folder = tempfile::tempdir().unwrap();
    let outcome = proxy
        .step(&host, "echo more >> words/data", folder.path())
        .flag("--input=in/words:1")
        .flag("--output=out/words:1")
        .flag("--output-path=words")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(network.cuts(), 3);
    stop(running);
    let into = tempfile::tempdir().unwrap();
    let artifact = format!("{host}/out/words:1");
    let pulled = Agent::new(["pull", &artifact])
        .directory(into.path())
        .env("ORAS_USER", "ann")
        .env("ORAS_PULL_PASS", "secret")
        .run();
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    write(&from.path().join("words/data"), [content(3 << 20, 1), b"more\n".to_vec()].concat(), 0o644);
    assert_eq!(tree(into.path()), tree(from.path()));
}

#[test]
fn a_proxy_that_is_killed_may_come_again() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    put_words(&host);
    let network = Network::to(&host);
    let proxy = Proxy::new();
    let folder = tempfile::tempdir().unwrap();
    let first = proxy.start(&network.host(), Some("secret"), Some("secret"));
    network.when(Event::Received(1 << 20), Reaction::Hold);
    let step = proxy
        .step(&host, "echo more >> words/data", folder.path())
        .flag("--input=in/words:1")
        .flag("--output=out/words:1")
        .flag("--output-path=words")
        .start();
    network.wait_until_held(1);
    first.signal(Signal::KILL);
    assert_eq!(first.wait().signal, Some(9));
    network.clear();
    network.when(Event::Sent(1 << 20), Reaction::Hold);
    let second = proxy.call(&network.host(), Some("secret"), Some("secret")).start();
    network.wait_until_held(1);
    second.signal(Signal::KILL);
    assert_eq!(second.wait().signal, Some(9));
    network.clear();
    let third = proxy.call(&network.host(), Some("secret"), Some("secret")).start();
    let outcome = step.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    stop(third);
    let headers = [("Authorization", AUTHORIZATION), ("Accept", MANIFEST)];
    assert_eq!(ask(&host, "HEAD", "/v2/out/words/manifests/1", &headers, b"").status, 200);
}

#[test]
fn a_proxy_that_came_again_outlives_its_step() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    put_words(&host);
    let proxy = Proxy::new();
    let first = proxy.start(&host, Some("secret"), Some("secret"));
    let folder = tempfile::tempdir().unwrap();
    let step = proxy
        .step(&host, "echo ready; read go < fifo; cp words/text out", folder.path())
        .flag("--input=in/words:1")
        .flag("--output=out/words:1")
        .flag("--output-path=out");
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("fifo")).status().unwrap();
    assert!(made.success());
    let step = step.start();
    step.wait_for("ready\n");
    first.signal(Signal::KILL);
    assert_eq!(first.wait().signal, Some(9));
    let second = proxy.call(&host, Some("secret"), Some("secret")).start();
    // State 03 is a connection; the path is that of the listening side (proc(5), /proc/net/unix).
    let name = proxy.socket().parent().unwrap().display().to_string();
    eventually("the step's connection", || {
        let sockets = fs::read_to_string("/proc/net/unix").unwrap();
        sockets.lines().any(|line| line.contains(&name) && line.contains(" 03 "))
    });
    second.signal(Signal::TERM);
    fs::write(folder.path().join("fifo"), "go\n").unwrap();
    let outcome = step.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(second.wait().code, Some(0));
}

#[test]
fn a_proxy_without_steps_ends_at_once() {
    let registry = Embedded::start();
    for signal in [Signal::TERM, Signal::INT] {
        let proxy = Proxy::new();
        let running = proxy.start(&registry.host(), None, None);
        assert_eq!(ask_socket(&proxy.socket(), "GET", "/v2/").status, 200);
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!proxy.socket().exists());
    }
}

#[test]
fn everybody_may_use_the_socket_and_a_left_over_one_is_replaced() {
    let registry = Embedded::start();
    let proxy = Proxy::new();
    // Left by a proxy that was killed.
    drop(UnixListener::bind(proxy.socket()).unwrap());
    fs::set_permissions(proxy.socket(), fs::Permissions::from_mode(0o600)).unwrap();
    let running = proxy.call(&registry.host(), None, None).start();
    running.wait_for_error("the proxy listens on");
    let mode = fs::metadata(proxy.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    assert_eq!(ask_socket(&proxy.socket(), "GET", "/v2/").status, 200);
    assert_eq!(paths(proxy.folder.path()), ["proxy.sock"]);
    stop(running);
}

#[test]
fn a_proxy_that_cannot_be_is_said() {
    let proxy = Proxy::new();
    let outcome = proxy.call("127.0.0.1:9", Some("hunter2"), None).flag("--pull=A:1").run();
    assert_eq!(outcome.code, Some(97), "{}", outcome.stderr);
    assert_silent(&outcome);
    let outcome = Agent::new(["proxy", "--registry=http://a", "--socket=/no/such/folder/socket"]).run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("the socket /no/such/folder/socket cannot be made"),
        "{}",
        outcome.stderr
    );
}
