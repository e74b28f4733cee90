//! What is in two of several pulls.

use super::placing::pulls;
use super::*;
use proptest::prelude::*;

fn conflict(pulls: &[Staging], same: SamePath) -> (usize, usize, String) {
    let each: Vec<usize> = (0..pulls.len()).collect();
    let conflict = check_all(pulls, &each, same).unwrap_err();
    (conflict.earlier, conflict.later, conflict.error.to_string())
}

#[test]
fn the_two_pulls_and_the_path_are_named() {
    for count in [2, 3, 4, 5, 40] {
        let dir = TempDir::new().unwrap();
        let names: Vec<String> = (0..count).map(|number| format!("d/own-{number}")).collect();
        let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        files.push(("d/own-1", "y"));
        let all = pulls(dir.path(), &files);
        let (earlier, later, said) = conflict(&all, SamePath::Refuse);
        assert_eq!((earlier, later), (1, count), "{said}");
        let path = dir.path().join("d/own-1");
        assert!(said.starts_with(&format!("{} cannot be put in place: two of", path.display())), "{said}");
        Staging::place_all(all).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "y");
    }
}

#[test]
fn files_and_directories_of_one_name_clash_among_any_number_of_pulls() {
    for count in [1, 3, 9] {
        for (first, last, reason) in
            [("a/b", "a", "a directory of that name"), ("a", "a/b", "a file or link")]
        {
            let dir = TempDir::new().unwrap();
            let mut files = vec![(first, "x")];
            files.extend(vec![("other/file", "x"); count]);
            files.push((last, "x"));
            let all = pulls(dir.path(), &files);
            let (earlier, later, said) = conflict(&all, SamePath::LastWins);
            assert_eq!((earlier, later), (0, count + 1), "{said}");
            assert!(said.contains(reason), "{said}");
            assert!(matches!(Staging::place_all(all), Err(UnpackError::Clash { .. })));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}

/// Pulls of one file each, into directories of their own.
fn scattered(root: &Path, files: &[(&str, &str, &str)]) -> Vec<Staging> {
    let pull = |(target, title, content): &(&str, &str, &str)| {
        let staging = Staging::create(&root.join(target)).unwrap();
        staging.file(title, content.as_bytes()).unwrap();
        staging
    };
    files.iter().map(pull).collect()
}

#[test]
fn targets_inside_of_each_other_are_compared() {
    let outer = ("in", "sub/file", "outer");
    let inner = ("in/sub", "file", "inner");
    for (files, winner) in [([outer, inner], "inner"), ([inner, outer], "outer")] {
        let dir = TempDir::new().unwrap();
        let all = scattered(dir.path(), &files);
        let (_, _, said) = conflict(&all, SamePath::Refuse);
        assert!(said.contains("in/sub/file cannot be put in place: two of the layers"), "{said}");
        Staging::place_all(all).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("in/sub/file")).unwrap(), winner);
    }
    // A link to the same directory changes nothing.
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("in/sub")).unwrap();
    std::os::unix::fs::symlink("in/sub", dir.path().join("link")).unwrap();
    let all = scattered(dir.path(), &[outer, ("link", "file", "through the link")]);
    let (_, _, said) = conflict(&all, SamePath::Refuse);
    assert!(said.contains("link/file cannot be put in place"), "{said}");
}

#[test]
fn a_file_where_another_pull_has_its_target_clashes_and_nothing_is_moved() {
    let dir = TempDir::new().unwrap();
    let all =
        scattered(dir.path(), &[("in", "first", "x"), ("in", "sub", "x"), ("in/sub/deep", "file", "x")]);
    let each = [0, 1, 2];
    let error = check_all(&all, &each, SamePath::LastWins).unwrap_err();
    assert_eq!((error.earlier, error.later), (1, 2), "{}", error.error);
    assert!(Staging::place_all(all).is_err());
    assert!(!dir.path().join("in/first").exists());
}

#[test]
fn targets_that_have_nothing_in_common_are_placed_in_order() {
    let dir = TempDir::new().unwrap();
    let files = [("a", "f", "1"), ("b", "f", "2"), ("a", "f", "3"), ("b", "g", "4"), ("c/d", "f", "5")];
    Staging::place_all(scattered(dir.path(), &files)).unwrap();
    let expected = [
        "a: directory 755",
        "a/f: file 644 3",
        "b: directory 755",
        "b/f: file 644 2",
        "b/g: file 644 4",
        "c: directory 755",
        "c/d: directory 755",
        "c/d/f: file 644 5",
    ];
    assert_eq!(listing(dir.path()), expected);
}

#[test]
fn pulls_share_a_folder_that_ends_with_the_last_of_them() {
    let dir = TempDir::new().unwrap();
    let folder = StagingFolder::create(dir.path()).unwrap();
    let all: Vec<Staging> = (0..3).map(|_| folder.staging().unwrap()).collect();
    drop(folder);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    for (number, staging) in all.iter().enumerate() {
        staging.file(&number.to_string(), &b"x"[..]).unwrap();
    }
    Staging::place_all(all).unwrap();
    assert_eq!(listing(dir.path()), ["0: file 644 x", "1: file 644 x", "2: file 644 x"]);
}

/// A few files of a few artifacts, so that many paths are shared.
fn files() -> impl Strategy<Value = Vec<(String, String, String)>> {
    let part = || prop::sample::select(vec!["a", "b"]);
    let path = |parts| prop::collection::vec(part(), parts).prop_map(|parts| parts.join("/"));
    let content = prop::sample::select(vec!["1", "2"]).prop_map(str::to_owned);
    prop::collection::vec((path(0..3), path(1..3), content), 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The rules, by comparing each file with each other one.
    #[test]
    fn conflicts_are_those_of_any_two_files(files in files()) {
        let dir = TempDir::new().unwrap();
        let borrowed: Vec<_> = files.iter().map(|(t, f, c)| (t.as_str(), f.as_str(), c.as_str())).collect();
        let all = scattered(dir.path(), &borrowed);
        let each: Vec<usize> = (0..all.len()).collect();
        let full = |(target, title, _): &(&str, &str, &str)| Path::new("root").join(target).join(title);
        // A target is a directory, so that a file at its path or above is a clash.
        let is_below = |outer: &Path, inner: &Path| inner != outer && inner.starts_with(outer);
        let mut clashes = false;
        let mut differs = false;
        for (number, one) in borrowed.iter().enumerate() {
            for other in borrowed.iter().skip(number + 1) {
                let (left, right) = (full(one), full(other));
                let targets = [one.0, other.0].map(|target| Path::new("root").join(target));
                clashes |= is_below(&left, &right) || is_below(&right, &left);
                clashes |= left == targets[1] || right == targets[0];
                differs |= left == right && one.2 != other.2;
            }
        }
        prop_assert_eq!(check_all(&all, &each, SamePath::LastWins).is_err(), clashes);
        prop_assert_eq!(check_all(&all, &each, SamePath::Refuse).is_err(), clashes || differs);
        let placed = Staging::place_all(all);
        prop_assert_eq!(placed.is_err(), clashes);
        if !clashes {
            let mut last = BTreeMap::new();
            for file in &borrowed {
                last.insert(dir.path().join(file.0).join(file.1), file.2);
            }
            for (path, content) in last {
                prop_assert_eq!(fs::read_to_string(path).unwrap(), content);
            }
        }
    }
}
