//! The operator as a process of its own, for benchmarks: started, waited for, and measured from outside.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks of /proc/PID/stat a second (proc(5); fixed on Linux).
const TICKS: f64 = 100.0;

/// The release binary beside the benchmark that asks, if it was built.
pub fn release_binary() -> Option<PathBuf> {
    // target/release/deps/operator-<hash>, the benchmark itself, lies beside it.
    let path = std::env::current_exe().ok()?.parent()?.parent()?.join("orascache");
    path.is_file().then_some(path)
}

/// A running operator; it is killed when it is dropped.
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
    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Starts `orascache run`, with more arguments where a benchmark needs them.
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

/// Waits until /readyz says so.
pub async fn until_ready(running: &Running) {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        assert!(Instant::now() < deadline, "not ready");
        if answers_ok(running.port).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A request of a few bytes does not need an HTTP client.
async fn answers_ok(port: u16) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).await.is_ok()
        && stream.read_to_string(&mut answer).await.is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

/// Resident memory.
pub fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

/// CPU time so far, user and system.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Fields after the name, which may hold spaces: utime and stime are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |position: usize| {
        fields.get(position).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / TICKS
}
