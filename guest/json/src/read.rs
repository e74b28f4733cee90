//! Reads the tree from a text.
//!
//! It goes over the text once, and keeps numbers as they are written. `serde_json` hands over the
//! values of numbers, so that their texts had to be looked for afterwards.
//! docs/decisions/borrowed-json.md says what else it cost.

use super::error::{ParseError, Reason};
use super::number::Number;
use super::{Json, plain};
use std::borrow::Cow;

/// Levels of lists and objects, as in `serde_json`. Functions that walk the tree are recursive.
const MAX_DEPTH: u8 = 127;

impl<'a> Json<'a> {
    /// Reads a JSON text (RFC 8259).
    ///
    /// # Errors
    /// When the text is not JSON, is nested more than 127 levels deep, has a number that is larger
    /// than every floating-point number of 64 bits, or half of a surrogate pair.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        let mut reader = Reader::new(text);
        reader.document().map_err(|reason| ParseError::at(reason, text, reader.at))
    }
}

struct Reader<'a> {
    text: &'a str,
    /// How many bytes were read.
    at: usize,
    /// Levels that may still begin.
    depth: u8,
    /// Members of the objects that were begun and not ended, those of the innermost object last. The
    /// vector of an object is made when its size is known, so that it never grows.
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    /// Items of the lists that were begun and not ended.
    items: Vec<Json<'a>>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        // The first entry belongs to nothing and stays: `split_off` copies what is behind it, and would
        // give away the whole buffer if there were nothing in front.
        let (mut members, mut items) = (Vec::with_capacity(32), Vec::with_capacity(16));
        members.push((Cow::Borrowed(""), Json::Null));
        items.push(Json::Null);
        Reader { text, at: 0, depth: MAX_DEPTH, members, items }
    }

    fn document(&mut self) -> Result<Json<'a>, Reason> {
        let first = self.token()?;
        let value = self.value(first)?;
        match self.token() {
            Err(_) => Ok(value),
            Ok(_) => Err(self.before(Reason::Rest)),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// An error at the byte that was read last.
    #[cold]
    fn before(&mut self, reason: Reason) -> Reason {
        self.at -= 1;
        reason
    }

    /// The next byte that is not white space. It counts as read.
    #[inline(always)]
    fn token(&mut self) -> Result<u8, Reason> {
        match self.peek() {
            // The texts of programs have no white space.
            Some(byte) if byte > b' ' => {
                self.at += 1;
                Ok(byte)
            }
            _ => self.token_behind_space(),
        }
    }

    #[cold]
    fn token_behind_space(&mut self) -> Result<u8, Reason> {
        loop {
            let byte = self.peek().ok_or(Reason::End)?;
            self.at += 1;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(byte);
            }
        }
    }

    /// A value whose first byte was read.
    fn value(&mut self, first: u8) -> Result<Json<'a>, Reason> {
        match first {
            b'"' => self.string().map(Json::Str),
            b'{' => self.object(),
            b'[' => self.list(),
            b'-' | b'0'..=b'9' => self.number(first),
            b't' => self.word("rue", Json::Bool(true)),
            b'f' => self.word("alse", Json::Bool(false)),
            b'n' => self.word("ull", Json::Null),
            _ => Err(self.before(Reason::Value)),
        }
    }

    /// Begins a list or an object whose first byte was read.
    fn enter(&mut self) -> Result<(), Reason> {
        match self.depth.checked_sub(1) {
            Some(depth) => self.depth = depth,
            None => return Err(self.before(Reason::Depth)),
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Json<'a>, Reason> {
        self.enter()?;
        let begun = self.members.len();
        let mut next = self.token()?;
        while next != b'}' {
            if next != b'"' {
                return Err(self.before(Reason::Name));
            }
            let name = self.string()?;
            if self.token()? != b':' {
                return Err(self.before(Reason::Colon));
            }
            let value = match self.token()? {
                // Most values are strings.
                b'"' => Json::Str(self.string()?),
                first => self.value(first)?,
            };
            self.members.push((name, value));
            next = self.token()?;
            if next == b',' {
                next = self.token()?;
                // A comma that nothing follows.
                if next == b'}' {
                    return Err(self.before(Reason::Name));
                }
            } else if next != b'}' {
                return Err(self.before(Reason::NextMember));
            }
        }
        self.depth += 1;
        Ok(Json::Object(self.members.split_off(begun)))
    }

    fn list(&mut self) -> Result<Json<'a>, Reason> {
        self.enter()?;
        let begun = self.items.len();
        let mut next = self.token()?;
        while next != b']' {
            let item = self.value(next)?;
            self.items.push(item);
            next = self.token()?;
            if next == b',' {
                next = self.token()?;
                // A comma that nothing follows.
                if next == b']' {
                    return Err(self.before(Reason::Value));
                }
            } else if next != b']' {
                return Err(self.before(Reason::NextItem));
            }
        }
        self.depth += 1;
        Ok(Json::Array(self.items.split_off(begun)))
    }

    fn word(&mut self, rest: &str, value: Json<'a>) -> Result<Json<'a>, Reason> {
        for wanted in rest.bytes() {
            match self.peek() {
                None => return Err(Reason::End),
                Some(byte) if byte == wanted => self.at += 1,
                Some(_) => return Err(Reason::Word),
            }
        }
        Ok(value)
    }

    /// A number whose first byte was read (RFC 8259, section 6).
    fn number(&mut self, first: u8) -> Result<Json<'a>, Reason> {
        let start = self.at - 1;
        let mut first_digit = first;
        if first == b'-' {
            first_digit = self.peek().ok_or(Reason::End)?;
            self.at += 1;
        }
        match first_digit {
            // No digit follows a zero in front.
            b'0' if matches!(self.peek(), Some(b'0'..=b'9')) => return Err(Reason::Number),
            b'0' => {}
            b'1'..=b'9' => self.skip_digits(),
            _ => return Err(self.before(Reason::Number)),
        }
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            is_whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_whole = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).ok_or(Reason::Number)?;
        if is_whole
            && text != "-0"
            && let Ok(number) = text.parse()
        {
            return Ok(Json::Int(number));
        }
        if let Some(number) = Number::new(text) {
            return Ok(Json::OtherNumber(number));
        }
        self.at = start;
        Err(Reason::LargeNumber)
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Reason> {
        match self.peek() {
            Some(b'0'..=b'9') => {
                self.skip_digits();
                Ok(())
            }
            Some(_) => Err(Reason::Number),
            None => Err(Reason::End),
        }
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// A string whose first quotation mark was read.
    fn string(&mut self) -> Result<Cow<'a, str>, Reason> {
        let plain = self.plain()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        self.escaped_string(plain).map(Cow::Owned)
    }

    /// The part of a string up to what does not stand for itself.
    #[inline]
    fn plain(&mut self) -> Result<&'a str, Reason> {
        let rest = self.text.as_bytes().get(self.at..).ok_or(Reason::EndOfString)?;
        let start = self.at;
        self.at += plain::length(rest);
        self.text.get(start..self.at).ok_or(Reason::EndOfString)
    }

    /// A string that does not end behind its first part.
    #[cold]
    fn escaped_string(&mut self, first: &str) -> Result<String, Reason> {
        let mut content = first.to_owned();
        loop {
            match self.peek() {
                None => return Err(Reason::EndOfString),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(content);
                }
                Some(b'\\') => {
                    self.at += 1;
                    content.push(self.escape()?);
                }
                Some(_) => return Err(Reason::ControlCharacter),
            }
            content.push_str(self.plain()?);
        }
    }

    /// The character of an escape whose backslash was read (RFC 8259, section 7).
    fn escape(&mut self) -> Result<char, Reason> {
        let kind = self.peek().ok_or(Reason::EndOfString)?;
        let character = match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.code();
            }
            _ => return Err(Reason::Escape),
        };
        self.at += 1;
        Ok(character)
    }

    /// The character of one escape with four digits, or of two that are a surrogate pair. The first
    /// `\u` was read.
    fn code(&mut self) -> Result<char, Reason> {
        let first = self.four_digits()?;
        let mut code = first;
        if (0xd800..0xdc00).contains(&first) {
            for wanted in [b'\\', b'u'] {
                match self.peek() {
                    None => return Err(Reason::EndOfString),
                    Some(byte) if byte == wanted => self.at += 1,
                    Some(_) => return Err(Reason::Surrogate),
                }
            }
            let second = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(Reason::Surrogate);
            }
            code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        }
        // A second half without a first one is no character.
        char::from_u32(code).ok_or(Reason::Surrogate)
    }

    /// Four hexadecimal digits.
    fn four_digits(&mut self) -> Result<u32, Reason> {
        let mut number = 0;
        for _ in 0..4 {
            let byte = self.peek().ok_or(Reason::EndOfString)?;
            let digit = char::from(byte).to_digit(16).ok_or(Reason::Escape)?;
            self.at += 1;
            number = number * 16 + digit;
        }
        Ok(number)
    }
}
