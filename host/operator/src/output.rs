//! Documents in and out: YAML or JSON.

#[cfg(feature = "workstation")]
use crate::input;
use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
#[cfg(feature = "workstation")]
use std::path::Path;

/// How documents are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Indented JSON.
    Json,
    /// YAML, several documents separated by `---`.
    Yaml,
}

impl Format {
    /// How names of files in that format end.
    #[cfg(feature = "workstation")]
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Yaml => "yaml",
        }
    }

    /// One document as text, with a final newline.
    ///
    /// # Errors
    /// When the value has no form in that format, such as a map whose keys are not strings.
    pub fn render<T: Serialize>(self, document: &T) -> anyhow::Result<String> {
        let mut text = match self {
            Format::Json => serde_json::to_string_pretty(document)?,
            Format::Yaml => serde_saphyr::to_string(document)?,
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(text)
    }

    /// Several documents: YAML separated by `---`, or a JSON `List` as kubectl reads it.
    ///
    /// # Errors
    /// As [`Format::render`].
    pub fn render_all(self, documents: &[Value]) -> anyhow::Result<String> {
        match (self, documents) {
            (Format::Json, [one]) => self.render(one),
            (Format::Json, many) => {
                self.render(&serde_json::json!({"apiVersion": "v1", "kind": "List", "items": many}))
            }
            (Format::Yaml, many) => {
                let texts =
                    many.iter().map(|document| self.render(document)).collect::<anyhow::Result<Vec<_>>>()?;
                Ok(texts.join("---\n"))
            }
        }
    }
}

/// Reads the documents of a YAML or JSON file, or of standard input for `-`. Empty documents are
/// left out, and the items of Lists are returned one by one.
///
/// # Errors
/// When the file cannot be read or is neither YAML nor JSON; the message names the place.
#[cfg(feature = "workstation")]
pub fn read_documents(path: &Path) -> anyhow::Result<Vec<Value>> {
    Ok(input::read_all(path)?.into_iter().map(|document| document.value).collect())
}

/// Prints to standard output. A reader that ends early (`| head`) is no error.
///
/// # Errors
/// When standard output cannot be written for another reason.
pub fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("standard output cannot be written"),
    }
}
