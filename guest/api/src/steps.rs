//! Names that workflow pods and the agent in them agree on.

/// Prefix of the annotations by which users ask for a step, as in workflows today.
pub const ANNOTATION_PREFIX: &str = "oras.converged-computing.github.io/";

/// Annotations, without [`ANNOTATION_PREFIX`].
pub mod annotation {
    /// The OrasCache to use. Required.
    pub const CACHE: &str = "oras-cache";
    /// An artifact to pull; `input-uri_1`, `input-uri_2`, ... name more, in numeric order.
    pub const INPUT_URI: &str = "input-uri";
    /// Directory into which inputs are unpacked; by default the working directory. `input-path_N`
    /// is that of `input-uri_N`.
    pub const INPUT_PATH: &str = "input-path";
    /// How long the step waits for inputs that are not there yet, as a
    /// [`crate::duration::Duration`].
    pub const INPUT_WAIT: &str = "input-wait";
    /// What happens when two inputs hold the same file with different content: `refuse` or
    /// `last-wins`.
    pub const INPUT_CONFLICTS: &str = "input-conflicts";
    /// The artifact to push; `output-uri_1`, `output-uri_2`, ... name more, in numeric order.
    pub const OUTPUT_URI: &str = "output-uri";
    /// File or directory to push. `output-path_N` is that of `output-uri_N`.
    pub const OUTPUT_PATH: &str = "output-path";
    /// File that the command's standard output is also written to.
    pub const OUTPUT_PIPE: &str = "output-pipe";
    /// The container that takes part.
    pub const CONTAINER: &str = "container";
    /// Another registry than the cache.
    pub const REGISTRY: &str = "registry";
    /// Secret with [`super::env::USER`], [`super::env::PULL_PASSWORD`] and
    /// [`super::env::PUSH_PASSWORD`].
    pub const ORAS_ENV: &str = "oras-env";
    /// Authority of the registry: `configmap/NAME/KEY` or `secret/NAME/KEY` of the pod's namespace.
    pub const REGISTRY_CA: &str = "registry-ca";
    /// Whether a step that was done before is not done again.
    pub const REUSE: &str = "reuse";
    /// A text that counts for [`REUSE`].
    pub const REUSE_SALT: &str = "reuse-salt";
    /// Files whose content counts for [`REUSE`].
    pub const REUSE_FILES: &str = "reuse-files";
    /// Whether a pushed directory is marked to be unpacked on pull.
    pub const UNPACK: &str = "unpack";
    /// How a pushed directory is compressed: `gzip` or `zstd`.
    pub const COMPRESSION: &str = "compression";
    /// Whether the agent leaves a provenance statement beside each output.
    pub const PROVENANCE: &str = "provenance";
    /// Image that carries the agent.
    pub const ORAS_CONTAINER: &str = "oras-container";
    /// Whether the agent logs what it decides.
    pub const DEBUG: &str = "debug";
    /// A script that older versions fetched at run time. Ignored: nothing is downloaded and run.
    pub const ENTRYPOINT: &str = "entrypoint";
    /// Another script of older versions. Ignored like [`ENTRYPOINT`].
    pub const ORAS_ENTRYPOINT: &str = "oras-entrypoint";
}

/// The marker: an annotation of rewritten pods. Its name does not begin with [`ANNOTATION_PREFIX`],
/// under which unknown names are refused.
pub const INJECTED_ANNOTATION: &str = "cache.converged-computing.github.io/injected";
/// Value of [`INJECTED_ANNOTATION`]: the version of the injection.
pub const INJECTED_VERSION: &str = "v1";

/// Annotation of a rewritten pod whose command is that of an image: the digest of the image.
pub const COMMAND_OF_IMAGE_ANNOTATION: &str = "cache.converged-computing.github.io/command-of-image";

/// Annotation of manifests that the agent pushes: the inputs of the step, as a JSON list of
/// references by digest.
pub const INPUTS_ANNOTATION: &str = "cache.converged-computing.github.io/inputs";

/// Scheduling gate of pods that wait for their inputs, and annotation with what they wait for.
pub const INPUTS_GATE: &str = "cache.converged-computing.github.io/inputs";
/// Label of pods that have [`INPUTS_GATE`], by which the operator finds them.
pub const GATED_LABEL: &str = "cache.converged-computing.github.io/gated";
/// Value of [`GATED_LABEL`].
pub const GATED_VALUE: &str = "true";
/// Annotation of a pod whose gate was removed: how many seconds are left of its waiting time.
pub const INPUT_WAIT_REMAINING_ANNOTATION: &str = "cache.converged-computing.github.io/input-wait-remaining";

/// Most artifacts that the inputs of one step may be, where the administrator sets no other number.
pub const DEFAULT_MAXIMUM_INPUTS: u64 = 1_000;
/// The greatest number that the administrator can set. The agent takes no more.
pub const LARGEST_MAXIMUM_INPUTS: u64 = 10_000;

/// Image that carries the agent, where neither the pod nor the administrator names one.
pub const DEFAULT_AGENT_IMAGE: &str =
    concat!("ghcr.io/converged-computing/orascache:", env!("CARGO_PKG_VERSION"));
/// The agent in its image, found through PATH.
pub const AGENT_PROGRAM: &str = "orascache-agent";
/// Volume with the agent and the socket of the credential proxy.
pub const AGENT_VOLUME: &str = "orascache-agent";
/// Directory at which [`AGENT_VOLUME`] is mounted.
pub const AGENT_DIRECTORY: &str = "/orascache";
/// The agent once it is installed.
pub const AGENT_PATH: &str = "/orascache/orascache-agent";
/// Volume with the credentials of a step, which only [`PROXY_CONTAINER`] mounts.
pub const CREDENTIALS_VOLUME: &str = "orascache-credentials";
/// Directory at which [`CREDENTIALS_VOLUME`] is mounted. Its files are named like [`env::USER`],
/// [`env::PULL_PASSWORD`] and [`env::PUSH_PASSWORD`].
pub const CREDENTIALS_DIRECTORY: &str = "/orascache-credentials";
/// Volume with the certificates of a private registry's authority.
pub const AUTHORITY_VOLUME: &str = "orascache-ca";
/// Directory at which [`AUTHORITY_VOLUME`] is mounted.
pub const AUTHORITY_DIRECTORY: &str = "/orascache-ca";
/// The file in that directory.
pub const AUTHORITY_FILE: &str = "ca.pem";
/// Socket of the credential proxy.
pub const PROXY_SOCKET: &str = "/orascache/proxy.sock";
/// Init container that copies the agent.
pub const INSTALL_CONTAINER: &str = "oras-install";
/// Native sidecar that adds credentials.
pub const PROXY_CONTAINER: &str = "oras";

/// Variables that the agent reads, and files of the same names in a directory with credentials.
pub mod env {
    /// User name for the registry.
    pub const USER: &str = "ORAS_USER";
    /// Password or token for pulling.
    pub const PULL_PASSWORD: &str = "ORAS_PULL_PASS";
    /// Password or token for pushing.
    pub const PUSH_PASSWORD: &str = "ORAS_PUSH_PASS";
    /// File with certificates, in PEM, of authorities that the agent trusts besides others.
    pub const CA_FILE: &str = "ORASCACHE_CA_FILE";
    /// The text of such a file.
    pub const CA_PEM: &str = "ORASCACHE_CA_PEM";
    /// Name of the pod, for `{pod}`.
    pub const POD: &str = "ORASCACHE_POD";
    /// Namespace of the pod, for `{namespace}`.
    pub const NAMESPACE: &str = "ORASCACHE_NAMESPACE";
    /// Name of the Job, for `{job}`.
    pub const JOB: &str = "ORASCACHE_JOB";
    /// Index of the pod within its Job or StatefulSet, for `{index}`.
    pub const INDEX: &str = "ORASCACHE_INDEX";
    /// Seconds that are left of the waiting time for inputs, from the annotation
    /// [`super::INPUT_WAIT_REMAINING_ANNOTATION`].
    pub const INPUT_WAIT_REMAINING: &str = "ORASCACHE_INPUT_WAIT_REMAINING";
}

/// Labels and annotations that Kubernetes puts on pods
/// (kubernetes.io/docs/reference/labels-annotations-taints).
pub mod well_known {
    /// Label of the pods of a JobSet, and of its Jobs: the name of the JobSet
    /// (jobset.sigs.k8s.io/docs/reference).
    pub const JOBSET_NAME: &str = "jobset.sigs.k8s.io/jobset-name";
    /// Label of a Job's pods.
    pub const JOB_NAME: &str = "batch.kubernetes.io/job-name";
    /// [`JOB_NAME`] before Kubernetes 1.27.
    pub const LEGACY_JOB_NAME: &str = "job-name";
    /// Annotation of an indexed Job's pods.
    pub const JOB_COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
    /// Label of a StatefulSet's pods.
    pub const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
    /// Annotation of the mirror of a static pod.
    pub const MIRROR_POD: &str = "kubernetes.io/config.mirror";
    /// Label of nodes with their operating system.
    pub const OS: &str = "kubernetes.io/os";
    /// Annotation with the name of the pod's main container.
    pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
}
