//! How often registries are asked.

use orascache_contract::ArtifactQuestion;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// How often, and how much at once, registries are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Pause behind the first look for an artifact, and behind one that found something new. Each
    /// further pause is half as long again.
    pub first: Duration,
    /// Longest pause, where there are few questions.
    pub longest: Duration,
    /// Looks a second, all questions together, that the longest pause is stretched for.
    pub per_second: u32,
    /// Shortest time between two looks for the same artifact, whoever asks for an early one.
    pub early: Duration,
    /// Looks at the same time.
    pub at_once: usize,
    /// Looks at the same time into one registry.
    pub at_once_of_one: usize,
    /// Questions at the same time. Further ones are answered with unknown.
    pub most: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(60),
            per_second: 10,
            early: Duration::from_secs(1),
            at_once: 32,
            at_once_of_one: 8,
            most: 20_000,
        }
    }
}

impl Pace {
    /// The pause that follows another one, when there are so many questions.
    pub(super) fn after(&self, pause: Duration, questions: usize) -> Duration {
        let all = Duration::from_secs(u64::try_from(questions).unwrap_or(u64::MAX)) / self.per_second.max(1);
        (pause * 3 / 2).min(self.longest.max(all))
    }

    /// The pause, up to a tenth longer: questions that came together are not asked together for
    /// ever.
    pub(super) fn spread(&self, pause: Duration, question: &ArtifactQuestion) -> Duration {
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        let part = u32::try_from(hasher.finish() % 100).unwrap_or_default();
        pause + pause * part / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use std::time::Duration;

    #[test]
    fn pauses_grow_up_to_the_longest_one_and_many_questions_stretch_that() {
        let pace = Pace::default();
        let longest_of = |questions| (0..40).fold(pace.first, |pause, _| pace.after(pause, questions));
        assert_eq!(pace.after(Duration::from_secs(2), 1), Duration::from_secs(3));
        assert_eq!(longest_of(1), Duration::from_secs(60));
        assert_eq!(longest_of(1_000), Duration::from_secs(100), "ten looks a second");
        assert_eq!(longest_of(20_000), Duration::from_secs(2_000));
    }
}
