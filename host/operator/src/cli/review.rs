//! Arguments of `orascache review`.

use super::component::ComponentArgs;
use super::input::InputArgs;
use clap::Args;
use std::path::PathBuf;

/// `orascache review`
///
/// Exit codes: 0 everything that was reviewed is allowed, 1 something is refused, 2 something
/// cannot be used.
#[derive(Args, Debug)]
pub struct ReviewArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// What has the objects to be created, or AdmissionReviews.
    #[command(flatten)]
    pub input: InputArgs,

    /// File or folder with the OrasCaches that exist, and with namespaces whose labels matter, YAML
    /// or JSON. Those among the reviewed objects count too. Can be repeated.
    #[arg(long, value_name = "FILE")]
    pub context: Vec<PathBuf>,

    /// File with the administrator's settings, YAML or JSON: the settings themselves, or the
    /// ConfigMap that holds them.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,

    /// Namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,

    /// Image that carries the agent, where a pod names none.
    #[arg(long, value_name = "IMAGE", env = "ORASCACHE_AGENT_IMAGE")]
    pub agent_image: Option<String>,

    /// End with exit code 1 when there are warnings, too.
    #[arg(long)]
    pub warnings_as_errors: bool,

    /// What is printed. With `yaml` and `diff`, decisions go to standard error.
    #[arg(short, long, value_enum, default_value_t = ReviewFormat::Text)]
    pub output: ReviewFormat,
}

/// What `orascache review` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReviewFormat {
    /// Decisions, messages and warnings.
    Text,
    /// The same as JSON, with file and line of each document.
    Json,
    /// Annotations of a GitHub workflow (workflow commands).
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// The objects as they would be stored.
    Yaml,
    /// What the patches change, as a unified diff of YAML.
    Diff,
}
