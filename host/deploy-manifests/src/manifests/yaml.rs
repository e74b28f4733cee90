//! YAML with comments above it.

use crate::settings::Error;
use serde::Serialize;
use serde_json::Value;

/// Width of comments.
const WIDTH: usize = 110;

/// One document. Lines of the comment are wrapped.
pub(super) fn document<T: Serialize>(comment: &str, object: &T) -> Result<String, Error> {
    let body = serde_saphyr::to_string(object)
        .map_err(|error| Error::Render { what: "a manifest".to_owned(), why: error.to_string() })?;
    Ok(format!("{}{}\n", commented(comment), body.trim_end()))
}

/// Several documents; the comment stands above the first.
pub(super) fn documents(comment: &str, objects: &[Value]) -> Result<String, Error> {
    let bodies = objects.iter().map(|object| document("", object)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{}{}", commented(comment), bodies.join("---\n")))
}

fn commented(comment: &str) -> String {
    let mut text = String::new();
    for paragraph in comment.lines() {
        let mut line = "#".to_owned();
        for word in paragraph.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                text.push_str(&line);
                text.push('\n');
                // What continues a line stands further in.
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
