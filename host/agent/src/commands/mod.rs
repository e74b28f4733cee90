//! The commands `pull` and `push`, for people and scripts: artifacts with the host in front, the
//! caller's own credentials, and bars on a terminal; and the commands that only read,
//! `explain_key` and `entrypoint`.

mod credentials;
mod entrypoint;
mod explain_key;

use crate::cancel::Cancel;
use crate::exit;
use crate::log::Log;
use crate::network::NetworkArgs;
use crate::step_args::CompressionMethod;
use crate::transfer::progress::Progress;
use crate::transfer::{self, TransferFailure, Wanted, run};
use crate::wait;
use clap::{ArgAction, Args};
use credentials::LoginArgs;
pub use entrypoint::{EntrypointArgs, entrypoint};
pub use explain_key::{ExplainKeyArgs, explain_key};
use oci_archive::Limits;
use oci_registry_client::{Client, RemoteArtifact, TransferPolicy};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// How the registry is accessed.
#[derive(Args, Debug)]
pub struct ConnectionArgs {
    /// Speaks plain HTTP. Registries on this machine are spoken to without TLS anyway. http:// in
    /// front of the artifact means the same.
    #[arg(long)]
    plain_http: bool,
    /// A transfer is given up when nothing was transferred for this number of seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u32,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    login: LoginArgs,
}

/// The arguments of `pull`.
#[derive(Args, Debug)]
pub struct PullArgs {
    /// Artifact, as `host[:port]/repository[:tag][@digest]`.
    artifact: String,
    /// Directory for its files.
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// How long to wait for an artifact that is not in the registry yet, such as 90s, 30m or 1h30m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<orascache_api::duration::Duration>,
    /// Number of bytes that an archive may become when it is unpacked, whatever its own size is.
    #[arg(long, value_name = "BYTES")]
    max_unpacked: Option<u64>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The arguments of `push`.
#[derive(Args, Debug)]
pub struct PushArgs {
    /// Artifact, as `host[:port]/repository[:tag]`.
    artifact: String,
    /// Files and directories. A pull restores relative ones under the same path, and others under
    /// their name.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Type of the artifact.
    #[arg(long, value_name = "MEDIA TYPE")]
    artifact_type: Option<String>,
    /// Annotation of the artifact; may be repeated.
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// Whether a pull unpacks directories.
    #[arg(long, value_name = "BOOLEAN", default_value_t = true, action = ArgAction::Set)]
    unpack: bool,
    /// How directories are compressed. `oras pull` unpacks gzip alone.
    #[arg(long, value_name = "METHOD", value_enum, default_value_t)]
    compression: CompressionMethod,
    #[command(flatten)]
    connection: ConnectionArgs,
}

fn duration(text: &str) -> Result<orascache_api::duration::Duration, String> {
    orascache_api::duration::Duration::parse(text).map_err(|why| format!("it {why}"))
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it like key=value")?;
    if key.is_empty() {
        return Err("nothing stands before the =: write it like key=value".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Pulls an artifact. Returns the exit code.
pub fn pull(arguments: &PullArgs) -> u8 {
    finish(try_pull(arguments))
}

/// Pushes files and directories. Returns the exit code.
pub fn push(arguments: &PushArgs) -> u8 {
    finish(try_push(arguments))
}

fn try_pull(arguments: &PullArgs) -> Result<String, TransferFailure> {
    let remote = RemoteArtifact::parse(&arguments.artifact, arguments.connection.plain_http)
        .map_err(TransferFailure::BadRequest)?;
    let client = client(&arguments.connection, &remote)?;
    let mut options = transfer::pull::PullOptions::default();
    if let Some(bytes) = arguments.max_unpacked {
        // The number is a limit of its own, also for a large archive.
        options.limits = Limits { bytes, factor: 0, ..options.limits };
    }
    let (log, progress) = (Log::default(), Progress::on_terminal());
    let pulled = run(&Cancel::default(), async {
        let found = match arguments.wait {
            None => None,
            Some(wait) => {
                let limit = Duration::from_secs(wait.seconds().into());
                let inputs = [remote.reference.clone()];
                let waited = wait::for_inputs(&client, &inputs, limit, &log).await;
                waited.map_err(TransferFailure::Failed)?.pop()
            }
        };
        let wanted = Wanted { reference: remote.reference.clone(), found, into: arguments.directory.clone() };
        transfer::pull::artifacts(&client, &[wanted], &options, &progress).await
    })??;
    transfer::pull::notes_about_modes(&pulled).into_iter().for_each(|note| log.info(note));
    Ok(pulled.iter().map(|pulled| format!("pulled {}/{pulled}\n", remote.endpoint.host())).collect())
}

fn try_push(arguments: &PushArgs) -> Result<String, TransferFailure> {
    let remote = RemoteArtifact::parse(&arguments.artifact, arguments.connection.plain_http)
        .map_err(TransferFailure::BadRequest)?;
    if remote.reference.digest.is_some() {
        let why = format!(
            "\"{}\" names a digest, which a new artifact does not have yet: name a tag",
            arguments.artifact
        );
        return Err(TransferFailure::BadRequest(why));
    }
    let content = transfer::push::PushedContent {
        files: sources(&arguments.paths).map_err(TransferFailure::BadRequest)?,
        unpack: arguments.unpack,
        compression: arguments.compression.into(),
        artifact_type: arguments.artifact_type.clone(),
        annotations: arguments.annotations.iter().cloned().collect(),
        config: None,
        blob_sources: BTreeMap::new(),
    };
    let client = client(&arguments.connection, &remote)?;
    let progress = Progress::on_terminal();
    let outputs = vec![(remote.reference.clone(), content)];
    let pushed =
        run(&Cancel::default(), async { transfer::push::artifacts(&client, outputs, &progress).await })??;
    Ok(pushed.iter().map(|pushed| format!("pushed {}/{pushed}\n", remote.endpoint.host())).collect())
}

fn client(connection: &ConnectionArgs, remote: &RemoteArtifact) -> Result<Client, TransferFailure> {
    let credentials = connection.login.credentials(remote).map_err(TransferFailure::BadRequest)?;
    let policy = TransferPolicy::patient(Duration::from_secs(connection.patience.into()));
    let network = connection.network.network(|name| std::env::var_os(name));
    let network = network.map_err(TransferFailure::BadRequest)?;
    Ok(Client::with_network(remote.endpoint.clone(), credentials, policy, network))
}

/// The files and directories of an artifact. Two with the same title are an error, since a pull
/// would restore only one.
fn sources(paths: &[PathBuf]) -> Result<Vec<transfer::push::Source>, String> {
    let sources: Vec<_> = paths.iter().map(|path| source(path)).collect::<Result<_, _>>()?;
    let mut known: BTreeMap<&str, &Path> = BTreeMap::new();
    for source in &sources {
        if let Some(other) = known.insert(&source.title, &source.path) {
            return Err(format!(
                "{} and {} would both be restored as \"{}\": rename one of them, or write both relative to a common directory",
                other.display(),
                source.path.display(),
                source.title
            ));
        }
    }
    Ok(sources)
}

/// A file or directory with the title that it has in the artifact.
fn source(path: &Path) -> Result<transfer::push::Source, String> {
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let title: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let title = if is_inside && !title.as_os_str().is_empty() {
        title
    } else {
        let real = std::fs::canonicalize(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let name = real.file_name().ok_or_else(|| {
            format!(
                "{} is the root of the file system, which is not pushed: name files or directories below it",
                path.display()
            )
        })?;
        PathBuf::from(name)
    };
    let title = title.to_str().ok_or_else(|| {
        format!(
            "the name of {} is not UTF-8, so that it cannot be the title of a layer: rename it",
            path.display()
        )
    })?;
    Ok(transfer::push::Source { path: path.to_owned(), title: title.to_owned() })
}

/// Prints what was done, in lines. Returns the exit code.
pub fn finish(done: Result<String, TransferFailure>) -> u8 {
    let log = Log::default();
    match done {
        Ok(text) => {
            // A closed standard output does not change what was done.
            let _ = std::io::stdout().write_all(text.as_bytes());
            0
        }
        Err(TransferFailure::BadRequest(sentence)) => {
            log.info(sentence);
            exit::USAGE
        }
        Err(TransferFailure::Failed(sentence)) => {
            log.info(sentence);
            exit::FAILED
        }
        Err(TransferFailure::Cancelled) => exit::FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_titles() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("words")).unwrap();
        let title = |path: &Path| source(path).map(|source| source.title);
        assert_eq!(title(Path::new("./a/b.txt")).as_deref(), Ok("a/b.txt"));
        assert_eq!(title(&folder.path().join("words/")).as_deref(), Ok("words"));
        assert_eq!(title(&folder.path().join("words/../words")).as_deref(), Ok("words"));
        assert!(title(Path::new("/")).unwrap_err().contains("root of the file system"));
        assert!(title(Path::new("../no-such-thing")).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn two_paths_with_one_title_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("out.txt"), name).unwrap();
        }
        let paths = ["a/out.txt", "b/out.txt"].map(|path| folder.path().join(path));
        let sentence = sources(&paths).unwrap_err();
        assert!(sentence.contains("would both be restored as \"out.txt\""), "{sentence}");
        let relative = ["a/out.txt", "b/out.txt", "./c"].map(PathBuf::from);
        assert_eq!(sources(&relative).unwrap().len(), 3);
        assert!(sources(&["x", "./x"].map(PathBuf::from)).is_err());
    }

    #[test]
    fn annotations_have_a_key() {
        assert_eq!(annotation("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(annotation("a").is_err() && annotation("=b").is_err());
    }
}
