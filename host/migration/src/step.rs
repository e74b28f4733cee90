//! What comes next.

use crate::action::Action;

/// The next step of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is left to do.
    Done,
    /// A change.
    Do(Action),
    /// Something has to happen in the cluster first: a sentence.
    Wait(String),
    /// It cannot go on: sentences about what is in the way.
    Refuse(Vec<String>),
}

impl Step {
    pub(crate) fn refuse(sentence: impl Into<String>) -> Self {
        Step::Refuse(vec![sentence.into()])
    }
}

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Go on although steps of the former operator run, which fail when their registry moves.
    pub ignore_running_steps: bool,
    /// Copies that failed are tried again.
    pub retries_copies: bool,
}
