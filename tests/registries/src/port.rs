//! Ports for servers that a test starts.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of the loopback interface for a server that is told its number. The system gives it to
/// nobody else until this process ends, whether the server listens, has not yet begun, or is started
/// again.
///
/// A port that was only found to be free is not enough. Until the server listens, the system may
/// give it to another test, whose server then answers in place of this one, and is gone a moment
/// later: connections are refused.
///
/// A socket is bound to the port and does not listen. Linux chooses no such port, neither for a
/// server without a number nor for the near end of a connection. A server that asks for the number
/// gets it, because both sockets have `SO_REUSEADDR` and only one listens (socket(7)). The servers
/// of Rust, Go and Python set that option.
///
/// # Panics
/// When no port is free.
///
/// # Example
///
/// ```
/// use std::net::TcpListener;
/// use test_registries::{free_address, listens};
///
/// let address = free_address();
/// assert!(!listens(address));
/// let _server = TcpListener::bind(address).unwrap();
/// assert!(listens(address));
/// ```
pub fn free_address() -> SocketAddr {
    let bound = TcpSocket::new_v4().expect("a socket");
    bound.set_reuseaddr(true).expect("a socket whose address may be used again");
    bound.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let address = bound.local_addr().expect("its address");
    // Nobody knows when the port is no longer needed.
    std::mem::forget(bound);
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::process::Command;

    /// Asks for any port of a range that has this one alone (`IP_LOCAL_PORT_RANGE`, ip(7)).
    const ANY_PORT: &str = "import socket, struct, sys
port = int(sys.argv[1])
server = socket.socket()
try:
    server.setsockopt(socket.IPPROTO_IP, 51, struct.pack('I', port | port << 16))
except OSError:
    print('unknown')
    sys.exit()
try:
    server.bind(('127.0.0.1', 0))
    print('given')
except OSError:
    print('taken')
";

    #[test]
    #[allow(clippy::print_stdout, reason = "a skipped test says why")]
    fn nobody_else_is_given_the_port() {
        if !crate::installed("python3") {
            return;
        }
        let address = free_address();
        let port = address.port().to_string();
        let asked = || {
            let output = Command::new("python3").args(["-c", ANY_PORT, &port]).output().expect("an answer");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let before = asked();
        if before == "unknown" {
            println!("skipped: this kernel has no range of ports for a socket");
            return;
        }
        assert_eq!(before, "taken", "before a server listens");
        let server = TcpListener::bind(address).expect("a server listens");
        assert_eq!(asked(), "taken", "while it listens");
        drop(server);
        assert_eq!(asked(), "taken", "before it is started again");
    }

    #[test]
    fn a_server_may_listen_on_the_port_again_and_again() {
        let address = free_address();
        for _ in 0..3 {
            assert!(!crate::listens(address));
            let _server = TcpListener::bind(address).expect("a server listens");
            assert!(crate::listens(address));
        }
    }
}
