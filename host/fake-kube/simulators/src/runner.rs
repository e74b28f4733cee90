//! Lets a caller run the containers of pods. The pod simulator itself runs none.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    ObjectReference, Pod,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::events::EventType;
use tokio::sync::watch;

use crate::events::EventRecorder;

/// Runs the containers of some pods: as processes, as servers of this process, or as a test wants
/// it.
///
/// The pod simulator stays in charge of the API: it binds the pod to the node, waits until what the
/// containers mount and read is there, writes the pod's status from what the runner reports, and
/// removes the pod once its containers have stopped.
///
/// ```
/// use fake_kube_simulators::{PodReport, PodRun, PodRunner};
/// use futures::future::{BoxFuture, FutureExt};
/// use k8s_openapi::api::core::v1::Pod;
/// use std::sync::Arc;
///
/// /// Lets every pod of a Job succeed at once.
/// struct AllSucceed;
///
/// impl PodRunner for AllSucceed {
///     fn accepts(&self, pod: &Pod) -> bool {
///         pod.spec.as_ref().is_some_and(|spec| spec.restart_policy.as_deref() == Some("Never"))
///     }
///
///     fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
///         async move { run.report(PodReport::ended(&pod, 0)) }.boxed()
///     }
/// }
/// ```
pub trait PodRunner: Send + Sync + 'static {
    /// Whether this runner runs the pod's containers. The answer must not change while the pod
    /// lives.
    fn accepts(&self, pod: &Pod) -> bool;

    /// Runs the pod's containers. The simulator calls this once for each pod that it accepted, when
    /// the pod has a node and what it mounts and reads is there.
    ///
    /// The runner reports what the containers do through `run`. When the pod is deleted,
    /// [`PodRun::stop_requested`] returns, and the future has the grace period to stop the
    /// containers and end. It is dropped when the grace period is over, when the pod disappears
    /// without one, and when the simulation ends: dropping it must stop the containers.
    ///
    /// When the future ends by itself, the last report stands.
    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()>;
}

/// `status.phase` of a pod (core/v1 `PodPhase`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not all containers have been started.
    Pending,
    /// All containers have been started, and at least one still runs.
    Running,
    /// All containers ended with exit code 0. This is final.
    Succeeded,
    /// All containers ended, at least one with another exit code. This is final.
    Failed,
}

impl PodPhase {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// What the containers of a pod do: the part of the pod's status that its runner knows.
#[derive(Clone, Debug, PartialEq)]
pub struct PodReport {
    /// The phase of the pod.
    pub phase: PodPhase,
    /// Why the pod as a whole is in that phase, in one word such as `DeadlineExceeded`.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub message: Option<String>,
    /// Where the pod's ports can be reached. The default is the node's address, 127.0.0.1.
    pub pod_ip: Option<IpAddr>,
    /// For `status.initContainerStatuses`, in the order of the spec.
    pub init_containers: Vec<ContainerStatus>,
    /// For `status.containerStatuses`, in the order of the spec.
    pub containers: Vec<ContainerStatus>,
}

impl PodReport {
    /// Every container runs and is ready.
    pub fn running(pod: &Pod) -> Self {
        let started_at = Some(Time(Timestamp::now()));
        let state = ContainerState {
            running: Some(ContainerStateRunning { started_at }),
            ..ContainerState::default()
        };
        Self::alike(pod, PodPhase::Running, true, state)
    }

    /// No container has been started, for a reason such as `RunContainerError` and with a sentence
    /// about it.
    pub fn waiting(pod: &Pod, reason: &str, message: &str) -> Self {
        let waiting =
            ContainerStateWaiting { reason: Some(reason.to_owned()), message: Some(message.to_owned()) };
        let state = ContainerState { waiting: Some(waiting), ..ContainerState::default() };
        Self::alike(pod, PodPhase::Pending, false, state)
    }

    /// Every container ended with this exit code. Code 0 is success.
    pub fn ended(pod: &Pod, exit_code: i32) -> Self {
        let (phase, reason) =
            if exit_code == 0 { (PodPhase::Succeeded, "Completed") } else { (PodPhase::Failed, "Error") };
        let now = Some(Time(Timestamp::now()));
        let terminated = ContainerStateTerminated {
            exit_code,
            reason: Some(reason.to_owned()),
            started_at: now.clone(),
            finished_at: now,
            ..ContainerStateTerminated::default()
        };
        Self::alike(
            pod,
            phase,
            false,
            ContainerState { terminated: Some(terminated), ..ContainerState::default() },
        )
    }

    /// Whether every container is ready.
    pub fn is_ready(&self) -> bool {
        self.phase == PodPhase::Running && self.containers.iter().all(|container| container.ready)
    }

    /// A report in which all containers are in the same state.
    fn alike(pod: &Pod, phase: PodPhase, ready: bool, state: ContainerState) -> Self {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let containers = containers.map(|container| ContainerStatus {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            image_id: String::new(),
            ready,
            started: Some(ready),
            restart_count: 0,
            state: Some(state.clone()),
            ..ContainerStatus::default()
        });
        Self {
            phase,
            reason: None,
            message: None,
            pod_ip: None,
            init_containers: Vec::new(),
            containers: containers.collect(),
        }
    }
}

/// How far a runner has come with one pod.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) report: Option<PodReport>,
    pub(crate) ended: bool,
}

/// The connection between a runner and the pod simulator, for one pod.
pub struct PodRun {
    progress: Arc<Mutex<Progress>>,
    /// Has the simulator look at the pod.
    changed: Box<dyn Fn() + Send + Sync>,
    /// The grace period, once the pod is to stop.
    stop: watch::Receiver<Option<Duration>>,
    events: Arc<EventRecorder>,
    about: ObjectReference,
}

impl PodRun {
    pub(crate) fn new(
        progress: Arc<Mutex<Progress>>,
        changed: impl Fn() + Send + Sync + 'static,
        stop: watch::Receiver<Option<Duration>>,
        events: Arc<EventRecorder>,
        about: ObjectReference,
    ) -> Self {
        Self { progress, changed: Box::new(changed), stop, events, about }
    }

    /// Says what the containers do now. The pod's status follows.
    pub fn report(&self, report: PodReport) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).report = Some(report);
        (self.changed)();
    }

    /// Records an Event about the pod, or about a part of it such as `spec.containers{app}`, unless
    /// Events are switched off: a reason such as `Started`, and a sentence. Repetitions about the
    /// same part become a series.
    pub async fn note(&self, part: Option<&str>, reason: &str, sentence: impl Into<String>) {
        self.events.record(&self.part(part), EventType::Normal, reason, sentence.into()).await;
    }

    /// The same as [`PodRun::note`], for something that went wrong.
    pub async fn warn(&self, part: Option<&str>, reason: &str, sentence: impl Into<String>) {
        self.events.record(&self.part(part), EventType::Warning, reason, sentence.into()).await;
    }

    fn part(&self, part: Option<&str>) -> ObjectReference {
        ObjectReference { field_path: part.map(str::to_owned), ..self.about.clone() }
    }

    /// Returns when the pod is being deleted, with the time that its containers may take to stop.
    pub async fn stop_requested(&self) -> Duration {
        stop_requested(self.stop.clone()).await
    }
}

/// Returns when `stop` holds a grace period. A closed channel is a pod that is gone: no time is
/// left.
pub(crate) async fn stop_requested(mut stop: watch::Receiver<Option<Duration>>) -> Duration {
    match stop.wait_for(Option::is_some).await {
        Ok(grace) => grace.unwrap_or_default(),
        Err(_) => Duration::ZERO,
    }
}
