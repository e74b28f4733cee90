//! Where the documents of a text begin, and what each of them says.

use super::lines::Lines;
use super::yaml::yaml;
use serde_json::Value;

/// One document of a YAML stream, or several JSON documents behind each other.
pub(super) struct Piece<'t> {
    text: &'t str,
    /// Line of its first character in the whole text, counted from 1.
    first_line: usize,
}

/// Why a piece has no document. The numbers are lines of the whole text.
pub(super) enum Unread {
    Comments(usize),
    /// A template of Helm or of another program, which is no YAML before it is rendered.
    Template(usize),
    Broken(usize, String),
}

/// Splits a text at its document markers (YAML 1.2.2, section 9.1). Pieces without anything in them
/// are left out.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut pieces = Vec::new();
    let (mut start, mut first_line, mut position) = (0, 1, 0);
    let mut end = |start: usize, end: usize, first_line| {
        let piece = Piece { text: text.get(start..end).unwrap_or_default(), first_line };
        if !piece.is_blank() {
            pieces.push(piece);
        }
    };
    // Directives stand in front of the marker of their document.
    let mut only_directives = true;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let next = position + line.len();
        if is_marker(line, "---") {
            if !only_directives {
                end(start, position, first_line);
                (start, first_line) = (position, index + 1);
            }
            only_directives = false;
        } else if is_marker(line, "...") {
            end(start, position, first_line);
            (start, first_line) = (next, index + 2);
            only_directives = true;
        } else if !line.starts_with('%') && !line.trim().is_empty() {
            only_directives = false;
        }
        position = next;
    }
    end(start, position, first_line);
    pieces
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

impl Piece<'_> {
    /// The documents with the lines on which they begin.
    pub(super) fn read(&self) -> Result<Vec<(usize, Value, Lines)>, Unread> {
        let Some(offset) = self.text.lines().position(is_content) else {
            return Err(Unread::Comments(self.line_of(self.text.lines().position(is_comment).unwrap_or(0))));
        };
        let line = self.line_of(offset);
        let before = self.first_line - 1;
        match yaml::<Value>(self.text) {
            Ok(Value::Null) => Err(Unread::Comments(line)),
            Ok(value) => Ok(vec![(line, value, Lines::of(self.text, before))]),
            Err(_) => self.json_stream().ok_or_else(|| self.unread(line)),
        }
    }

    /// Several JSON documents, as `jq` prints them.
    fn json_stream(&self) -> Option<Vec<(usize, Value, Lines)>> {
        if !self.text.trim_start().starts_with('{') {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(self.text).into_iter::<Value>();
        let mut found = Vec::new();
        loop {
            let start = values.byte_offset();
            let Some(value) = values.next() else { return Some(found) };
            let text = self.text.get(start..values.byte_offset()).unwrap_or_default();
            let skipped = text.len() - text.trim_start().len();
            let ahead = self.text.get(..start + skipped).unwrap_or_default();
            let before = self.first_line - 1 + ahead.matches('\n').count();
            found.push((before + 1, value.ok()?, Lines::of(text.trim_start(), before)));
        }
    }

    /// Why the piece cannot be read. `line` is where it begins.
    fn unread(&self, line: usize) -> Unread {
        if self.text.contains("{{") {
            return Unread::Template(line);
        }
        // Once more, with everything in its line of the whole text, so that the message is about
        // these lines.
        let text = format!("{}{}", "\n".repeat(self.first_line - 1), self.text);
        let Err(error) = yaml::<Value>(&text) else {
            return Unread::Broken(line, "the document cannot be read".to_owned());
        };
        let at = error.location().and_then(|location| usize::try_from(location.line()).ok());
        let sentence = error.without_snippet().to_string();
        let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
        Unread::Broken(at.filter(|line| *line > 0).unwrap_or(line), sentence)
    }

    fn line_of(&self, offset: usize) -> usize {
        self.first_line + offset
    }

    /// Whether there is nothing but markers in it.
    fn is_blank(&self) -> bool {
        self.text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_end() == "---" || line.starts_with('%'))
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Whether a line is more than a comment, a directive or a marker.
fn is_content(line: &str) -> bool {
    let line = match line.strip_prefix("---") {
        Some(rest) if is_marker(line, "---") => rest,
        _ if line.starts_with('%') => return false,
        _ => line,
    };
    !line.trim().is_empty() && !is_comment(line)
}
