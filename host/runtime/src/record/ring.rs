//! The files of the records: a ring of segments. When a new segment begins, the oldest is removed.
//!
//! Segments are only appended to. A crash may leave half a line at the end; it is cut off when
//! recording goes on. One process at a time records into a folder; it holds a lock on a file there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Number of files that the capacity is divided into. Each new file removes that part of the
/// records.
const SEGMENTS: u64 = 8;
const PREFIX: &str = "decisions-";
const SUFFIX: &str = ".jsonl";
const LOCK: &str = "lock";

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Records in all files together.
    pub records: u64,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { bytes: 64 << 20, records: 10_000 }
    }
}

/// Why nothing can be recorded into a folder.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Others could read the records, or put some there.
    #[error(
        "{} can be read or written by others: `chmod 700` it, or name a folder that does not exist yet", .0.display()
    )]
    Open(PathBuf),
    /// Two writers would cut each other's lines.
    #[error("another process records into {}: name another folder for this one", .0.display())]
    Taken(PathBuf),
    /// The file system refuses.
    #[error("{} cannot be used for records: {source}", directory.display())]
    Io {
        /// The folder.
        directory: PathBuf,
        /// Its error.
        source: io::Error,
    },
}

/// Outcome of writing a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// The line is in the file's buffer.
    Kept,
    /// The line alone is larger than a segment may be.
    TooLarge,
}

/// The files, open for appending.
pub(super) struct Ring {
    directory: PathBuf,
    capacity: Capacity,
    segment: Option<Segment>,
    /// The number of the newest segment, whether it is open or not.
    newest: u64,
    /// Bytes of the segments that are not open.
    closed: u64,
    /// Locked as long as it is open.
    _lock: File,
}

struct Segment {
    file: BufWriter<File>,
    bytes: u64,
    records: u64,
}

impl Ring {
    /// Opens or makes the folder, and goes on where the last process stopped.
    pub(super) fn open(directory: &Path, capacity: Capacity) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { directory: directory.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let mode = fs::metadata(directory).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(OpenError::Open(directory.to_owned()));
        }
        let lock = private().create(true).open(directory.join(LOCK)).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Taken(directory.to_owned()),
            TryLockError::Error(error) => failed(error),
        })?;
        let newest = segments(directory).map_err(failed)?.last().map_or(0, |(number, _)| *number);
        let mut ring =
            Self { directory: directory.to_owned(), capacity, segment: None, newest, closed: 0, _lock: lock };
        if newest > 0 {
            let segment = ring.resume(newest).map_err(failed)?;
            ring.segment = Some(segment);
        }
        ring.trim().map_err(failed)?;
        Ok(ring)
    }

    /// Appends a line, which ends with a newline. After an error the next call removes what was
    /// written of it.
    pub(super) fn append(&mut self, line: &str) -> io::Result<Appended> {
        let length = line.len() as u64;
        if length > self.segment_bytes() {
            return Ok(Appended::TooLarge);
        }
        let full = |segment: &Segment| {
            segment.bytes + length > self.segment_bytes() || segment.records >= self.segment_records()
        };
        if self.segment.as_ref().is_some_and(full) {
            self.flush()?;
            self.segment = None;
            self.newest += 1;
        }
        let mut segment = match self.segment.take() {
            Some(segment) => segment,
            None => {
                let segment = self.resume(self.newest.max(1))?;
                self.newest = self.newest.max(1);
                self.trim()?;
                segment
            }
        };
        // A segment whose write failed is not put back. The next call opens it again, which cuts it
        // to whole lines.
        segment.file.write_all(line.as_bytes())?;
        segment.bytes += length;
        segment.records += 1;
        self.segment = Some(segment);
        Ok(Appended::Kept)
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let flushed = segment.file.flush();
        if flushed.is_err()
            && let Some(segment) = self.segment.take()
        {
            // Dropping the writer would write its buffer, after lines that come later.
            drop(segment.file.into_parts());
        }
        flushed
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.closed + self.segment.as_ref().map_or(0, |segment| segment.bytes)
    }

    fn segment_bytes(&self) -> u64 {
        self.capacity.bytes / SEGMENTS
    }

    fn segment_records(&self) -> u64 {
        (self.capacity.records / SEGMENTS).max(1)
    }

    /// Opens a segment for appending after its last whole line, and cuts off what stands behind it.
    fn resume(&self, number: u64) -> io::Result<Segment> {
        let mut file = private().create(true).read(true).open(path(&self.directory, number))?;
        let (mut bytes, mut records) = (0, 0);
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                break;
            }
            bytes += read as u64;
            records += 1;
        }
        file.set_len(bytes)?;
        file.seek(SeekFrom::Start(bytes))?;
        Ok(Segment { file: BufWriter::new(file), bytes, records })
    }

    /// Removes the oldest segments until the open one can become full within the capacity.
    fn trim(&mut self) -> io::Result<()> {
        let mut closed = Vec::new();
        for (number, path) in segments(&self.directory)? {
            if number < self.newest {
                closed.push((path.clone(), fs::metadata(&path)?.len()));
            }
        }
        let mut bytes: u64 = closed.iter().map(|(_, bytes)| bytes).sum();
        let mut kept = closed.len() as u64;
        for (path, length) in closed {
            if kept < SEGMENTS && bytes + self.segment_bytes() <= self.capacity.bytes {
                break;
            }
            fs::remove_file(path)?;
            kept -= 1;
            bytes -= length;
        }
        self.closed = bytes;
        Ok(())
    }
}

/// Files that only this user may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{number:010}{SUFFIX}"))
}

/// The segments of a folder, the oldest first.
pub(super) fn segments(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Appended, Capacity, OpenError, Ring, path, segments};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn content(directory: &Path) -> String {
        let segments = segments(directory).expect("segments");
        segments.iter().map(|(_, path)| fs::read_to_string(path).expect("readable")).collect()
    }

    fn append(ring: &mut Ring, numbers: std::ops::Range<u32>) {
        for number in numbers {
            assert_eq!(ring.append(&format!("{number:07}\n")).expect("written"), Appended::Kept);
        }
        ring.flush().expect("flushed");
    }

    fn lines(numbers: std::ops::Range<u32>) -> String {
        numbers.map(|number| format!("{number:07}\n")).collect()
    }

    #[test]
    fn the_oldest_records_are_removed_within_both_limits() {
        for capacity in
            [Capacity { bytes: 1 << 20, records: 80 }, Capacity { bytes: 80 * 8, records: 1_000_000 }]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let directory = folder.path().join("new");
            let mut ring = Ring::open(&directory, capacity).expect("open");
            append(&mut ring, 0..80);
            assert_eq!(content(&directory), lines(0..80), "everything that fits is kept");
            append(&mut ring, 80..81);
            assert_eq!(content(&directory), lines(10..81), "an eighth is removed");
            append(&mut ring, 81..1_000);
            assert_eq!(content(&directory), lines(920..1_000));
            assert_eq!(ring.bytes(), 80 * 8);
        }
    }

    #[test]
    fn recording_goes_on_after_a_crash_and_drops_the_cut_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().join("new");
        let capacity = Capacity { bytes: 1 << 20, records: 80 };
        append(&mut Ring::open(&directory, capacity).expect("open"), 0..15);
        let newest = path(&directory, 2);
        let mut damaged = fs::read(&newest).expect("readable");
        damaged.extend_from_slice(b"00000");
        fs::write(&newest, damaged).expect("writable");
        append(&mut Ring::open(&directory, capacity).expect("open"), 15..80);
        assert_eq!(content(&directory), lines(0..80), "the newest segment is filled up");
        // A smaller capacity takes effect at once.
        let ring = Ring::open(&directory, Capacity { bytes: 20 * 8 * 8, records: 80 }).expect("open");
        drop(ring);
        let ring = Ring::open(&directory, Capacity { bytes: 8 * 8 * 8, records: 80 }).expect("open");
        assert!(ring.bytes() <= 8 * 8 * 8, "{} bytes", ring.bytes());
    }

    #[test]
    fn a_line_larger_than_a_segment_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().join("new");
        let mut ring = Ring::open(&directory, Capacity { bytes: 800, records: 80 }).expect("open");
        assert_eq!(ring.append(&"x".repeat(101)).expect("no error"), Appended::TooLarge);
        append(&mut ring, 0..1);
        assert_eq!(content(&directory), lines(0..1));
    }

    #[test]
    fn other_users_and_other_processes_are_kept_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().join("a/b");
        let mut ring = Ring::open(&directory, Capacity::default()).expect("open");
        append(&mut ring, 0..1);
        let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&path(&directory, 1)), 0o600);
        assert!(matches!(Ring::open(&directory, Capacity::default()), Err(OpenError::Taken(_))));
        drop(ring);
        Ring::open(&directory, Capacity::default()).expect("free again");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o750)).expect("changed");
        let refused = Ring::open(&directory, Capacity::default()).err().expect("refused").to_string();
        assert!(refused.contains("chmod 700"), "{refused}");
        assert_eq!(mode(&directory), 0o750, "the mode of an existing folder stays");
    }
}
