//! Directories are unchanged after packing and unpacking, and equal ones have equal digests.

use oci_archive::{Compression, Limits, PackOptions, Staging, annotation, pack};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;

#[derive(Clone, Debug)]
enum Node {
    File { content: Vec<u8>, mode: u32 },
    Link { target: &'static str },
    Directory { mode: u32, children: BTreeMap<Vec<u8>, Node> },
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("not in names", |byte| *byte != 0 && *byte != b'/');
    prop_oneof![
        4 => prop::collection::vec(byte, 1..6),
        1 => (100usize..=255).prop_map(|length| vec![b'n'; length]),
    ]
    .prop_filter("not names", |name| name != b"." && name != b"..")
}

fn node() -> impl Strategy<Value = Node> {
    let mode = (0u32..0o1000).prop_map(|mode| mode | 0o400);
    let leaf = prop_oneof![
        (prop::collection::vec(any::<u8>(), 0..2000), mode)
            .prop_map(|(content, mode)| Node::File { content, mode }),
        prop::sample::select(vec!["x", ".", "./a/b", "dangling", "a//b/"])
            .prop_map(|target| Node::Link { target }),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        let mode = (0u32..0o1000).prop_map(|mode| mode | 0o500);
        (mode, prop::collection::btree_map(name(), inner, 0..8))
            .prop_map(|(mode, children)| Node::Directory { mode, children })
    })
}

fn tree() -> impl Strategy<Value = BTreeMap<Vec<u8>, Node>> {
    prop::collection::btree_map(name(), node(), 0..8)
}

fn write(dir: &Path, children: &BTreeMap<Vec<u8>, Node>, backwards: bool) {
    let mut children: Vec<_> = children.iter().collect();
    if backwards {
        children.reverse();
    }
    for (name, node) in children {
        let path = dir.join(OsStr::from_bytes(name));
        match node {
            Node::File { content, mode } => {
                fs::write(&path, content).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Node::Link { target } => symlink(target, &path).unwrap(),
            Node::Directory { mode, children } => {
                fs::create_dir(&path).unwrap();
                write(&path, children, backwards);
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
    }
}

fn check(dir: &Path, children: &BTreeMap<Vec<u8>, Node>) {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().as_bytes().to_vec()).collect();
    names.sort();
    assert_eq!(names, children.keys().cloned().collect::<Vec<_>>());
    for (name, node) in children {
        let path = dir.join(OsStr::from_bytes(name));
        let metadata = fs::symlink_metadata(&path).unwrap();
        match node {
            Node::File { content, mode } => {
                assert!(metadata.is_file());
                assert_eq!(metadata.mode() & 0o7777, *mode);
                assert_eq!(&fs::read(&path).unwrap(), content);
            }
            Node::Link { target } => assert_eq!(fs::read_link(&path).unwrap(), Path::new(target)),
            Node::Directory { mode, children } => {
                assert!(metadata.is_dir());
                assert_eq!(metadata.mode() & 0o7777, *mode);
                check(&path, children);
                // The directory must be writable to be removed.
                fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            }
        }
    }
}

fn open_all(dir: &Path, children: &BTreeMap<Vec<u8>, Node>) {
    for (name, node) in children {
        if let Node::Directory { children, .. } = node {
            let path = dir.join(OsStr::from_bytes(name));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            open_all(&path, children);
        }
    }
}

#[test]
fn layers_and_pulls_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<oci_archive::Layer>();
    shared::<Staging>();
    let dir = TempDir::new().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    fs::write(from.join("file"), "content").unwrap();
    let staging = Staging::create(&dir.path().join("target")).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (staging, from) = (&staging, &from);
            scope.spawn(move || {
                let layer = pack(from, &format!("all/{number}"), &PackOptions::default()).unwrap();
                let content = layer.open(0).unwrap();
                staging.directory(&layer.title, None, layer.size, &Limits::default(), content).unwrap();
            });
        }
    });
    staging.place().unwrap();
    for number in 0..8 {
        let file = dir.path().join(format!("target/all/{number}/file"));
        assert_eq!(fs::read(file).unwrap(), b"content");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_packed_directory_is_unpacked_unchanged(
        children in tree(),
        compression in prop::sample::select(vec![Compression::Gzip, Compression::Zstd]),
    ) {
        let options = PackOptions { compression, ..PackOptions::default() };
        let dir = TempDir::new().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        for (path, backwards) in [(&one, false), (&two, true)] {
            fs::create_dir(path).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            write(path, &children, backwards);
        }
        let layer = pack(&one, "title", &options).unwrap();
        prop_assert_eq!(&layer.digest, &pack(&two, "title", &options).unwrap().digest);

        let staging = Staging::create(&dir.path().join("target")).unwrap();
        let digest = layer.annotations.get(annotation::CONTENT_DIGEST).map(String::as_str);
        let content = layer.open(0).unwrap();
        staging.directory("title", digest, layer.size, &Limits::default(), content).unwrap();
        staging.place().unwrap();
        check(&dir.path().join("target/title"), &children);
        open_all(&one, &children);
        open_all(&two, &children);
    }
}
