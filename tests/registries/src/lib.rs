//! Registries for tests: a real one as a process, an embedded one, and a network that cuts
//! connections. All listen on a free port of the loopback interface, and stop when they are
//! dropped.
//!
//! # Example
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use test_registries::{Embedded, Network};
//!
//! let registry = Embedded::start();
//! let network = Network::to(&registry.host());
//! let mut stream = TcpStream::connect(network.host()).unwrap();
//! stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer).unwrap();
//! assert!(answer.starts_with("HTTP/1.1 200"));
//! assert!(network.received() >= answer.len() as u64);
//! ```

mod docker;
mod embedded;
mod network;
mod port;

pub use docker::DockerRegistry;
pub use embedded::Embedded;
pub use network::{Event, Fault, Network, Reaction};
pub use port::free_address;

use std::net::{SocketAddr, TcpStream};

/// A registry of each sort that this machine has: its host, and what stops it when it is dropped.
pub fn registries() -> Vec<(String, Box<dyn Send>)> {
    let embedded = Embedded::start();
    let mut all: Vec<(String, Box<dyn Send>)> = vec![(embedded.host(), Box::new(embedded))];
    if let Some(docker) = DockerRegistry::start() {
        all.push((docker.host(), Box::new(docker)));
    }
    all
}

/// Whether a program listens. A connection to a free port can be one to itself, since the system may
/// choose that very port as its other end.
pub fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok_and(|stream| stream.local_addr().is_ok_and(|own| own != address))
}

/// Whether a program is installed. If not, a line of the test's output says that it is skipped.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
pub fn installed(program: &str) -> bool {
    let found = std::process::Command::new(program)
        .arg("--help")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok();
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Whether a process can mount a disk of its own, in a user namespace. If not, a line of the test's
/// output says that it is skipped.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
pub fn namespaces() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    let allowed = tried.is_ok_and(|status| status.success());
    if !allowed {
        println!("skipped: user namespaces are not allowed, which a disk of its own needs");
    }
    allowed
}
