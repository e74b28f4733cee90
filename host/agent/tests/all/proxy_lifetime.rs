//! The life of the credential proxy: its start, its end, and restarts in between.

use crate::support::http::ask_socket;
use crate::support::proxy::{AUTHORIZATION, Guarded, Proxy, assert_silent, put_words, stop};
use crate::support::tree::{content, paths, tree, write};
use crate::support::{Agent, Running, assert_failed, eventually};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use test_registries::{Embedded, Event, Reaction};

#[test]
fn a_step_waits_for_its_proxy() {
    let registry = Embedded::guarded(AUTHORIZATION);
    let host = registry.host();
    put_words(&host);
    let proxy = Proxy::new();
    let folder = tempfile::tempdir().unwrap();
    // The socket of an earlier proxy, on which no process listens.
    drop(UnixListener::bind(proxy.socket()).unwrap());
    let step = proxy.step(&host, "cat words/text", folder.path()).flag("--input=in/words:1").start();
    // The step repeats its attempt to connect.
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
    // There was no input.
    assert_failed(&outcome, 99, &["credential proxy"]);
    assert_eq!(paths(folder.path()), [""; 0]);
}

/// A step that waits for a line in the pipe of this name, and then leaves a file `out`. It is
/// returned when it waits.
fn waiting_step(guarded: &Guarded, directory: &Path) -> Running {
    let made = std::process::Command::new("mkfifo").arg(directory.join("fifo")).status().unwrap();
    assert!(made.success());
    let step = guarded.step("echo ready; read go < fifo; cp words/text out", directory, "out").start();
    step.wait_for("ready\n");
    step
}

#[test]
fn a_proxy_ends_after_the_step_that_uses_it() {
    let Some(guarded) = Guarded::start() else { return };
    let running = guarded.serve();
    let folder = tempfile::tempdir().unwrap();
    let step = waiting_step(&guarded, folder.path());
    // The end of the pod is announced while nothing is transferred.
    running.signal(Signal::TERM);
    guarded.network.when(Event::Request("PUT /v2/out/words/manifests/1".to_owned()), Reaction::Hold);
    fs::write(folder.path().join("fifo"), "go\n").unwrap();
    guarded.network.wait_until_held(1);
    // A second signal changes nothing.
    running.signal(Signal::TERM);
    guarded.network.clear();
    let outcome = step.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let ended = running.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!guarded.proxy.socket().exists());
    assert!(guarded.has("out/words", "1"));
}

#[test]
fn cuts_behind_the_proxy_are_survived() {
    let Some(guarded) = Guarded::start() else { return };
    let running = guarded.serve();
    guarded.network.when(Event::Received(1 << 20), Reaction::Cut);
    guarded.network.when(Event::Sent(1 << 20), Reaction::Cut);
    guarded.network.when(Event::Sent(2 << 20), Reaction::Cut);
    let folder = tempfile::tempdir().unwrap();
    let outcome = guarded.step("echo more >> words/data", folder.path(), "words").run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(guarded.network.cuts(), 3);
    stop(running);
    let longer = [content(3 << 20, 1), b"more\n".to_vec()].concat();
    write(&guarded.words.path().join("words/data"), longer, 0o644);
    assert_eq!(tree(guarded.pull_output().path()), tree(guarded.words.path()));
}

#[test]
fn a_step_survives_restarts_of_its_proxy() {
    let Some(guarded) = Guarded::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let first = guarded.serve();
    guarded.network.when(Event::Received(1 << 20), Reaction::Hold);
    let step = guarded.step("echo more >> words/data", folder.path(), "words").start();
    guarded.network.wait_until_held(1);
    first.signal(Signal::KILL);
    assert_eq!(first.wait().signal, Some(9));
    guarded.network.clear();
    guarded.network.when(Event::Sent(1 << 20), Reaction::Hold);
    let second = guarded.call().start();
    guarded.network.wait_until_held(1);
    second.signal(Signal::KILL);
    assert_eq!(second.wait().signal, Some(9));
    guarded.network.clear();
    let third = guarded.call().start();
    let outcome = step.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    stop(third);
    assert!(guarded.has("out/words", "1"));
}

#[test]
fn a_restarted_proxy_ends_after_its_step() {
    let Some(guarded) = Guarded::start() else { return };
    let first = guarded.serve();
    let folder = tempfile::tempdir().unwrap();
    let step = waiting_step(&guarded, folder.path());
    first.signal(Signal::KILL);
    assert_eq!(first.wait().signal, Some(9));
    let second = guarded.call().start();
    // State 03 is a connection; the path is that of the listening side (proc(5), /proc/net/unix).
    let name = guarded.proxy.socket().parent().unwrap().display().to_string();
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
fn any_user_may_use_the_socket_and_an_old_one_is_replaced() {
    let registry = Embedded::start();
    let proxy = Proxy::new();
    // The socket of a proxy that was killed.
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
fn a_proxy_that_cannot_start_says_why() {
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
