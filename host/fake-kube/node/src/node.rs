//! The node.

use crate::fields::Machine;
use crate::folders;
use crate::names::Names;
use crate::options::NodeOptions;
use crate::pod;
use crate::shared::Shared;
use fake_kube::{PodRun, PodRunner};
use futures::future::{BoxFuture, FutureExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use std::io;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Runs the containers of pods as processes.
pub struct Node {
    shared: Arc<Shared>,
    _names: AbortOnDropHandle<()>,
}

impl Node {
    /// Makes the folders, and starts to follow the names of pods.
    ///
    /// # Errors
    /// When the folders cannot be made.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(client: Client, mut options: NodeOptions) -> io::Result<Arc<Self>> {
        std::fs::create_dir_all(&options.claims)?;
        // Secrets of pods are in it.
        folders::make(&options.folder, 0o700)?;
        // A container reaches these paths by another root, in which links lead elsewhere.
        options.folder = options.folder.canonicalize()?;
        options.claims = options.claims.canonicalize()?;
        let names = Arc::new(Names::default());
        let following = tokio::spawn(names.clone().follow(client.clone()));
        let shared = Shared {
            client,
            names,
            machine: Machine::detect(),
            slots: Semaphore::new(options.most_pods.min(Semaphore::MAX_PERMITS)),
            tasks: TaskTracker::new(),
            options,
        };
        Ok(Arc::new(Self { shared: Arc::new(shared), _names: AbortOnDropHandle::new(following) }))
    }

    /// Waits until all processes have ended and the folders of pods are deleted. Stop the simulators
    /// first: they start pods, and stopping them stops these.
    pub async fn stopped(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl PodRunner for Node {
    fn accepts(&self, pod: &Pod) -> bool {
        (self.shared.options.accepts)(pod)
    }

    fn run(self: Arc<Self>, pod: Arc<Pod>, run: PodRun) -> BoxFuture<'static, ()> {
        // When the future is dropped, the folder of the pod is still to be deleted.
        self.shared.tasks.track_future(pod::run(self.shared.clone(), pod, run)).boxed()
    }
}
