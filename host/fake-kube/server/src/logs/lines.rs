//! The lines of one log.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;

/// How many bytes of one log are kept.
const KEPT: usize = 4 << 20;
/// A longer line is cut into several entries (containerd `MaxContainerLogLineSize`).
const LONGEST_LINE: usize = 16 << 10;
/// What a line costs besides its text.
const OVERHEAD: usize = 64;

/// Where a process writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line, with its line end if it has one.
#[derive(Clone, Debug)]
pub struct Line {
    pub time: Timestamp,
    pub stream: OutputStream,
    pub text: Bytes,
}

/// The log of one run of a container.
#[derive(Default)]
pub struct Log {
    state: Mutex<State>,
    /// Counts changes.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    /// How many lines were dropped at the front.
    dropped: u64,
    /// How many bytes the lines need.
    bytes: usize,
    /// Output behind the last line end, by stream.
    rest: [Vec<u8>; 2],
    closed: bool,
}

impl State {
    fn push(&mut self, stream: OutputStream, text: Bytes) {
        self.bytes += text.len() + OVERHEAD;
        self.lines.push_back(Line { time: Timestamp::now(), stream, text });
        while self.bytes > KEPT
            && let Some(line) = self.lines.pop_front()
        {
            self.bytes -= line.text.len() + OVERHEAD;
            self.dropped += 1;
        }
    }

    fn rest(&mut self, stream: OutputStream) -> &mut Vec<u8> {
        let [stdout, stderr] = &mut self.rest;
        match stream {
            OutputStream::Stdout => stdout,
            OutputStream::Stderr => stderr,
        }
    }
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends output.
    pub fn write(&self, stream: OutputStream, bytes: &[u8]) {
        let mut state = self.state();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let rest = state.rest(stream);
            rest.extend_from_slice(part);
            if part.ends_with(b"\n") || rest.len() >= LONGEST_LINE {
                let text = std::mem::take(rest).into();
                state.push(stream, text);
            }
        }
        drop(state);
        self.tell();
    }

    /// Ends the log.
    pub fn close(&self) {
        let mut state = self.state();
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let rest = std::mem::take(state.rest(stream));
            if !rest.is_empty() {
                state.push(stream, rest.into());
            }
        }
        state.closed = true;
        drop(state);
        self.tell();
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Hears of changes from now on.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The number of the line that is `lines` before the end.
    pub fn before_end(&self, lines: u64) -> u64 {
        let state = self.state();
        let end = state.dropped + state.lines.len() as u64;
        end.saturating_sub(lines).max(state.dropped)
    }

    /// The lines from a number on, at most `most` of them, the number of the line behind them, and
    /// whether no more lines will come.
    pub fn from(&self, number: u64, most: usize) -> (Vec<Line>, u64, bool) {
        let state = self.state();
        let skipped = usize::try_from(number.saturating_sub(state.dropped)).unwrap_or(usize::MAX);
        let lines: Vec<Line> = state.lines.iter().skip(skipped).take(most).cloned().collect();
        let next = number.max(state.dropped) + lines.len() as u64;
        let at_end = next >= state.dropped + state.lines.len() as u64;
        (lines, next, at_end && state.closed)
    }

    /// The last lines, at most so many and at most so many bytes.
    pub fn tail(&self, lines: usize, bytes: usize) -> String {
        let state = self.state();
        let skipped = state.lines.len().saturating_sub(lines);
        let mut text: Vec<u8> = Vec::new();
        for line in state.lines.iter().skip(skipped) {
            text.extend_from_slice(&line.text);
        }
        for rest in &state.rest {
            text.extend_from_slice(rest);
        }
        let start = text.len().saturating_sub(bytes);
        String::from_utf8_lossy(text.get(start..).unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, LONGEST_LINE, Log, OutputStream};

    fn texts(log: &Log, from: u64) -> Vec<String> {
        let (lines, _, _) = log.from(from, 100);
        lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
    }

    #[test]
    fn output_is_cut_into_lines_by_stream() {
        let log = Log::default();
        log.write(OutputStream::Stdout, b"a\nb");
        log.write(OutputStream::Stderr, b"x\n");
        log.write(OutputStream::Stdout, b"c\nend");
        assert_eq!(texts(&log, 0), ["a\n", "x\n", "bc\n"]);
        assert_eq!(log.tail(1, 100), "bc\nend");
        log.close();
        assert_eq!(texts(&log, 2), ["bc\n", "end"]);
        assert_eq!(log.before_end(1), 3);
        assert!(log.from(4, 1).2, "the log has ended");
    }

    #[test]
    fn only_the_last_part_of_a_long_log_is_kept() {
        let log = Log::default();
        let line = vec![b'x'; LONGEST_LINE];
        for _ in 0..2 * KEPT / LONGEST_LINE {
            log.write(OutputStream::Stdout, &line);
        }
        let (lines, next, _) = log.from(0, usize::MAX);
        assert!(lines.len() < KEPT / LONGEST_LINE, "{}", lines.len());
        assert_eq!(next, (2 * KEPT / LONGEST_LINE) as u64, "numbers count dropped lines");
    }
}
