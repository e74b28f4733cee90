//! Recorded sequences: a text file with requests and the normalised answers to them.

use serde_json::Value;

use super::step::{Answer, Step};

/// A sequence and what a server answered.
pub type Recording = Vec<(Step, Answer)>;

const SEPARATOR: &str = "\n----\n";

/// Writes a recording: `> METHOD PATH`, `> CONTENT-TYPE`, the body, `< STATUS`, the answer, for
/// each request.
pub fn write(recording: &Recording) -> String {
    let entries: Vec<String> = recording
        .iter()
        .map(|(step, answer)| {
            let Step { method, path, media, body } = step;
            format!("> {method} {path}\n> {media}\n{body}\n< {}\n{:#}", answer.status, answer.body)
        })
        .collect();
    entries.join(SEPARATOR) + "\n"
}

/// Reads a recording.
///
/// # Errors
/// Which entry cannot be read.
pub fn read(text: &str) -> Result<Recording, String> {
    let entries = text.trim_end().split(SEPARATOR);
    entries
        .enumerate()
        .map(|(index, entry)| parse(entry).ok_or(format!("entry {index} is malformed")))
        .collect()
}

fn parse(entry: &str) -> Option<(Step, Answer)> {
    let (request, answer) = entry.split_once("\n< ")?;
    let mut lines = request.splitn(3, '\n');
    let (method, path) = lines.next()?.strip_prefix("> ")?.split_once(' ')?;
    let media = lines.next()?.strip_prefix("> ")?;
    let body: Value = serde_json::from_str(lines.next()?).ok()?;
    let (status, answer) = answer.split_once('\n')?;
    let step = Step { method: method.to_owned(), path: path.to_owned(), media: media.to_owned(), body };
    Some((step, Answer { status: status.parse().ok()?, body: serde_json::from_str(answer).ok()? }))
}

#[test]
fn recordings_come_back() {
    let steps = super::generator::sequence(5, 20, "n");
    let recording: Recording = steps
        .into_iter()
        .map(|step| (step, Answer { status: 200, body: serde_json::json!({"a": ["multi\nline", 1]}) }))
        .collect();
    assert_eq!(read(&write(&recording)), Ok(recording));
    assert!(read("> GET /a").is_err());
}
