//! What all simulated controllers share: how they run, and how they treat errors.

use futures::StreamExt;
use kube::Resource;
use kube::api::PatchParams;
use kube::runtime::controller::{Action, Controller, Error as ControllerError};
use kube::runtime::reflector::ObjectRef;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An error of the API. The object is tried again.
pub(crate) type Error = kube::Error;

const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// Nothing to do until something changes.
pub(crate) fn done() -> Result<Action, Error> {
    Ok(Action::await_change())
}

/// Runs a controller until it is dropped. Retries of an object that cannot be reconciled back off.
pub(crate) async fn drive<K, C, R>(
    controller: Controller<K>,
    reconcile: impl FnMut(Arc<K>, Arc<C>) -> R,
    context: C,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    R: Future<Output = Result<Action, Error>> + Send + 'static,
{
    let failures = Mutex::new(HashMap::<ObjectRef<K>, u32>::new());
    let lock = || failures.lock().unwrap_or_else(PoisonError::into_inner);
    let retry = |object: Arc<K>, error: &Error, _context: Arc<C>| {
        let delay =
            delay(*lock().entry(ObjectRef::from_obj(&*object)).and_modify(|count| *count += 1).or_insert(0));
        tracing::debug!(%error, ?delay, "a simulated controller tries again");
        Action::requeue(delay)
    };
    let forget = |outcome: Result<(ObjectRef<K>, Action), ControllerError<Error, _>>| {
        if let Ok((object, _)) = outcome {
            lock().remove(&object);
        }
        std::future::ready(())
    };
    controller.run(reconcile, retry, Arc::new(context)).for_each(forget).await;
}

/// How long to wait after so many failures in a row.
fn delay(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(2u32.saturating_pow(failures)).min(LAST_RETRY)
}

/// Whether the API says that the object does not exist (404), or that it is not the one that the request meant
/// (409: another UID or resourceVersion, or a name that is taken).
pub(crate) fn is_gone(error: &Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}

/// Takes [`is_gone`] for success: the watch tells of the newer state, and that is reconciled.
pub(crate) fn unless_gone<T>(result: Result<T, Error>) -> Result<(), Error> {
    match result {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

/// The parameters of a patch by a simulator.
pub(crate) fn patch_params(manager: &str) -> PatchParams {
    PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_RETRY, LAST_RETRY, delay};

    #[test]
    fn retries_slow_down_to_a_limit() {
        assert_eq!(delay(0), FIRST_RETRY);
        assert_eq!(delay(3), FIRST_RETRY * 8);
        assert_eq!(delay(u32::MAX), LAST_RETRY);
    }
}
