//! The command line of `prune`.

use crate::collection::CollectionArgs;
use crate::work::{WorkArgs, tag_pattern};
use clap::Args;
use std::path::PathBuf;

/// The arguments of `prune`.
#[derive(Args, Debug)]
pub struct PruneArgs {
    /// Registry, or a repository of it, or a pattern of repositories, as `[http://]host[:port]/flow/*`.
    pub registry: String,
    /// Keeps this number of the newest tags of each repository, and of the newest keys.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_tags: Option<u32>,
    /// Keeps tags and keys that are younger than this, such as 12h or 30d.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub max_age: Option<u64>,
    /// Keeps what was first seen within this time, whatever else is said, so that no artifact goes
    /// before the next step has pulled it; 0 for nothing. Tags are first seen by a run of this command.
    #[arg(long, value_name = "AGE", default_value = "1h", value_parser = age_or_none)]
    pub min_age: u64,
    /// Deletes only tags that match a pattern such as `run-*`; may be repeated. Keys always count.
    #[arg(long, value_name = "PATTERN", value_parser = tag_pattern)]
    pub tags: Vec<String>,
    /// Keeps what was pulled within this time. No registry tells it by the API that is used here, so
    /// that this flag is refused with the reason.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub unused_since: Option<u64>,
    /// Says what would be deleted, and changes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Number of requests at the same time.
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub parallel: u8,
    /// Directory with the credentials: the files of a mounted Secret. They are ORAS_USER,
    /// ORAS_PULL_PASS and ORAS_PUSH_PASS, or .dockerconfigjson. Without it, those of `docker login`
    /// count.
    #[arg(long, value_name = "DIRECTORY", require_equals = true)]
    pub credentials: Option<PathBuf>,
    #[command(flatten)]
    pub collection: CollectionArgs,
    #[command(flatten)]
    pub work: WorkArgs,
}

fn age_or_none(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { age(text) }
}

fn age(text: &str) -> Result<u64, String> {
    orascache_api::duration::age(text).map_err(|why| format!("it {why}"))
}
