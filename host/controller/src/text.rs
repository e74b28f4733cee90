//! Kubernetes objects as JSON text. No tree is built of them: their members are found in the text,
//! and what is stored or sent is made of pieces of it.
//!
//! The text was checked to be JSON before. A cursor looks for the ends of values alone, and what it
//! finds in a text that is no JSON has no meaning; it ends all the same.

mod cursor;
mod object;

pub(crate) use cursor::{Cursor, Name, quoted, string};
pub(crate) use object::{ObjectText, Repeated, check_names};

/// The members of an object, each a name and the text of its value; none when it is no object.
pub(crate) fn members(text: &str) -> Vec<(Name<'_>, &str)> {
    let mut found = Vec::new();
    Cursor::new(text).object(|cursor, name| found.push((name, cursor.value())));
    found
}

/// The text of one member of an object.
pub(crate) fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    members(text).into_iter().find(|(found, _)| found.is(name)).map(|(_, value)| value)
}

/// The texts of the items of an array; none when it is no array.
pub(crate) fn items(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    Cursor::new(text).array(|cursor| found.push(cursor.value()));
    found
}
