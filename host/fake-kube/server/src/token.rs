//! The bearer token that requests must carry.

use std::fmt;

use rand::Rng;
use subtle::ConstantTimeEq;

/// A bearer token. `Debug` does not show it.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A given token. It must consist of characters that an HTTP header can carry.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// A new random token of 256 bits, in hexadecimal.
    pub fn random() -> Self {
        let bytes: [u8; 32] = rand::rng().random();
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The token in clear text. Keep it out of logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `given` is the token. The comparison takes equally long wherever the two differ.
    pub(crate) fn matches(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn tokens_are_random_and_not_shown() {
        let token = Token::random();
        assert_eq!(token.reveal().len(), 64);
        assert_ne!(token.reveal(), Token::random().reveal());
        assert!(!format!("{token:?}").contains(token.reveal()));
    }
}
