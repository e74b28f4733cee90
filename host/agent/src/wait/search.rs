//! What was found so far, and what is said about it.

use crate::listed::listed;
use oci_registry_client::{ArtifactReference, Digest};
use std::time::Duration;

/// Number of missing inputs that one round asks for, unless it is the first or the last one. All
/// inputs are needed, so that the others do not matter until these are there.
pub const WINDOW: usize = 16;
/// Number of inputs that a log line names.
const NAMED: usize = 10;
/// Number of inputs that the last sentence names.
const NAMED_AT_END: usize = 100;

/// What the registry said about an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has it, as this manifest.
    There(Digest),
    /// It does not have it.
    Missing,
    /// It did not say, for this reason. It may ask to stay away for a while.
    Away(String, Option<Duration>),
}

/// The inputs of a step, and the manifests that were found for them.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    inputs: &'a [ArtifactReference],
    found: Vec<Option<Digest>>,
    /// The inputs that were found by the round before, or earlier.
    before: Vec<bool>,
    /// Why the registry did not answer in this round.
    away: Option<String>,
    asked: Option<Duration>,
    /// What was said last: which inputs are missing, and whether the registry is away.
    said: Option<(Vec<usize>, bool)>,
}

impl<'a> Search<'a> {
    /// A search of which nothing was found yet.
    pub fn new(inputs: &'a [ArtifactReference]) -> Self {
        let (found, before) = (vec![None; inputs.len()], vec![false; inputs.len()]);
        Search { inputs, found, before, away: None, asked: None, said: None }
    }

    /// The inputs that are missing, by their numbers.
    pub fn missing(&self) -> Vec<usize> {
        let missing = self.found.iter().enumerate().filter(|(_, found)| found.is_none());
        missing.map(|(number, _)| number).collect()
    }

    /// Begins a round.
    pub fn begin_round(&mut self) {
        (self.away, self.asked) = (None, None);
        self.before = self.found.iter().map(Option::is_some).collect();
    }

    /// Takes the answer about an input.
    pub fn answer(&mut self, number: usize, answer: Answer) {
        match answer {
            Answer::There(digest) => self.set(number, Some(digest)),
            Answer::Missing => self.set(number, None),
            // What was found before is not known to be gone.
            Answer::Away(why, asked) => {
                self.away = Some(why);
                self.asked = self.asked.max(asked);
            }
        }
    }

    fn set(&mut self, number: usize, digest: Option<Digest>) {
        if let Some(found) = self.found.get_mut(number) {
            *found = digest;
        }
    }

    /// The artifacts that must be looked for again when everything was found: those that were found
    /// by an earlier round, by their digests. A registry may have lost them meanwhile.
    pub fn to_confirm(&self) -> Vec<(usize, ArtifactReference)> {
        let all = self.inputs.iter().zip(&self.found).zip(&self.before).enumerate();
        all.filter(|(_, (_, before))| **before)
            .filter_map(|(number, ((input, found), _))| {
                let digest = found.as_ref().map(Digest::to_string)?;
                Some((number, ArtifactReference { digest: Some(digest), ..input.clone() }))
            })
            .collect()
    }

    /// How long the registry asked to stay away in this round.
    pub fn asked(&self) -> Option<Duration> {
        self.asked
    }

    /// Whether the registry answered in this round.
    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Whether anything was said.
    pub fn has_spoken(&self) -> bool {
        self.said.is_some()
    }

    /// All manifests, in the order of the inputs, where all are there.
    pub fn complete(&self) -> Option<Vec<Digest>> {
        self.found.iter().cloned().collect()
    }

    /// What to say after a round, if it is new. `limit` is how long the wait may take.
    pub fn news(&mut self, limit: &str) -> Option<String> {
        let now = (self.missing(), self.away.is_some());
        if self.said.as_ref() == Some(&now) {
            return None;
        }
        let names = self.names(NAMED);
        let why = self.away.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let said = match self.said.replace(now) {
            None => format!("waiting up to {limit} for {names}{why}"),
            Some(_) => format!("still waiting for {names}{why}"),
        };
        Some(said)
    }

    /// The sentence for a wait that has ended without all inputs. `registry` is where they were
    /// looked for.
    pub fn failure(&self, limit: &str, registry: &str) -> String {
        let names = self.names(NAMED_AT_END);
        let why = match (&self.away, self.asked) {
            (Some(why), Some(asked)) => format!("{why}; it wants no request for {} s", asked.as_secs()),
            (Some(why), None) => why.clone(),
            (None, _) => format!("not in the registry {registry}"),
        };
        format!("waited {limit} for {names}, in vain: {why}")
    }

    /// The names of what is missing, or of all inputs where those are to be confirmed.
    fn names(&self, most: usize) -> String {
        let is_complete = self.complete().is_some();
        let named = self.inputs.iter().zip(&self.found).filter(|(_, found)| is_complete || found.is_none());
        listed(named.map(|(input, _)| input), most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(names: &[&str]) -> Vec<ArtifactReference> {
        names.iter().map(|name| ArtifactReference::parse(name).unwrap()).collect()
    }

    fn there(text: &str) -> Answer {
        Answer::There(Digest::of(text.as_bytes()))
    }

    fn away(why: &str, seconds: Option<u64>) -> Answer {
        Answer::Away(why.to_owned(), seconds.map(Duration::from_secs))
    }

    #[test]
    fn only_news_are_said() {
        let inputs = references(&["a:1", "b:1", "c:1"]);
        let mut search = Search::new(&inputs);
        let mut round = |answers: &[(usize, Answer)]| {
            search.begin_round();
            answers.iter().for_each(|(number, answer)| search.answer(*number, answer.clone()));
            search.news("30m")
        };
        assert_eq!(round(&[]).as_deref(), Some("waiting up to 30m for a:1, b:1 and c:1"));
        assert_eq!(round(&[(0, Answer::Missing)]), None);
        assert_eq!(round(&[(1, there("x"))]).as_deref(), Some("still waiting for a:1 and c:1"));
        let said = round(&[(0, away("x cannot be reached", None))]);
        assert_eq!(said.as_deref(), Some("still waiting for a:1 and c:1: x cannot be reached"));
        assert_eq!(round(&[(0, away("it is still away", None))]), None);
        assert_eq!(round(&[]).as_deref(), Some("still waiting for a:1 and c:1"));
    }

    #[test]
    fn what_was_found_by_an_earlier_round_is_confirmed_by_its_digest() {
        let inputs = references(&["a:1", "b:1"]);
        let mut search = Search::new(&inputs);
        search.begin_round();
        search.answer(0, there("x"));
        search.begin_round();
        search.answer(1, there("y"));
        assert_eq!(search.complete(), Some(vec![Digest::of(b"x"), Digest::of(b"y")]));
        let confirmed = search.to_confirm();
        let names: Vec<String> = confirmed.iter().map(|(number, name)| format!("{number} {name}")).collect();
        assert_eq!(names, [format!("0 a@{}", Digest::of(b"x"))]);
        search.begin_round();
        search.answer(0, away("x cannot be reached", None));
        assert!(search.complete().is_some(), "a registry that is away has lost nothing yet");
        search.answer(0, Answer::Missing);
        assert_eq!((search.complete(), search.missing()), (None, vec![0]));
    }

    #[test]
    fn a_failure_names_what_never_came_and_why() {
        let inputs = references(&["a:1", "b:1"]);
        let mut search = Search::new(&inputs);
        search.begin_round();
        search.answer(1, there("x"));
        let said = search.failure("30m", "http://cache:5000");
        assert_eq!(said, "waited 30m for a:1, in vain: not in the registry http://cache:5000");
        search.answer(0, away("it answered 429", Some(7)));
        search.answer(0, away("it answered 429", Some(90)));
        assert_eq!(search.asked(), Some(Duration::from_secs(90)));
        let said = search.failure("30m", "http://cache:5000");
        assert_eq!(said, "waited 30m for a:1, in vain: it answered 429; it wants no request for 90 s");
    }
}
