//! What determines the outputs of a step, as a document whose digest is the key.
//!
//! The document holds digests of values and never the values themselves: it is stored in the
//! registry, where others can read it. It says nothing about where outputs go to, how long the step
//! waits, or how the registry is reached.

use oci_registry_client::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the document. Another version never has the same key.
pub const FORMAT: u32 = 1;
/// Media type of the document, as the configuration of a manifest.
pub const MEDIA_TYPE: &str = "application/vnd.converged-computing.orascache.key.v1+json";
/// Largest document that is read, in bytes. A step may have thousands of inputs and files.
pub const MAX_SIZE: usize = 4 << 20;

/// What determines one output of a step. Its JSON has no spaces, and its members are in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyDocument {
    /// [`FORMAT`].
    pub format: u32,
    /// The image, as the pod has it.
    pub image: Option<String>,
    /// Digests of the words of the command.
    pub command: Vec<String>,
    /// The working directory.
    pub directory: String,
    /// The inputs, in order.
    pub inputs: Vec<KeyInput>,
    /// What happens when two inputs hold the same file.
    pub input_conflicts: String,
    /// Paths of the outputs, in order.
    pub outputs: Vec<String>,
    /// The place of this output among them.
    pub output: usize,
    /// File for a copy of the standard output.
    pub output_pipe: Option<String>,
    /// Whether a pull unpacks directories.
    pub unpack: bool,
    /// How directories are compressed. None for gzip, as in the documents from before there was a
    /// choice, so that their keys stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// Index of the pod in its Job or StatefulSet.
    pub index: Option<String>,
    /// Digests of the values of variables. None for a variable that is not set.
    pub variables: BTreeMap<String, Option<String>>,
    /// Variables that count by where their values come from, in order.
    pub named_variables: Vec<NamedVariable>,
    /// Digest of the salt.
    pub salt: Option<String>,
    /// Files whose content counts, in order.
    pub files: Vec<KeyFile>,
}

/// An input of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInput {
    /// The directory that it is pulled into.
    pub path: String,
    /// Digest of its manifest.
    pub digest: String,
}

/// A variable that counts by its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedVariable {
    /// Its name, or the beginning of the names of several, with `*`.
    pub name: String,
    /// Where its value comes from, or the digest of a text that holds other variables.
    pub source: String,
}

/// A file whose content counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// Its path.
    pub path: String,
    /// Digest of its content.
    pub digest: String,
}

/// The member by which versions are told apart.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// A key, with the document that it is the digest of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    digest: Digest,
    /// The document.
    pub document: Vec<u8>,
}

impl KeyDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// The end of a sentence that begins with the place of the document.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wrong = |error| format!("is no document of a key: {error}");
        let Version { format } = serde_json::from_slice(bytes).map_err(wrong)?;
        if format != FORMAT {
            return Err(format!(
                "is a document of version {format}, and this program knows version {FORMAT}"
            ));
        }
        serde_json::from_slice(bytes).map_err(wrong)
    }

    /// The key of one of the outputs.
    pub fn key(&self, output: usize) -> Key {
        let document = KeyDocument { output, ..self.clone() };
        // Maps with keys that are texts, and lists, can always be written.
        let document = serde_json::to_vec(&document).unwrap_or_default();
        Key { digest: Digest::of(&document), document }
    }

    /// The parts of the document with their values, for people.
    pub fn parts(&self) -> Vec<(String, String)> {
        let mut parts = Vec::new();
        let mut add = |name: String, value: String| parts.push((name, value));
        let none = || "none".to_owned();
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(none);
        add("format".to_owned(), self.format.to_string());
        add("image".to_owned(), or_none(&self.image));
        for (place, word) in self.command.iter().enumerate() {
            add(format!("word {place} of the command"), word.clone());
        }
        add("working directory".to_owned(), self.directory.clone());
        for (place, input) in (1..).zip(&self.inputs) {
            add(format!("path of input {place}"), input.path.clone());
            add(format!("manifest of input {place}"), input.digest.clone());
        }
        add("conflicts of inputs".to_owned(), self.input_conflicts.clone());
        for (place, path) in (1..).zip(&self.outputs) {
            add(format!("path of output {place}"), path.clone());
        }
        add("this output".to_owned(), (self.output + 1).to_string());
        add("output pipe".to_owned(), or_none(&self.output_pipe));
        add("unpack".to_owned(), self.unpack.to_string());
        add("compression".to_owned(), self.compression.clone().unwrap_or_else(|| "gzip".to_owned()));
        add("index".to_owned(), or_none(&self.index));
        for (name, value) in &self.variables {
            add(format!("variable {name}"), value.clone().unwrap_or_else(|| "not set".to_owned()));
        }
        for variable in &self.named_variables {
            add(format!("source of variable {}", variable.name), variable.source.clone());
        }
        add("salt".to_owned(), or_none(&self.salt));
        for file in &self.files {
            add(format!("file {}", file.path), file.digest.clone());
        }
        parts
    }
}

impl Key {
    /// The key: 64 hexadecimal digits.
    pub fn text(&self) -> &str {
        let digest = self.digest.as_str();
        digest.split_once(':').map_or(digest, |(_, key)| key)
    }

    /// The digest of the document.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> KeyDocument {
        KeyDocument {
            format: FORMAT,
            image: Some("busybox:1".to_owned()),
            command: vec!["sha256:1".to_owned()],
            directory: "/work".to_owned(),
            inputs: vec![KeyInput { path: ".".to_owned(), digest: "sha256:2".to_owned() }],
            input_conflicts: "refuse".to_owned(),
            outputs: vec!["out".to_owned(), "log".to_owned()],
            output: 0,
            output_pipe: None,
            unpack: true,
            compression: None,
            index: None,
            variables: BTreeMap::from([
                ("B".to_owned(), None),
                ("A".to_owned(), Some("sha256:3".to_owned())),
            ]),
            named_variables: vec![NamedVariable { name: "T".to_owned(), source: "secret/s/k".to_owned() }],
            salt: None,
            files: Vec::new(),
        }
    }

    #[test]
    fn the_document_has_one_form() {
        // This text is the contract between versions: where it changes, FORMAT must change too.
        let wanted = r#"{"format":1,"image":"busybox:1","command":["sha256:1"],"directory":"/work","inputs":[{"path":".","digest":"sha256:2"}],"inputConflicts":"refuse","outputs":["out","log"],"output":1,"outputPipe":null,"unpack":true,"index":null,"variables":{"A":"sha256:3","B":null},"namedVariables":[{"name":"T","source":"secret/s/k"}],"salt":null,"files":[]}"#;
        let key = document().key(1);
        assert_eq!(String::from_utf8(key.document.clone()).unwrap(), wanted);
        assert_eq!(key.digest(), &Digest::of(wanted.as_bytes()));
        assert_eq!(format!("sha256:{}", key.text()), key.digest().to_string());
        assert_eq!(KeyDocument::parse(&key.document).unwrap(), KeyDocument { output: 1, ..document() });
        assert_ne!(document().key(0), key, "each output has a key of its own");
        // Gzip is not mentioned, as before there was a choice.
        let zstd = KeyDocument { compression: Some("zstd".to_owned()), ..document() }.key(1);
        let wanted = wanted.replace(r#""unpack":true,"#, r#""unpack":true,"compression":"zstd","#);
        assert_eq!(String::from_utf8(zstd.document).unwrap(), wanted);
    }

    #[test]
    fn other_documents_are_refused() {
        for (text, why) in [
            ("{}", "is no document of a key"),
            ("x", "is no document of a key"),
            (r#"{"format":2}"#, "is a document of version 2, and this program knows version 1"),
            (r#"{"format":1,"more":1}"#, "is no document of a key"),
        ] {
            let said = KeyDocument::parse(text.as_bytes()).unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
    }
}
