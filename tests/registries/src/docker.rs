//! Debian's `docker-registry` (distribution) as a process.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A registry that can be killed and started again with its data.
#[derive(Debug)]
pub struct DockerRegistry {
    folder: TempDir,
    address: SocketAddr,
    child: Option<Child>,
    /// Bytes of the disk that it has for itself, if it has one.
    disk: Option<u64>,
}

/// How long the process may take to listen.
const START: Duration = Duration::from_secs(30);

impl DockerRegistry {
    /// Starts one without authentication, or none where it is not installed, which is said.
    pub fn start() -> Option<Self> {
        Self::configured("", None)
    }

    /// Starts one that wants a user and a password (RFC 7617), as an htpasswd file with bcrypt has them.
    pub fn with_password(htpasswd: &str) -> Option<Self> {
        Self::configured(htpasswd, None)
    }

    /// Starts one whose data lies on a disk of so many bytes, which nobody else sees. None, which is said, where user namespaces
    /// are not allowed.
    pub fn on_small_disk(bytes: u64) -> Option<Self> {
        if !super::namespaces() {
            return None;
        }
        Self::configured("", Some(bytes))
    }

    fn configured(htpasswd: &str, disk: Option<u64>) -> Option<Self> {
        if !super::installed("docker-registry") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let address = super::free_address();
        let auth = if htpasswd.is_empty() {
            String::new()
        } else {
            let file = folder.path().join("htpasswd");
            std::fs::write(&file, htpasswd).expect("a file of passwords");
            format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", file.display())
        };
        let data = folder.path().join("data");
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: {address}\n{auth}",
            data.display()
        );
        std::fs::write(folder.path().join("config.yml"), config).expect("a configuration");
        let mut registry = DockerRegistry { folder, address, child: None, disk };
        registry.restart();
        Some(registry)
    }

    /// Address, as `host:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Folder with its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again, on the same port and data.
    ///
    /// # Panics
    /// When it does not listen in time.
    pub fn restart(&mut self) {
        self.kill();
        self.child =
            Some(spawn(&self.folder.path().join("config.yml"), self.disk.map(|bytes| (self.data(), bytes))));
        let deadline = Instant::now() + START;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < deadline, "docker-registry does not listen on {}", self.address);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn spawn(config: &Path, disk: Option<(PathBuf, u64)>) -> Child {
    let mut command = match disk {
        None => Command::new("docker-registry"),
        Some((folder, bytes)) => {
            let mut command = Command::new("unshare");
            let script = r#"mkdir -p "$1" && mount -t tmpfs -o size="$2" none "$1" && shift 2 && exec docker-registry "$@""#;
            command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
            command.arg(folder).arg(bytes.to_string());
            command
        }
    };
    command
        .arg("serve")
        .arg(config)
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("docker-registry starts")
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.kill();
    }
}
