//! Arguments about components: where they come from, what they may use, and what is recorded.

use crate::output::Format;
use clap::{Args, Subcommand};
use orascache_runtime::record::{self, Capacity};
use std::path::PathBuf;

/// Which component decides, and what it may use.
#[derive(Args, Clone, Debug)]
pub struct ComponentArgs {
    /// A component to use instead of the embedded one: a file, or
    /// oci://host:port/repository@sha256:digest. `run` and `dev` follow a file: another version
    /// that passes their checks takes over without a restart.
    #[arg(long, value_name = "FILE", env = "ORASCACHE_RUN_COMPONENT")]
    pub component: Option<PathBuf>,

    /// How to reach the registry that it may come from.
    #[command(flatten)]
    pub registry: RegistryArgs,

    /// Memory that an instance of the component may use, in MiB.
    #[arg(long, value_name = "MIB", env = "ORASCACHE_COMPONENT_MEMORY", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub component_memory: u16,

    /// How long the component may take to make a plan, in milliseconds. It is stopped at the next
    /// hundredth of a second.
    #[arg(long, value_name = "MS", env = "ORASCACHE_COMPONENT_DEADLINE", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    pub component_deadline: u32,

    /// How long the component may take to answer a review, in milliseconds. A user waits for it.
    #[arg(long, value_name = "MS", env = "ORASCACHE_COMPONENT_REVIEW_DEADLINE", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    pub component_review_deadline: u32,

    /// Calls after which an instance of the component is replaced. With 1 every call has a fresh
    /// instance.
    #[arg(long, value_name = "CALLS", env = "ORASCACHE_COMPONENT_CALLS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub component_calls: u32,
}

/// How registries with components are reached, and what is trusted. Credentials are those of
/// `docker login`, or ORAS_USER with ORAS_PULL_PASS and ORAS_PUSH_PASS.
#[derive(Args, Clone, Debug)]
pub struct RegistryArgs {
    /// Accept a component that is named by a tag, although a tag can be moved.
    #[arg(long, env = "ORASCACHE_ALLOW_UNPINNED")]
    pub allow_unpinned: bool,

    /// Accept only a component that this key signed: PEM, ECDSA P-256, as `cosign
    /// generate-key-pair` writes it.
    #[arg(long, value_name = "FILE", env = "ORASCACHE_COMPONENT_KEY")]
    pub component_key: Option<PathBuf>,

    /// Use plain HTTP for the registry, which is the default on loopback.
    #[arg(long, env = "ORASCACHE_COMPONENT_PLAIN_HTTP")]
    pub component_plain_http: bool,
}

/// What is recorded, and where.
#[derive(Args, Clone, Debug)]
pub struct RecordArgs {
    /// Record inputs and outputs of the component in this folder, for `orascache replay`. The
    /// newest records replace the oldest.
    #[arg(long, value_name = "DIR", env = "ORASCACHE_RECORD")]
    pub record: Option<PathBuf>,

    /// Leave the text under annotations, labels, environment variables and fields of this name out
    /// of the records, beside what always is left out. Can be repeated.
    #[arg(long, value_name = "KEY", requires = "record")]
    pub redact: Vec<String>,

    /// How large the records may become, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub record_mib: u64,

    /// How many records are kept.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(8..))]
    pub record_count: u64,
}

impl RecordArgs {
    /// Options for the recorder.
    pub fn options(&self) -> Option<record::Options> {
        let capacity = Capacity { bytes: self.record_mib << 20, records: self.record_count };
        let directory = self.record.clone()?;
        Some(record::Options { directory, capacity, redact: self.redact.clone() })
    }
}

/// `orascache inspect`
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The component; the embedded one by default.
    #[arg(value_name = "COMPONENT")]
    pub component: Option<PathBuf>,

    /// How to reach the registry that it may come from.
    #[command(flatten)]
    pub registry: RegistryArgs,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    pub output: Format,
}

/// `orascache module`
#[derive(Debug, Subcommand)]
pub enum ModuleCommand {
    /// Push a component as an OCI artifact, and print the reference by which it is pinned.
    Push(ModulePushArgs),
    /// Pull a component into a file.
    Pull(ModulePullArgs),
}

/// `orascache module push`
#[derive(Args, Debug)]
pub struct ModulePushArgs {
    /// The destination, as host:port/repository:tag; port and tag may be left out.
    pub reference: String,

    /// The component; the embedded one by default.
    pub file: Option<PathBuf>,

    /// How to reach the registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `orascache module pull`
#[derive(Args, Debug)]
pub struct ModulePullArgs {
    /// The component, as host:port/repository@sha256:digest; the port may be left out.
    pub reference: String,

    /// The file to write.
    #[arg(short, long, value_name = "FILE", default_value = "component.wasm")]
    pub output: PathBuf,

    /// How to reach the registry, and what is trusted.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
