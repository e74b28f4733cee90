//! The collector of distribution, `registry garbage-collect`: what it says while it runs.

use crate::spawn::{self, Own};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// What stands in front of each blob that is deleted, or would be.
const ELIGIBLE: &str = "blob eligible for deletion: sha256:";
/// Most blobs whose sizes are remembered, 40 bytes each.
const MOST_SIZES: usize = 250_000;
/// Longest line that is read, in bytes, and how many of the last ones are repeated.
const LONGEST_LINE: u64 = 1000;
const LAST_LINES: usize = 3;
/// Time for the last words of a collector that has ended. A process that it left may hold its output.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// What distribution says of a storage to which nothing was ever pushed.
const EMPTY: &str = "Path not found: /docker/registry/v2/repositories";

/// Blobs that nothing needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Their number.
    pub blobs: u64,
    /// The sum of their sizes in bytes, where it is known.
    pub bytes: Option<u64>,
}

/// Sizes of blobs by their digests, in bytes.
type Sizes = Vec<([u8; 32], u64)>;

/// What a collector has said.
#[derive(Debug, Default)]
pub struct Said {
    /// Number of blobs that it deleted, or would delete.
    blobs: u64,
    /// The sizes that they had when they were named.
    sizes: Sizes,
    /// The last lines that name no blob.
    last: VecDeque<String>,
}

/// A collector that runs.
#[derive(Debug)]
pub struct Collector {
    /// Its process.
    pub pid: Pid,
    said: Receiver<Said>,
}

impl Collector {
    /// Starts a collector with the environment of this process. The error is the rest of a sentence.
    pub fn start(words: &[OsString], blobs: Option<PathBuf>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("its output cannot be read: {error}");
        let (output, input) = std::io::pipe().map_err(failed)?;
        let own =
            Own { stdout: Some(input.as_fd()), stderr: Some(input.as_fd()), group: true, ..Own::default() };
        let pid = spawn::spawn_with(words, &own).map_err(|error| spawn::failure(words, error).1)?;
        // From here on, only the collector has the writing end of the pipe.
        drop(input);
        let (sender, said) = mpsc::channel();
        let reading = std::thread::Builder::new().name("collector".to_owned()).spawn(move || {
            // Nobody waits any more where this fails.
            let _ = sender.send(Said::read(output, blobs.as_deref()));
        });
        if let Err(error) = reading {
            let collector = Collector { pid, said };
            collector.kill();
            return Err(failed(error));
        }
        Ok(Collector { pid, said })
    }

    /// Kills it with its children.
    pub fn kill(&self) {
        // It may have ended already.
        let _ = kill(Pid::from_raw(-self.pid.as_raw()), Signal::SIGKILL);
    }

    /// What it has said, when it has ended with this exit code. The error is the rest of a sentence.
    pub fn ended(self, code: u8) -> Result<Said, String> {
        let said = self.said.recv_timeout(LAST_WORDS).unwrap_or_default();
        let last = said.last.iter().map(String::as_str).collect::<Vec<_>>().join(" / ");
        match code {
            0 => Ok(said),
            _ if last.contains(EMPTY) => Ok(Said::default()),
            _ if last.is_empty() => Err(format!("the collector ended with {code}")),
            _ => Err(format!("the collector ended with {code}: {last}")),
        }
    }
}

impl Said {
    fn read(output: impl Read, blobs: Option<&Path>) -> Self {
        let (mut said, mut output) = (Said::default(), BufReader::new(output));
        let mut line = Vec::new();
        loop {
            line.clear();
            match output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return said,
                Ok(_) => said.add(String::from_utf8_lossy(&line).trim(), blobs),
            }
        }
    }

    fn add(&mut self, line: &str, blobs: Option<&Path>) {
        let Some(digest) = line.strip_prefix(ELIGIBLE) else {
            if !line.is_empty() && !line.contains(": marking ") {
                self.last.push_back(line.chars().filter(|c| !c.is_control()).collect());
                self.last.drain(..self.last.len().saturating_sub(LAST_LINES));
            }
            return;
        };
        self.blobs += 1;
        let Some(blobs) = blobs.filter(|_| self.sizes.len() < MOST_SIZES) else { return };
        let Some(digest) = bytes_of(digest) else { return };
        if let Ok(metadata) = std::fs::metadata(path_of(blobs, &digest)) {
            self.sizes.push((digest, metadata.len()));
        }
    }

    /// What would be deleted.
    pub fn found(&self) -> Found {
        Found { blobs: self.blobs, bytes: None }
    }

    /// What was deleted, after a look whose sizes are known. Where some are not, it is no number.
    pub fn deleted(&self, looked: Option<&Said>, blobs: Option<&Path>) -> Found {
        let sizes = looked.map(|said| &said.sizes[..]).unwrap_or_default();
        let gone = blobs.map(|blobs| {
            let gone = sizes.iter().filter(|(digest, _)| !path_of(blobs, digest).exists());
            gone.fold((0, 0), |(number, bytes): (u64, u64), (_, size)| (number + 1, bytes + size))
        });
        let bytes = gone.filter(|(number, _)| *number > 0 || self.blobs == 0).map(|(_, bytes)| bytes);
        Found { blobs: self.blobs, bytes }
    }
}

/// The file of a blob (distribution, registry/storage/paths.go).
fn path_of(blobs: &Path, digest: &[u8; 32]) -> PathBuf {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    blobs.join(hex.get(..2).unwrap_or_default()).join(hex).join("data")
}

fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_counted_and_measured_before_they_go() {
        let folder = tempfile::tempdir().unwrap();
        let digests = ["0a".repeat(32), "0b".repeat(32)];
        let file = |hex: &str| path_of(folder.path(), &bytes_of(hex).unwrap());
        for (hex, size) in digests.iter().zip([3, 5]) {
            std::fs::create_dir_all(file(hex).parent().unwrap()).unwrap();
            std::fs::write(file(hex), vec![b'x'; size]).unwrap();
        }
        let text = format!(
            "a\na: marking blob sha256:00\n\n1 blobs marked, 2 blobs and 0 manifests eligible for deletion\n{ELIGIBLE}{}\n{ELIGIBLE}{}\n{ELIGIBLE}../../x\n",
            digests[0], digests[1]
        );
        let looked = Said::read(text.as_bytes(), Some(folder.path()));
        assert_eq!(looked.found(), Found { blobs: 3, bytes: None });
        std::fs::remove_file(file(&digests[1])).unwrap();
        let said = Said::read(text.as_bytes(), None);
        assert_eq!(said.deleted(Some(&looked), Some(folder.path())), Found { blobs: 3, bytes: Some(5) });
        assert_eq!(said.deleted(None, Some(folder.path())).bytes, None, "there was no look");
        assert_eq!(said.deleted(Some(&looked), None).bytes, None, "a bucket");
    }

    #[test]
    fn the_last_words_are_kept_in_bounds() {
        let long = "y".repeat(5000);
        let said = Said::read(format!("one\ntwo\nthree\n{long}\nfailed\u{7} here").as_bytes(), None);
        assert_eq!(said.last.len(), LAST_LINES);
        assert!(said.last.iter().all(|line| line.len() <= 1000), "{:?}", said.last);
        assert_eq!(said.last[2], "failed here");
    }
}
