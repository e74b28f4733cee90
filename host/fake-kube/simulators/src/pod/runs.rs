//! The pods whose containers a runner runs.

use crate::events::EventRecorder;
use crate::runner::{PodReport, PodRun, PodRunner, Progress, stop_requested};
use futures::channel::mpsc::UnboundedSender;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Whether the containers of a pod that is being deleted have stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopping {
    /// They have the grace period.
    InProgress,
    /// They have, or there never were any.
    Done,
}

/// All runs, by UID of the pod.
pub(super) struct Runs {
    state: Mutex<State>,
    /// Has the controller reconcile a pod.
    changed: UnboundedSender<ObjectRef<Pod>>,
    /// Records what runners say about pods.
    events: Arc<EventRecorder>,
}

#[derive(Default)]
struct State {
    /// UIDs of the pods that exist. A pod that the watch has reported as deleted is not started any
    /// more, although a reconciliation may still hold it.
    existing: HashSet<String>,
    /// UIDs that a list in progress has mentioned.
    listed: HashSet<String>,
    runs: HashMap<String, Run>,
}

/// Dropping it aborts the runner's future.
struct Run {
    progress: Arc<Mutex<Progress>>,
    stop: watch::Sender<Option<Duration>>,
    _task: AbortOnDropHandle<()>,
}

impl Runs {
    pub(super) fn new(changed: UnboundedSender<ObjectRef<Pod>>, events: Arc<EventRecorder>) -> Self {
        Self { state: Mutex::default(), changed, events }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows which pods exist, and ends the runs of those that disappear.
    pub(super) fn observe(&self, event: &Result<Event<Pod>, watcher::Error>) {
        let mut guard = self.state();
        let state = &mut *guard;
        match event {
            Ok(Event::Init) => state.listed.clear(),
            Ok(Event::InitApply(pod)) => {
                state.listed.extend(pod.uid());
                state.existing.extend(pod.uid());
            }
            Ok(Event::InitDone) => {
                state.existing = std::mem::take(&mut state.listed);
                state.runs.retain(|uid, _| state.existing.contains(uid));
            }
            Ok(Event::Apply(pod)) => state.existing.extend(pod.uid()),
            Ok(Event::Delete(pod)) => {
                let uid = pod.uid().unwrap_or_default();
                state.existing.remove(&uid);
                state.runs.remove(&uid);
            }
            Err(_) => {}
        }
    }

    /// Starts the containers of a pod, unless they were started or the pod is gone.
    pub(super) fn start(&self, runner: Arc<dyn PodRunner>, pod: Arc<Pod>) {
        let uid = pod.uid().unwrap_or_default();
        let mut state = self.state();
        if !state.existing.contains(&uid) || state.runs.contains_key(&uid) {
            return;
        }
        let progress = Arc::new(Mutex::new(Progress::default()));
        let (stop, stopping) = watch::channel(None);
        let (reference, changed) = (ObjectRef::from_obj(pod.as_ref()), self.changed.clone());
        let notify = move || {
            // The receiver is gone when the simulation ends.
            let _ = changed.unbounded_send(reference.clone());
        };
        let end = End { progress: progress.clone(), notify: Box::new(notify.clone()) };
        let run =
            PodRun::new(progress.clone(), notify, stopping.clone(), self.events.clone(), pod.object_ref(&()));
        let task = tokio::spawn(async move {
            let _end = end;
            let out_of_time = async {
                let grace = stop_requested(stopping).await;
                tokio::time::sleep(grace).await;
            };
            tokio::select! {
                () = runner.run(pod, run) => {}
                () = out_of_time => {}
            }
        });
        state.runs.insert(uid, Run { progress, stop, _task: AbortOnDropHandle::new(task) });
    }

    /// The last report about a pod. The outer `None` says that no runner was started, the inner one
    /// that the runner has not reported yet.
    pub(super) fn report(&self, uid: &str) -> Option<Option<PodReport>> {
        let state = self.state();
        let run = state.runs.get(uid)?;
        Some(run.progress.lock().unwrap_or_else(PoisonError::into_inner).report.clone())
    }

    /// Tells the runner of a pod to stop the containers within `grace`, the first time that it is
    /// called.
    pub(super) fn stop(&self, uid: &str, grace: Duration) -> Stopping {
        let state = self.state();
        let Some(run) = state.runs.get(uid) else { return Stopping::Done };
        if run.progress.lock().unwrap_or_else(PoisonError::into_inner).ended {
            return Stopping::Done;
        }
        run.stop.send_if_modified(|asked| {
            let is_first = asked.is_none();
            asked.get_or_insert(grace);
            is_first
        });
        Stopping::InProgress
    }
}

/// Marks a run as ended, also when its future panics or is aborted.
struct End {
    progress: Arc<Mutex<Progress>>,
    notify: Box<dyn Fn() + Send>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        (self.notify)();
    }
}

#[cfg(test)]
mod tests {
    use super::{Runs, Stopping};
    use crate::events::EventRecorder;
    use crate::runner::{PodReport, PodRun, PodRunner};
    use futures::StreamExt;
    use futures::channel::mpsc;
    use futures::future::{BoxFuture, FutureExt};
    use k8s_openapi::api::core::v1::Pod;
    use kube::runtime::watcher::Event;
    use serde_json::json;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::mpsc::UnboundedSender;

    fn pod() -> Arc<Pod> {
        let pod = json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "1"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        });
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    /// Reports readiness, and stops when it is told to, unless it is stubborn.
    struct Runner {
        stubborn: bool,
        said: UnboundedSender<&'static str>,
    }

    struct SayAtEnd(UnboundedSender<&'static str>);

    impl Drop for SayAtEnd {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }

    impl PodRunner for Runner {
        fn accepts(&self, _pod: &Pod) -> bool {
            true
        }

        fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
            let _end = SayAtEnd(self.said.clone());
            async move {
                let _end = _end;
                run.report(PodReport::running(&pod));
                run.stop_requested().await;
                if self.stubborn {
                    std::future::pending::<()>().await;
                }
            }
            .boxed()
        }
    }

    #[tokio::test]
    async fn a_pod_is_gone_only_after_its_containers_have_stopped() {
        // A stubborn runner has no time, so that its future is dropped; another one has all the
        // time it wants.
        for (stubborn, grace) in [(false, Duration::from_secs(3600)), (true, Duration::ZERO)] {
            let (changed, mut changes) = mpsc::unbounded();
            let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
            let runs = Runs::new(changed, Arc::new(EventRecorder::none()));
            let runner = Arc::new(Runner { stubborn, said });
            runs.start(runner.clone(), pod());
            assert!(runs.report("1").is_none(), "the watch has not mentioned the pod");
            runs.observe(&Ok(Event::Apply((*pod()).clone())));
            runs.start(runner, pod());
            changes.next().await.expect("a report");
            assert!(runs.report("1").flatten().is_some_and(|report| report.is_ready()));
            assert_eq!(runs.stop("1", grace), Stopping::InProgress);
            changes.next().await.expect("the end");
            assert_eq!(heard.recv().await, Some("dropped"));
            assert_eq!(runs.stop("1", grace), Stopping::Done);
        }
    }

    #[tokio::test]
    async fn a_run_ends_when_its_pod_disappears() {
        let (changed, mut changes) = mpsc::unbounded();
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let runs = Runs::new(changed, Arc::new(EventRecorder::none()));
        runs.observe(&Ok(Event::Apply((*pod()).clone())));
        runs.start(Arc::new(Runner { stubborn: true, said }), pod());
        changes.next().await.expect("a report");
        // A list that does not mention the pod says the same as a deletion.
        runs.observe(&Ok(Event::Init));
        runs.observe(&Ok(Event::InitDone));
        assert_eq!(heard.recv().await, Some("dropped"));
        assert!(runs.report("1").is_none());
    }
}
