//! A flag that cancels a transfer.

use std::sync::Arc;
use tokio::sync::watch;

/// A flag that is set once and never unset. Clones share it. Only waiting for it needs a runtime.
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
        // This fails only when the sender is dropped, and `self` holds it.
        let _ = self.flag.subscribe().wait_for(|is_set| *is_set).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Cancel;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn clones_share_the_flag_and_waiters_are_woken() {
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
