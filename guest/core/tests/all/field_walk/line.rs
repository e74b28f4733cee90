//! One line of the field walk.

use serde_json::{Value, json};

/// One change of one field, and back.
pub(super) struct Line {
    /// Path of the field in the spec.
    pub(super) field: &'static str,
    pub(super) before: Value,
    pub(super) after: Value,
    /// Parts of the refusals of the change and of its reversal. `None` where it is admitted.
    pub(super) refused: [Option<&'static str>; 2],
}

/// A change that is admitted in both directions.
pub(super) fn line(field: &'static str, before: Value, after: Value) -> Line {
    Line { field, before, after, refused: [None, None] }
}

/// A change that is refused, and so is its reversal.
pub(super) fn fixed(field: &'static str, before: Value, after: Value, sentence: &'static str) -> Line {
    Line { field, before, after, refused: [Some(sentence), Some(sentence)] }
}

/// A change that is admitted in one direction only.
pub(super) fn one_way(field: &'static str, before: Value, after: Value, sentence: &'static str) -> Line {
    Line { field, before, after, refused: [None, Some(sentence)] }
}

/// Storage that several pods can write.
pub(super) fn shared() -> Value {
    json!({"size": "1Gi", "accessModes": ["ReadWriteMany"]})
}
