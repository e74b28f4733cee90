//! What the manifest of an output says about the step that it was made by.

use crate::reuse::document::Key;
use crate::reuse::lookup::CREATED;
use crate::transfer::PulledInput;
use jiff::Timestamp;
use oci_registry_client::Digest;
use orascache_api::reuse::annotation;
use orascache_api::steps::INPUTS_ANNOTATION;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// What is known about a step. Everything in it is the same when an equal step runs again.
#[derive(Clone, Copy, Debug)]
pub struct Provenance<'a> {
    /// Its inputs, as they were pulled.
    pub inputs: &'a [PulledInput],
    /// Its command.
    pub words: &'a [OsString],
    /// Its image, as the pod has it.
    pub image: Option<&'a str>,
}

impl Provenance<'_> {
    /// The annotations of a manifest.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        let mut set = |name: &str, value: String| annotations.insert(name.to_owned(), value);
        if !self.inputs.is_empty() {
            let pinned = |input: &PulledInput| input.reference.pinned(input.digest.as_str());
            let inputs: Vec<String> = self.inputs.iter().map(pinned).collect();
            set(INPUTS_ANNOTATION, serde_json::Value::from(inputs).to_string());
        }
        set(annotation::COMMAND, command(self.words).to_string());
        if let Some(image) = self.image {
            set(annotation::IMAGE, image.to_owned());
        }
        annotations
    }
}

/// The digest of a command: of its words, each with a NUL byte behind it, as in
/// `/proc/PID/cmdline`.
fn command(words: &[OsString]) -> Digest {
    let line: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), &[0]].concat()).collect();
    Digest::of(&line)
}

/// What a step that may be reused says besides: its key, and who made it when. With it, the
/// manifests of two equal steps differ.
pub fn of_key(key: &Key, pod: Option<&str>, now: Timestamp) -> BTreeMap<String, String> {
    let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let pod = pod.map(|pod| (annotation::POD.to_owned(), pod.to_owned()));
    let key = (annotation::KEY.to_owned(), key.text().to_owned());
    [key, (CREATED.to_owned(), second.to_string())].into_iter().chain(pod).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_registry_client::ArtifactReference;

    fn input(uri: &str) -> PulledInput {
        let reference = ArtifactReference::parse(uri).unwrap();
        PulledInput { reference, digest: Digest::of(b"a"), layers: Vec::new(), size: 0 }
    }

    #[test]
    fn provenance_names_inputs_by_digest() {
        let digest = Digest::of(b"a");
        let inputs = [input("a/b:1"), input(&format!("c@{digest}"))];
        let words = ["echo".into(), "a b".into()];
        let provenance = Provenance { inputs: &inputs, words: &words, image: Some("busybox:1") };
        let annotations = provenance.annotations();
        let wanted = format!(r#"["a/b:1@{digest}","c@{digest}"]"#);
        assert_eq!(annotations.get(INPUTS_ANNOTATION), Some(&wanted));
        let command = Digest::of(b"echo\0a b\0").to_string();
        assert_eq!(annotations.get(annotation::COMMAND), Some(&command));
        assert_eq!(annotations.get(annotation::IMAGE).map(String::as_str), Some("busybox:1"));
        let without = Provenance { inputs: &[], words: &words, image: None }.annotations();
        assert_eq!(without.keys().collect::<Vec<_>>(), [annotation::COMMAND]);
    }
}
