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

pub use docker::DockerRegistry;
pub use embedded::Embedded;
pub use network::{Event, Fault, Network, Reaction};

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports below those that a system gives to whoever does not ask for one (ip(7),
/// `ip_local_port_range`), so that no other test gets one of them before its own test listens on it.
const PORTS: std::ops::Range<u32> = 10_000..32_000;

/// A free port of the loopback interface, which nobody else in this process gets.
///
/// # Panics
/// When no port is free.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = PORTS.end - PORTS.start;
    // Test programs that run at the same time begin at different ports.
    let first = std::process::id().wrapping_mul(97);
    for _ in 0..count {
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        let port = u16::try_from(PORTS.start + number).expect("a port");
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr().expect("its address");
        }
    }
    panic!("no port from {} to {} is free", PORTS.start, PORTS.end)
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
