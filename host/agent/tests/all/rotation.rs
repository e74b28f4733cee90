//! Accounts that are replaced while steps push.

use crate::support::http::ask_socket;
use crate::support::proxy::{Proxy, assert_silent};
use crate::support::tree::write;
use crate::support::{Agent, Running, eventually};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use tempfile::TempDir;
use test_registries::DockerRegistry;

/// Passwords "secret" and "hunter2", as lines of an htpasswd file.
const FIRST: &str = "orascache:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
const SECOND: &str = "orascache-2:$2y$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.\n";

/// A mounted Secret, which is replaced as the kubelet does it: the files of a state are in a
/// directory of their own, and a link that names it is replaced.
struct Mounted {
    folder: TempDir,
}

impl Mounted {
    fn new(user: &str, password: &str) -> Self {
        let mounted = Mounted { folder: tempfile::tempdir().unwrap() };
        for name in ["ORAS_USER", "ORAS_PULL_PASS", "ORAS_PUSH_PASS"] {
            symlink(Path::new("..data").join(name), mounted.path().join(name)).unwrap();
        }
        mounted.set(user, password);
        mounted
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn set(&self, user: &str, password: &str) {
        let state = format!("..state-{user}");
        let directory = self.path().join(&state);
        fs::create_dir(&directory).unwrap();
        for (name, value) in [("ORAS_USER", user), ("ORAS_PULL_PASS", password), ("ORAS_PUSH_PASS", password)]
        {
            fs::write(directory.join(name), value).unwrap();
        }
        symlink(&state, self.path().join("..data_tmp")).unwrap();
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).unwrap();
    }
}

/// Starts a proxy that reads its credentials from a mounted Secret.
fn serve(proxy: &Proxy, host: &str, mounted: &Mounted) -> Running {
    let call = proxy.call(host, None, None).env_remove("ORAS_USER");
    let running = call.flag(format!("--credentials={}", mounted.path().display())).start();
    eventually("the socket", || proxy.socket().exists());
    running
}

/// Has two steps push through a proxy, again and again, while something happens, which gets a
/// function that waits until both have pushed anew. No push may fail.
fn while_pushing(proxy: &Proxy, registry: &str, happens: impl FnOnce(&dyn Fn())) {
    // How often each step has pushed, and whether they go on.
    let pushes = Mutex::new(([0_usize; 2], true));
    let push = |number: usize| {
        let folder = tempfile::tempdir().unwrap();
        while pushes.lock().unwrap().1 {
            let count = pushes.lock().unwrap().0[number];
            write(&folder.path().join("out"), format!("{number} {count}"), 0o644);
            let outcome = proxy
                .step(registry, "true", folder.path())
                .flag("--output=out/words:1")
                .flag("--output-path=out")
                .run();
            if outcome.code != Some(0) {
                pushes.lock().unwrap().1 = false;
            }
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            pushes.lock().unwrap().0[number] += 1;
        }
    };
    // Two pushes from here on: one of them began after this moment.
    let more_pushes = || {
        let before = pushes.lock().unwrap().0;
        eventually("pushes of both steps", || {
            let (counts, goes_on) = *pushes.lock().unwrap();
            !goes_on || counts.iter().zip(before).all(|(count, before)| *count >= before + 2)
        });
    };
    thread::scope(|scope| {
        let steps = [0, 1].map(|number| scope.spawn(move || push(number)));
        more_pushes();
        happens(&more_pushes);
        pushes.lock().unwrap().1 = false;
        for step in steps {
            step.join().unwrap();
        }
    });
}

#[test]
fn no_push_fails_while_an_account_is_replaced_by_another_one() {
    let Some(registry) = DockerRegistry::with_password(FIRST) else { return };
    let (mounted, proxy) = (Mounted::new("orascache", "secret"), Proxy::new());
    let running = serve(&proxy, &registry.host(), &mounted);
    while_pushing(&proxy, &registry.host(), |more_pushes| {
        registry.set_passwords(&format!("{FIRST}{SECOND}"));
        more_pushes();
        mounted.set("orascache-2", "hunter2");
        more_pushes();
        registry.set_passwords(SECOND);
        more_pushes();
    });
    running.signal(Signal::TERM);
    assert_silent(&running.wait());
}

#[test]
fn no_push_fails_while_a_certificate_and_its_authority_are_replaced() {
    let Some(mut registry) = DockerRegistry::with_tls() else { return };
    let (proxy, url) = (Proxy::new(), format!("https://{}", registry.host()));
    let authorities = proxy.folder.path().join("ca.crt");
    // Each certificate is its own authority.
    let certificate = |registry: &DockerRegistry| fs::read_to_string(registry.certificate()).unwrap();
    let trust = |pem: &str| {
        fs::write(authorities.with_extension("new"), pem).unwrap();
        fs::rename(authorities.with_extension("new"), &authorities).unwrap();
    };
    let former = certificate(&registry);
    trust(&former);
    let running = Agent::new(["proxy", &format!("--registry={url}"), "--push=out/words:1"])
        .flag(format!("--socket={}", proxy.socket().display()))
        .flag(format!("--ca-file={}", authorities.display()))
        .env_remove("SSL_CERT_FILE")
        .start();
    eventually("the socket", || proxy.socket().exists());
    while_pushing(&proxy, &url, |more_pushes| {
        registry.renew_certificate();
        let new = certificate(&registry);
        trust(&format!("{former}{new}"));
        more_pushes();
        registry.restart();
        more_pushes();
        trust(&new);
        more_pushes();
        // A file that cannot be used changes nothing.
        trust("nothing");
        more_pushes();
    });
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code, Some(0));
}

#[test]
fn a_proxy_follows_its_secret_and_goes_on_with_what_it_has_while_the_secret_is_unreadable() {
    let Some(registry) = DockerRegistry::with_password(FIRST) else { return };
    let (mounted, proxy) = (Mounted::new("orascache", "secret"), Proxy::new());
    let running = serve(&proxy, &registry.host(), &mounted);
    // There is no such manifest; without the right password the registry answers 401.
    let status = || ask_socket(&proxy.socket(), "GET", "/v2/in/words/manifests/1").status;
    assert_eq!(status(), 404);
    registry.set_passwords(SECOND);
    assert_eq!(status(), 401);
    mounted.set("orascache-2", "hunter2");
    assert_eq!(status(), 404);
    fs::rename(mounted.path().join("..data"), mounted.path().join("elsewhere")).unwrap();
    fs::rename(mounted.path(), proxy.folder.path().join("gone")).unwrap();
    assert_eq!(status(), 404);
    running.signal(Signal::TERM);
    assert_silent(&running.wait());
}
