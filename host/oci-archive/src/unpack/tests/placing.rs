//! Moving into place, and the state after a failure.

use super::*;
use std::process::Command;

pub(super) fn staged(target: &Path, entries: &[Vec<u8>]) -> Staging {
    let staging = Staging::create(target).unwrap();
    let bytes = archive(entries);
    staging.directory("t", None, bytes.len() as u64, &Limits::default(), &bytes[..]).unwrap();
    staging
}

#[test]
fn existing_entries_are_kept_or_replaced() {
    let dir = TempDir::new().unwrap();
    let t = dir.path().join("t");
    fs::create_dir_all(t.join("sub")).unwrap();
    fs::set_permissions(t.join("sub"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::write(t.join("sub/kept"), "kept").unwrap();
    fs::write(t.join("sub/file"), "old").unwrap();
    fs::write(dir.path().join("outside"), "precious").unwrap();
    std::os::unix::fs::symlink("../outside", t.join("link")).unwrap();
    fs::write(t.join("to-link"), "old").unwrap();
    let staging = staged(
        dir.path(),
        &[
            directory("t", 0o755),
            directory("t/sub", 0o500),
            file("t/sub/file", "new"),
            file("t/link", "not written through"),
            symlink("t/to-link", "sub"),
            directory("t/fresh", 0o500),
        ],
    );
    assert!(fs::read(t.join("sub/file")).unwrap() == b"old", "nothing is visible before");
    staging.place().unwrap();
    let expected = [
        "outside: file 644 precious",
        "t: directory 755",
        "t/fresh: directory 500",
        "t/link: file 644 not written through",
        "t/sub: directory 711",
        "t/sub/file: file 644 new",
        "t/sub/kept: file 644 kept",
        "t/to-link: link sub",
    ];
    assert_eq!(listing(dir.path()), expected);
}

#[test]
fn an_entry_in_the_way_is_named_and_nothing_is_moved() {
    type Make = fn(&Path);
    let make: [(&str, Make); 4] = [
        ("z/file", |path| fs::write(path, "in the way").unwrap()),
        ("z/file", |path| std::os::unix::fs::symlink(".", path).unwrap()),
        ("z", |path| std::os::unix::fs::symlink(".", path).unwrap()),
        ("y", |path| fs::create_dir(path).unwrap()),
    ];
    for (at, make) in make {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("t").join(at);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        make(&path);
        let before = listing(dir.path());
        let staging = staged(dir.path(), &[file("t/a", "x"), file("t/y", "x"), file("t/z/file/b", "x")]);
        let error = staging.place().unwrap_err();
        assert!(matches!(&error, UnpackError::Clash { path: named, .. } if *named == path), "{error}");
        assert!(error.to_string().contains("remove that, or pull to another path"), "{error}");
        assert_eq!(listing(dir.path()), before);
    }
}

#[test]
fn files_lie_where_their_titles_say() {
    let dir = TempDir::new().unwrap();
    std::os::unix::fs::symlink("/tmp", dir.path().join("link")).unwrap();
    let staging = Staging::create(dir.path()).unwrap();
    for title in ["a.txt", "sub/dir/b.txt", "sub/c.txt"] {
        assert_eq!(
            staging.file(title, title.as_bytes()).unwrap(),
            Unpacked { files: 1, bytes: title.len() as u64 }
        );
    }
    for title in ["", ".", "..", "../x", "/x", "a/../../x", "./a.txt", "a.txt"] {
        let error = staging.file(title, &b""[..]).unwrap_err();
        assert!(matches!(error, UnpackError::Title { .. }), "{title}: {error}");
        let error = staging.directory(title, None, 1, &Limits::default(), &b""[..]).unwrap_err();
        assert!(matches!(error, UnpackError::Title { .. }), "{title}: {error}");
    }
    let error = staging.file("a.txt/b", &b""[..]).unwrap_err();
    assert!(matches!(error, UnpackError::Clash { .. }), "{error}");
    staging.place().unwrap();
    let expected = [
        "a.txt: file 644 a.txt",
        "link: link /tmp",
        "sub: directory 755",
        "sub/c.txt: file 644 sub/c.txt",
        "sub/dir: directory 755",
        "sub/dir/b.txt: file 644 sub/dir/b.txt",
    ];
    assert_eq!(listing(dir.path()), expected);
    let staging = Staging::create(dir.path()).unwrap();
    staging.file("link/x", &b"x"[..]).unwrap();
    let error = staging.place().unwrap_err();
    assert!(matches!(error, UnpackError::Clash { .. }), "{error}");
    assert_eq!(listing(dir.path()), expected);
}

#[test]
fn layers_are_combined() {
    let dir = TempDir::new().unwrap();
    let staging =
        staged(dir.path(), &[directory("t", 0o555), file("t/a", "from the archive"), symlink("t/l", ".")]);
    staging.file("t/b", &b"a file"[..]).unwrap();
    assert!(matches!(staging.file("t/l/b", &b"x"[..]), Err(UnpackError::Clash { .. })));
    assert!(matches!(staging.file("t/a/b", &b"x"[..]), Err(UnpackError::Clash { .. })));
    staging.place().unwrap();
    let expected =
        ["t: directory 555", "t/a: file 644 from the archive", "t/b: file 644 a file", "t/l: link ."];
    assert_eq!(listing(dir.path()), expected);
    fs::set_permissions(dir.path().join("t"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Several pulls into one directory, each of one file.
pub(super) fn pulls(target: &Path, files: &[(&str, &str)]) -> Vec<Staging> {
    let pull = |(title, content): &(&str, &str)| {
        let staging = Staging::create(target).unwrap();
        staging.file(title, content.as_bytes()).unwrap();
        staging
    };
    files.iter().map(pull).collect()
}

#[test]
fn several_pulls_are_placed_in_order() {
    let dir = TempDir::new().unwrap();
    let mut all =
        vec![staged(dir.path(), &[directory("t", 0o555), file("t/a", "archive"), symlink("t/l", "a")])];
    all.extend(pulls(dir.path(), &[("t/b", "1"), ("t/b", "2"), ("t/l", "no link")]));
    Staging::place_all(all).unwrap();
    let expected = ["t: directory 555", "t/a: file 644 archive", "t/b: file 644 2", "t/l: file 644 no link"];
    assert_eq!(listing(dir.path()), expected);
    fs::set_permissions(dir.path().join("t"), fs::Permissions::from_mode(0o755)).unwrap();
    Staging::place_all(Vec::new()).unwrap();
}

#[test]
fn security_pulls_that_clash_leave_nothing() {
    for files in [[("a", "x"), ("t", "x"), ("t/b", "x")], [("a", "x"), ("t/b", "x"), ("t", "x")]] {
        let dir = TempDir::new().unwrap();
        let error = Staging::place_all(pulls(dir.path(), &files)).unwrap_err();
        assert!(matches!(error, UnpackError::Clash { .. }), "{error}");
        assert_eq!(listing(dir.path()), [""; 0]);
    }
}

#[test]
fn only_different_content_at_one_path_is_a_conflict() {
    let dir = TempDir::new().unwrap();
    let large = "x".repeat(300_000);
    let other = format!("{}y", "x".repeat(299_999));
    for (one, two, is_equal) in [
        ("", "", true),
        ("x", "x", true),
        ("x", "y", false),
        ("x", "xx", false),
        (&large, &large, true),
        (&large, &other, false),
    ] {
        let all = pulls(dir.path(), &[("t/a", one), ("t/a", two)]);
        assert_eq!(check_all(&all, &[0, 1], SamePath::Refuse).is_ok(), is_equal);
        check_all(&all, &[0, 1], SamePath::LastWins).unwrap();
        let is_accepted = check_all(&all, &[0, 0], SamePath::LastWins).is_ok();
        assert_eq!(is_accepted, is_equal, "within one artifact content must be equal");
    }
    let links = |target| staged(dir.path(), &[directory("t", 0o755), symlink("t/l", target)]);
    let check = |pulls: [Staging; 2]| check_all(&pulls, &[0, 1], SamePath::Refuse);
    check([links("a"), links("a")]).unwrap();
    assert!(check([links("b"), links("a")]).is_err());
    assert!(check([links("a"), staged(dir.path(), &[file("t/l", "a")])]).is_err());
}

#[test]
fn a_pull_that_is_dropped_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let staging = staged(dir.path(), &[directory("t", 0), directory("t/a", 0o500), file("t/a/b", "x")]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    drop(staging);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn another_file_system_below_the_target_is_copied_to() {
    let dir = TempDir::new().unwrap();
    let Ok(other) = TempDir::new_in("/dev/shm") else {
        eprintln!("skipped: /dev/shm cannot be written");
        return;
    };
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(dir.path()) == device(other.path()) {
        eprintln!("skipped: /dev/shm is not another file system");
        return;
    }
    let from = dir.path().join("from");
    fs::create_dir_all(from.join("d/empty")).unwrap();
    fs::write(from.join("file"), "content").unwrap();
    fs::write(from.join("d/inner"), "inner").unwrap();
    fs::set_permissions(from.join("file"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::set_permissions(from.join("d"), fs::Permissions::from_mode(0o710)).unwrap();
    std::os::unix::fs::symlink("nowhere", from.join("link")).unwrap();
    fs::write(other.path().join("file"), "old").unwrap();
    let before = snapshot(&from);
    let open = |path: &Path| cap_std::fs::Dir::from_std_file(fs::File::open(path).unwrap());
    let mut mover = super::super::place::Mover {
        temporary: "temporary".into(),
        root: other.path(),
        modes: None,
        is_hidden: false,
        moved: 0,
    };
    mover.merge(&open(&from), &open(other.path()), other.path()).unwrap();
    assert_eq!(snapshot(other.path()), before);
    assert_eq!(fs::read_dir(&from).unwrap().count(), 0);
}

/// Runs one test of this program again, in a shell that prepares its environment.
fn again(test: &str, shell: &mut Command, script: &str) -> std::process::Output {
    shell
        .args(["-c", &format!("{script} && exec \"$0\" --exact --ignored --nocapture {test}")])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap()
}

/// Runs one test again where a small file system is mounted, whose place the test finds in
/// `MOUNTED`.
fn mounted(test: &str, at: &Path) {
    let mount = format!("mount -t tmpfs -o size=256k none {}", at.display());
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh"]);
        command
    };
    if !unshare().args(["-c", &mount]).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user cannot mount a small file system");
        return;
    }
    let output = again(test, &mut unshare(), &format!("{mount} && export MOUNTED={}", at.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn a_full_disk_is_reported_and_left_empty() {
    let dir = TempDir::new().unwrap();
    mounted("unpack::tests::placing::full_disk", dir.path());
}

#[test]
fn a_volume_below_the_target_is_filled() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("t")).unwrap();
    mounted("unpack::tests::placing::volume_below", &dir.path().join("t"));
}

#[test]
fn a_file_that_is_a_mount_is_named_before_anything_is_moved() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("t")).unwrap();
    mounted("unpack::tests::placing::file_mounted", dir.path());
}

#[test]
#[ignore = "needs a namespace for mounts, from another test"]
fn file_mounted() {
    let Some(target) = std::env::var_os("MOUNTED") else { return };
    let target = Path::new(&target);
    fs::create_dir(target.join("t")).unwrap();
    for name in ["t/settings", "source"] {
        fs::write(target.join(name), name).unwrap();
    }
    let [settings, source] = ["t/settings", "source"].map(|name| target.join(name));
    let bound = Command::new("mount").arg("--bind").args([&source, &settings]).status().unwrap();
    assert!(bound.success());
    let error = staged(target, &[file("t/a", "x"), file("t/settings", "new")]).place().unwrap_err();
    let expected = format!("{} cannot be put in place: another file is mounted there", settings.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(!target.join("t/a").exists());
    assert_eq!(fs::read_to_string(&source).unwrap(), "source");
}

#[test]
#[ignore = "needs a volume that is mounted, from another test"]
fn volume_below() {
    let Some(volume) = std::env::var_os("MOUNTED") else { return };
    let (volume, target) = (Path::new(&volume), Path::new(&volume).parent().unwrap());
    fs::write(volume.join("old"), "kept").unwrap();
    let entries = [
        file("t/old", "new"),
        directory("t/d", 0o500),
        file("t/d/inner", "x"),
        symlink("t/link", "d/inner"),
        hard_link("t/same", "t/old"),
    ];
    staged(target, &entries).place().unwrap();
    let expected = [
        "d: directory 500",
        "d/inner: file 644 x",
        "link: link d/inner",
        "old: file 644 new",
        "same: file 644 new",
    ];
    assert_eq!(listing(volume), expected);
    let error = staged(target, &[file("t/big", &"x".repeat(1 << 20))]).place().unwrap_err();
    let expected = format!("no space left on the device for {}/big; ", volume.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(!listing(target).iter().any(|line| line.contains("big") || line.contains("orascache")));
}

#[test]
#[ignore = "runs on a full disk, from another test"]
fn full_disk() {
    let Some(target) = std::env::var_os("MOUNTED") else { return };
    let target = Path::new(&target);
    let staging = Staging::create(target).unwrap();
    staging.file("small", &b"x"[..]).unwrap();
    let big = "x".repeat(1 << 20);
    let bytes = archive(&[file("t/a", "x"), file("t/big", &big)]);
    for error in [
        staging.directory("t", None, bytes.len() as u64, &Limits::default(), &bytes[..]).unwrap_err(),
        staging.file("t/big", big.as_bytes()).unwrap_err(),
    ] {
        let expected = format!("no space left on the device for {}/t/big; ", target.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    drop(staging);
    assert_eq!(fs::read_dir(target).unwrap().count(), 0);
}

#[test]
fn the_umask_does_not_matter() {
    let output = again("unpack::tests::placing::odd_umask", &mut Command::new("sh"), "umask 0777");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
#[ignore = "runs with another umask, from another test"]
fn odd_umask() {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let staging = staged(dir.path(), &[file("t/sub/a", "x"), directory("t/d", 0o775)]);
    staging.file("f/b", &b"y"[..]).unwrap();
    staging.place().unwrap();
    let expected = [
        "f: directory 755",
        "f/b: file 644 y",
        "t: directory 755",
        "t/d: directory 775",
        "t/sub: directory 755",
        "t/sub/a: file 644 x",
    ];
    assert_eq!(listing(dir.path()), expected);
}
