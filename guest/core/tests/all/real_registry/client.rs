//! The clients of the tests: the command line of ORAS, and requests without TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Calls `oras`, with no configuration of this machine.
pub struct Oras {
    folder: TempDir,
    options: Vec<String>,
}

impl Oras {
    /// A client with these options for each call. It has one file, `hello.txt`.
    pub fn new<const N: usize>(options: [&str; N]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("hello.txt"), "hello").expect("a file");
        Oras { folder, options: options.map(str::to_owned).into() }
    }

    /// Pushes the file. Returns whether that succeeded, and what was printed otherwise.
    pub fn push(&self, artifact: &str) -> Result<(), String> {
        self.call(&["push"], &[artifact, "hello.txt"])
    }

    /// Pulls the file, and compares it.
    pub fn pull(&self, artifact: &str) -> Result<(), String> {
        let into = tempfile::tempdir_in(self.folder.path()).expect("a folder");
        let path = into.path().display().to_string();
        self.call(&["pull"], &[artifact, "--output", &path])?;
        assert_eq!(std::fs::read_to_string(into.path().join("hello.txt")).expect("the file"), "hello");
        Ok(())
    }

    /// Deletes an artifact.
    pub fn delete(&self, artifact: &str) -> Result<(), String> {
        self.call(&["manifest", "delete", "--force"], &[artifact])
    }

    fn call(&self, command: &[&str], arguments: &[&str]) -> Result<(), String> {
        let output = Command::new("oras")
            .args(command)
            .args(&self.options)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("DOCKER_CONFIG", self.folder.path())
            .output()
            .expect("oras runs");
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// An answer to a request.
pub struct Answer {
    pub status: u16,
    /// The header Location.
    pub location: Option<String>,
    pub text: String,
}

/// Sends a request without TLS.
pub fn request(host: &str, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(host).expect("a connection");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    // A registry that refuses a request may close the connection before it has read the body, which
    // resets it behind the answer.
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(error.kind() == ErrorKind::ConnectionReset && !answer.is_empty(), "no answer: {error}");
    }
    let text = String::from_utf8(answer).expect("a text");
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let location = text.lines().find_map(|line| line.strip_prefix("Location: ")).map(str::to_owned);
    Answer { status, location, text }
}

/// An authority, and a certificate for `127.0.0.1` that it signed, made by `openssl`.
pub struct Certificates {
    pub folder: TempDir,
}

impl Certificates {
    pub fn make() -> Self {
        let certificates = Certificates { folder: tempfile::tempdir().expect("a folder") };
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let authority =
            ["req", "-x509", "-days", "2", "-subj", "/CN=lab", "-keyout", "ca.key", "-out", "ca.crt"];
        certificates.openssl(&[&authority[..], &key].concat());
        let server =
            ["req", "-x509", "-days", "2", "-subj", "/CN=registry", "-CA", "ca.crt", "-CAkey", "ca.key"];
        let names =
            ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
        let files = ["-keyout", "tls.key", "-out", "tls.crt"];
        certificates.openssl(&[&server[..], &names, &files, &key].concat());
        certificates
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).expect("a file")
    }

    pub fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("openssl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Whether a folder has a file anywhere below it.
pub fn has_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let path = entry.path();
            path.is_file() || (path.is_dir() && has_files(&path))
        })
    })
}
