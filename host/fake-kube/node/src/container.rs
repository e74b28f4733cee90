//! One container: its start, its end, and its restarts.

use crate::context::Deadline;
use crate::environment;
use crate::folders;
use crate::launch::{MESSAGE, launch};
use crate::messages::{Ending, StartFailure};
use crate::objects::{self, Objects, Obstacle};
use crate::probe::{self, Verdict};
use crate::process::Process;
use crate::record::{Ended, State};
use crate::supervised::{Inside, Supervised};
use fake_kube::LogWriter;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often a start is tried again that something prevents.
const RETRY: Duration = Duration::from_secs(2);
/// How much of a termination message counts, in bytes (kubelet
/// `MaxContainerTerminationMessageLength`).
const LONGEST_MESSAGE: usize = 4096;
/// The exit code of a container that could not be started (containerd).
const NOT_STARTED: i32 = 128;
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// Runs a container until it has ended for good, and returns its exit code; `None` when it was
/// stopped before it started. `started` becomes true when it has started for the first time.
pub(crate) async fn supervise(
    supervised: Supervised,
    mut stopping: Deadline,
    started: watch::Sender<bool>,
) -> Option<i32> {
    // Restarts since the last run that counts as working.
    let mut in_a_row = 0;
    loop {
        let ended = run_once(&supervised, &mut stopping, &started).await?;
        let restarts = supervised.policy.restarts_after(ended.exit_code) && stopping.borrow().is_none();
        let code = ended.exit_code;
        if !restarts {
            supervised.set(State::Ended(ended));
            return Some(code);
        }
        let backoff = supervised.context.shared.options.backoff;
        let ran = ended.finished.duration_since(ended.started).unsigned_abs();
        in_a_row = if backoff.forgets(ran) { 0 } else { in_a_row };
        let pause = backoff.pause(in_a_row);
        in_a_row = in_a_row.saturating_add(1);
        if !wait_in_backoff(&supervised, ended.clone(), pause, &mut stopping).await {
            supervised.set(State::Ended(ended));
            return Some(code);
        }
        supervised.context.board.change(supervised.place, |record| record.restarts += 1);
    }
}

/// Waits before a restart. Returns false when the container has to stop.
async fn wait_in_backoff(
    supervised: &Supervised,
    ended: Ended,
    pause: Duration,
    stopping: &mut Deadline,
) -> bool {
    supervised.context.board.change(supervised.place, |record| {
        record.last = Some(ended);
        (record.ready, record.started) = (false, false);
    });
    if pause.is_zero() {
        return true;
    }
    let (name, pod) = (&supervised.container.name, &supervised.context.pod);
    let message = format!(
        "back-off {}s restarting failed container={name} pod={}",
        pause.as_secs(),
        pod.metadata.name.as_deref().unwrap_or_default()
    );
    supervised.set(State::Waiting("CrashLoopBackOff", message.clone()));
    supervised.warn("BackOff", message).await;
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        _ = stopping.wait_for(Option::is_some) => false,
    }
}

/// Starts a container and waits for its end. `None` when it was stopped before it started.
async fn run_once(
    supervised: &Supervised,
    stopping: &mut Deadline,
    started: &watch::Sender<bool>,
) -> Option<Ended> {
    let mut said = None;
    loop {
        if stopping.borrow().is_some() {
            return None;
        }
        let begun = Timestamp::now();
        let obstacle = match start(supervised).await {
            Ok(running) => return Some(finish(supervised, running, stopping, started).await),
            Err(NotStarted::Failed(message)) => {
                supervised.warn("Failed", format!("Error: {message}")).await;
                supervised.context.board.change(supervised.place, |record| record.was_started = true);
                let (exit_code, finished) = (NOT_STARTED, Timestamp::now());
                return Some(Ended { exit_code, reason: "StartError", message, started: begun, finished });
            }
            Err(NotStarted::Waits(obstacle)) => obstacle,
        };
        supervised.set(State::Waiting(obstacle.reason, obstacle.message.clone()));
        if said.as_ref() != Some(&obstacle) {
            supervised.warn("Failed", format!("Error: {}", obstacle.message)).await;
            said = Some(obstacle);
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            _ = stopping.wait_for(Option::is_some) => {}
        }
    }
}

/// Why a container was not started.
enum NotStarted {
    /// Something is missing. It is tried again.
    Waits(Obstacle),
    /// It counts as ended.
    Failed(String),
}

impl From<Obstacle> for NotStarted {
    fn from(obstacle: Obstacle) -> Self {
        NotStarted::Waits(obstacle)
    }
}

/// A container that runs.
struct Running {
    process: Process,
    since: Timestamp,
    inside: Inside,
    /// What the container has written outside of volumes, and its termination message.
    folder: PathBuf,
    log: Arc<LogWriter>,
}

async fn start(supervised: &Supervised) -> Result<Running, NotStarted> {
    let Supervised { context, container, .. } = supervised;
    let node = &context.shared;
    let namespace = context.namespace();
    let objects = Objects::read(&node.client, &namespace, objects::of_container(container)).await;
    let objects = objects
        .map_err(|error| Obstacle::configuration(format!("variables cannot be looked up: {error}")))?;
    let declared = environment::declared(&context.pod, container, &objects, node.machine)?;
    let folder = context.folder.join("containers").join(&container.name);
    let failed = |error: std::io::Error| Obstacle::creation(format!("the container has no folder: {error}"));
    // What an earlier run has left.
    folders::remove(&folder).map_err(failed)?;
    folders::make(&folder.join("root"), 0o755).map_err(failed)?;
    std::fs::write(folder.join(MESSAGE), "").map_err(failed)?;
    let launch = launch(supervised, declared, &folder)?;
    let log = Arc::new(node.options.logs.begin(&context.uid(), &container.name));
    let process = context.helper.launch(&launch, log.clone()).await.map_err(|failure| match failure {
        StartFailure::NoNamespaces(error) => Obstacle::creation(format!(
            "this kernel does not let processes make namespaces ({error}), so that a container cannot have paths such as /data for itself: allow it, for example with sysctl user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0, or outside of a container that forbids it"
        ))
        .into(),
        StartFailure::Container(message) => NotStarted::Failed(message),
        StartFailure::NotFound(message) => NotStarted::Failed(format!(
            "{message}: programs come from this machine unless there is a folder for the image {:?}",
            container.image.as_deref().unwrap_or_default()
        )),
    })?;
    let inside = Inside { process: process.id(), command: launch.command };
    Ok(Running { process, since: Timestamp::now(), inside, folder, log })
}

/// Waits for the end of a container that runs.
async fn finish(
    supervised: &Supervised,
    mut running: Running,
    stopping: &mut Deadline,
    started: &watch::Sender<bool>,
) -> Ended {
    let board = &supervised.context.board;
    let since = running.since;
    board.change(supervised.place, |record| {
        record.state = State::Running(since);
        record.was_started = true;
    });
    board.note(supervised.place, "Started", format!("Started container {}", supervised.container.name)).await;
    let verdict = {
        let probes = probe::watch(supervised, &running.inside, started);
        tokio::pin!(probes);
        let stopped = async {
            // A closed channel is a pod that is gone, and then this future is dropped too.
            let deadline = stopping.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
            deadline.unwrap_or_else(Instant::now)
        };
        tokio::select! {
            biased;
            ending = running.process.ended() => Err(ending),
            deadline = stopped => Ok((Verdict::Stop, deadline)),
            verdict = &mut probes => Ok((verdict, Instant::now() + grace(supervised))),
        }
    };
    let ending = match verdict {
        Err(ending) => ending,
        Ok((verdict, deadline)) => {
            if let Verdict::Unhealthy(message) = verdict {
                supervised.context.board.note(supervised.place, "Killing", message).await;
            }
            stop(supervised, &mut running, deadline).await
        }
    };
    let exit_code = ending.exit_code();
    let message = message(&supervised.container, &running, exit_code);
    folders::remove_or_log(&running.folder);
    Ended {
        exit_code,
        reason: if exit_code == 0 { "Completed" } else { "Error" },
        message,
        started: since,
        finished: Timestamp::now(),
    }
}

fn grace(supervised: &Supervised) -> Duration {
    let spec = supervised.context.pod.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Stops a container: its hook, its stop signal, and SIGKILL at the deadline.
async fn stop(supervised: &Supervised, running: &mut Running, deadline: Instant) -> Ending {
    let lifecycle = supervised.container.lifecycle.as_ref();
    if let Some(hook) = lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()) {
        let hook = probe::hook(supervised, &running.inside, hook);
        if let Ok(Err(message)) = tokio::time::timeout_at(deadline, hook).await {
            supervised.warn("FailedPreStopHook", message).await;
        }
    }
    running.process.signal(SIGTERM).await;
    match tokio::time::timeout_at(deadline, running.process.ended()).await {
        Ok(ending) => ending,
        Err(_) => {
            running.process.signal(SIGKILL).await;
            running.process.ended().await
        }
    }
}

/// The termination message of a container.
fn message(container: &Container, running: &Running, exit_code: i32) -> String {
    let written = std::fs::read(running.folder.join(MESSAGE)).unwrap_or_default();
    let written = written.get(..LONGEST_MESSAGE).unwrap_or(&written);
    let from_log = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    if written.is_empty() && from_log && exit_code != 0 {
        // As much as the kubelet takes.
        return running.log.tail(80, 2048);
    }
    String::from_utf8_lossy(written).into_owned()
}
