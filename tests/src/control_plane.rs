//! A bare control plane: `etcd` and `kube-apiserver` on loopback, from the folder that `KUBEBUILDER_ASSETS`
//! names.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running etcd and kube-apiserver. Both are killed when this is dropped.
pub struct ControlPlane {
    etcd: Child,
    apiserver: Child,
    kubeconfig: String,
    _folder: TempDir,
}

impl ControlPlane {
    /// Starts both with new keys, and waits until kube-apiserver listens.
    pub fn start(assets: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [client, peer, api] = [free_port(), free_port(), free_port()];
        let log = |name: &str| std::fs::File::create(folder.path().join(name)).expect("a log file");
        let etcd = Command::new(assets.join("etcd"))
            .arg(format!("--data-dir={}", folder.path().join("etcd").display()))
            .arg(format!("--listen-client-urls=http://127.0.0.1:{client}"))
            .arg(format!("--advertise-client-urls=http://127.0.0.1:{client}"))
            .arg(format!("--listen-peer-urls=http://127.0.0.1:{peer}"))
            .arg("--unsafe-no-fsync")
            .stdout(Stdio::null())
            .stderr(log("etcd.log"))
            .spawn()
            .expect("etcd starts");
        // kube-apiserver demands a key for service account tokens. The tests use no such token.
        let key = rcgen::KeyPair::generate().expect("a key");
        let [private, public] = ["sa.key", "sa.pub"].map(|name| folder.path().join(name));
        std::fs::write(&private, key.serialize_pem()).expect("the key is written");
        std::fs::write(&public, key.public_key_pem()).expect("the key is written");
        let tokens = folder.path().join("tokens.csv");
        std::fs::write(&tokens, "loopback-test-token,admin,admin,system:masters\n")
            .expect("the token is written");
        let apiserver = Command::new(assets.join("kube-apiserver"))
            .arg(format!("--etcd-servers=http://127.0.0.1:{client}"))
            .arg("--bind-address=127.0.0.1")
            .arg(format!("--secure-port={api}"))
            .arg(format!("--cert-dir={}", folder.path().join("certificates").display()))
            .arg(format!("--token-auth-file={}", tokens.display()))
            .arg("--authorization-mode=AlwaysAllow")
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!("--service-account-key-file={}", public.display()))
            .arg(format!("--service-account-signing-key-file={}", private.display()))
            .arg("--service-cluster-ip-range=10.0.0.0/24")
            .arg("--disable-admission-plugins=ServiceAccount")
            .arg("--endpoint-reconciler-type=none")
            .stdout(Stdio::null())
            .stderr(log("kube-apiserver.log"))
            .spawn()
            .expect("kube-apiserver starts");
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters:\n- name: test\n  cluster: {{server: \"https://127.0.0.1:{api}\", insecure-skip-tls-verify: true}}\n\
             users:\n- name: test\n  user: {{token: loopback-test-token}}\n\
             contexts:\n- name: test\n  context: {{cluster: test, user: test, namespace: default}}\n"
        );
        let plane = ControlPlane { etcd, apiserver, kubeconfig, _folder: folder };
        plane.wait_until_listening(api);
        plane
    }

    /// A kubeconfig for it, YAML.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    fn wait_until_listening(&self, port: u16) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "kube-apiserver does not listen after a minute");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for child in [&mut self.apiserver, &mut self.etcd] {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
