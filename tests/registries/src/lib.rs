//! Registries for tests: a real one as a process, an embedded one, and a network that cuts connections. All are on loopback
//! on a free port, and stop with the test.

mod docker;
mod embedded;
mod network;

pub use docker::DockerRegistry;
pub use embedded::Embedded;
pub use network::{Event, Fault, Network, Reaction};

use std::net::{SocketAddr, TcpListener};

/// A free port of loopback. Somebody else may take it meanwhile, which a test then shows.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}

/// Whether a program is there; says so in the output when it is not.
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

/// Whether a process may have a disk of its own, by a user namespace; says so in the output when not.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
pub fn namespaces() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    let allowed = tried.is_ok_and(|status| status.success());
    if !allowed {
        println!("skipped: no disk of its own can be had: user namespaces are not allowed");
    }
    allowed
}
