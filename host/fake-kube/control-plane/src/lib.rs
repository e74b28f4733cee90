//! A real, bare control plane for tests: `etcd` and `kube-apiserver` on loopback, and nothing else.
//!
//! Tests that pass against the fake API can be run against this one too, to find out whether the
//! fake tells the truth. Both programs come from a folder, which by convention the variable
//! `KUBEBUILDER_ASSETS` names.
//!
//! ```no_run
//! use fake_kube_control_plane::ControlPlane;
//!
//! let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") else { return Ok(()) };
//! let plane = ControlPlane::start(assets.as_ref())?;
//! std::fs::write("kubeconfig", plane.kubeconfig())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does not do
//! - No controllers, no scheduler, no nodes, and no service accounts.
//! - The kubeconfig does not verify the server's certificate: the server is a process of this test
//!   on loopback.
//! - [`ControlPlane::start`] blocks its thread until the server listens. The API may need another
//!   moment until it answers everything.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use tempfile::TempDir;

/// The token of the user `admin` in `system:masters`. It is no secret: the server ends with the
/// test.
const TOKEN: &str = "loopback-test-token";

/// How long the API server may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a control plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file could not be written, or there is no free port.
    #[error("the control plane cannot be prepared: {0}")]
    Prepare(#[from] io::Error),
    /// The key of service accounts could not be made.
    #[error("there is no key for service account tokens: {0}")]
    Key(#[from] rcgen::Error),
    /// A program is missing or cannot be run.
    #[error("{program} cannot be started from {folder}: {source}")]
    Program {
        /// The program.
        program: &'static str,
        /// The folder where it should be.
        folder: String,
        /// The reason.
        source: io::Error,
    },
    /// The API server does not listen in time.
    #[error("kube-apiserver does not listen after {} s; the end of its log:\n{log}", START_TIMEOUT.as_secs())]
    Timeout {
        /// The last lines of its log.
        log: String,
    },
}

/// A running etcd and kube-apiserver. Both end when it is dropped.
pub struct ControlPlane {
    children: Vec<Child>,
    url: String,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts both programs from `assets`, with files in a temporary folder, and waits until the
    /// API server listens.
    ///
    /// # Errors
    /// When a program is missing or the server does not listen within a minute.
    pub fn start(assets: &Path) -> Result<Self, StartError> {
        let folder = tempfile::tempdir()?;
        let [client, peer, api] = [free_port()?, free_port()?, free_port()?];
        let path = |name: &str| folder.path().join(name);
        // The key signs service account tokens, of which tests use none.
        let key = rcgen::KeyPair::generate()?;
        std::fs::write(path("sa.key"), key.serialize_pem())?;
        std::fs::write(path("sa.pub"), key.public_key_pem())?;
        std::fs::write(path("tokens.csv"), format!("{TOKEN},admin,admin,system:masters\n"))?;
        let etcd = [
            format!("--data-dir={}", path("etcd").display()),
            format!("--listen-client-urls=http://127.0.0.1:{client}"),
            format!("--advertise-client-urls=http://127.0.0.1:{client}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            "--unsafe-no-fsync".to_owned(),
        ];
        let apiserver = [
            format!("--etcd-servers=http://127.0.0.1:{client}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={api}"),
            format!("--cert-dir={}", path("certificates").display()),
            format!("--token-auth-file={}", path("tokens.csv").display()),
            "--authorization-mode=AlwaysAllow".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", path("sa.pub").display()),
            format!("--service-account-signing-key-file={}", path("sa.key").display()),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
        ];
        let mut plane = Self { children: Vec::new(), url: format!("https://127.0.0.1:{api}"), folder };
        plane.spawn(assets, "etcd", &etcd)?;
        plane.spawn(assets, "kube-apiserver", &apiserver)?;
        plane.wait(api)?;
        Ok(plane)
    }

    /// The address, for example `https://127.0.0.1:34567`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A kubeconfig for it, YAML.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters:\n- name: test\n  cluster: {{server: \"{}\", insecure-skip-tls-verify: true}}\n\
             users:\n- name: test\n  user: {{token: {TOKEN}}}\n\
             contexts:\n- name: test\n  context: {{cluster: test, user: test, namespace: default}}\n",
            self.url
        )
    }

    fn spawn(
        &mut self,
        assets: &Path,
        program: &'static str,
        arguments: &[String],
    ) -> Result<(), StartError> {
        let log = File::create(self.folder.path().join(format!("{program}.log")))?;
        let child = Command::new(assets.join(program))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|source| StartError::Program {
                program,
                folder: assets.display().to_string(),
                source,
            })?;
        self.children.push(child);
        Ok(())
    }

    fn wait(&self, port: u16) -> Result<(), StartError> {
        let deadline = Instant::now() + START_TIMEOUT;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() >= deadline {
                let log = std::fs::read_to_string(self.folder.path().join("kube-apiserver.log"));
                let log = log.unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let end = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default();
                return Err(StartError::Timeout { log: end.join("\n") });
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // The API server first: it complains when its etcd disappears.
        for child in self.children.iter_mut().rev() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::{ControlPlane, StartError};

    #[test]
    fn a_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        match ControlPlane::start(folder.path()).err() {
            Some(StartError::Program { program: "etcd", .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}
