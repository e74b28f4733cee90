//! Registry pods that fail as the image's name says.

use fake_kube::{PodReport, PodRun, PodRunner};
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Pod};
use std::sync::Arc;

/// An image that does not exist.
pub const MISSING_IMAGE: &str = "missing.example/registry:1";
/// An image whose program ends at once.
pub const CRASHING_IMAGE: &str = "crashing.example/registry:1";
/// What the program says before it ends.
pub const LAST_WORDS: &str = "fatal: http://robot:hunter2@storage.example refuses";

/// Runs pods with the images of this module, as a kubelet would.
pub struct FailingPods;

fn image(pod: &Pod) -> &str {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    container.and_then(|container| container.image.as_deref()).unwrap_or_default()
}

impl PodRunner for FailingPods {
    fn accepts(&self, pod: &Pod) -> bool {
        matches!(image(pod), MISSING_IMAGE | CRASHING_IMAGE)
    }

    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
        async move {
            if image(&pod) == MISSING_IMAGE {
                let words =
                    format!("failed to resolve reference {MISSING_IMAGE:?}: {MISSING_IMAGE}: not found");
                run.report(PodReport::waiting(&pod, "ErrImagePull", &words));
            } else {
                let words = "back-off 20s restarting failed container=registry";
                let mut report = PodReport::waiting(&pod, "CrashLoopBackOff", words);
                let terminated = ContainerStateTerminated {
                    exit_code: 1,
                    reason: Some("Error".to_owned()),
                    message: Some(LAST_WORDS.to_owned()),
                    ..ContainerStateTerminated::default()
                };
                let ended = ContainerState { terminated: Some(terminated), ..ContainerState::default() };
                for container in &mut report.containers {
                    container.restart_count = 2;
                    container.last_state = Some(ended.clone());
                }
                run.report(report);
            }
            run.stop_requested().await;
        }
        .boxed()
    }
}
