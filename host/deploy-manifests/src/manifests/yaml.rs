//! YAML with comments above it.

use crate::error::ManifestError;
use serde::Serialize;
use serde_json::Value;

/// Longest line of a comment.
const WIDTH: usize = 100;

/// One document with a comment above it.
pub(crate) fn document<T: Serialize>(comment: &str, object: &T) -> Result<String, ManifestError> {
    let body = serde_saphyr::to_string(object)
        .map_err(|error| ManifestError::Render { what: "a manifest".to_owned(), why: error.to_string() })?;
    Ok(format!("{}{}\n", commented(comment), body.trim_end()))
}

/// Several documents with a comment above the first.
pub(crate) fn documents(comment: &str, objects: &[Value]) -> Result<String, ManifestError> {
    let bodies = objects.iter().map(|object| document("", object)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{}{}", commented(comment), bodies.join("---\n")))
}

/// A comment with wrapped lines. Each line of the text becomes a paragraph.
fn commented(comment: &str) -> String {
    let mut text = String::new();
    for paragraph in comment.lines() {
        let mut line = "#".to_owned();
        for word in paragraph.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                text.push_str(&line);
                text.push('\n');
                // Further lines of a paragraph are indented.
                line = "#  ".to_owned();
            }
            line.push(' ');
            line.push_str(word);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}
