//! What the tests of this package share.

/// A guest that manages Greetings, and misbehaves when asked to.
pub const GREETER: &[u8] = include_bytes!(env!("GREETER_PATH"));
