//! Runs the program as a process, with a time limit.

pub mod copies;
pub mod http;
pub mod proxy;
pub mod prunes;
pub mod reuse;
pub mod supervised;
pub mod tar;
pub mod tree;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time limit of a test.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The tested program: the one just built, or the one that `ORASCACHE_AGENT` names.
pub fn program() -> PathBuf {
    std::env::var_os("ORASCACHE_AGENT")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_orascache-agent")), PathBuf::from)
}

/// A call of the program before it is started.
pub struct Agent {
    command: Command,
    words: Vec<OsString>,
    folder: TempDir,
    limit: Duration,
}

/// The result of a call.
#[derive(Debug)]
pub struct Finished {
    /// Exit code, if no signal ended the program.
    pub code: Option<i32>,
    /// Signal that ended the program.
    pub signal: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// The termination message, if there is one.
    pub message: Option<String>,
}

impl Finished {
    pub fn stdout(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// The two lines of the termination message: a sentence, and numbers where there are any.
    pub fn said(&self) -> (&str, Option<serde_json::Value>) {
        let message = self.message.as_deref().unwrap();
        match message.split_once('\n') {
            Some((sentence, numbers)) => (sentence, Some(serde_json::from_str(numbers).unwrap())),
            None => (message, None),
        }
    }
}

impl Agent {
    /// A call with these arguments, in a process group of its own.
    pub fn new<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Agent::of(program(), arguments)
    }

    /// As [`Agent::new`], of another program that calls ours.
    pub fn of<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = S>) -> Self {
        // Signals that the process of the tests ignores would be inherited.
        let mut command = Command::new("/usr/bin/env");
        command.arg("--default-signal").arg(program.as_ref());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        Agent { command, words: Vec::new(), folder: tempfile::tempdir().unwrap(), limit: LIMIT }
    }

    /// A step that runs these words, with a file for the termination message, and a registry that
    /// does not exist.
    pub fn exec<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Self {
        Agent::step("127.0.0.1:9", words)
    }

    /// As [`Agent::exec`], with the registry at this host and port, or URL.
    pub fn step<S: AsRef<OsStr>>(host: &str, words: impl IntoIterator<Item = S>) -> Self {
        let scheme = if host.contains("://") { "" } else { "http://" };
        let mut agent = Agent::new(["exec", &format!("--registry={scheme}{host}")]);
        let mut message = OsString::from("--termination-message=");
        message.push(agent.message());
        agent.command.arg(message);
        agent.words = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        agent
    }

    /// A step that runs a script.
    pub fn script(script: &str) -> Self {
        Agent::exec(["sh", "-c", script])
    }

    /// A further flag of a step.
    pub fn flag(mut self, flag: impl AsRef<OsStr>) -> Self {
        self.command.arg(flag);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn directory(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Sets another time limit than a minute.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Redirects standard output, which is then missing in the result.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Redirects standard error, which is then missing in the result.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// The environment that it is called with, as `NAME=value`, sorted.
    pub fn env_of_command(&self) -> Vec<Vec<u8>> {
        let mut all: std::collections::BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => all.insert(name.to_owned(), value.to_owned()),
                None => all.remove(name),
            };
        }
        let mut lines: Vec<Vec<u8>> =
            all.into_iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()).collect();
        lines.sort();
        lines
    }

    /// A folder of this call alone.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file for the termination message of [`Agent::exec`].
    pub fn message(&self) -> PathBuf {
        self.folder.path().join("termination-log")
    }

    pub fn run(self) -> Finished {
        self.start().wait()
    }

    pub fn start(mut self) -> Running {
        if !self.words.is_empty() {
            self.command.arg("--").args(&self.words);
        }
        let mut child = self.command.spawn().unwrap();
        let stdout = Collected::default();
        let stderr = Collected::default();
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|source| stdout.collect(source)));
        readers.extend(child.stderr.take().map(|source| stderr.collect(source)));
        Running { child, stdout, stderr, readers, folder: self.folder, limit: self.limit, is_over: false }
    }
}

/// A running call. It is killed when it is dropped.
pub struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    readers: Vec<JoinHandle<()>>,
    folder: TempDir,
    limit: Duration,
    is_over: bool,
}

impl Running {
    pub fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }

    /// Waits until this text is in the standard output.
    pub fn wait_for(&self, text: &str) {
        self.stdout.wait_for(text, &self.stderr);
    }

    /// The standard output so far.
    pub fn stdout_text(&self) -> String {
        self.stdout.text()
    }

    /// Waits until this text is in the standard error.
    pub fn wait_for_error(&self, text: &str) {
        self.stderr.wait_for(text, &self.stdout);
    }

    /// Waits until the program has ended and all its output is closed.
    pub fn wait(mut self) -> Finished {
        let deadline = Instant::now() + self.limit;
        let pause = || {
            assert!(Instant::now() < deadline, "no end; {}; {}", self.stdout.text(), self.stderr.text());
            thread::sleep(Duration::from_millis(2));
        };
        while self.readers.iter().any(|reader| !reader.is_finished()) {
            pause();
        }
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => pause(),
            }
        };
        self.is_over = true;
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.bytes(),
            stderr: self.stderr.text(),
            message: fs::read_to_string(self.folder.path().join("termination-log")).ok(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = kill_process_group(self.id(), Signal::KILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Bytes that a thread reads.
#[derive(Clone, Default)]
struct Collected(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Collected {
    fn collect(&self, mut source: impl Read + Send + 'static) -> JoinHandle<()> {
        let this = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(length @ 1..) = source.read(&mut buffer) {
                this.0.0.lock().unwrap().extend_from_slice(&buffer[..length]);
                this.0.1.notify_all();
            }
        })
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn wait_for(&self, text: &str, other: &Collected) {
        let has_text = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        let bytes = self.0.0.lock().unwrap();
        let (bytes, waited) = self.0.1.wait_timeout_while(bytes, LIMIT, |bytes| !has_text(bytes)).unwrap();
        let said = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!waited.timed_out(), "{text:?} is not in {said:?}; {:?}", other.text());
    }
}

/// Whether a process with this id exists, a zombie included.
pub fn exists(id: &str) -> bool {
    assert!(id.parse::<u32>().is_ok(), "{id:?} is no process id");
    Path::new("/proc").join(id).exists()
}

/// Waits until the condition holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} does not come");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Pushes a file or directory by a step.
pub fn push(host: &str, uri: &str, path: &Path) -> Finished {
    let mut output_path = OsString::from("--output-path=");
    output_path.push(path);
    let outcome = Agent::step(host, ["true"]).flag(format!("--output={uri}")).flag(output_path).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome
}

/// Pulls an artifact by a step, into a directory.
pub fn pull(host: &str, uri: &str, into: &Path) -> Finished {
    let outcome = try_pull(host, uri, into);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome
}

/// As [`pull`], and it may fail.
pub fn try_pull(host: &str, uri: &str, into: &Path) -> Finished {
    let mut input_path = OsString::from("--input-path=");
    input_path.push(into);
    let outcome = Agent::step(host, ["sh", "-c", "echo started"])
        .flag(format!("--input={uri}"))
        .flag(input_path)
        .flag("--patience=20")
        .run();
    assert_eq!(outcome.stdout() == "started\n", outcome.code == Some(0), "{}", outcome.stderr);
    outcome
}

/// Checks the result of a failed pull or push: its exit code, and a sentence with these parts,
/// which must be the last line of the log and the termination message.
pub fn assert_failed(outcome: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    let (said, _) = outcome.said();
    assert_eq!(outcome.stderr.lines().last(), Some(said));
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}
