//! The command line.

use crate::step_args::StepArgs;
use crate::{collection, commands, copy, proxy, prune};
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;

/// Runs steps of workflows, with artifacts from a registry.
#[derive(Debug, Parser)]
#[command(name = "orascache-agent", version, about)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Pulls the inputs, runs the command, and pushes the outputs when the command has succeeded.
    ///
    /// The exit code is that of the command: 126 if it cannot be executed, 127 if it was not found,
    /// 128 plus the number of the signal that ended it. Other codes are 97 for a bad request, 98
    /// when an input could not be pulled, and 99 when the output could not be saved or pushed.
    Exec(Box<StepArgs>),
    /// Pulls an artifact into a directory.
    Pull(Box<commands::PullArgs>),
    /// Pushes files and directories as an artifact.
    Push(Box<commands::PushArgs>),
    /// Copies artifacts from one registry to another, through memory: nothing is stored on disk.
    ///
    /// What the destination has is not sent again, so that the same command continues a copy that
    /// was cut. Blobs and manifests come first, and then the tags.
    Copy(Box<copy::CopyArgs>),
    /// Deletes the tags of a registry that no rule keeps, and the manifests that nothing names then.
    Prune(Box<prune::PruneArgs>),
    /// Runs the distribution registry of this image, and frees the space of what was deleted, when
    /// `prune --collection` asks for it.
    ///
    /// For a collection the registry is started again read-only, and once more with writes. The exit
    /// code is that of the registry, 127 if it was not found, and 1 for other failures.
    SuperviseRegistry(Box<collection::SuperviseArgs>),
    /// Prints what goes into the key of a step, by which an equal step reuses its outputs, and in
    /// what it differs from another one.
    ExplainKey(Box<commands::ExplainKeyArgs>),
    /// Prints which program an image starts, as the command and args of a container.
    Entrypoint(Box<commands::EntrypointArgs>),
    /// Serves a registry on a Unix socket, for the artifacts of one step, with the credentials of a
    /// Secret. They are read from the files of a directory, or from ORAS_USER, ORAS_PULL_PASS and
    /// ORAS_PUSH_PASS.
    Proxy(Box<proxy::ProxyArgs>),
    /// Copies this program into a directory.
    Install {
        /// Directory for the copy. It must exist.
        directory: PathBuf,
    },
    /// Prints the version.
    Version,
}

/// Prints what `--version` prints. Returns the exit code.
pub fn print_version() -> u8 {
    // A closed standard output does not change the version.
    let _ = writeln!(std::io::stdout(), "orascache-agent {}", env!("CARGO_PKG_VERSION"));
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_valid() {
        Cli::command().debug_assert();
    }

    /// The commands of the Jobs and CronJobs that caches get: one that is open to all, and one with TLS
    /// and accounts.
    const TASKS: [&str; 2] = [
        include_str!(
            "../../../guest/core/tests/all/snapshots/all__render__objects_and_status_of_every_cache@tasks.json.snap"
        ),
        include_str!(
            "../../../guest/core/tests/all/snapshots/all__render__objects_and_status_of_every_cache@tasks-closed.json.snap"
        ),
    ];

    #[test]
    fn the_words_of_the_operator_are_understood() {
        let mut lines = TASKS.iter().flat_map(|text| text.lines()).map(str::trim);
        let mut commands = Vec::new();
        while let Some(line) = lines.next() {
            if line == "- command:" {
                let words = lines.by_ref().map_while(|line| line.strip_prefix("- "));
                commands.push(words.map(|word| word.trim_matches('"').to_owned()).collect::<Vec<_>>());
            }
        }
        // Beside them, the registry and its init container.
        assert_eq!(commands.len(), 10, "{commands:?}");
        for words in commands {
            let parsed = Cli::try_parse_from(&words);
            assert!(
                parsed.is_ok(),
                "{words:?}: {}",
                parsed.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
    }
}
