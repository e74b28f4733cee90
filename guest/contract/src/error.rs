//! Why there is no answer.

use std::fmt;

/// What a guest says when it has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input is not what the contract says; the sentence says where.
    InvalidInput(String),
    /// A defect of the guest itself.
    Internal(String),
}

impl Error {
    /// The input is not what the contract says; the sentence says where.
    pub fn invalid_input(sentence: impl Into<String>) -> Self {
        Self::InvalidInput(sentence.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::InvalidInput(sentence) | Error::Internal(sentence) => formatter.write_str(sentence),
        }
    }
}

impl std::error::Error for Error {}

/// Why a host got no answer from a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum GuestError {
    /// The guest says that the input is not what the contract says; the sentence says where.
    InvalidInput(String),
    /// The guest reported a defect of its own.
    Internal(String),
    /// The guest trapped, ran out of time or of memory; nothing it said may be used.
    Stopped(String),
    /// The host did not ask the guest, since it runs as many calls as it may. Asking again later
    /// may help.
    Busy(String),
}

impl fmt::Display for GuestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuestError::InvalidInput(sentence) => {
                write!(formatter, "the guest cannot use its input: {sentence}")
            }
            GuestError::Internal(sentence) => write!(formatter, "the guest failed: {sentence}"),
            GuestError::Stopped(sentence) => write!(formatter, "the guest was stopped: {sentence}"),
            GuestError::Busy(sentence) => write!(formatter, "the guest was not asked: {sentence}"),
        }
    }
}

impl std::error::Error for GuestError {}

impl From<Error> for GuestError {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidInput(sentence) => GuestError::InvalidInput(sentence),
            Error::Internal(sentence) => GuestError::Internal(sentence),
        }
    }
}
