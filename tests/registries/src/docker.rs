//! Debian's `docker-registry` (distribution) as a process.

use std::net::SocketAddr;
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
    options: Options,
}

/// How a registry differs from the default.
#[derive(Debug, Default)]
struct Options {
    /// Users and passwords, if it requires authentication.
    htpasswd: Option<String>,
    /// Size of the disk of its own in bytes, if it has one.
    disk: Option<u64>,
    /// Whether it speaks TLS.
    tls: bool,
    /// Variables that configure it, instead of everything above.
    variables: Option<Vec<(String, String)>>,
}

/// Time within which the process must listen.
const START: Duration = Duration::from_secs(30);

impl DockerRegistry {
    /// Starts a registry without authentication. None where `docker-registry` is not installed,
    /// which is printed.
    pub fn start() -> Option<Self> {
        Self::configured(Options::default())
    }

    /// Starts a registry that requires a user and a password (RFC 7617) of an htpasswd file with
    /// bcrypt.
    pub fn with_password(htpasswd: &str) -> Option<Self> {
        Self::configured(Options { htpasswd: Some(htpasswd.to_owned()), ..Options::default() })
    }

    /// Starts a registry whose data is on a disk of this size, which only its process sees. None
    /// where user namespaces are not allowed, which is printed.
    pub fn on_small_disk(bytes: u64) -> Option<Self> {
        if !super::namespaces() {
            return None;
        }
        Self::configured(Options { disk: Some(bytes), ..Options::default() })
    }

    /// Starts a registry that speaks TLS, with a certificate of no known authority. None where
    /// `openssl` is not installed, which is printed.
    pub fn with_tls() -> Option<Self> {
        if !super::installed("openssl") {
            return None;
        }
        Self::configured(Options { tls: true, ..Options::default() })
    }

    /// As [`DockerRegistry::with_tls`], and requires a user and a password of an htpasswd file too.
    pub fn with_tls_and_password(htpasswd: &str) -> Option<Self> {
        if !super::installed("openssl") {
            return None;
        }
        Self::configured(Options { tls: true, htpasswd: Some(htpasswd.to_owned()), ..Options::default() })
    }

    /// Starts a registry as a container of its image would run with these variables, and with no
    /// others: they change the configuration file of the image. The address is still a free port.
    pub fn with_variables(variables: Vec<(String, String)>) -> Option<Self> {
        Self::configured(Options { variables: Some(variables), ..Options::default() })
    }

    /// Replaces the htpasswd file of a registry that was started with one, while it runs.
    pub fn set_passwords(&self, htpasswd: &str) {
        let new = self.folder.path().join("htpasswd.new");
        std::fs::write(&new, htpasswd).expect("a file of passwords");
        std::fs::rename(new, self.folder.path().join("htpasswd")).expect("another file of passwords");
    }

    fn configured(options: Options) -> Option<Self> {
        if !super::installed("docker-registry") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let address = super::free_address();
        let mut auth = String::new();
        if let Some(htpasswd) = &options.htpasswd {
            let file = folder.path().join("htpasswd");
            std::fs::write(&file, htpasswd).expect("a file of passwords");
            auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", file.display());
        }
        let mut tls = String::new();
        if options.tls {
            make_certificate(folder.path());
            let (certificate, key) = (folder.path().join(CERTIFICATE), folder.path().join(KEY));
            tls = format!("  tls:\n    certificate: {}\n    key: {}\n", certificate.display(), key.display());
        }
        let data = folder.path().join("data");
        let of_image = options.variables.as_ref().map(|_| CONFIGURATION_OF_IMAGE.to_owned());
        let config = of_image.unwrap_or_else(|| format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: {address}\n{tls}{auth}",
            data.display()
        ));
        std::fs::write(folder.path().join("config.yml"), config).expect("a configuration");
        let mut registry = DockerRegistry { folder, address, child: None, options };
        registry.restart();
        Some(registry)
    }

    /// Its address, as `host:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The certificate of a registry that speaks TLS, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// Makes another certificate and key. The registry serves with them from its next start on.
    pub fn renew_certificate(&self) {
        make_certificate(self.folder.path());
    }

    /// Kills the process, as a crash would end it.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The process may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the process again, with the same port and data.
    ///
    /// # Panics
    /// When it ends, or does not listen in time.
    pub fn restart(&mut self) {
        self.kill();
        self.child = Some(self.command().spawn().expect("docker-registry starts"));
        let deadline = Instant::now() + START;
        while !super::listens(self.address) {
            assert!(Instant::now() < deadline, "docker-registry does not listen on {}", self.address);
            let ended = self.child.as_mut().and_then(|child| child.try_wait().transpose());
            assert!(ended.is_none(), "docker-registry ends before it listens: {ended:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn command(&self) -> Command {
        let disk = self.options.disk.map(|bytes| (self.data(), bytes));
        let mut command = command(&self.folder.path().join("config.yml"), disk);
        if let Some(variables) = &self.options.variables {
            let path = std::env::var_os("PATH").unwrap_or_default();
            command.env_clear().env("PATH", path).env("OTEL_TRACES_EXPORTER", "none");
            command.envs(variables.iter().map(|(name, value)| (name, value)));
            command.env("REGISTRY_HTTP_ADDR", self.address.to_string());
        }
        command
    }
}

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// The request for the certificate (openssl-req(1), x509v3_config(5)). It is not one of an
/// authority, since rustls does not accept that as the certificate of a server.
const REQUEST: &str = "[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = registry\n[server]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = IP:127.0.0.1\n";

fn make_certificate(folder: &Path) {
    std::fs::write(folder.join("request.conf"), REQUEST).expect("a configuration");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-config", "request.conf", "-extensions", "server"])
        .args(["-keyout", KEY, "-out", CERTIFICATE])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "openssl makes no certificate");
}

/// What the images of the distribution registry have in `/etc/docker/registry/config.yml`, as far
/// as variables change it.
const CONFIGURATION_OF_IMAGE: &str = "version: 0.1\nstorage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: /var/lib/registry\n  delete:\n    enabled: true\nhttp:\n  addr: :5000\n  headers:\n    X-Content-Type-Options: [nosniff]\nhealth:\n  storagedriver:\n    enabled: true\n    interval: 10s\n    threshold: 3\n";

fn command(config: &Path, disk: Option<(PathBuf, u64)>) -> Command {
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
        .stderr(Stdio::null());
    command
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.kill();
    }
}
