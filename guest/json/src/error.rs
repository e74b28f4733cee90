//! Why a text is not JSON.

use std::fmt;

/// Why a text is not JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    reason: Reason,
    /// From 1.
    line: usize,
    /// In bytes, from 1.
    column: usize,
}

impl ParseError {
    /// Not part of reading, which only keeps how far it came: few texts are not JSON.
    #[cold]
    pub(crate) fn at(reason: Reason, text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        ParseError { reason, line, column }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParseError { reason, line, column } = self;
        write!(formatter, "{} at line {line} column {column}", reason.text())
    }
}

impl std::error::Error for ParseError {}

/// What was found, or what was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    End,
    Value,
    Word,
    Number,
    LargeNumber,
    Name,
    Colon,
    NextItem,
    NextMember,
    EndOfString,
    ControlCharacter,
    Escape,
    Surrogate,
    Depth,
    Rest,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Reason::End => "the text ends too early",
            Reason::Value => "expected a value",
            Reason::Word => "expected true, false or null",
            Reason::Number => "this is not how JSON writes a number",
            Reason::LargeNumber => "a number that is too large to be read everywhere",
            Reason::Name => "expected a member name in quotation marks",
            Reason::Colon => "expected `:` behind a member name",
            Reason::NextItem => "expected `,` or `]`",
            Reason::NextMember => "expected `,` or `}`",
            Reason::EndOfString => "a string does not end",
            Reason::ControlCharacter => "a control character in a string, which must be escaped",
            Reason::Escape => "no such escape in JSON",
            Reason::Surrogate => "half of a surrogate pair",
            Reason::Depth => "nested too deeply",
            Reason::Rest => "more text behind the value",
        }
    }
}
