//! The command line of `copy`.

use crate::work::{WorkArgs, tag_pattern};
use clap::Args;
use std::path::PathBuf;

/// The arguments of `copy`.
#[derive(Args, Debug)]
pub struct CopyArgs {
    /// Source and destination in turn, each as `[http://]host[:port]/repository[:tag][@digest]`. A
    /// destination without a tag gets the tag of its source.
    #[arg(required = true, num_args = 2.., value_name = "SOURCE DESTINATION")]
    pub artifacts: Vec<String>,
    /// Copies all tags of the source, which is a repository, or a pattern of repositories such as
    /// `flow/*`. Repositories of a pattern keep their names below the destination.
    #[arg(long, conflicts_with = "tags")]
    pub all_tags: bool,
    /// As --all-tags, with the tags that match a pattern such as `run-*`; may be repeated.
    #[arg(long, value_name = "PATTERN", value_parser = tag_pattern)]
    pub tags: Vec<String>,
    /// Copies the manifests that refer to the copied ones too, such as signatures and statements.
    #[arg(long)]
    pub referrers: bool,
    /// Number of artifacts that are copied at the same time.
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub parallel: u8,
    /// Copies only one of the pairs: that with the number in JOB_COMPLETION_INDEX, counted from 0.
    /// Each pod of an indexed Job copies one.
    #[arg(long)]
    pub by_index: bool,
    /// Directory with the credentials for the sources: the files of a mounted Secret. They are
    /// ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS, or .dockerconfigjson. Without it, those of
    /// `docker login` count.
    #[arg(long, value_name = "DIRECTORY", require_equals = true)]
    pub source_credentials: Option<PathBuf>,
    /// Directory with the credentials for the destinations.
    #[arg(long, value_name = "DIRECTORY", require_equals = true)]
    pub destination_credentials: Option<PathBuf>,
    /// File with certificates, in PEM, of authorities that are trusted for the sources alone.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub source_ca_file: Option<PathBuf>,
    /// File with certificates, in PEM, of authorities that are trusted for the destinations alone.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub destination_ca_file: Option<PathBuf>,
    #[command(flatten)]
    pub work: WorkArgs,
}
