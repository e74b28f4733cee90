//! The agent against a plain streaming client and against the `oras` command line, on loopback,
//! with a real registry. Prints ratios: absolute times are those of the machine.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use test_registries::{DockerRegistry, installed};

const AGENT: &str = env!("CARGO_BIN_EXE_orascache-agent");
const SIZE: u64 = 1 << 30;
const FILES: usize = 10_000;
const ROUNDS: usize = 5;
const PIECE: usize = 256 * 1024;

fn main() {
    let Some(registry) = DockerRegistry::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    // `cargo test --benches` only checks that it runs.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (size, files, rounds) = if is_bench { (SIZE, FILES, ROUNDS) } else { (1 << 20, 10, 1) };
    start(folder.path(), rounds * 10);
    one_file(&registry, folder.path(), size, rounds);
    small_files(&registry, folder.path(), files, rounds);
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The shortest time: longer ones include other work of the machine.
fn best(times: &[Duration]) -> f64 {
    times.iter().min().map(Duration::as_secs_f64).unwrap_or_default()
}

fn run(program: &str, arguments: &[&str], directory: &Path) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = command.status().expect("the program runs");
    assert!(status.success(), "{program} {arguments:?}");
}

fn start(folder: &Path, rounds: usize) {
    let (mut plain, mut wrapped) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(timed(|| run("true", &[], folder)));
        wrapped.push(timed(|| run(AGENT, &["exec", "--registry=http://127.0.0.1:9", "--", "true"], folder)));
    }
    println!("start: {:.1} ms added to a step without artifacts", (best(&wrapped) - best(&plain)) * 1e3);
}

fn one_file(registry: &DockerRegistry, folder: &Path, size: u64, rounds: usize) {
    let (mut times, path) = ([const { Vec::new() }; 4], folder.join("big"));
    let (host, target) = (registry.host(), folder.join("pulled"));
    for round in 0..rounds {
        // Each round has new content: an unchanged one would not be sent.
        write_content(&path, size, round as u64 * 2);
        let reference = format!("{host}/bench/big:1");
        times[0].push(timed(|| run(AGENT, &["push", &reference, "big"], folder)));
        times[1].push(timed(|| run(AGENT, &["pull", &reference, "pulled"], folder)));
        std::fs::remove_dir_all(&target).expect("removed");
        write_content(&path, size, round as u64 * 2 + 1);
        let mut digest = String::new();
        times[2].push(timed(|| digest = plain_push(&host, &path, size)));
        times[3].push(timed(|| plain_pull(&host, &digest, &folder.join("plain"))));
    }
    let [push, pull, plain_push, plain_pull] = times.map(|times| best(&times));
    println!(
        "1 file: push {:.0} % of a plain client's speed ({push:.2} s, {plain_push:.2} s)",
        plain_push / push * 100.0
    );
    println!(
        "1 file: pull {:.0} % of a plain client's speed ({pull:.2} s, {plain_pull:.2} s)",
        plain_pull / pull * 100.0
    );
}

fn small_files(registry: &DockerRegistry, folder: &Path, files: usize, rounds: usize) {
    if !installed("oras") {
        return;
    }
    let host = registry.host();
    let tree = folder.join("tree");
    let mut times = [const { Vec::new() }; 4];
    for round in 0..rounds {
        write_tree(&tree, files, round * 2);
        let reference = format!("{host}/bench/small:1");
        times[0].push(timed(|| run(AGENT, &["push", &reference, "tree"], folder)));
        times[1].push(timed(|| run(AGENT, &["pull", &reference, "out"], folder)));
        std::fs::remove_dir_all(folder.join("out")).expect("removed");
        write_tree(&tree, files, round * 2 + 1);
        times[2].push(timed(|| run("oras", &["push", "--plain-http", &reference, "tree"], folder)));
        times[3].push(timed(|| run("oras", &["pull", "--plain-http", &reference, "-o", "out"], folder)));
        std::fs::remove_dir_all(folder.join("out")).expect("removed");
    }
    let [push, pull, oras_push, oras_pull] = times.map(|times| best(&times));
    println!("{files} files: push {:.1}x as fast as oras ({push:.2} s, {oras_push:.2} s)", oras_push / push);
    println!("{files} files: pull {:.1}x as fast as oras ({pull:.2} s, {oras_pull:.2} s)", oras_pull / pull);
}

/// Content that compresses badly and differs from seed to seed.
fn write_content(path: &Path, size: u64, seed: u64) {
    let mut file = File::create(path).expect("a file");
    let mut state = seed.wrapping_mul(2) + 1;
    let mut piece = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        for bytes in piece.chunks_exact_mut(8) {
            // xorshift (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.copy_from_slice(&state.to_le_bytes());
        }
        let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        file.write_all(&piece[..count]).expect("written");
        left -= count as u64;
    }
}

/// Files of 4 KiB of text, as many small results are.
fn write_tree(tree: &Path, files: usize, seed: usize) {
    for number in 0..files {
        let folder = tree.join(format!("d{}", number / 100));
        std::fs::create_dir_all(&folder).expect("a folder");
        let text: String =
            (0..100).map(|line| format!("{seed} {number} {line} {:>28}\n", line * number * 7919)).collect();
        std::fs::write(folder.join(format!("f{number}")), text).expect("a file");
    }
}

/// Hashes the file, as every client that asks whether the registry has it must do, and then streams
/// it.
fn plain_push(host: &str, path: &Path, size: u64) -> String {
    let mut hasher = Sha256::new();
    each_piece(File::open(path).expect("the file"), |bytes| hasher.update(bytes));
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let (head, _) = request(host, "POST", "/v2/bench/plain/blobs/uploads/", 0, |_| {});
    let location = location(&head);
    let (head, _) = request(host, "PATCH", &location, size, |stream| {
        each_piece(File::open(path).expect("the file"), |bytes| stream.write_all(bytes).expect("sent"));
    });
    let end = format!("{}&digest=sha256:{digest}", self::location(&head));
    let (head, _) = request(host, "PUT", &end, 0, |_| {});
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    digest
}

fn plain_pull(host: &str, digest: &str, path: &Path) {
    let (head, body) = request(host, "GET", &format!("/v2/bench/plain/blobs/sha256:{digest}"), 0, |_| {});
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut file = File::create(path).expect("a file");
    let mut hasher = Sha256::new();
    each_piece(body, |bytes| {
        hasher.update(bytes);
        file.write_all(bytes).expect("written");
    });
    let is: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(is, digest);
}

fn each_piece(mut from: impl Read, mut each: impl FnMut(&[u8])) {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).expect("read") {
            0 => return,
            count => each(&piece[..count]),
        }
    }
}

/// One request on a connection of its own: the head of the answer, and the connection with its
/// body.
fn request(
    host: &str,
    method: &str,
    path: &str,
    length: u64,
    body: impl FnOnce(&mut TcpStream),
) -> (String, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(host).expect("connected");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    body(&mut stream);
    let mut answer = BufReader::with_capacity(PIECE, stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(answer.read_line(&mut head).expect("an answer") > 0, "{head}");
    }
    (head, answer)
}

fn location(head: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix("Location: ")).expect("a location");
    let path = line.trim().split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    path.map_or_else(|| line.to_owned(), |(_, path)| format!("/{path}"))
}
