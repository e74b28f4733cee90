//! One container: its start, its end, and its restarts.

use crate::backoff::RestartPolicy;
use crate::environment::{self, Variables};
use crate::folders;
use crate::images;
use crate::messages::{CommandLine, Ending, FileSystem, Launch, Mount, StartFailure};
use crate::objects::{self, Objects, Obstacle};
use crate::pod::{Deadline, PodContext, host_name};
use crate::probe::{self, Verdict};
use crate::process::Process;
use crate::record::{Ended, Place, State};
use fake_kube::LogWriter;
use k8s_openapi::api::core::v1::{Container, VolumeMount};
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often a start is tried again that something prevents.
const RETRY: Duration = Duration::from_secs(2);
/// The path of programs in images (runc, containerd).
const IMAGE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The default of `terminationMessagePath`.
const TERMINATION_MESSAGE: &str = "/dev/termination-log";
/// How much of a termination message counts, in bytes (kubelet `MaxContainerTerminationMessageLength`).
const LONGEST_MESSAGE: usize = 4096;
/// The exit code of a container that could not be started (containerd).
const NOT_STARTED: i32 = 128;
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// A container of a pod.
#[derive(Clone)]
pub(crate) struct Supervised {
    pub context: Arc<PodContext>,
    pub place: Place,
    pub container: Container,
    policy: RestartPolicy,
}

impl Supervised {
    pub(crate) fn new(
        context: &Arc<PodContext>,
        place: Place,
        container: &Container,
        policy: RestartPolicy,
    ) -> Self {
        Self { context: context.clone(), place, container: container.clone(), policy }
    }

    fn set(&self, state: State) {
        self.context.board.change(self.place, |record| record.state = state);
    }

    async fn warn(&self, reason: &str, sentence: String) {
        self.context.board.run().warn(reason, sentence).await;
    }
}

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
        let backoff = supervised.context.node.options.backoff;
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
    _folder: ContainerFolder,
    message: PathBuf,
    log: Arc<LogWriter>,
}

/// What further commands in a container need to know.
pub(crate) struct Inside {
    /// The first process of the container.
    pub process: i32,
    /// Its command, with the variables and the working directory.
    pub command: CommandLine,
}

/// The folder of one run of a container. It is deleted when this is dropped.
struct ContainerFolder(PathBuf);

impl Drop for ContainerFolder {
    fn drop(&mut self) {
        folders::remove_or_log(&self.0);
    }
}

async fn start(supervised: &Supervised) -> Result<Running, NotStarted> {
    let Supervised { context, container, .. } = supervised;
    let node = &context.node;
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
    let folder = ContainerFolder(folder);
    let message = folder.0.join("termination-log");
    std::fs::write(&message, "").map_err(failed)?;
    let launch = launch(supervised, declared, &folder.0, &message)?;
    let log = Arc::new(node.options.logs.begin(&context.uid(), &container.name));
    let process = node.helper.launch(&launch, log.clone()).await.map_err(|failure| match failure {
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
    Ok(Running { process, since: Timestamp::now(), inside, _folder: folder, message, log })
}

/// What the helper needs to know about a container.
fn launch(
    supervised: &Supervised,
    declared: Variables,
    folder: &Path,
    message: &Path,
) -> Result<Launch, Obstacle> {
    let Supervised { context, container, .. } = supervised;
    let options = &context.node.options;
    let image = container.image.as_deref().unwrap_or_default();
    let host_name = host_name(&context.pod);
    let mut words = container.command.clone().unwrap_or_default();
    if words.is_empty() {
        return Err(Obstacle::creation(format!(
            "no command specified: what the image {image:?} starts by itself is not known here, so write it as command"
        )));
    }
    words.extend(container.args.clone().unwrap_or_default());
    let words: Vec<String> = words.iter().map(|word| declared.expand(word)).collect();
    let program = words.first().and_then(|name| options.programs.get(name)).cloned();
    let base = images::find(&options.images, image).unwrap_or(Path::new("/"));
    let path = std::env::var("PATH").ok().filter(|_| base == Path::new("/"));
    let path = path.unwrap_or_else(|| IMAGE_PATH.to_owned());
    let shown = tops(&path);
    let mut variables = declared;
    let target = container.termination_message_path.as_deref().unwrap_or(TERMINATION_MESSAGE);
    let mut mounts =
        vec![Mount { source: message.to_owned(), part: None, target: absolute(target)?, read_only: false }];
    for mount in container.volume_mounts.iter().flatten() {
        mounts.push(volume_mount(context, mount, &variables)?);
    }
    // Folders come before what is mounted into them.
    mounts.sort_by(|one, other| Path::new(&one.target).cmp(Path::new(&other.target)));
    variables.set_default("PATH", path);
    variables.set_default("HOSTNAME", host_name.clone());
    variables.set_default("HOME", "/root".to_owned());
    let security = container.security_context.as_ref();
    let of_pod = context.pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
    let user = security.and_then(|found| found.run_as_user).or(of_pod.and_then(|found| found.run_as_user));
    let group = security.and_then(|found| found.run_as_group).or(of_pod.and_then(|found| found.run_as_group));
    let number = |id: Option<i64>| u32::try_from(id.unwrap_or(0)).unwrap_or(0);
    Ok(Launch {
        command: CommandLine {
            words,
            variables: variables.0,
            directory: absolute(container.working_dir.as_deref().unwrap_or("/"))?,
        },
        files: FileSystem {
            base: base.to_owned(),
            shown,
            root: folder.join("root"),
            read_only: security.and_then(|found| found.read_only_root_filesystem) == Some(true),
            hosts: context.hosts.path().to_owned(),
            mounts,
        },
        hostname: host_name,
        user: number(user),
        group: number(group),
        program,
    })
}

/// The folders at the root of this machine in which the programs of a PATH are.
fn tops(path: &str) -> Vec<String> {
    let mut tops = BTreeSet::new();
    for folder in std::env::split_paths(path) {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        for folder in [folder, real] {
            let top = folder.components().find_map(|component| match component {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                _ => None,
            });
            tops.extend(top.filter(|_| folder.is_absolute()));
        }
    }
    tops.into_iter().collect()
}

/// A path of a container. Relative ones start at its root.
fn absolute(path: &str) -> Result<String, Obstacle> {
    let absolute = Path::new("/").join(path);
    if absolute.components().any(|component| component == Component::ParentDir) {
        return Err(Obstacle::creation(format!("the path {path:?} has a .. in it: write it without")));
    }
    Ok(absolute.to_string_lossy().into_owned())
}

fn volume_mount(context: &PodContext, mount: &VolumeMount, variables: &Variables) -> Result<Mount, Obstacle> {
    let volume = context.volumes.get(&mount.name);
    let volume = volume.ok_or_else(|| Obstacle::creation(format!("there is no volume {:?}", mount.name)))?;
    let part = match (&mount.sub_path, &mount.sub_path_expr) {
        (Some(part), _) if !part.is_empty() => Some(part.clone()),
        (_, Some(part)) if !part.is_empty() => Some(variables.expand(part)),
        _ => None,
    };
    Ok(Mount {
        source: volume.path.clone(),
        part,
        target: absolute(&mount.mount_path)?,
        read_only: volume.read_only || mount.read_only == Some(true),
    })
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
    board.run().note("Started", format!("Started container {}", supervised.container.name)).await;
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
                supervised.context.board.run().note("Killing", message).await;
            }
            stop(supervised, &mut running, deadline).await
        }
    };
    let exit_code = ending.exit_code();
    Ended {
        exit_code,
        reason: if exit_code == 0 { "Completed" } else { "Error" },
        message: message(&supervised.container, &running, exit_code),
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
    let written = std::fs::read(&running.message).unwrap_or_default();
    let written = written.get(..LONGEST_MESSAGE).unwrap_or(&written);
    let from_log = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    if written.is_empty() && from_log && exit_code != 0 {
        // As much as the kubelet takes.
        return running.log.tail(80, 2048);
    }
    String::from_utf8_lossy(written).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{absolute, tops};

    #[test]
    fn folders_with_programs_are_shown() {
        let found = tops("/usr/bin:/no-such-top/bin::relative/bin");
        assert!(found.contains(&"usr".to_owned()) && found.contains(&"no-such-top".to_owned()));
        assert!(!found.contains(&"relative".to_owned()), "{found:?}");
    }

    #[test]
    fn paths_start_at_the_root_and_do_not_leave_it() {
        assert_eq!(absolute("data").as_deref(), Ok("/data"));
        assert_eq!(absolute("/data/x").as_deref(), Ok("/data/x"));
        assert!(absolute("/data/../..").unwrap_err().message.contains("write it without"));
    }
}
