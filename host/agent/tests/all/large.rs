//! Many files, and large ones, in little memory.
//!
//! Small versions always run. `ORASCACHE_LARGE` adds 100,000 files and a file of 2 GiB, which take
//! long where the program was built without optimization: set it together with `ORASCACHE_AGENT`.

use crate::support::tree::{content, write};
use crate::support::{Agent, Finished};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use test_registries::DockerRegistry;

/// Largest memory of a transfer, in KiB.
const MEMORY: u64 = 64 << 10;
/// Pause between two readings of the memory. The value is a peak, so that only memory after the
/// last reading is missed.
const PAUSE: Duration = Duration::from_millis(1);
/// Time limit of a large test.
const LIMIT: Duration = Duration::from_secs(900);

/// Whether the large versions run. If not, a line of the output says so.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
fn is_large() -> bool {
    let is_large = std::env::var_os("ORASCACHE_LARGE").is_some();
    if !is_large {
        println!("skipped: ORASCACHE_LARGE is not set");
    }
    is_large
}

/// Runs a step. Also returns the peak of its memory in KiB (proc_pid_status(5), VmHWM).
fn measured(agent: Agent) -> (Finished, u64) {
    let running = agent.limit(LIMIT).start();
    let status = format!("/proc/{}/status", running.id());
    let peak = std::thread::spawn(move || {
        let mut peak = 0;
        // A process that has ended has no such entry.
        while let Some(now) = fs::read_to_string(&status).ok().as_deref().and_then(high_water_mark) {
            peak = now;
            std::thread::sleep(PAUSE);
        }
        peak
    });
    let outcome = running.wait();
    (outcome, peak.join().unwrap())
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Pushes `out` of one directory and pulls it into another, each within the limit of memory. The
/// step that pulls prints its exact peak, since everything is pulled when its command starts.
#[allow(clippy::print_stdout, reason = "a measurement")]
fn there_and_back(host: &str, from: &Path, into: &Path) {
    let agent = Agent::step(host, ["true"]).directory(from);
    let (pushed, peak) = measured(agent.flag("--output=a:1").flag("--output-path=out"));
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    assert!(peak > 1000 && peak < MEMORY, "{peak} KiB to push");
    let pulled = Agent::step(host, ["sh", "-c", "grep VmHWM /proc/$PPID/status"])
        .directory(into)
        .flag("--input=a:1")
        .limit(LIMIT)
        .run();
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    let peak_of_pull = high_water_mark(&pulled.stdout()).unwrap();
    assert!(peak_of_pull > 1000 && peak_of_pull < MEMORY, "{peak_of_pull} KiB to pull");
    println!("{peak} KiB to push, {peak_of_pull} KiB to pull");
}

/// Content of the file with this number: some are empty, some are longer than a block of an
/// archive.
fn of_number(n: u64) -> Vec<u8> {
    content((n * 37 % 1500) as usize, n)
}

fn path_of_number(root: &Path, n: u64) -> std::path::PathBuf {
    root.join(format!("out/{}/{}/{n}", n % 100, n % 7))
}

fn many(count: u64) {
    let Some(registry) = DockerRegistry::start() else { return };
    let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for n in 0..count {
        write(&path_of_number(from.path(), n), of_number(n), 0o640);
    }
    there_and_back(&registry.host(), from.path(), into.path());
    for n in 0..count {
        assert!(fs::read(path_of_number(into.path(), n)).unwrap() == of_number(n), "file {n}");
    }
    assert_eq!(files_below(into.path()), count);
}

fn files_below(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| if entry.file_type().unwrap().is_dir() { files_below(&entry.path()) } else { 1 })
        .sum()
}

/// A file with content at the beginning, in the middle and at the end, and holes in between.
fn one(path: &str, bytes: u64) {
    let Some(registry) = DockerRegistry::start() else { return };
    let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = from.path().join(path);
    write(&source, b"", 0o644);
    let file = File::options().write(true).open(&source).unwrap();
    file.set_len(bytes).unwrap();
    // Enough of the content cannot be compressed, so that the archive is not taken for a bomb.
    let piece = content(bytes as usize / 256, bytes);
    for part in 0..4 {
        file.write_all_at(&piece, (bytes - piece.len() as u64) * part / 3).unwrap();
    }
    there_and_back(&registry.host(), from.path(), into.path());
    let compared = std::process::Command::new("cmp").arg(&source).arg(into.path().join(path)).status();
    assert!(compared.unwrap().success());
}

#[test]
fn two_thousand_files() {
    many(2000);
}

#[test]
fn a_file_of_128_mib() {
    one("out", 128 << 20);
}

#[test]
fn a_directory_with_a_file_of_64_mib() {
    one("out/file", 64 << 20);
}

#[test]
fn a_hundred_thousand_files() {
    if is_large() {
        many(100_000);
    }
}

#[test]
fn a_file_of_2_gib() {
    if is_large() {
        one("out", 2 << 30);
    }
}

#[test]
fn a_directory_with_a_file_of_2_gib() {
    if is_large() {
        one("out/file", 2 << 30);
    }
}
