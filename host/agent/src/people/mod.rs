//! `pull` and `push` for people: artifacts with the host in front, their own credentials, bars on a terminal.

mod credentials;

use crate::cancel::Cancel;
use crate::exit;
use crate::log::Log;
use crate::transfer::progress::Progress;
use crate::transfer::{self, Failure, run};
use clap::{ArgAction, Args};
use credentials::Login;
use oci_archive::Limits;
use oci_registry_client::{Client, Policy, Remote};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// How the registry is reached.
#[derive(Args, Debug)]
pub struct Connection {
    /// Speaks plain HTTP, as is done anyway with registries of this machine. http:// in front of the artifact says the same.
    #[arg(long)]
    plain_http: bool,
    /// Seconds for which nothing may move before the transfer is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u32,
    #[command(flatten)]
    login: Login,
}

/// What is pulled.
#[derive(Args, Debug)]
pub struct Pull {
    /// Artifact, as host[:port]/repository[:tag][@digest].
    artifact: String,
    /// Directory that it is pulled into.
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// Bytes that an archive may become, whatever its size.
    #[arg(long, value_name = "BYTES")]
    max_unpacked: Option<u64>,
    #[command(flatten)]
    connection: Connection,
}

/// What is pushed.
#[derive(Args, Debug)]
pub struct Push {
    /// Artifact, as host[:port]/repository[:tag].
    artifact: String,
    /// Files and directories. Relative ones are restored under the same path, others under their name.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Type of the artifact.
    #[arg(long, value_name = "MEDIA TYPE")]
    artifact_type: Option<String>,
    /// Annotation of the artifact; may be repeated.
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// Whether directories are unpacked when they are pulled.
    #[arg(long, value_name = "BOOLEAN", default_value_t = true, action = ArgAction::Set)]
    unpack: bool,
    #[command(flatten)]
    connection: Connection,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it like key=value")?;
    if key.is_empty() {
        return Err("nothing stands before the =: write it like key=value".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Pulls an artifact. Returns the exit code.
pub fn pull(arguments: &Pull) -> u8 {
    finish(try_pull(arguments), "pulled")
}

/// Pushes files and directories. Returns the exit code.
pub fn push(arguments: &Push) -> u8 {
    finish(try_push(arguments), "pushed")
}

fn try_pull(arguments: &Pull) -> Result<String, Failure> {
    let remote =
        Remote::parse(&arguments.artifact, arguments.connection.plain_http).map_err(Failure::BadRequest)?;
    let client = client(&arguments.connection, &remote)?;
    let mut options = transfer::pull::Options::default();
    if let Some(bytes) = arguments.max_unpacked {
        // What is said by hand is meant, also where the archive is large.
        options.limits = Limits { bytes, factor: 0, ..options.limits };
    }
    let references = [remote.reference.clone()];
    let progress = Progress::on_terminal();
    let pulled = run(&Cancel::default(), async {
        transfer::pull::all(&client, &references, &arguments.directory, &options, &progress).await
    })??;
    Ok(pulled.iter().map(|pulled| format!("{}/{pulled}", remote.endpoint.host())).collect())
}

fn try_push(arguments: &Push) -> Result<String, Failure> {
    let remote =
        Remote::parse(&arguments.artifact, arguments.connection.plain_http).map_err(Failure::BadRequest)?;
    if remote.reference.digest.is_some() {
        let why = format!(
            "\"{}\" names a digest, which what is pushed does not have yet: name a tag",
            arguments.artifact
        );
        return Err(Failure::BadRequest(why));
    }
    let files: Result<Vec<_>, _> = arguments.paths.iter().map(|path| source(path)).collect();
    let what = transfer::push::Artifact {
        files: files.map_err(Failure::BadRequest)?,
        unpack: arguments.unpack,
        artifact_type: arguments.artifact_type.clone(),
        annotations: arguments.annotations.iter().cloned().collect(),
        elsewhere: BTreeMap::new(),
    };
    let client = client(&arguments.connection, &remote)?;
    let progress = Progress::on_terminal();
    let pushed = run(&Cancel::default(), async {
        transfer::push::artifact(&client, &remote.reference, what, &progress).await
    })??;
    Ok(format!("{}/{pushed}", remote.endpoint.host()))
}

fn client(connection: &Connection, remote: &Remote) -> Result<Client, Failure> {
    let credentials = connection.login.credentials(&remote.endpoint).map_err(Failure::BadRequest)?;
    let policy = Policy::patient(Duration::from_secs(connection.patience.into()));
    Ok(Client::new(remote.endpoint.clone(), credentials, policy))
}

/// What a path is called in the artifact.
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

fn finish(done: Result<String, Failure>, what: &str) -> u8 {
    let log = Log::default();
    match done {
        Ok(text) => {
            // Where nobody reads it any more, it was done nevertheless.
            let _ = writeln!(std::io::stdout(), "{what} {text}");
            0
        }
        Err(Failure::BadRequest(sentence)) => {
            log.info(sentence);
            exit::USAGE
        }
        Err(Failure::Failed(sentence)) => {
            log.info(sentence);
            exit::FAILED
        }
        Err(Failure::Cancelled) => exit::FAILED,
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
    fn annotations_have_a_key() {
        assert_eq!(annotation("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(annotation("a").is_err() && annotation("=b").is_err());
    }
}
