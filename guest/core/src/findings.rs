//! Everything that is wrong or odd about a document, collected so that a user corrects it once.

/// Sentences without their final stop.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Reasons to refuse.
    pub(crate) problems: Vec<String>,
    /// Odd things that are accepted.
    pub(crate) warnings: Vec<String>,
}

/// Problems that a message lists. Nobody reads more at once.
const MAX_LISTED: usize = 10;

impl Findings {
    /// All reasons to refuse, up to a readable number.
    pub(crate) fn message(&self) -> String {
        let shown = self.problems.get(..MAX_LISTED).unwrap_or(&self.problems);
        let mut message = shown.join("; ");
        if let Some(more) = self.problems.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
            message.push_str(&format!("; and {more} more"));
        }
        message
    }

    /// Adds a reason to refuse.
    pub(crate) fn refuse(&mut self, sentence: String) {
        self.problems.push(sentence);
    }

    /// Adds something odd.
    pub(crate) fn warn(&mut self, sentence: String) {
        self.warnings.push(sentence);
    }
}
