//! Numbers whose text is kept.
//!
//! The parser hands over values and not texts. A number that was read as a floating-point number
//! and is written again may look different, or lose digits. So a second scan over the text, which
//! is known to be JSON, finds the texts.

/// The text of a number, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a>(&'a str);

impl<'a> Number<'a> {
    /// Stands for a number until its text is found.
    pub(super) const UNKNOWN: Number<'static> = Number("0");

    /// The text.
    pub fn text(&self) -> &'a str {
        self.0
    }
}

/// The numbers in a JSON text, in their order.
pub(super) struct Numbers<'a> {
    rest: &'a str,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Numbers { rest: text }
    }
}

impl<'a> Iterator for Numbers<'a> {
    type Item = Number<'a>;

    fn next(&mut self) -> Option<Number<'a>> {
        loop {
            let start = self.rest.find(|char: char| char == '"' || char == '-' || char.is_ascii_digit())?;
            let found = self.rest.get(start..)?;
            match found.strip_prefix('"') {
                Some(string) => self.rest = behind_string(string)?,
                None => {
                    let is_part = |char: char| char.is_ascii_digit() || "+-.eE".contains(char);
                    let end = found.find(|char| !is_part(char)).unwrap_or(found.len());
                    let (number, rest) = found.split_at_checked(end)?;
                    self.rest = rest;
                    return Some(Number(number));
                }
            }
        }
    }
}

/// The rest of a text behind a string. `text` begins behind its opening quotation mark.
fn behind_string(text: &str) -> Option<&str> {
    let mut bytes = text.bytes().enumerate();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'"' => return text.get(index + 1..),
            // The byte behind a backslash does not end the string.
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    None
}
