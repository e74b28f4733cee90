//! A small HTTP client. It is independent of the tested one, so that both cannot have the same
//! error.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request to a registry.
pub fn ask(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    exchange(TcpStream::connect(host).unwrap(), host, method, path, headers, body)
}

/// Sends a request to a proxy.
pub fn ask_socket(socket: &Path, method: &str, path: &str) -> Answer {
    exchange(UnixStream::connect(socket).unwrap(), "registry", method, path, &[("Accept", MANIFEST)], b"")
}

fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    parse(&answer)
}

fn parse(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &answer[end + 4..];
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked { chunks(rest) } else { rest.to_vec() };
    Answer { status, headers, body }
}

fn chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a size");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Digest of the manifest that a tag points at.
pub fn tagged(host: &str, repository: &str, tag: &str) -> Option<String> {
    let path = format!("/v2/{repository}/manifests/{tag}");
    let answer = ask(host, "HEAD", &path, &[("Accept", MANIFEST)], b"");
    (answer.status == 200).then(|| answer.header("docker-content-digest").unwrap().to_owned())
}

/// A manifest.
pub fn manifest(host: &str, repository: &str, tag: &str) -> Value {
    let path = format!("/v2/{repository}/manifests/{tag}");
    let answer = ask(host, "GET", &path, &[("Accept", MANIFEST)], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Puts a blob into a repository. Returns its digest.
pub fn put_blob(host: &str, repository: &str, content: &[u8]) -> String {
    let digest = oci_registry_client::Digest::of(content).to_string();
    let begun = ask(host, "POST", &format!("/v2/{repository}/blobs/uploads/"), &[], b"");
    assert_eq!(begun.status, 202, "{}", begun.text());
    let location = begun.header("location").unwrap();
    let path = location.strip_prefix(&format!("http://{host}")).unwrap_or(location);
    let mark = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{mark}digest={digest}");
    let put = ask(host, "PUT", &path, &[("Content-Type", "application/octet-stream")], content);
    assert_eq!(put.status, 201, "{}", put.text());
    digest
}

/// Puts a manifest.
pub fn put_manifest(host: &str, repository: &str, tag: &str, manifest: &Value) {
    let media_type = manifest["mediaType"].as_str().unwrap();
    let path = format!("/v2/{repository}/manifests/{tag}");
    let put = ask(host, "PUT", &path, &[("Content-Type", media_type)], manifest.to_string().as_bytes());
    assert_eq!(put.status, 201, "{}", put.text());
}

/// A layer that is put into a registry as it is, also with hostile content.
pub struct Layer {
    pub content: Vec<u8>,
    pub annotations: Vec<(&'static str, String)>,
}

impl Layer {
    /// A file.
    pub fn file(title: &str, content: impl Into<Vec<u8>>) -> Self {
        let annotations = vec![("org.opencontainers.image.title", title.to_owned())];
        Layer { content: content.into(), annotations }
    }

    /// An archive that is to be unpacked.
    pub fn archive(title: &str, content: impl Into<Vec<u8>>) -> Self {
        let mut layer = Layer::file(title, content);
        layer.annotations.push(("io.deis.oras.content.unpack", "true".to_owned()));
        layer
    }
}

/// Puts an artifact into a registry.
pub fn put_artifact(host: &str, repository: &str, tag: &str, layers: &[Layer]) {
    let config = put_blob(host, repository, b"{}");
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| {
            let annotations: serde_json::Map<String, Value> = layer
                .annotations
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
                .collect();
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": put_blob(host, repository, &layer.content),
                "size": layer.content.len(),
                "annotations": annotations,
            })
        })
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.test",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
        "layers": layers,
    });
    put_manifest(host, repository, tag, &manifest);
}
