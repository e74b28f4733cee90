//! What is remembered about images, and which of them are being read.

use orascache_contract::{ArtifactFinding, ArtifactQuestion};
use std::collections::HashMap;
use std::time::Instant;
use tokio::sync::watch;

/// An answer, and until when it is remembered; without an end where it never changes.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) finding: ArtifactFinding,
    pub(super) until: Option<Instant>,
}

/// Where the answer to a question appears.
pub(super) type Answers = watch::Receiver<Option<Answer>>;

/// What is known about a question.
pub(super) enum Found {
    /// The answer.
    Known(ArtifactFinding),
    /// Somebody is looking for it.
    Reading(Answers),
    /// Nobody has asked, or what was found is forgotten.
    Absent,
}

/// Answers by question. Of more than fit in, those that nobody asked for the longest time go.
pub(super) struct Memory {
    entries: HashMap<ArtifactQuestion, Entry>,
    /// Counts uses.
    uses: u64,
    most: usize,
    most_pending: usize,
}

struct Entry {
    answers: Answers,
    last_use: u64,
}

impl Entry {
    fn is_pending(&self) -> bool {
        // Without a sender nobody looks for the answer any more.
        self.answers.borrow().is_none() && self.answers.has_changed().is_ok()
    }
}

impl Memory {
    /// Remembers `most` answers, of which `most_pending` may be missing.
    pub(super) fn new(most: usize, most_pending: usize) -> Self {
        Memory { entries: HashMap::new(), uses: 0, most, most_pending }
    }

    /// What is known about a question now.
    pub(super) fn find(&mut self, question: &ArtifactQuestion, now: Instant) -> Found {
        self.uses += 1;
        let Some(entry) = self.entries.get_mut(question) else { return Found::Absent };
        entry.last_use = self.uses;
        if entry.is_pending() {
            return Found::Reading(entry.answers.clone());
        }
        let answer = entry.answers.borrow().clone();
        match answer {
            Some(answer) if answer.until.is_none_or(|until| now < until) => Found::Known(answer.finding),
            _ => {
                self.entries.remove(question);
                Found::Absent
            }
        }
    }

    /// Makes room for the answer to a question that is absent. None where too many are missing
    /// already.
    pub(super) fn begin(
        &mut self,
        question: &ArtifactQuestion,
    ) -> Option<(watch::Sender<Option<Answer>>, Answers)> {
        let pending = self.entries.values().filter(|entry| entry.is_pending()).count();
        if pending >= self.most_pending {
            return None;
        }
        if self.entries.len() >= self.most {
            let known = self.entries.iter().filter(|(_, entry)| !entry.is_pending());
            let oldest = known.min_by_key(|(_, entry)| entry.last_use).map(|(question, _)| question.clone());
            self.entries.remove(&oldest?);
        }
        let (sender, answers) = watch::channel(None);
        let entry = Entry { answers: answers.clone(), last_use: self.uses };
        self.entries.insert(question.clone(), entry);
        Some((sender, answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orascache_contract::ArtifactAspect;
    use std::time::Duration;

    fn question(reference: &str) -> ArtifactQuestion {
        ArtifactQuestion {
            registry: "ghcr.io".to_owned(),
            plain_http: false,
            repository: "a".to_owned(),
            reference: reference.to_owned(),
            credentials: None,
            aspect: ArtifactAspect::ImageConfig,
        }
    }

    fn answer(until: Option<Instant>) -> Option<Answer> {
        Some(Answer { finding: ArtifactFinding::Missing, until })
    }

    /// Remembers that there is no such image.
    fn remember(memory: &mut Memory, reference: &str, until: Option<Instant>) {
        let (sender, _) = memory.begin(&question(reference)).expect("room");
        sender.send_replace(answer(until));
    }

    fn knows(memory: &mut Memory, reference: &str, now: Instant) -> bool {
        matches!(memory.find(&question(reference), now), Found::Known(ArtifactFinding::Missing))
    }

    #[test]
    fn an_answer_is_remembered_until_its_end_and_one_without_an_end_for_good() {
        let (mut memory, now) = (Memory::new(8, 8), Instant::now());
        let second = Duration::from_secs(1);
        remember(&mut memory, "failed", Some(now + second));
        remember(&mut memory, "found", None);
        assert!(knows(&mut memory, "failed", now));
        assert!(!knows(&mut memory, "failed", now + second), "the next review asks again");
        assert!(knows(&mut memory, "found", now + 1_000_000 * second));
    }

    #[test]
    fn the_answer_that_nobody_asked_for_the_longest_time_makes_room() {
        let (mut memory, now) = (Memory::new(2, 8), Instant::now());
        remember(&mut memory, "1", None);
        remember(&mut memory, "2", None);
        assert!(knows(&mut memory, "2", now) && knows(&mut memory, "1", now));
        remember(&mut memory, "3", None);
        assert!(!knows(&mut memory, "2", now));
        assert!(knows(&mut memory, "1", now) && knows(&mut memory, "3", now));
        assert_eq!(memory.entries.len(), 2);
    }

    #[test]
    fn questions_that_are_being_asked_are_bounded_and_make_no_room() {
        let (mut memory, now) = (Memory::new(2, 2), Instant::now());
        let (first, _) = memory.begin(&question("1")).expect("room");
        let second = memory.begin(&question("2")).expect("room");
        assert!(matches!(memory.find(&question("1"), now), Found::Reading(_)));
        assert!(memory.begin(&question("3")).is_none(), "two are missing already");
        first.send_replace(answer(None));
        remember(&mut memory, "3", None);
        assert!(matches!(memory.find(&question("2"), now), Found::Reading(_)));
        drop(second);
        assert!(matches!(memory.find(&question("2"), now), Found::Absent), "nobody asks any more");
    }
}
