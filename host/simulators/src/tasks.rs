//! What the controllers share: how they run and what they do about errors.

use kube::runtime::controller::Action;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// An error of the API; the object is tried again.
pub(crate) type Error = kube::Error;

/// Nothing to do until something changes.
pub(crate) fn done() -> Result<Action, Error> {
    Ok(Action::await_change())
}

/// Look again soon: something is on its way that causes no event.
pub(crate) fn again() -> Result<Action, Error> {
    Ok(Action::requeue(Duration::from_millis(200)))
}

/// After an error.
pub(crate) fn retry<K: Debug, C>(_object: Arc<K>, error: &Error, _context: Arc<C>) -> Action {
    tracing::debug!(%error, "a simulated controller tries again");
    Action::requeue(Duration::from_millis(500))
}

/// Whether the API says that an object is not there (any more), or is another one by now.
pub(crate) fn is_gone(error: &Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}

/// Takes "not there" and "another one by now" for success.
pub(crate) fn unless_gone<T>(result: Result<T, Error>) -> Result<(), Error> {
    match result {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}
