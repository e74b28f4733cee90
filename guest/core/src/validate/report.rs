//! Collects the problems of a cache.

use super::Problem;

/// Takes problems as they are found.
// Its functions are called at over a hundred places, and are not inlined there.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: Vec<Problem>,
}

impl Report {
    /// Adds a problem: the field, and a sentence without its final stop.
    #[inline(never)]
    pub(super) fn add(&mut self, field: &'static str, message: String) {
        self.found.push(Problem { field, message });
    }

    /// Adds a problem whose sentence is always the same.
    #[inline(never)]
    pub(super) fn say(&mut self, field: &'static str, sentence: &str) {
        self.add(field, sentence.to_owned());
    }

    /// The same, if it is there.
    #[inline(never)]
    pub(super) fn say_if(&mut self, is_there: bool, field: &'static str, sentence: &str) {
        if is_there {
            self.say(field, sentence);
        }
    }

    /// Adds a problem of a value: the value in quotation marks, and the rest of the sentence.
    #[inline(never)]
    pub(super) fn quoted(&mut self, field: &'static str, value: &str, rest: &str) {
        self.add(field, format!("\"{value}\" {rest}"));
    }

    /// All problems, in the order in which they were found.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.found
    }
}
