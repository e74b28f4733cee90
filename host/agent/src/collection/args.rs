//! The command lines of `supervise-registry`, and of what `prune` needs for a collection.

use clap::Args;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The arguments of `supervise-registry`.
#[derive(Args, Debug)]
pub struct SuperviseArgs {
    /// Address at which collections are asked for.
    #[arg(long, value_name = "ADDRESS", require_equals = true, default_value = "[::]:5002")]
    pub listen: SocketAddr,
    /// File with the key that requests are signed with.
    #[arg(long, value_name = "PATH", require_equals = true)]
    pub key: PathBuf,
    /// Seconds that the collector may take: once to look, while the registry takes writes, and once
    /// to delete, while it takes none.
    #[arg(long, value_name = "SECONDS", require_equals = true, default_value_t = 1800)]
    pub limit: u32,
    /// Seconds without a collection after the start and after each collection. After a long one it is
    /// four times as long as that one.
    #[arg(long, value_name = "SECONDS", require_equals = true, default_value_t = 300)]
    pub pause: u32,
    /// Configuration of the registry. Without it, that of the image: the file that
    /// REGISTRY_CONFIGURATION_PATH names, or config.yml in /etc/distribution or /etc/docker/registry.
    #[arg(long, value_name = "PATH", require_equals = true)]
    pub config: Option<PathBuf>,
    /// The registry's program.
    #[arg(long, value_name = "PROGRAM", require_equals = true, default_value = "registry")]
    pub program: OsString,
}

/// Where `prune` asks for a collection when it has deleted.
#[derive(Args, Debug)]
pub struct CollectionArgs {
    /// Asks for a garbage collection at the end, at this address of `supervise-registry`, as
    /// `http://host:port`, and waits for its end.
    #[arg(long = "collection", value_name = "URL", require_equals = true, requires = "collection_key")]
    pub url: Option<String>,
    /// File with the key of `supervise-registry`.
    #[arg(long = "collection-key", id = "collection_key", value_name = "PATH", require_equals = true)]
    pub key: Option<PathBuf>,
}
