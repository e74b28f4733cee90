//! A registry that gives nothing without a token, and remembers who asked for one.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

pub struct Upstream {
    address: SocketAddr,
    asked: Receiver<String>,
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || answer(&stream, address, &sender));
            }
        });
        Upstream { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The header Authorization of the first request for a token.
    pub fn authorization(&self) -> String {
        self.asked.recv_timeout(Duration::from_secs(60)).expect("a request for a token")
    }
}

/// Answers one request (RFC 6750, and the token service of distribution).
fn answer(mut stream: &TcpStream, address: SocketAddr, asked: &Sender<String>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let authorization = head.iter().find_map(|line| line.strip_prefix("Authorization: "));
    let is_for_token = head.first().is_some_and(|line| line.starts_with("GET /token"));
    let (status, header, body) = if is_for_token {
        // The test may have ended.
        let _ = asked.send(authorization.unwrap_or_default().to_owned());
        ("200 OK", String::new(), r#"{"token":"t"}"#)
    } else if authorization == Some("Bearer t") {
        ("404 Not Found", String::new(), "{}")
    } else {
        let challenge =
            format!("WWW-Authenticate: Bearer realm=\"http://{address}/token\",service=\"x\"\r\n");
        ("401 Unauthorized", challenge, "{}")
    };
    let length = body.len();
    // The client may have gone.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\n{header}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
}
