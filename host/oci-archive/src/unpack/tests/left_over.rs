//! Hidden directories that pulls have left over, or that something removes too early.

use super::super::liveness::LEFT_OVER_AFTER;
use super::placing::{pulls, staged};
use super::*;
/// Lets a directory look as if it was touched last so many seconds ago.
fn age(path: &Path, seconds: i64) {
    let seconds = std::time::Duration::from_secs(seconds.unsigned_abs());
    let then = std::time::SystemTime::now() - seconds;
    fs::File::open(path).unwrap().set_modified(then).unwrap();
}

/// The names in a directory, sorted.
fn names(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn directories_that_were_not_touched_for_long_are_removed_and_others_kept() {
    let dir = TempDir::new().unwrap();
    let dead = dir.path().join(".orascache-pull-dead");
    fs::create_dir_all(dead.join("content/t/locked")).unwrap();
    fs::write(dead.join("content/t/locked/file"), "x").unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    fs::set_permissions(dead.join("content/t/locked"), fs::Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(dead.join("content/t"), fs::Permissions::from_mode(0o500)).unwrap();
    // The pull of another node, whose lock is not seen here.
    let remote = dir.path().join(".orascache-pull-remote");
    fs::create_dir(&remote).unwrap();
    fs::write(remote.join("lock"), "").unwrap();
    // This pull was killed before it had a lock.
    let early = dir.path().join(".orascache-pull-early");
    fs::create_dir(&early).unwrap();
    age(&dead, LEFT_OVER_AFTER + 5);
    age(&early, LEFT_OVER_AFTER + 5);
    age(&remote, LEFT_OVER_AFTER - 60);
    fs::write(dir.path().join(".orascache-pull-file"), "not a directory").unwrap();
    let living = staged(dir.path(), &[file("t/a", "x")]);
    assert_eq!(names(dir.path()).len(), 3, "{:?}", names(dir.path()));
    assert!(remote.exists());
    // A lock that is seen counts, however long its directory was not touched.
    let locked = fs::File::options().write(true).open(remote.join("lock")).unwrap();
    locked.lock().unwrap();
    age(&remote, LEFT_OVER_AFTER + 5);
    drop(Staging::create(dir.path()).unwrap());
    assert!(remote.exists());
    drop(locked);
    drop(Staging::create(dir.path()).unwrap());
    assert!(!remote.exists());
    living.place().unwrap();
    assert_eq!(names(dir.path()), [".orascache-pull-file", "t"]);
}

#[test]
fn files_that_disappeared_before_they_were_in_place_are_an_error() {
    type Remove = fn(&Path);
    let removals: [Remove; 4] = [
        |hidden| fs::remove_dir_all(hidden).unwrap(),
        |hidden| fs::remove_dir_all(hidden.join("1/content")).unwrap(),
        |hidden| fs::remove_file(hidden.join("1/content/t/a")).unwrap(),
        |hidden| fs::rename(hidden, hidden.with_file_name("elsewhere")).unwrap(),
    ];
    for remove in removals {
        for is_first in [false, true] {
            let dir = TempDir::new().unwrap();
            let staging = staged(dir.path(), &[file("t/a", "x"), file("t/b", "x"), directory("t/d", 0o755)]);
            let hidden = names(dir.path());
            let other = pulls(dir.path(), &[("other", "x")]);
            remove(&dir.path().join(&hidden[0]));
            let all: Vec<Staging> = if is_first {
                std::iter::once(staging).chain(other).collect()
            } else {
                other.into_iter().chain([staging]).collect()
            };
            let error = Staging::place_all(all).unwrap_err();
            assert!(matches!(error, UnpackError::Disappeared { .. }), "{error}");
            assert!(error.to_string().contains(&hidden[0]), "{error}");
            assert!(!dir.path().join("t").exists() && !dir.path().join("other").exists());
        }
    }
}

#[test]
fn entries_that_replace_each_other_are_complete() {
    let dir = TempDir::new().unwrap();
    let staging = staged(
        dir.path(),
        &[file("t/a", "1"), file("t/a", "2"), symlink("t/a", "b"), file("t/b", "x"), hard_link("t/c", "t/b")],
    );
    staging.file("u/v/w", &b"x"[..]).unwrap();
    staging.file("t/b", &b"y"[..]).unwrap();
    staging.place().unwrap();
    let expected = [
        "t: directory 755",
        "t/a: link b",
        "t/b: file 644 y",
        "t/c: file 644 x",
        "u: directory 755",
        "u/v: directory 755",
        "u/v/w: file 644 x",
    ];
    assert_eq!(listing(dir.path()), expected);
}
