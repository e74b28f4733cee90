//! What the node and its helper tell each other.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A container to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub command: CommandLine,
    pub files: FileSystem,
    /// The name of the machine, as processes see it.
    pub hostname: String,
    /// User and group, as processes see them. They are the user and group of the node.
    pub user: u32,
    pub group: u32,
    /// A file of this machine that runs in place of the first word, which processes still see as
    /// their name.
    pub program: Option<PathBuf>,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommandLine {
    pub words: Vec<String>,
    /// All variables of the process.
    pub variables: Vec<(String, String)>,
    /// It is created if it does not exist.
    pub directory: String,
}

/// The file system of a container. Its programs are those of `base`, which stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileSystem {
    /// The root of this machine, or an unpacked image.
    pub base: PathBuf,
    /// Further folders at the top of `base` that the container sees, when `base` is this machine.
    pub shown: Vec<String>,
    /// An empty folder. It takes everything that the container writes outside of volumes.
    pub root: PathBuf,
    pub read_only: bool,
    /// The content of /etc/hosts.
    pub hosts: PathBuf,
    /// Files and folders of this machine at paths of the container, in the order in which they are
    /// mounted.
    pub mounts: Vec<Mount>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mount {
    /// Path on this machine, without symbolic links.
    pub source: PathBuf,
    /// Path within `source`. It is created if it does not exist, and cannot lead out of `source`.
    pub part: Option<String>,
    /// Absolute path in the container.
    pub target: String,
    pub read_only: bool,
}

/// A command in a container that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// The first process of the container.
    pub process: i32,
    pub command: CommandLine,
}

/// What the node asks of the helper once the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Send this signal to the command.
    Signal(i32),
}

/// What the helper reports to the node, and `init` to `contain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The command runs, with this process ID.
    Started(i32),
    /// The command was not started.
    Failed(StartFailure),
    /// The command ended.
    Ended(Ending),
}

/// Why a command was not started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StartFailure {
    /// The kernel does not allow namespaces. No container can run here.
    NoNamespaces(String),
    /// This container cannot run.
    Container(String),
    /// There is no such program.
    NotFound(String),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// By itself, with an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl Ending {
    /// The exit code that container runtimes report: 128 and the number of the signal.
    pub(crate) fn exit_code(self) -> i32 {
        match self {
            Ending::Code(code) => code,
            Ending::Signal(number) => 128 + number,
        }
    }
}
