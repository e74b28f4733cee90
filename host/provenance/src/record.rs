//! What the annotations of a manifest say about the step that pushed it.

use std::collections::BTreeMap;

use orascache_api::reuse::annotation;
use orascache_api::steps::INPUTS_ANNOTATION;

/// When the artifact was made (OCI image-spec, "Pre-Defined Annotation Keys").
const CREATED: &str = "org.opencontainers.image.created";
/// Longest value that is kept, in characters. The longest reference has fewer. Anybody who may push
/// can write annotations, and a manifest of 4 MiB can be one of thousands.
const MAX_VALUE: usize = 1024;

/// What a manifest says about the step that made the artifact. Manifests of other programs say
/// nothing of it, or a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepRecord {
    /// Image of the container.
    pub image: Option<String>,
    /// Digest of the command with its arguments.
    pub command: Option<String>,
    /// Key by which the output is reused.
    pub key: Option<String>,
    /// Name of the pod.
    pub pod: Option<String>,
    /// When the artifact was made (RFC 3339).
    pub created: Option<String>,
    /// The artifacts that it was made of, as the manifest names them: references with digests.
    pub inputs: Vec<String>,
    /// Why the inputs are not known although an annotation names them, as the rest of a sentence
    /// that begins with the artifact.
    pub problem: Option<String>,
}

impl StepRecord {
    /// Reads annotations.
    ///
    /// ```
    /// use orascache_provenance::StepRecord;
    ///
    /// let inputs = ("cache.converged-computing.github.io/inputs".to_owned(), r#"["a@sha256:1"]"#.to_owned());
    /// assert_eq!(StepRecord::of(&[inputs].into()).inputs, ["a@sha256:1"]);
    /// ```
    pub fn of(annotations: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| annotations.get(name).map(|value| shortened(value));
        let (inputs, problem) = match annotations.get(INPUTS_ANNOTATION) {
            None => (Vec::new(), None),
            Some(text) => match serde_json::from_str::<Vec<String>>(text) {
                Ok(inputs) => (inputs.iter().map(|input| shortened(input)).collect(), None),
                Err(_) => {
                    let why = format!("its annotation {INPUTS_ANNOTATION} is no JSON list of references");
                    (Vec::new(), Some(why))
                }
            },
        };
        StepRecord {
            image: value(annotation::IMAGE),
            command: value(annotation::COMMAND),
            key: value(annotation::KEY),
            pod: value(annotation::POD),
            created: value(CREATED),
            inputs,
            problem,
        }
    }
}

fn shortened(value: &str) -> String {
    value.chars().take(MAX_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(annotations: &[(&str, &str)]) -> StepRecord {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        StepRecord::of(&annotations.iter().map(owned).collect())
    }

    #[test]
    fn annotations_of_the_agent_are_read() {
        let prefix = "cache.converged-computing.github.io";
        let names = ["inputs", "image", "command", "key", "pod"].map(|name| format!("{prefix}/{name}"));
        let [inputs, image, command, key, pod] = names.each_ref().map(String::as_str);
        let read = record(&[
            (inputs, r#"["a:1@sha256:1","b@sha256:2"]"#),
            (image, "busybox"),
            (command, "sha256:3"),
            (key, "4"),
            (pod, "lab/count"),
            ("org.opencontainers.image.created", "2026-11-29T20:00:00Z"),
            ("another", "x"),
        ]);
        assert_eq!(read.inputs, ["a:1@sha256:1", "b@sha256:2"]);
        let values = [read.image, read.command, read.key, read.pod, read.created, read.problem];
        let values = values.map(|value| value.unwrap_or_default());
        assert_eq!(values, ["busybox", "sha256:3", "4", "lab/count", "2026-11-29T20:00:00Z", ""]);
        assert_eq!(record(&[("another", "x")]), StepRecord::default());
    }

    #[test]
    fn inputs_that_are_no_list_are_a_problem_and_no_error() {
        for text in ["", "a:1", "{}", r#"[1]"#, "null", r#"["a"#] {
            let read = record(&[(INPUTS_ANNOTATION, text)]);
            assert!(read.inputs.is_empty() && read.problem.is_some(), "{text}");
        }
        assert_eq!(record(&[(INPUTS_ANNOTATION, "[]")]), StepRecord::default());
    }

    #[test]
    fn long_values_are_cut() {
        let long = "é".repeat(1 << 20);
        let inputs = format!("[\"{long}\"]");
        let read = record(&[(annotation::IMAGE, &long), (INPUTS_ANNOTATION, &inputs)]);
        assert_eq!(read.image.unwrap().chars().count(), MAX_VALUE);
        assert_eq!(read.inputs.first().unwrap().chars().count(), MAX_VALUE);
    }
}
