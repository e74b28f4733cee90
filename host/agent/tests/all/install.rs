//! The copy of the program for other containers.

use crate::support;
use crate::support::{Agent, program};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

const NAME: &str = "orascache-agent";

fn install(into: &Path) -> support::Finished {
    Agent::new([Path::new("install"), into]).run()
}

#[test]
fn the_copy_is_complete_and_executable() {
    let folder = tempfile::tempdir().unwrap();
    for umask in ["000", "077", "777"] {
        let script = format!("umask {umask}; exec \"$AGENT\" install \"$INTO\"");
        let outcome =
            Agent::of("sh", ["-c", &script]).env("AGENT", program()).env("INTO", folder.path()).run();
        assert_eq!((outcome.code, outcome.stderr.as_str(), outcome.stdout.len()), (Some(0), "", 0));
        let copy = folder.path().join(NAME);
        assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o755);
        assert!(fs::read(&copy).unwrap() == fs::read(program()).unwrap());
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [NAME]);
    }
    let version = Command::new(folder.path().join(NAME)).arg("--version").output().unwrap();
    assert!(version.status.success());
}

#[test]
fn an_old_copy_is_replaced_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(install(folder.path()).code, Some(0));
    let copy = folder.path().join(NAME);
    let before = fs::metadata(&copy).unwrap().ino();
    let mut old = Command::new(&copy)
        .args(["exec", "--registry=http://a", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(install(folder.path()).code, Some(0));
    // The copy can install itself.
    let again = Command::new(&copy).arg("install").arg(folder.path()).status().unwrap();
    assert!(again.success());
    assert_ne!(fs::metadata(&copy).unwrap().ino(), before);
    drop(old.stdin.take());
    assert!(old.wait().unwrap().success());
}

#[test]
fn an_entry_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let outcome = install(&missing);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(
        outcome.stderr,
        format!(
            "orascache: {} is no directory: name one that exists, such as the mount of a volume\n",
            missing.display()
        )
    );
    fs::create_dir(folder.path().join(NAME)).unwrap();
    let outcome = install(folder.path());
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("cannot install into"), "{}", outcome.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    // Not even root can create files there.
    let outcome = install(Path::new("/proc/self"));
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("orascache: cannot install into /proc/self: "), "{}", outcome.stderr);
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let outcome = install(folder.path());
    // Root may write there in spite of the mode.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    assert_eq!(outcome.code, Some(if is_root { 0 } else { 1 }), "{}", outcome.stderr);
}
