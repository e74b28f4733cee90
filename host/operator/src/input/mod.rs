//! Documents that people hand to a command: files, folders and standard input, YAML or JSON.
//!
//! A document that cannot be read does not hide the others: it is one entry of the result, with its
//! place. `files` says which files are read, `split` where the documents of a file begin, `lines`
//! on which line something stands.

mod files;
mod lines;
mod split;
mod yaml;

use crate::cli::InputArgs;
use lines::Lines;
use serde_json::Value;
use std::fmt;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Where a document begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file; `None` for standard input.
    pub(crate) file: Option<PathBuf>,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(formatter, "{}:{}", file.display(), self.line),
            None => write!(formatter, "standard input, line {}", self.line),
        }
    }
}

/// A document with something in it.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Where it begins.
    pub(crate) place: Place,
    /// What it says.
    pub(crate) value: Value,
    lines: Arc<Lines>,
    /// Where in the document of the file this one is: empty, or an item of a list.
    within: String,
}

impl Document {
    /// The place of what a JSON pointer names; the document's own where it names nothing.
    pub(crate) fn place_of(&self, pointer: &str) -> Place {
        let line = self.lines.line(&format!("{}{pointer}", self.within));
        Place { file: self.place.file.clone(), line: line.unwrap_or(self.place.line) }
    }
}

/// What was found at a place.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// A document.
    Document(Document),
    /// Nothing that this command could look at, and why.
    Skipped(Place, String),
    /// Something that cannot be read, and why.
    Broken(Place, String),
}

/// Reads what the names stand for: files, folders with everything below them, and `-` for standard
/// input. Lists become their items.
///
/// # Errors
/// When a name stands for nothing, and when standard input cannot be read or has nothing in it.
pub(crate) fn read(names: &[PathBuf]) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut stdin_is_read = false;
    for name in names {
        if name != Path::new(STANDARD_INPUT) {
            files::read(name, &mut found)?;
        } else if !stdin_is_read {
            stdin_is_read = true;
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| anyhow::anyhow!("standard input cannot be read: {error}"))?;
            let before = found.len();
            documents(None, &text, &mut found);
            // A program whose output is piped here has failed, or printed nothing.
            if found.len() == before {
                anyhow::bail!("standard input holds nothing: hand over YAML or JSON");
            }
        }
    }
    Ok(found)
}

/// Reads one file or standard input, for commands that want all documents or none.
///
/// # Errors
/// When there is no such file, or when a document in it cannot be read.
pub(crate) fn read_all(name: &Path) -> anyhow::Result<Vec<Document>> {
    let mut documents = Vec::new();
    for found in read(&[name.to_owned()])? {
        match found {
            Found::Document(document) => documents.push(document),
            Found::Skipped(..) => {}
            Found::Broken(place, why) => anyhow::bail!("{place}: {why}"),
        }
    }
    Ok(documents)
}

/// The names that a command got, or standard input where it got none and something is piped in.
///
/// # Errors
/// When there is neither.
pub(crate) fn names(args: &InputArgs) -> anyhow::Result<Vec<PathBuf>> {
    let names = args.names();
    if !names.is_empty() {
        return Ok(names);
    }
    if std::io::stdin().is_terminal() {
        anyhow::bail!(
            "there is nothing to read: name files or folders, or pipe YAML or JSON into this command"
        );
    }
    Ok(vec![PathBuf::from(STANDARD_INPUT)])
}

/// Finds the documents of a text.
fn documents(file: Option<&Path>, text: &str, found: &mut Vec<Found>) {
    let place = |line| Place { file: file.map(Path::to_owned), line };
    let before = found.len();
    let mut comments = None;
    for piece in split::pieces(text) {
        match piece.read() {
            Ok(documents) => {
                for (line, value, lines) in documents {
                    let document =
                        Document { place: place(line), value, lines: lines.into(), within: String::new() };
                    items(document, found);
                }
            }
            Err(split::Unread::Comments(line)) => comments = comments.or(Some(line)),
            Err(split::Unread::Template(line)) => {
                let why = "this is a template, and no YAML before it is rendered: review what `helm template` or another program makes of it";
                found.push(Found::Skipped(place(line), why.to_owned()));
            }
            Err(split::Unread::Broken(line, why)) => {
                found.push(Found::Broken(place(line), format!("this is neither YAML nor JSON: {why}")));
            }
        }
    }
    // A licence in front of the first document is worth no word.
    if let (Some(line), true) = (comments, found.len() == before) {
        found.push(Found::Skipped(place(line), "nothing but comments".to_owned()));
    }
}

/// Replaces a list by its items. The items of a typed list such as a PodList need not name their
/// kind.
fn items(mut document: Document, found: &mut Vec<Found>) {
    let item_kind =
        document.value.get("kind").and_then(Value::as_str).and_then(|kind| kind.strip_suffix("List"));
    let Some(item_kind) = item_kind.map(str::to_owned) else {
        found.push(Found::Document(document));
        return;
    };
    let Some(Value::Array(items)) = document.value.get_mut("items").map(Value::take) else {
        found.push(Found::Document(document));
        return;
    };
    let api_version = document.value.get("apiVersion").cloned();
    for (position, mut value) in items.into_iter().enumerate() {
        if let (Some(members), false) = (value.as_object_mut(), item_kind.is_empty()) {
            members.entry("kind").or_insert_with(|| item_kind.clone().into());
            if let Some(version) = &api_version {
                members.entry("apiVersion").or_insert_with(|| version.clone());
            }
        }
        let within = format!("{}/items/{position}", document.within);
        let place = document.place_of(&format!("/items/{position}"));
        let item = Document { place, value, lines: document.lines.clone(), within };
        self::items(item, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        documents(Some(Path::new("a.yaml")), text, &mut found);
        let describe = |found: Found| match found {
            Found::Document(document) => format!("{} {}", document.place, document.value),
            Found::Skipped(place, why) => format!("{place} skipped: {why}"),
            Found::Broken(place, why) => format!("{place} broken: {why}"),
        };
        found.into_iter().map(describe).collect()
    }

    #[test]
    fn documents_begin_behind_markers_and_comments() {
        let text = "# first\n\na: 1\n---\n---\n# only a comment\n---\n%YAML 1.2\n---\nb: |\n  ---\n  x\n...\n--- {c: 3}\n";
        assert_eq!(
            found(text),
            [r#"a.yaml:3 {"a":1}"#, r#"a.yaml:10 {"b":"---\nx\n"}"#, r#"a.yaml:14 {"c":3}"#]
        );
        assert_eq!(found("\u{feff}a: 1\r\n---\r\nb: 2\r\n"), [r#"a.yaml:1 {"a":1}"#, r#"a.yaml:3 {"b":2}"#]);
        assert!(found("\n---\n\n").is_empty());
        assert_eq!(found("\n# a\n---\n# b\n"), ["a.yaml:2 skipped: nothing but comments"]);
    }

    #[test]
    fn a_broken_document_is_named_by_its_line_and_does_not_hide_the_others() {
        let found = found("a: 1\n---\nb: 2\nc: [1,\n---\nd: 4\n");
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], r#"a.yaml:1 {"a":1}"#);
        assert!(found[1].starts_with("a.yaml:4 broken: this is neither YAML nor JSON: "), "{}", found[1]);
        assert!(found[1].contains("line 4") && !found[1].contains('\n'), "{}", found[1]);
        assert_eq!(found[2], r#"a.yaml:6 {"d":4}"#);
    }

    #[test]
    fn templates_that_are_not_rendered_are_no_broken_documents() {
        let found = found("metadata:\n  name: {{ .Release.Name }}\n");
        assert!(found[0].starts_with("a.yaml:1 skipped: this is a template"), "{found:?}");
        // A template that happens to be YAML is read as such.
        assert_eq!(super::tests::found("a: \"{{ b }}\""), [r#"a.yaml:1 {"a":"{{ b }}"}"#]);
    }

    #[test]
    fn several_json_documents_may_follow_each_other() {
        assert_eq!(found("{\"a\": 1}\n{\n \"b\": 2}\n"), [r#"a.yaml:1 {"a":1}"#, r#"a.yaml:2 {"b":2}"#]);
    }

    #[test]
    fn lists_become_their_items_with_their_lines() {
        let list = "apiVersion: v1\nkind: PodList\nitems:\n- metadata:\n    name: a\n- kind: Pod\n  apiVersion: v1\n";
        assert_eq!(
            found(list),
            [
                r#"a.yaml:4 {"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#,
                r#"a.yaml:6 {"apiVersion":"v1","kind":"Pod"}"#
            ]
        );
        let nested = r#"{"apiVersion": "v1", "kind": "List", "items": [
            {"kind": "List", "items": [
                {"a": 1}]}]}"#;
        assert_eq!(found(nested), [r#"a.yaml:3 {"a":1}"#]);
        assert_eq!(found("kind: AllowList\nspec: {}").len(), 1, "a kind may be called so");
    }

    #[test]
    fn the_parts_of_a_document_have_places() {
        let mut found = Vec::new();
        documents(None, "# x\nkind: A\nspec:\n  list:\n  - one\n  - two:\n      three: 3\n", &mut found);
        let Some(Found::Document(document)) = found.first() else { panic!("a document") };
        assert_eq!(document.place.line, 2);
        for (pointer, line) in
            [("/spec", 4), ("/spec/list/0", 5), ("/spec/list/1/two/three", 7), ("/spec/none", 2), ("", 2)]
        {
            assert_eq!(document.place_of(pointer).line, line, "{pointer}");
        }
    }
}
