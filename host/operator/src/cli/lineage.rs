//! Arguments of `orascache lineage`.

use clap::{Args, ValueEnum};

/// Largest number of artifacts, and of steps between them, that can be asked for.
const LARGEST: i64 = 10_000;

/// `orascache lineage`
///
/// Exit codes: 0 printed, also where inputs are missing; 1 the artifact cannot be read, or the
/// registry does not answer; 2 the reference is none.
#[derive(Args, Debug)]
pub struct LineageArgs {
    /// The artifact, as host:port/repository:tag or host:port/repository@sha256:digest; the port may
    /// be left out.
    #[arg(value_name = "ARTIFACT")]
    pub reference: String,

    /// Use plain HTTP for the registry, which is the default on loopback.
    #[arg(long)]
    pub plain_http: bool,

    /// Most steps between the artifact and an input that is read. Inputs that are further away are
    /// named.
    #[arg(long, value_name = "STEPS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(0..=LARGEST))]
    pub depth: u16,

    /// Most artifacts that are shown. Further inputs are counted.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=LARGEST))]
    pub limit: u16,

    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = LineageFormat::Text)]
    pub output: LineageFormat,
}

/// What `orascache lineage` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LineageFormat {
    /// A tree.
    Text,
    /// One JSON document.
    Json,
    /// A graph for Graphviz.
    Dot,
    /// A drawing.
    Svg,
}
