//! The termination message of a container, which the kubelet puts into the status of the pod.

use crate::log::{Log, PREFIX};
use crate::step_args::DEFAULT_TERMINATION_MESSAGE;
use serde_json::Value;
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
    replace(path, shortened(&format!("{PREFIX}{sentence}"), LIMIT), log);
}

/// As [`write`], with a second line: the numbers of a run as a JSON object, which the operator reads.
/// A long sentence is cut, and the numbers never are.
pub fn write_with_numbers(path: &Path, sentence: &str, numbers: &Value, log: &Log) {
    let numbers = numbers.to_string();
    let sentence = format!("{PREFIX}{sentence}");
    let sentence = shortened(&sentence, LIMIT.saturating_sub(numbers.len() + 1));
    replace(path, &format!("{sentence}\n{numbers}"), log);
}

fn replace(path: &Path, text: &str, log: &Log) {
    let is_default = path == Path::new(DEFAULT_TERMINATION_MESSAGE);
    if is_default && !path.exists() {
        return log.debug(format_args!("there is no {} to leave this in", path.display()));
    }
    let written = OpenOptions::new()
        .write(true)
        .create(!is_default)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        log.info(format_args!("cannot write the termination message to {}: {error}", path.display()));
    }
}

fn shortened(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(shortened("x", LIMIT), "x");
        assert_eq!(shortened(&"x".repeat(5000), LIMIT).len(), 4096);
        assert_eq!(shortened(&format!("x{}", "é".repeat(3000)), LIMIT).len(), 4095);
    }

    #[test]
    fn numbers_are_complete_behind_a_long_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("message");
        let numbers = serde_json::json!({"copied": 3});
        for (sentence, length) in [("done".to_owned(), 30), ("é".repeat(5000), 4096)] {
            write_with_numbers(&path, &sentence, &numbers, &Log::default());
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("orascache: ") && text.ends_with("\n{\"copied\":3}"), "{text}");
            assert!((length - 2..=length).contains(&text.len()), "{}", text.len());
        }
    }
}
