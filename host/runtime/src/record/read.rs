//! Reads the records of a folder, and says where there is damage.

use super::{Record, ring};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line that is read, in bytes: many times the largest review.
const LINE_BYTES: u64 = 256 << 20;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u64,
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The last line of a file has no end: its writer was stopped, or is writing just now.
    Cut,
    /// Something else; a sentence.
    Corrupt(String),
}

/// One line of a folder's files.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it is.
    pub location: Location,
    /// The record, or why there is none.
    pub content: Result<Record, Damage>,
}

/// All records of a folder, the oldest first. A file that cannot be read further ends with one
/// damaged entry.
///
/// # Errors
/// When the folder cannot be read.
pub fn records(directory: &Path) -> io::Result<impl Iterator<Item = Entry>> {
    let segments = ring::segments(directory)?;
    Ok(segments.into_iter().flat_map(|(_, file)| Lines::open(file)))
}

/// The last records of a folder, the oldest of them first. Damaged lines are left out.
///
/// # Errors
/// When the folder cannot be read.
pub fn latest(directory: &Path, at_most: usize) -> io::Result<Vec<Record>> {
    let mut latest = VecDeque::new();
    for (_, file) in ring::segments(directory)?.into_iter().rev() {
        let missing = at_most - latest.len();
        if missing == 0 {
            break;
        }
        let records: Vec<Record> = Lines::open(file).filter_map(|entry| entry.content.ok()).collect();
        for record in records.into_iter().rev().take(missing) {
            latest.push_front(record);
        }
    }
    Ok(latest.into())
}

/// The lines of one file.
struct Lines {
    file: PathBuf,
    reader: Option<BufReader<File>>,
    /// Why it could not be opened.
    unopened: Option<io::Error>,
    line: u64,
}

impl Lines {
    fn open(file: PathBuf) -> Self {
        let (reader, unopened) = match File::open(&file) {
            Ok(opened) => (Some(BufReader::new(opened)), None),
            // The writer has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
            Err(error) => (None, Some(error)),
        };
        Self { file, reader, unopened, line: 0 }
    }

    fn entry(&self, content: Result<Record, Damage>) -> Entry {
        Entry { location: Location { file: self.file.clone(), line: self.line }, content }
    }

    fn unreadable(&self, error: &io::Error) -> Entry {
        self.entry(Err(Damage::Corrupt(format!("it cannot be read: {error}"))))
    }
}

impl Iterator for Lines {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.line += 1;
        if let Some(error) = self.unopened.take() {
            return Some(self.unreadable(&error));
        }
        let mut line = Vec::new();
        match self.reader.as_mut()?.take(LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) if line.pop() != Some(b'\n') => {
                self.reader = None;
                Some(self.entry(Err(Damage::Cut)))
            }
            Ok(_) => {
                let record = match std::str::from_utf8(&line) {
                    Ok(text) => Record::from_line(text),
                    Err(error) => Err(format!("it is not UTF-8: {error}")),
                };
                Some(self.entry(record.map_err(Damage::Corrupt)))
            }
            Err(error) => {
                self.reader = None;
                Some(self.unreadable(&error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Damage, latest, records};
    use crate::record::{Decision, Record};
    use orascache_contract::{Observed, Plan};
    use std::fs;
    use std::path::Path;

    fn line(at: u64) -> String {
        let observed = Observed { primary: "{}".into(), now: at, ..Observed::default() };
        let decision = Decision::Reconcile { observed, output: Ok(Plan::default()) };
        let record = Record { at, component: String::new(), redacted: false, altered: false, decision };
        record.to_line().expect("a line")
    }

    fn write(folder: &Path, number: u32, content: impl AsRef<[u8]>) {
        fs::write(folder.join(format!("decisions-{number:010}.jsonl")), content).expect("written");
    }

    #[test]
    fn damaged_lines_are_located_and_the_others_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut second = format!("{}{}", line(4), line(5));
        second.truncate(second.len() - 1);
        write(folder.path(), 10, second);
        let lines = [line(1), line(2), line(3)].map(String::into_bytes);
        let [one, two, three] = lines.each_ref().map(Vec::as_slice);
        let first = [one, b"\xff\xfe\n", b"\n", two, b"{}\n", three];
        write(folder.path(), 9, first.concat());
        write(folder.path(), 11, "");
        fs::write(folder.path().join("notes.jsonl"), "unrelated").expect("written");
        let found: Vec<_> = records(folder.path()).expect("a folder").collect();
        let read: Vec<Result<u64, bool>> = found
            .iter()
            .map(|entry| match &entry.content {
                Ok(record) => Ok(record.at),
                Err(damage) => Err(*damage == Damage::Cut),
            })
            .collect();
        assert_eq!(read, [Ok(1), Err(false), Err(false), Ok(2), Err(false), Ok(3), Ok(4), Err(true)]);
        let location = found[4].location.to_string();
        assert!(location.ends_with("decisions-0000000009.jsonl:5"), "{location}");
        let times = |at_most| {
            let latest = latest(folder.path(), at_most).expect("a folder");
            latest.iter().map(|record| record.at).collect::<Vec<_>>()
        };
        assert_eq!((times(0), times(2), times(100)), (vec![], vec![3, 4], vec![1, 2, 3, 4]));
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(records(&folder.path().join("missing")).is_err());
    }
}
