//! An S3 server on this machine: `moto_server`, of the Python package moto.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time within which the process must listen.
const START: Duration = Duration::from_secs(60);

pub struct S3 {
    address: SocketAddr,
    child: Child,
}

impl S3 {
    /// Starts a server with an empty bucket, `artifacts`. `None` where `moto_server` is not
    /// installed, which is printed.
    pub fn start() -> Option<Self> {
        if !test_registries::installed("moto_server") {
            return None;
        }
        let address = test_registries::free_address();
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server starts");
        let server = S3 { address, child };
        let deadline = Instant::now() + START;
        while !test_registries::listens(address) {
            assert!(Instant::now() < deadline, "moto_server does not listen on {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let made = super::client::request(&address.to_string(), "PUT", "/artifacts", "");
        assert_eq!(made.status, 200, "the bucket");
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether the bucket has an object.
    pub fn has(&self, key: &str) -> bool {
        let path = format!("/artifacts?list-type=2&prefix={key}");
        let answer = super::client::request(&self.address.to_string(), "GET", &path, "");
        answer.text.contains(&format!("<Key>{key}</Key>"))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
