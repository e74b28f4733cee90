//! A flag that says that nobody waits for the result any more.

use std::sync::Arc;
use tokio::sync::watch;

/// Set once, never taken back. Clones are the same flag. It needs no runtime until somebody waits for it.
#[derive(Clone, Debug)]
pub struct Cancel {
    flag: Arc<watch::Sender<bool>>,
}

impl Default for Cancel {
    fn default() -> Self {
        Cancel { flag: Arc::new(watch::Sender::new(false)) }
    }
}

impl Cancel {
    /// Sets the flag.
    pub fn cancel(&self) {
        self.flag.send_replace(true);
    }

    /// Whether the flag is set.
    pub fn is_cancelled(&self) -> bool {
        *self.flag.borrow()
    }

    /// Waits until the flag is set.
    pub async fn cancelled(&self) {
        // It fails only when the sender is gone, which this is.
        let _ = self.flag.subscribe().wait_for(|is_set| *is_set).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Cancel;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn clones_are_the_same_flag_and_those_who_wait_are_woken() {
        let flag = Cancel::default();
        let other = flag.clone();
        let mut waiting = Box::pin(async move { other.cancelled().await });
        let mut context = Context::from_waker(Waker::noop());
        assert!(!flag.is_cancelled());
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
        flag.clone().cancel();
        assert!(flag.is_cancelled());
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(()));
    }
}
