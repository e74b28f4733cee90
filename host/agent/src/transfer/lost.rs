//! Blobs that a registry lost before their manifest came: by a restart without storage, or by its
//! garbage collection, which takes blobs that no manifest names yet.

use std::time::{Duration, Instant};

/// For how long lost blobs are sent again. The time begins with the first loss, since sending may
/// have taken hours.
#[derive(Debug, Default)]
pub struct Lost {
    since: Option<Instant>,
}

impl Lost {
    /// Notes a loss. Returns whether the blobs are to be sent again.
    pub fn may_be_sent_again(&mut self, patience: Duration) -> bool {
        self.since.get_or_insert_with(Instant::now).elapsed() < patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_is_mended_however_long_sending_took() {
        let hour = Duration::from_secs(3600);
        let mut lost = Lost::default();
        assert!(lost.may_be_sent_again(hour) && lost.may_be_sent_again(hour));
        assert!(!lost.may_be_sent_again(Duration::ZERO), "patience has ended");
    }
}
