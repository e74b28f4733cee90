//! Why a text cannot be read.

use std::fmt;

/// Why a text cannot be read, and where: at the first byte that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    reason: Reason,
    /// From 1.
    line: usize,
    /// In bytes, from 1.
    column: usize,
}

impl ParseError {
    /// Lines are counted afterwards, and not by every reading: nearly all texts are JSON.
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
            Reason::Value => "a value was expected",
            Reason::Word => "no words but true, false and null are known",
            Reason::Number => "a number is not written as JSON demands",
            Reason::LargeNumber => "a number is larger than every floating-point number of 64 bits",
            Reason::Name => "a member name in quotation marks was expected",
            Reason::Colon => "`:` was expected behind a member name",
            Reason::NextItem => "`,` or `]` was expected",
            Reason::NextMember => "`,` or `}` was expected",
            Reason::EndOfString => "a string does not end",
            Reason::ControlCharacter => "a control character in a string is not escaped",
            Reason::Escape => "a string has an escape that JSON does not know",
            Reason::Surrogate => "a string has half of a surrogate pair",
            Reason::Depth => "lists and objects are nested more than 127 levels deep",
            Reason::Rest => "more text follows the value",
        }
    }
}
