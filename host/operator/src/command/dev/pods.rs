//! The node of `orascache dev`, which runs pods that end as processes.

use crate::command::failed::Failed;
use anyhow::Context;
use fake_kube::{FakeKube, Simulators};

/// Runs pods, until it is stopped.
pub(super) struct Pods(#[cfg(target_os = "linux")] Option<std::sync::Arc<fake_kube_node::Node>>);

#[cfg(target_os = "linux")]
impl Pods {
    /// Prepares the node, unless the arguments say that pods are not run.
    pub(super) fn start(
        cluster: &FakeKube,
        folder: &std::path::Path,
        args: &crate::cli::DevArgs,
    ) -> Result<Self, Failed> {
        use crate::programs;
        use fake_kube_node::{Node, NodeOptions};
        use orascache_api::steps::AGENT_PROGRAM;

        let args = &args.pods;
        if args.no_run_pods {
            return Ok(Self(None));
        }
        // This program, also when its file is replaced meanwhile, as by another build
        // (proc_pid_exe(5)). It is the node's helper, and so it can open itself by this name.
        let this = "/proc/self/exe";
        let agent = match &args.agent {
            Some(file) => file
                .canonicalize()
                .with_context(|| format!("--agent {}: there is no such program", file.display()))
                .map_err(Failed::Unusable)?,
            None => this.into(),
        };
        let mut options =
            NodeOptions::new(folder.join("node"), vec![this.into(), programs::CONTAINER.into()]);
        options.logs = cluster.logs();
        // A pod that mounts the claim of a cache sees what its registry has stored.
        options.claims = folder.join("registries/claims");
        options.images.clone_from(&args.image);
        options.programs.insert(AGENT_PROGRAM.to_owned(), agent);
        options.most_pods = args.max_pods.into();
        let node = Node::start(cluster.client(), options).context("pods cannot be run")?;
        Ok(Self(Some(node)))
    }

    /// Whether pods that end are run.
    pub(super) fn are_run(&self) -> bool {
        self.0.is_some()
    }

    /// Simulators that have this node run pods which nobody else runs.
    pub(super) fn join(&self, simulators: Simulators) -> Simulators {
        match &self.0 {
            Some(node) => simulators.with_pod_runner(node.clone()),
            None => simulators,
        }
    }

    /// Stops all pods, and returns when their processes have ended and their folders are deleted.
    pub(super) async fn stop(self, cluster: &mut FakeKube) {
        cluster.stop_simulators().await;
        if let Some(node) = &self.0 {
            node.stopped().await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Pods {
    /// Nothing: containers need Linux.
    pub(super) fn start(_: &FakeKube, _: &std::path::Path, _: &crate::cli::DevArgs) -> Result<Self, Failed> {
        Ok(Self())
    }

    /// Whether pods that end are run.
    pub(super) fn are_run(&self) -> bool {
        false
    }

    /// The same simulators.
    pub(super) fn join(&self, simulators: Simulators) -> Simulators {
        simulators
    }

    /// Stops the simulators.
    pub(super) async fn stop(self, cluster: &mut FakeKube) {
        cluster.stop_simulators().await;
    }
}
