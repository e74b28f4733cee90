//! Compiled code runs with all rights of the process: it is only taken from places that nobody but
//! root and we can write.
//!
//! Each test puts poison where compiled code is looked for: the code of another component, under
//! the name of ours and with a matching digest. The other component names another field manager, so
//! that it shows which of the two runs.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use crate::guest::{component, edited};
use orascache_runtime::{CompiledCache, CompiledCode, Engine, Limits, compile_ahead, digest};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The field manager of the component that is loaded.
const OURS: &str = "tester";
/// The field manager of the component whose code is the poison.
const POISON: &str = "taster";
/// The user `nobody`.
const NOBODY: u32 = 65_534;
/// Names the folder to the process that runs as `nobody`.
const FOLDER_OF_NOBODY: &str = "ORASCACHE_TEST_FOLDER_OF_NOBODY";

/// What a subscriber wrote.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The field manager of the code that ran, and the warnings of loading it.
fn load_with(bytes: &[u8], cache: &CompiledCache) -> (String, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let manager = tracing::subscriber::with_default(subscriber, || {
        let engine = Engine::new(Limits::default()).expect("an engine");
        let guest = engine.load(bytes, cache).expect("it loads");
        guest.describe().field_manager.clone()
    });
    let warnings = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    (manager, warnings)
}

fn load_bytes(bytes: &[u8], directory: &Path) -> (String, String) {
    load_with(bytes, &CompiledCache::at(directory))
}

fn load(directory: &Path) -> (String, String) {
    load_bytes(&component(), directory)
}

/// The file of a directory with that extension.
fn file(directory: &Path, extension: &str) -> PathBuf {
    let mut files = fs::read_dir(directory).expect("readable").map(|entry| entry.expect("an entry").path());
    files.find(|path| path.extension().is_some_and(|found| found == extension)).expect("a file")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// A folder, and a directory in it that has poison and is otherwise as it should be.
fn poisoned() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (directory, other) = (folder.path().join("cache"), folder.path().join("other"));
    assert_eq!(load(&directory), (OURS.to_owned(), String::new()));
    let (manager, _) = load_bytes(&edited(&component(), OURS, POISON), &other);
    assert_eq!(manager, POISON);
    let poison = fs::read(file(&other, "cwasm")).expect("readable");
    fs::write(file(&directory, "cwasm"), &poison).expect("writable");
    fs::write(file(&directory, "sha256"), digest(&poison)).expect("writable");
    (folder, directory)
}

/// The poison is not run, and a warning names the path.
fn assert_refused(directory: &Path, path: &Path, words: &str) {
    let (manager, warnings) = load(directory);
    assert_eq!(manager, OURS, "poison ran: {warnings}");
    let path = path.display().to_string();
    assert!(warnings.contains(&path) && warnings.contains(words), "{path}, {words}: {warnings}");
}

/// The refused file was replaced, so that the next start has neither poison nor a warning.
fn assert_rebuilt(directory: &Path) {
    assert_eq!(load(directory), (OURS.to_owned(), String::new()));
    let code = fs::symlink_metadata(file(directory, "cwasm")).expect("a file");
    assert!(code.is_file() && code.mode() & 0o777 == 0o600, "{code:?}");
}

fn is_root(folder: &TempDir) -> bool {
    fs::metadata(folder.path()).expect("ours").uid() == 0
}

/// Shows that the other tests can fail: what we own and nobody else can write is trusted.
#[test]
fn code_that_only_we_can_write_is_mapped() {
    let (_folder, directory) = poisoned();
    assert_eq!(load(&directory), (POISON.to_owned(), String::new()));
}

#[test]
fn missing_directories_are_made_for_us_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("a/b");
    load(&directory);
    for made in [folder.path().join("a"), directory] {
        assert_eq!(fs::metadata(made).expect("made").mode() & 0o777, 0o700);
    }
}

#[test]
fn a_directory_that_others_can_write_is_not_used() {
    for mode in [0o777, 0o770, 0o702, 0o1777] {
        let (_folder, directory) = poisoned();
        set_mode(&directory, mode);
        let before = fs::read(file(&directory, "cwasm")).expect("readable");
        assert_refused(&directory, &directory, "chmod go-w");
        assert!(fs::read(file(&directory, "cwasm")).expect("readable") == before, "nothing is kept there");
    }
}

#[test]
fn a_directory_below_one_that_others_can_write_is_not_used_unless_that_is_sticky() {
    let (folder, directory) = poisoned();
    set_mode(folder.path(), 0o777);
    assert_refused(&directory, folder.path(), "chmod go-w");
    set_mode(folder.path(), 0o1777);
    assert_eq!(load(&directory).0, POISON);
}

#[test]
fn a_file_that_others_can_write_is_rebuilt() {
    for extension in ["cwasm", "sha256"] {
        for mode in [0o666, 0o620, 0o602] {
            let (_folder, directory) = poisoned();
            let file = file(&directory, extension);
            set_mode(&file, mode);
            assert_refused(&directory, &file, "other users can write it");
            assert_rebuilt(&directory);
        }
    }
}

#[test]
fn a_file_that_was_exchanged_between_runs_is_rebuilt() {
    let (_folder, directory) = poisoned();
    let code = file(&directory, "cwasm");
    fs::write(file(&directory, "sha256"), digest(b"what was compiled here")).expect("writable");
    assert_refused(&directory, &code, "does not have the digest");
    assert_rebuilt(&directory);
    fs::remove_file(file(&directory, "sha256")).expect("writable");
    assert_refused(&directory, &code, "does not have the digest");
    assert_rebuilt(&directory);
}

#[test]
fn a_symbolic_link_in_place_of_a_file_is_replaced_and_not_followed() {
    for extension in ["cwasm", "sha256"] {
        let (folder, directory) = poisoned();
        let (link, target) = (file(&directory, extension), folder.path().join("target"));
        fs::rename(&link, &target).expect("writable");
        symlink(&target, &link).expect("writable");
        let before = fs::read(&target).expect("readable");
        assert_refused(&directory, &link, "symbolic link");
        assert_rebuilt(&directory);
        assert!(fs::read(&target).expect("readable") == before, "the target was written");
    }
}

#[test]
fn a_symbolic_link_in_place_of_the_directory_is_not_used_even_if_it_is_ours() {
    let (folder, directory) = poisoned();
    let link = folder.path().join("link");
    symlink(&directory, &link).expect("writable");
    assert_refused(&link, &link, "symbolic link");
}

#[test]
fn symbolic_links_above_the_directory_are_followed_when_they_are_ours() {
    let (folder, directory) = poisoned();
    for (name, target) in [("absolute", folder.path()), ("relative", Path::new("."))] {
        let link = folder.path().join(name);
        symlink(target, &link).expect("writable");
        assert_eq!(load(&link.join("cache")), (POISON.to_owned(), String::new()));
    }
    let circle = folder.path().join("circle");
    symlink("circle", &circle).expect("writable");
    assert_eq!(load(&circle.join("cache")).0, OURS);
    let (shared, link) = (folder.path().join("shared"), folder.path().join("shared/link"));
    fs::create_dir(&shared).expect("writable");
    symlink(&directory, &link).expect("writable");
    set_mode(&shared, 0o777);
    assert_refused(&link.join("below"), &shared, "chmod go-w");
}

#[test]
fn a_pipe_in_place_of_a_file_is_replaced_and_not_waited_for() {
    let (_folder, directory) = poisoned();
    let code = file(&directory, "cwasm");
    fs::remove_file(&code).expect("writable");
    let made = Command::new("mkfifo").arg(&code).status().expect("mkfifo of POSIX");
    assert!(made.success());
    set_mode(&code, 0o600);
    assert_refused(&directory, &code, "no regular file");
    assert_rebuilt(&directory);
}

#[test]
fn what_belongs_to_another_user_is_not_used() {
    let (folder, directory) = poisoned();
    if !is_root(&folder) {
        println!("skipped: only root can give files away");
        return;
    }
    let give = |path: &Path, owner| chown(path, Some(owner), None).expect("we are root");
    let words = "belongs to user 65534";
    give(&directory, NOBODY);
    assert_refused(&directory, &directory, words);
    give(&directory, 0);
    give(folder.path(), NOBODY);
    assert_refused(&directory, folder.path(), words);
    give(folder.path(), 0);
    for extension in ["cwasm", "sha256"] {
        let (_folder, directory) = poisoned();
        let file = file(&directory, extension);
        give(&file, NOBODY);
        assert_refused(&directory, &file, words);
        assert_rebuilt(&directory);
    }
    // A link in a sticky directory may be anybody's.
    set_mode(folder.path(), 0o1777);
    let link = folder.path().join("link");
    symlink(folder.path(), &link).expect("writable");
    std::os::unix::fs::lchown(&link, Some(NOBODY), None).expect("we are root");
    assert_refused(&link.join("cache"), &link, words);
}

#[test]
fn a_directory_that_cannot_be_written_is_no_error() {
    let (_folder, directory) = poisoned();
    set_mode(&directory, 0o500);
    assert_eq!(load(&directory), (POISON.to_owned(), String::new()), "what is there is mapped");
    set_mode(&directory, 0o700);
    // Nobody, not even root, can make a directory there.
    assert_eq!(load(Path::new("/proc/orascache/cache")), (OURS.to_owned(), String::new()));
}

/// As in an image: compiled code belongs to root, and the process is somebody else.
#[test]
fn code_of_root_is_mapped_by_another_user() {
    if let Some(folder) = std::env::var_os(FOLDER_OF_NOBODY).map(PathBuf::from) {
        let bytes = fs::read(folder.join("component")).expect("readable");
        let (mapped, empty) = (folder.join("cache"), folder.join("empty"));
        assert_eq!(load_bytes(&bytes, &mapped), (POISON.to_owned(), String::new()));
        assert_eq!(load_bytes(&bytes, &empty), (OURS.to_owned(), String::new()));
        assert_eq!(fs::read_dir(&empty).expect("readable").count(), 0, "nobody cannot write there");
        return;
    }
    let (folder, directory) = poisoned();
    if !is_root(&folder) {
        println!("skipped: only root can become another user");
        return;
    }
    fs::create_dir(folder.path().join("empty")).expect("writable");
    fs::write(folder.path().join("component"), component()).expect("writable");
    // The build's own folder may be closed to other users.
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy");
    for path in [folder.path(), &directory, &folder.path().join("empty"), &program] {
        set_mode(path, 0o755);
    }
    for extension in ["cwasm", "sha256"] {
        set_mode(&file(&directory, extension), 0o644);
    }
    let ran = Command::new(&program)
        .args(["--exact", "security_compiled_cache::code_of_root_is_mapped_by_another_user"])
        .env(FOLDER_OF_NOBODY, folder.path())
        .current_dir(folder.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("it runs");
    let output = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && output.contains("1 passed"), "{output}");
}

/// Code that was compiled ahead for this machine.
fn ahead(bytes: &[u8]) -> CompiledCode {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    compile_ahead(bytes, &target, Limits::default()).expect("it compiles")
}

/// A folder, a directory in it with poison as code that a program ships with, and the poison.
fn shipped() -> (TempDir, PathBuf, CompiledCode) {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("shipped");
    fs::create_dir(&directory).expect("writable");
    let poison = CompiledCode {
        file_name: ahead(&component()).file_name,
        ..ahead(&edited(&component(), OURS, POISON))
    };
    let file = directory.join(&poison.file_name);
    fs::write(&file, &poison.content).expect("writable");
    set_mode(&directory, 0o755);
    set_mode(&file, 0o644);
    (folder, directory, poison)
}

#[test]
fn code_that_the_program_shipped_with_is_mapped_and_nothing_is_kept() {
    let (folder, directory, poison) = shipped();
    let kept = folder.path().join("kept");
    let cache = CompiledCache::at(&kept).with_shipped(&directory, poison.digest);
    assert_eq!(load_with(&component(), &cache), (POISON.to_owned(), String::new()));
    assert!(!kept.exists());
}

#[test]
fn a_component_without_shipped_code_is_compiled_without_a_word() {
    let (folder, directory, poison) = shipped();
    let other = edited(&component(), OURS, "tasted");
    for directory in [directory, folder.path().join("missing")] {
        let cache = CompiledCache::none().with_shipped(&directory, poison.digest.clone());
        assert_eq!(load_with(&other, &cache), ("tasted".to_owned(), String::new()));
    }
    assert!(!folder.path().join("missing").exists(), "a directory of the program is not made");
}

/// A change of a directory and of the shipped code in it.
type Change = fn(&Path, &Path);

/// Each change makes the shipped code one that may not run. A warning says so, and ours runs.
#[test]
fn shipped_code_that_anybody_could_have_changed_is_not_run() {
    let changes: [(&str, Change); 4] = [
        ("chmod go-w", |directory, _| set_mode(directory, 0o777)),
        ("other users can write it", |_, file| set_mode(file, 0o666)),
        ("symbolic link", |directory, file| {
            let target = directory.join("target");
            fs::rename(file, &target).expect("writable");
            symlink(target, file).expect("writable");
        }),
        ("does not have the digest", |_, file| {
            let mut content = fs::read(file).expect("readable");
            *content.last_mut().expect("code") ^= 1;
            fs::write(file, content).expect("writable");
        }),
    ];
    for (words, change) in changes {
        let (_folder, directory, poison) = shipped();
        change(&directory, &directory.join(&poison.file_name));
        let cache = CompiledCache::none().with_shipped(&directory, poison.digest);
        let (manager, warnings) = load_with(&component(), &cache);
        assert_eq!(manager, OURS, "poison ran: {warnings}");
        assert!(warnings.contains(words), "{words}: {warnings}");
    }
}

#[test]
fn shipped_code_that_the_engine_cannot_run_is_compiled_again() {
    let (folder, directory, poison) = shipped();
    fs::write(directory.join(&poison.file_name), b"no code").expect("writable");
    let kept = folder.path().join("kept");
    let cache = CompiledCache::at(&kept).with_shipped(&directory, digest(b"no code"));
    let (manager, warnings) = load_with(&component(), &cache);
    assert_eq!(manager, OURS);
    assert!(warnings.contains("is not usable; compiling it again"), "{warnings}");
    assert!(file(&kept, "cwasm").is_file(), "the next start maps it");
}
