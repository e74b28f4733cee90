//! Security: no request of a step makes the registry read a request that the proxy has not allowed.
//! The registry here is a TCP server that keeps every byte, and answers before it has read a body,
//! as some servers do.

use crate::support;
use crate::support::{Agent, Running, eventually};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const USER_AGENT: &str = concat!("user-agent: orascache/", env!("CARGO_PKG_VERSION"));
/// Headers that a hostile step adds to each request.
const HOSTILE: &str = "Content-Type: text/x\r\nContent-Range: 0-5\r\nRange: bytes=1-\r\nAuthorization: Basic eA==\r\n\
                       User-Agent: DELETE /v2/secret/manifests/1 HTTP/1.1\r\nX-Other: y\r\n";

/// All bytes of each connection, in the order of the connections.
#[derive(Clone, Default)]
struct Transcript(Arc<Mutex<Vec<Vec<u8>>>>);

struct RawRegistry {
    host: String,
    transcript: Transcript,
}

impl RawRegistry {
    /// Answers every request with this status.
    fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let transcript = Transcript::default();
        let kept = transcript.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = {
                    let mut all = kept.0.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                let kept = kept.clone();
                std::thread::spawn(move || serve(stream, number, &kept, status));
            }
        });
        RawRegistry { host, transcript }
    }

    fn connections(&self) -> usize {
        self.transcript.0.lock().unwrap().len()
    }

    /// The requests so far. Header lines are sorted, and the host is left out.
    fn requests(&self) -> Vec<String> {
        let all = self.transcript.0.lock().unwrap().concat();
        let mut rest = String::from_utf8(all).unwrap();
        let mut requests = Vec::new();
        while let Some(end) = rest.find("\r\n\r\n") {
            let head = rest[..end].to_owned();
            let (line, headers) = head.split_once("\r\n").unwrap();
            let mut headers: Vec<&str> = headers.split("\r\n").collect();
            headers.sort_unstable();
            let host = format!("host: {}", self.host);
            assert!(headers.contains(&host.as_str()), "{head}");
            headers.retain(|header| *header != host);
            let length = length(&head);
            let body = rest[end + 4..].chars().take(length).collect::<String>();
            rest = rest[end + 4 + length..].to_owned();
            requests.push(format!("{line}|{}|{body}", headers.join("|")));
        }
        assert_eq!(rest, "", "bytes that belong to no request");
        requests
    }
}

fn length(head: &str) -> usize {
    let found = head
        .split("\r\n")
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    found.unwrap_or(0)
}

/// Serves one connection until the client closes it.
fn serve(mut stream: TcpStream, number: usize, transcript: &Transcript, status: &str) {
    let mut unread: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&unread[..end]).into_owned();
            let location = if head.starts_with("POST") { "Location: /upload/secret-name\r\n" } else { "" };
            let answer = format!("HTTP/1.1 {status}\r\n{location}Content-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            let mut left = (end + 4 + length(&head)).saturating_sub(unread.len());
            unread.drain(..(end + 4 + length(&head)).min(unread.len()));
            while left > 0 {
                let Ok(count @ 1..) = stream.read(&mut buffer[..left.min(4096)]) else { return };
                transcript.0.lock().unwrap()[number].extend_from_slice(&buffer[..count]);
                left -= count;
            }
        }
        let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
        transcript.0.lock().unwrap()[number].extend_from_slice(&buffer[..count]);
        unread.extend_from_slice(&buffer[..count]);
    }
}

/// A proxy in front of a raw registry.
struct Proxy {
    folder: TempDir,
    running: Option<Running>,
}

impl Proxy {
    fn start(host: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("proxy.sock");
        let running = Agent::new(["proxy", &format!("--registry=http://{host}")])
            .flag(format!("--socket={}", socket.display()))
            .flag("--pull=in/words:1")
            .flag("--push=out/words:1")
            .env("ORAS_USER", "ann")
            .env("ORAS_PULL_PASS", "secret")
            .env("ORAS_PUSH_PASS", "secret")
            .start();
        eventually("the socket", || socket.exists());
        Proxy { folder, running: Some(running) }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("proxy.sock")
    }

    /// Ends it, so that all its connections are closed.
    fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.signal(rustix::process::Signal::TERM);
        let finished = running.wait();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
}

/// Sends bytes to the proxy. Returns the status of the answer.
fn send(socket: &Path, bytes: &str) -> u16 {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(support::LIMIT)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap()
}

/// How the end of a request is marked, and its body.
const FRAMINGS: [(&str, &str, &str); 6] = [
    ("none", "", ""),
    ("empty", "Content-Length: 0\r\n", ""),
    ("length", "Content-Length: 6\r\n", "abcdef"),
    ("chunks", "Transfer-Encoding: chunked\r\n", "6\r\nabcdef\r\n0\r\n\r\n"),
    ("length and chunks", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "6\r\nabcdef\r\n0\r\n\r\n"),
    ("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "6\r\nabcdef\r\n0\r\n\r\n"),
];

#[test]
fn every_forwarded_byte_is_known() {
    let upload = "/v2/out/words/blobs/uploads/1".to_owned();
    let end = format!("{upload}?digest={DIGEST}");
    let cases = [
        ("GET", "/v2/in/words/manifests/1".to_owned(), "/v2/in/words/manifests/1".to_owned()),
        ("HEAD", "/v2/in/words/manifests/1".to_owned(), "/v2/in/words/manifests/1".to_owned()),
        ("POST", "/v2/out/words/blobs/uploads/".to_owned(), "/v2/out/words/blobs/uploads/".to_owned()),
        ("PUT", "/v2/out/words/manifests/1".to_owned(), "/v2/out/words/manifests/1".to_owned()),
        ("PUT", end, format!("/upload/secret-name?digest={}", DIGEST.replace(':', "%3A"))),
        ("PATCH", upload.clone(), "/upload/secret-name".to_owned()),
        ("GET", upload.clone(), "/upload/secret-name".to_owned()),
        ("DELETE", upload, "/upload/secret-name".to_owned()),
    ];
    for (method, path, forwarded) in cases {
        for (framing, header, body) in FRAMINGS {
            let registry = RawRegistry::start("202 Accepted");
            let mut proxy = Proxy::start(&registry.host);
            let mut expected = Vec::new();
            if path.contains("uploads/1") {
                let begun = "POST /v2/out/words/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n\r\n";
                assert_eq!(send(&proxy.socket(), begun), 202);
                expected.push(format!(
                    "POST /v2/out/words/blobs/uploads/ HTTP/1.1|content-length: 0|{USER_AGENT}|"
                ));
            }
            let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{HOSTILE}{header}\r\n{body}");
            let status = send(&proxy.socket(), &request);
            let may_have_body = matches!(method, "PUT" | "PATCH");
            let headers = match (framing, may_have_body, method) {
                ("none" | "empty", true, _) | ("none" | "empty", _, "POST") => Some("content-length: 0|"),
                ("none" | "empty", _, "GET") => Some("range: bytes=1-|"),
                ("none" | "empty", ..) => Some(""),
                ("length", true, _) => Some("content-length: 6|content-range: 0-5|content-type: text/x|"),
                _ => None,
            };
            match headers {
                Some(headers) => {
                    let body = if framing == "length" { body } else { "" };
                    expected.push(format!("{method} {forwarded} HTTP/1.1|{headers}{USER_AGENT}|{body}"));
                    assert_eq!(status, 202, "{method} {path}, {framing}");
                }
                None if may_have_body => assert_eq!(status, 411, "{method} {path}, {framing}"),
                None => assert_eq!(status, 400, "{method} {path}, {framing}"),
            }
            proxy.stop();
            eventually("the bytes", || {
                registry.transcript.0.lock().unwrap().concat().len() >= expected.len()
            });
            assert_eq!(registry.requests(), expected, "{method} {path}, {framing}");
        }
    }
}

#[test]
fn a_body_cannot_become_the_beginning_of_the_next_request() {
    let registry = RawRegistry::start("200 OK");
    let mut proxy = Proxy::start(&registry.host);
    let path = "/v2/in/words/manifests/1";
    // The body is as long as the beginning of the next request, up to the value of its User-Agent.
    let length = format!("GET {path} HTTP/1.1\r\nuser-agent: ").len();
    let first =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
    assert_eq!(send(&proxy.socket(), &first), 400);
    let second =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: GET /v2/secret/manifests/1 HTTP/1.1\r\n\r\n");
    assert_eq!(send(&proxy.socket(), &second), 200);
    proxy.stop();
    assert_eq!(registry.requests(), [format!("GET {path} HTTP/1.1|{USER_AGENT}|")]);
}

#[test]
fn a_connection_that_saw_a_protocol_error_is_not_used_again() {
    for status in ["400 Bad Request", "408 Request Timeout", "411 Length Required", "501 Not Implemented"] {
        let registry = RawRegistry::start(status);
        let mut proxy = Proxy::start(&registry.host);
        for number in 1..=3 {
            send(&proxy.socket(), "GET /v2/in/words/manifests/1 HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(registry.connections(), number, "{status}");
        }
        proxy.stop();
    }
}
