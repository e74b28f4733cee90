//! The termination message of a container, which the kubelet puts into the status of the pod.

use crate::log::{Log, PREFIX};
use crate::step_args::DEFAULT_TERMINATION_MESSAGE;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Longest message that the kubelet reads, in bytes
/// (kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure).
const LIMIT: usize = 4096;

/// Replaces the termination message. An error is logged.
///
/// The default file is not created where it is missing, since that is outside of a pod.
pub fn write(path: &Path, sentence: &str, log: &Log) {
    let text = format!("{PREFIX}{sentence}");
    let bytes = shortened(&text).as_bytes();
    let is_default = path == Path::new(DEFAULT_TERMINATION_MESSAGE);
    if is_default && !path.exists() {
        return log.debug(format_args!("there is no {} to leave this in", path.display()));
    }
    let written = OpenOptions::new()
        .write(true)
        .create(!is_default)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(bytes));
    if let Err(error) = written {
        log.info(format_args!("cannot write the termination message to {}: {error}", path.display()));
    }
}

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LIMIT)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(shortened("x"), "x");
        assert_eq!(shortened(&"x".repeat(5000)).len(), 4096);
        assert_eq!(shortened(&format!("x{}", "é".repeat(3000))).len(), 4095);
    }
}
