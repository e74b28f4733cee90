//! Security: no other process can read the credentials of the proxy, neither in its environment nor
//! in its memory.

use crate::support::http::ask_socket;
use crate::support::{eventually, program};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use test_registries::{DockerRegistry, Embedded};

/// Password "secret" of user "ann".
const HTPASSWD: &str = include_str!("../../../oci-registry-client/tests/htpasswd");
/// A user without rights, who exists on every system as a number.
const NOBODY: u32 = 65534;

/// A proxy that ends with the test.
struct Proxy {
    child: Child,
    folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Runs a command as the user that the proxy runs as: nobody where the tests run as root, and
/// otherwise their own user.
fn as_user_of_proxy(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

impl Proxy {
    /// Starts a proxy for `in/words:1` that gets its credentials in variables, or in the files of a
    /// directory.
    fn start(host: &str, in_files: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        // The folder of the build may be closed to other users.
        let copy = folder.path().join("agent");
        // Another process copies the program. While this one has a file open for writing, a test in
        // another thread may fork, and the file could not be run until that child has ended.
        assert!(Command::new("cp").arg(program()).arg(&copy).status().unwrap().success());
        let secret = folder.path().join("secret");
        fs::create_dir(&secret).unwrap();
        let mut command = as_user_of_proxy(&copy);
        command
            .args(["proxy", &format!("--registry=http://{host}"), "--pull=in/words:1", "--debug=true"])
            .arg(format!("--socket={}", folder.path().join("proxy.sock").display()))
            .stdin(Stdio::null());
        for (name, value) in [("ORAS_USER", "ann"), ("ORAS_PULL_PASS", "secret")] {
            command.env_remove(name);
            if in_files {
                fs::write(secret.join(name), format!("{value}\n")).unwrap();
            } else {
                command.env(name, value);
            }
        }
        if in_files {
            command.arg(format!("--credentials={}", secret.display()));
        }
        let proxy = Proxy { child: command.spawn().unwrap(), folder };
        eventually("the socket", || proxy.socket().exists());
        proxy
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("proxy.sock")
    }

    /// Whether a process of the same user can read a file of the proxy in /proc.
    fn can_be_read(&self, name: &str) -> bool {
        let path = Path::new("/proc").join(self.child.id().to_string()).join(name);
        let read =
            as_user_of_proxy("head").args(["-c", "1"]).arg(path).stderr(Stdio::null()).output().unwrap();
        read.status.success()
    }
}

#[test]
fn processes_of_the_same_user_cannot_read_the_proxy() {
    let registry = Embedded::start();
    for in_files in [true, false] {
        let proxy = Proxy::start(&registry.host(), in_files);
        // What can be read of an ordinary process of the same user shows that the test looks at the
        // right thing.
        let mut ordinary = as_user_of_proxy("sleep").arg("60").spawn().unwrap();
        let environ = format!("/proc/{}/environ", ordinary.id());
        let read = as_user_of_proxy("head").args(["-c", "1", &environ]).output().unwrap();
        ordinary.kill().unwrap();
        ordinary.wait().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        for name in ["environ", "mem", "maps", "auxv"] {
            assert!(!proxy.can_be_read(name), "{name}");
        }
        let files = as_user_of_proxy("ls")
            .arg(format!("/proc/{}/fd", proxy.child.id()))
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert!(!files.status.success(), "open files");
    }
}

#[test]
fn credentials_do_not_stay_in_the_environment() {
    let registry = Embedded::start();
    let proxy = Proxy::start(&registry.host(), false);
    // Only root can read it.
    if is_root() {
        let environ = fs::read(format!("/proc/{}/environ", proxy.child.id())).unwrap();
        let text = String::from_utf8_lossy(&environ);
        assert!(text.contains("PATH=") && !text.contains("ORAS_") && !text.contains("secret"), "{text}");
        let arguments = fs::read(format!("/proc/{}/cmdline", proxy.child.id())).unwrap();
        assert!(!String::from_utf8_lossy(&arguments).contains("secret"));
    }
    let stdin = fs::read_link(format!("/proc/{}/fd/0", proxy.child.id()));
    assert!(
        stdin.is_err() || stdin.unwrap() == Path::new("/dev/null"),
        "the credentials stay in an open file"
    );
}

#[test]
fn credentials_come_from_files_or_variables() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    for in_files in [true, false] {
        let proxy = Proxy::start(&registry.host(), in_files);
        // With the right password the registry says that there is no such manifest, and otherwise
        // 401.
        let answer = ask_socket(&proxy.socket(), "GET", "/v2/in/words/manifests/1");
        assert_eq!(answer.status, 404, "{}", answer.text());
    }
}
