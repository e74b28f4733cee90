//! What the status of a pod says about its containers.

use fake_kube::{PodPhase, PodReport, PodRun};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Pod,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use std::sync::{Mutex, PoisonError};

/// The end of a container's run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub exit_code: i32,
    /// In one word.
    pub reason: &'static str,
    /// The termination message.
    pub message: String,
    pub started: Timestamp,
    pub finished: Timestamp,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It does not run: a reason in one word, and a sentence, which may be empty.
    Waiting(&'static str, String),
    /// It runs since then.
    Running(Timestamp),
    /// It has ended for good.
    Ended(Ended),
}

/// One container.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    name: String,
    image: String,
    is_sidecar: bool,
    pub state: State,
    /// The end of the run before.
    pub last: Option<Ended>,
    pub restarts: i32,
    /// Whether its startup probe has succeeded, if it has one.
    pub started: bool,
    /// Whether its readiness probe succeeds, if it has one.
    pub ready: bool,
    /// Whether it was ever started.
    pub was_started: bool,
}

/// Whether a container is a native sidecar: an init container that runs as long as the others.
pub(crate) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

impl Record {
    fn new(container: &Container, is_init: bool, reason: &'static str) -> Self {
        Self {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            is_sidecar: is_init && is_sidecar(container),
            state: State::Waiting(reason, String::new()),
            last: None,
            restarts: 0,
            started: false,
            ready: false,
            was_started: false,
        }
    }

    fn status(&self, is_init: bool) -> ContainerStatus {
        let mut state = ContainerState::default();
        match &self.state {
            State::Waiting(reason, message) => {
                state.waiting = Some(ContainerStateWaiting {
                    reason: Some((*reason).to_owned()),
                    message: Some(message.clone()).filter(|message| !message.is_empty()),
                });
            }
            State::Running(since) => {
                state.running = Some(ContainerStateRunning { started_at: Some(Time(*since)) });
            }
            State::Ended(ended) => state.terminated = Some(terminated(ended)),
        }
        let has_succeeded = matches!(&self.state, State::Ended(ended) if ended.exit_code == 0);
        let is_plain_init = is_init && !self.is_sidecar;
        ContainerStatus {
            name: self.name.clone(),
            image: self.image.clone(),
            image_id: String::new(),
            // An init container is ready when it has done its work.
            ready: if is_plain_init { has_succeeded } else { self.ready },
            started: Some(self.started),
            restart_count: self.restarts,
            state: Some(state),
            last_state: self.last.as_ref().map(|last| ContainerState {
                terminated: Some(terminated(last)),
                ..ContainerState::default()
            }),
            ..ContainerStatus::default()
        }
    }
}

fn terminated(ended: &Ended) -> ContainerStateTerminated {
    ContainerStateTerminated {
        exit_code: ended.exit_code,
        reason: Some(ended.reason.to_owned()),
        message: Some(ended.message.clone()).filter(|message| !message.is_empty()),
        started_at: Some(Time(ended.started)),
        finished_at: Some(Time(ended.finished)),
        ..ContainerStateTerminated::default()
    }
}

/// Which container of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Init(usize),
    Main(usize),
}

/// The records of a pod. Every change is reported.
pub(crate) struct Board {
    run: PodRun,
    records: Mutex<Records>,
}

#[derive(Clone, Debug)]
struct Records {
    init: Vec<Record>,
    main: Vec<Record>,
    /// The last phase, and why.
    outcome: Option<Outcome>,
}

/// How a pod ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub phase: PodPhase,
    pub reason: Option<&'static str>,
    pub message: Option<&'static str>,
}

impl Board {
    /// A pod whose containers wait.
    pub(crate) fn new(pod: &Pod, run: PodRun) -> Self {
        let init = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
        let init: Vec<Record> =
            init.map(|container| Record::new(container, true, "PodInitializing")).collect();
        let reason = if init.is_empty() { "ContainerCreating" } else { "PodInitializing" };
        let main = pod.spec.iter().flat_map(|spec| &spec.containers);
        let main = main.map(|container| Record::new(container, false, reason)).collect();
        Self { run, records: Mutex::new(Records { init, main, outcome: None }) }
    }

    /// The connection to the pod simulator.
    pub(crate) fn run(&self) -> &PodRun {
        &self.run
    }

    /// Records an Event about a container.
    pub(crate) async fn note(&self, place: Place, reason: &str, sentence: String) {
        self.run.note(Some(&self.part(place)), reason, sentence).await;
    }

    /// Records an Event about something that went wrong with a container.
    pub(crate) async fn warn(&self, place: Place, reason: &str, sentence: String) {
        self.run.warn(Some(&self.part(place)), reason, sentence).await;
    }

    /// How Events name a container (core/v1 `ObjectReference.fieldPath`).
    fn part(&self, place: Place) -> String {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let (list, record) = match place {
            Place::Init(index) => ("initContainers", records.init.get(index)),
            Place::Main(index) => ("containers", records.main.get(index)),
        };
        format!("spec.{list}{{{}}}", record.map(|record| record.name.as_str()).unwrap_or_default())
    }

    /// Changes the record of a container.
    pub(crate) fn change(&self, place: Place, change: impl FnOnce(&mut Record)) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = match place {
            Place::Init(index) => records.init.get_mut(index),
            Place::Main(index) => records.main.get_mut(index),
        };
        if let Some(record) = record {
            change(record);
        }
        self.run.report(records.report());
    }

    /// Says of all containers that they wait, and why.
    pub(crate) fn all_wait(&self, reason: &'static str, message: &str) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let Records { init, main, .. } = &mut *records;
        for record in init.iter_mut().chain(main) {
            record.state = State::Waiting(reason, message.to_owned());
        }
        self.run.report(records.report());
    }

    /// Says how the pod ended.
    pub(crate) fn finish(&self, outcome: Outcome) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let Records { init, main, .. } = &mut *records;
        for record in init.iter_mut().chain(main) {
            record.ready = false;
            record.started = false;
        }
        records.outcome = Some(outcome);
        self.run.report(records.report());
    }
}

impl Records {
    fn report(&self) -> PodReport {
        let outcome = self.outcome.as_ref();
        let text = |text: Option<&'static str>| text.map(str::to_owned);
        PodReport {
            phase: outcome.map_or_else(|| self.phase(), |outcome| outcome.phase),
            reason: outcome.and_then(|outcome| text(outcome.reason)),
            message: outcome.and_then(|outcome| text(outcome.message)),
            pod_ip: None,
            init_containers: self.init.iter().map(|record| record.status(true)).collect(),
            containers: self.main.iter().map(|record| record.status(false)).collect(),
        }
    }

    /// A pod runs once all its containers were started.
    fn phase(&self) -> PodPhase {
        if self.main.iter().all(|record| record.was_started) { PodPhase::Running } else { PodPhase::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, Record, Records, State};
    use fake_kube::PodPhase;
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    fn record(is_sidecar: bool) -> Record {
        let policy = is_sidecar.then_some("Always");
        let container = json!({"name": "c", "image": "i", "restartPolicy": policy});
        Record::new(&serde_json::from_value(container).expect("a container"), is_sidecar, "ContainerCreating")
    }

    fn ended(exit_code: i32) -> Ended {
        let now = Timestamp::now();
        Ended { exit_code, reason: "Error", message: String::new(), started: now, finished: now }
    }

    #[test]
    fn a_pod_is_pending_until_all_containers_were_started() {
        let mut records =
            Records { init: Vec::new(), main: vec![record(false), record(false)], outcome: None };
        records.main[0].was_started = true;
        assert_eq!(records.report().phase, PodPhase::Pending);
        records.main[1].was_started = true;
        records.main[1].state = State::Waiting("CrashLoopBackOff", "back-off".to_owned());
        assert_eq!(records.report().phase, PodPhase::Running);
    }

    #[test]
    fn an_init_container_is_ready_once_it_has_succeeded() {
        let mut init = record(false);
        init.state = State::Ended(ended(1));
        assert!(!init.status(true).ready);
        init.state = State::Ended(ended(0));
        assert!(init.status(true).ready && !init.status(false).ready);
        let mut sidecar = record(true);
        sidecar.ready = true;
        assert!(sidecar.status(true).ready);
    }

    #[test]
    fn the_end_of_the_run_before_is_kept() {
        let mut record = record(false);
        record.last = Some(ended(7));
        record.restarts = 1;
        let status = record.status(false);
        assert_eq!(status.last_state.and_then(|state| state.terminated).map(|last| last.exit_code), Some(7));
        assert_eq!(status.state.and_then(|state| state.waiting).and_then(|waiting| waiting.message), None);
    }
}
