//! Objects as JSON values.

use crate::error::ManifestError;
use serde::Serialize;
use serde_json::Value;

/// An object as a JSON value.
pub(crate) fn to_value<T: Serialize>(object: &T) -> Result<Value, ManifestError> {
    serde_json::to_value(object)
        .map_err(|error| ManifestError::Render { what: "an object".to_owned(), why: error.to_string() })
}
