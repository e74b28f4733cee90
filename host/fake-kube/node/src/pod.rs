//! A pod from its start to its deletion.

use crate::backoff::RestartPolicy;
use crate::container::supervise;
use crate::context::{Deadline, PodContext, host_name};
use crate::folders;
use crate::names::HostsFile;
use crate::objects::{self, Objects, Obstacle};
use crate::process::Helper;
use crate::record::{Board, Outcome, Place, is_sidecar};
use crate::shared::Shared;
use crate::supervised::Supervised;
use crate::volumes::{self, Sources, VolumeFolder};
use fake_kube::{PodPhase, PodRun};
use k8s_openapi::api::core::v1::{Container, PersistentVolumeClaim, Pod};
use kube::{Api, ResourceExt};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// How often something is tried again that no watch reports.
const RETRY: Duration = Duration::from_secs(1);
/// The default of `terminationGracePeriodSeconds` (core/v1 `PodSpec`).
const GRACE: i64 = 30;

/// Runs a pod, and keeps its logs until it is deleted.
pub(crate) async fn run(shared: Arc<Shared>, pod: Arc<Pod>, run: PodRun) {
    let _logs = LogsOfPod { shared: shared.clone(), uid: pod.uid().unwrap_or_default() };
    let board = Arc::new(Board::new(&pod, run));
    let Some(slot) = wait_for_slot(&shared, &board).await else { return };
    let folder = FolderOfPod::new(&shared, &pod);
    let Some(context) = prepare(&shared, pod, board.clone(), &folder).await else { return };
    let is_deleted = run_containers(Arc::new(context)).await;
    drop((slot, folder));
    if !is_deleted {
        board.run().stop_requested().await;
    }
}

/// Forgets the logs of a pod.
struct LogsOfPod {
    shared: Arc<Shared>,
    uid: String,
}

impl Drop for LogsOfPod {
    fn drop(&mut self) {
        self.shared.options.logs.remove(&self.uid);
    }
}

/// The folder of a pod. Dropping it deletes the folder, once the pod's processes have ended.
struct FolderOfPod {
    shared: Arc<Shared>,
    path: PathBuf,
    processes: TaskTracker,
}

impl FolderOfPod {
    fn new(shared: &Arc<Shared>, pod: &Pod) -> Self {
        let path = shared.options.folder.join("pods").join(pod.uid().unwrap_or_default());
        Self { shared: shared.clone(), path, processes: TaskTracker::new() }
    }
}

impl Drop for FolderOfPod {
    fn drop(&mut self) {
        let (path, processes) = (std::mem::take(&mut self.path), self.processes.clone());
        self.shared.tasks.spawn(async move {
            processes.close();
            processes.wait().await;
            // A panic there has been reported already.
            let _ = tokio::task::spawn_blocking(move || folders::remove_or_log(&path)).await;
        });
    }
}

/// Waits until the node may run another pod. `None` when the pod is deleted meanwhile.
async fn wait_for_slot<'s>(shared: &'s Shared, board: &Board) -> Option<tokio::sync::SemaphorePermit<'s>> {
    if let Ok(slot) = shared.slots.try_acquire() {
        return Some(slot);
    }
    let most = shared.options.most_pods;
    board.all_wait("ContainerCreating", &format!("{most} pods run already, and no more may run at a time"));
    tokio::select! {
        // The semaphore is never closed.
        slot = shared.slots.acquire() => slot.ok(),
        _ = board.run().stop_requested() => None,
    }
}

/// Makes the volumes. `None` when the pod is deleted meanwhile.
async fn prepare(
    shared: &Arc<Shared>,
    pod: Arc<Pod>,
    board: Arc<Board>,
    folder: &FolderOfPod,
) -> Option<PodContext> {
    let mut said = None;
    loop {
        let obstacle = match try_prepare(shared, &pod, &folder.path).await {
            Ok((hosts, volumes)) => {
                let helper = Helper::new(shared.options.helper.clone(), folder.processes.clone());
                let (shared, folder) = (shared.clone(), folder.path.clone());
                return Some(PodContext { shared, pod, board, helper, folder, hosts, volumes });
            }
            Err(obstacle) => obstacle,
        };
        board.all_wait(obstacle.reason, &obstacle.message);
        if said.as_ref() != Some(&obstacle) {
            board.run().warn(None, "FailedMount", obstacle.message.clone()).await;
            said = Some(obstacle);
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            _ = board.run().stop_requested() => return None,
        }
    }
}

async fn try_prepare(
    shared: &Arc<Shared>,
    pod: &Pod,
    folder: &Path,
) -> Result<(HostsFile, BTreeMap<String, VolumeFolder>), Obstacle> {
    let (namespace, uid) = (pod.namespace().unwrap_or_default(), pod.uid().unwrap_or_default());
    let list = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let unreadable =
        |error: kube::Error| Obstacle::volume(format!("the volumes cannot be looked up: {error}"));
    let objects =
        Objects::read(&shared.client, &namespace, objects::of_volumes(list)).await.map_err(unreadable)?;
    let mut claims = BTreeMap::new();
    for claim in list.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref()) {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(shared.client.clone(), &namespace);
        let found = api.get_metadata_opt(&claim.claim_name).await.map_err(unreadable)?;
        claims.extend(found.and_then(|found| found.uid()).map(|uid| (claim.claim_name.clone(), uid)));
    }
    shared.names.reached(&uid).await;
    let failed = |error: std::io::Error| Obstacle::volume(format!("the pod has no folder: {error}"));
    folders::make(&folder.join("volumes"), 0o755).map_err(failed)?;
    let hosts = shared.names.keep(folder.join("hosts"), &namespace, &host_name(pod)).map_err(failed)?;
    let sources = Sources {
        pod,
        objects: &objects,
        claims: &claims,
        claims_folder: &shared.options.claims,
        machine: shared.machine,
    };
    let mut made = BTreeMap::new();
    for volume in list {
        made.insert(volume.name.clone(), volumes::make(volume, &folder.join("volumes"), &sources)?);
    }
    Ok((hosts, made))
}

/// Runs the containers to their end. Returns whether the pod is deleted.
async fn run_containers(context: Arc<PodContext>) -> bool {
    let spec = context.pod.spec.as_ref();
    let grace = spec.and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(GRACE);
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    let limit = spec.and_then(|spec| spec.active_deadline_seconds);
    let limit =
        limit.map(|seconds| Instant::now() + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    let (stop, stopping) = watch::channel(None);
    let containers = containers(&context, stopping, grace);
    tokio::pin!(containers);
    let (mut is_deleted, mut is_late) = (false, false);
    let has_succeeded = loop {
        tokio::select! {
            outcome = &mut containers => break outcome,
            grace = context.board.run().stop_requested(), if !is_deleted => {
                is_deleted = true;
                let killed = Instant::now() + grace;
                stop.send_modify(|known| *known = Some(known.map_or(killed, |known| known.min(killed))));
            }
            () = tokio::time::sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() && !is_late => {
                is_late = true;
                let killed = Instant::now() + grace;
                stop.send_modify(|known| *known = Some(known.map_or(killed, |known| known.min(killed))));
            }
        }
    };
    let outcome = if is_late {
        let message = "Pod was active on the node longer than the specified deadline";
        context.board.run().warn(None, "DeadlineExceeded", message).await;
        Outcome { phase: PodPhase::Failed, reason: Some("DeadlineExceeded"), message: Some(message) }
    } else {
        let phase = if has_succeeded { PodPhase::Succeeded } else { PodPhase::Failed };
        Outcome { phase, reason: None, message: None }
    };
    context.board.finish(outcome);
    is_deleted
}

/// A native sidecar that runs.
struct Sidecar {
    stop: watch::Sender<Option<Instant>>,
    task: AbortOnDropHandle<Option<i32>>,
}

/// Runs all containers in their order, and returns whether the main ones have succeeded.
async fn containers(context: &Arc<PodContext>, stopping: Deadline, grace: Duration) -> bool {
    let spec = context.pod.spec.clone().unwrap_or_default();
    let policy = RestartPolicy::parse(spec.restart_policy.as_deref());
    let mut sidecars = Vec::new();
    let is_initialized = initialize(context, &stopping, policy, &mut sidecars).await;
    let has_succeeded = is_initialized && {
        let mut tasks = JoinSet::new();
        for (index, container) in spec.containers.iter().enumerate() {
            let supervised = Supervised::new(context, Place::Main(index), container, policy);
            let supervising = supervise(supervised, stopping.clone(), watch::Sender::new(false));
            tasks.spawn(context.helper.track(supervising));
        }
        let mut codes = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            codes.push(ended.ok().flatten());
        }
        codes.iter().all(|code| *code == Some(0))
    };
    // The last one first: those before it may be what it needs.
    while let Some(sidecar) = sidecars.pop() {
        let deadline = stopping.borrow().unwrap_or_else(|| Instant::now() + grace);
        sidecar.stop.send_replace(Some(deadline));
        // It has no result but its status.
        let _ = sidecar.task.await;
    }
    has_succeeded
}

/// Runs the init containers in their order, and returns whether the main ones may start. Native
/// sidecars go on running.
async fn initialize(
    context: &Arc<PodContext>,
    stopping: &Deadline,
    policy: RestartPolicy,
    sidecars: &mut Vec<Sidecar>,
) -> bool {
    let init = context.pod.spec.as_ref().and_then(|spec| spec.init_containers.clone()).unwrap_or_default();
    // An init container that has succeeded is not started again.
    let init_policy =
        if policy == RestartPolicy::Never { RestartPolicy::Never } else { RestartPolicy::OnFailure };
    for (index, container) in init.iter().enumerate() {
        let place = Place::Init(index);
        if is_sidecar(container) {
            let sidecar = start_sidecar(context, place, container, stopping).await;
            sidecars.extend(sidecar);
        } else {
            let supervised = Supervised::new(context, place, container, init_policy);
            if supervise(supervised, stopping.clone(), watch::Sender::new(false)).await != Some(0) {
                return false;
            }
        }
        if stopping.borrow().is_some() {
            return false;
        }
    }
    true
}

/// Starts a native sidecar, and waits until it has started or the pod has to stop.
async fn start_sidecar(
    context: &Arc<PodContext>,
    place: Place,
    container: &Container,
    stopping: &Deadline,
) -> Option<Sidecar> {
    let (stop, stopped) = watch::channel(None);
    let started = watch::Sender::new(false);
    let mut is_started = started.subscribe();
    let supervised = Supervised::new(context, place, container, RestartPolicy::Always);
    let supervising = context.helper.track(supervise(supervised, stopped, started));
    let task = AbortOnDropHandle::new(tokio::spawn(supervising));
    let mut stopping = stopping.clone();
    tokio::select! {
        // Either side ending is the end of the wait.
        _ = is_started.wait_for(|started| *started) => {}
        _ = stopping.wait_for(Option::is_some) => {}
    }
    Some(Sidecar { stop, task })
}
