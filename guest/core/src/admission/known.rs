//! What a review knows: the objects and the answers that the host passes with it.

use crate::fields;
use crate::json::{Json, count_steps};
use orascache_contract::{ArtifactAnswer, ArtifactFinding, ArtifactQuestion, Error};

/// What the host handed over.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// Objects, JSON text.
    pub(crate) objects: Vec<&'a str>,
    /// Whether the host has looked for everything that was asked for.
    pub(crate) complete: bool,
    /// Answers to questions.
    pub(crate) answers: &'a [ArtifactAnswer],
}

impl<'a> Known<'a> {
    /// The answer to a question, where the host has given one.
    pub(crate) fn answer(&self, question: &ArtifactQuestion) -> Option<&'a ArtifactFinding> {
        let found = self.answers.iter().find(|answer| {
            count_steps(1);
            answer.question == *question
        });
        found.map(|answer| &answer.finding)
    }

    /// Parsed objects that may have this name. Parsing is skipped for texts in which the name does
    /// not occur.
    pub(crate) fn candidates(&self, name: &str) -> Result<Vec<Json<'a>>, Error> {
        self.objects
            .iter()
            .filter(|text| text.contains(name))
            .map(|text| fields::parse(text, "an object of the context"))
            .collect()
    }
}
