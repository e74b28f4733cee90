//! What a review has to say, collected so that a user corrects once.

use orascache_api::steps::ANNOTATION_PREFIX;

/// Sentences without their final stop.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Why the request cannot go on.
    pub(crate) problems: Vec<String>,
    /// What is accepted but odd.
    pub(crate) warnings: Vec<String>,
}

impl Findings {
    /// A reason to refuse, from its parts.
    pub(crate) fn refuse(&mut self, parts: &[&str]) {
        self.problems.push(parts.concat());
    }

    /// Something odd, from its parts.
    pub(crate) fn warn(&mut self, parts: &[&str]) {
        self.warnings.push(parts.concat());
    }

    /// A reason to refuse that begins with the full name of an annotation.
    pub(crate) fn refuse_annotation(&mut self, name: &str, parts: &[&str]) {
        self.problems.push(of_annotation(name, parts));
    }

    /// Something odd that begins with the full name of an annotation.
    pub(crate) fn warn_annotation(&mut self, name: &str, parts: &[&str]) {
        self.warnings.push(of_annotation(name, parts));
    }
}

fn of_annotation(name: &str, parts: &[&str]) -> String {
    let mut sentence = [ANNOTATION_PREFIX, name].concat();
    for part in parts {
        sentence.push_str(part);
    }
    sentence
}
