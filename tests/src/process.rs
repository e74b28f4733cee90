//! The operator as a process, for benchmarks: helpers that start it, wait for it and measure it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks per second in /proc/PID/stat (proc(5), `sysconf(_SC_CLK_TCK)`: 100 on Linux).
const TICKS: f64 = 100.0;

/// The operator that `ORASCACHE_BENCH_OPERATOR` names, to compare two; without it the release
/// binary, if it was built in the same target directory as the running benchmark. A line of output
/// says which one, or that there is none.
#[allow(clippy::print_stdout, reason = "a benchmark prints what it measures")]
pub fn benched_binary() -> Option<PathBuf> {
    let named = std::env::var_os("ORASCACHE_BENCH_OPERATOR").map(PathBuf::from);
    let Some(binary) = named.or_else(release_binary) else {
        println!("skipped: build the operator first with `cargo build --release -p orascache-operator`");
        return None;
    };
    println!("operator: {}", binary.display());
    Some(binary)
}

fn release_binary() -> Option<PathBuf> {
    // The benchmark is target/release/deps/NAME-HASH, the binary target/release/orascache.
    let path = std::env::current_exe().ok()?.parent()?.parent()?.join("orascache");
    path.is_file().then_some(path)
}

/// A running operator. It is killed when this is dropped.
pub struct Running {
    child: Child,
    port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// The process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Starts `orascache run` with these further arguments, with its endpoints on a free port.
pub fn run(binary: &Path, kubeconfig: &Path, arguments: &[String]) -> Running {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let child = Command::new(binary)
        .args(["--log", "warn", "run", "--kubeconfig"])
        .arg(kubeconfig)
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .expect("the operator starts");
    Running { child, port }
}

/// Waits until /readyz answers 200.
pub async fn until_ready(running: &Running) {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        assert!(Instant::now() < deadline, "the operator was not ready within five minutes");
        if answers_ok(running.port).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether /readyz answers 200. The request is written by hand: it needs no HTTP client.
async fn answers_ok(port: u16) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).await.is_ok()
        && stream.read_to_string(&mut answer).await.is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

/// Resident memory of a process in MiB.
pub fn resident_mib(pid: u32) -> f64 {
    memory_mib(pid, "VmRSS")
}

/// The most memory that was resident in MiB, since the start or since [`reset_peak`].
pub fn peak_mib(pid: u32) -> f64 {
    memory_mib(pid, "VmHWM")
}

/// Forgets what was resident at most.
pub fn reset_peak(pid: u32) {
    // proc(5) of Linux: 5 resets the peak.
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of ours");
}

/// A line of /proc/PID/status in MiB.
fn memory_mib(pid: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

/// Waits until a process did next to nothing for two seconds.
pub async fn until_quiet(pid: u32) {
    loop {
        let before = cpu_seconds(pid);
        tokio::time::sleep(Duration::from_secs(2)).await;
        if cpu_seconds(pid) - before < 0.05 {
            return;
        }
    }
}

/// CPU time of a process so far in seconds, user and system together.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may contain spaces. After it, utime and stime are the 12th and 13th
    // fields.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |position: usize| {
        fields.get(position).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / TICKS
}
