//! What a review has to say, collected so that a user corrects once.

use super::template::fill;

/// Sentences without their final stop.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Why the request cannot go on.
    pub(crate) problems: Vec<String>,
    /// What is accepted but odd.
    pub(crate) warnings: Vec<String>,
}

/// More sentences than anybody reads at once.
const MOST: usize = 10;

impl Findings {
    /// All reasons to refuse, as far as anybody reads them.
    pub(crate) fn message(&self) -> String {
        let shown = self.problems.get(..MOST).unwrap_or(&self.problems);
        let mut message = shown.join("; ");
        if let Some(more) = self.problems.len().checked_sub(MOST).filter(|more| *more > 0) {
            message.push_str(&fill("; and % more", &[&more.to_string()]));
        }
        message
    }

    /// A reason to refuse, from a template as [`fill`] takes it.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&mut self, template: &str, arguments: &[&str]) {
        self.problems.push(fill(template, arguments));
    }

    /// Something odd, from a template as [`fill`] takes it.
    #[cold]
    #[inline(never)]
    pub(crate) fn warn(&mut self, template: &str, arguments: &[&str]) {
        self.warnings.push(fill(template, arguments));
    }
}
