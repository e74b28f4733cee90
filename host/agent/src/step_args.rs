//! The flags of a step.

use crate::network::NetworkArgs;
use clap::{ArgAction, Args, Parser, ValueEnum};
use oci_archive::{Compression, SamePath};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Name of the subcommand that runs a step.
pub const EXEC: &str = "exec";
/// Where the kubelet reads the termination message of a container (core/v1 Container,
/// terminationMessagePath).
pub const DEFAULT_TERMINATION_MESSAGE: &str = "/dev/termination-log";
/// The flag for another path of the termination message.
const TERMINATION_MESSAGE: &[u8] = b"--termination-message=";

/// A step of a workflow.
#[derive(Args, Debug)]
pub struct StepArgs {
    /// The registry, as http://host:port or https://host:port.
    #[arg(long, value_name = "URL", require_equals = true)]
    pub registry: String,
    /// Unix socket of the credential proxy.
    #[arg(long, value_name = "SOCKET", require_equals = true)]
    pub proxy: Option<PathBuf>,
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Artifact to pull, as `repository[:tag][@digest]`; may be repeated. {pod}, {namespace}, {job}
    /// and {index} are replaced, and a range as {0..99} stands for many artifacts. Behind ,path=
    /// stands a directory for this artifact alone.
    #[arg(long = "input", value_name = "URI[,path=PATH]", require_equals = true)]
    pub inputs: Vec<String>,
    /// Directory for inputs without a path of their own; by default the working directory.
    /// Placeholders are replaced, as in the other paths of a step, and in paths of inputs
    /// {repository} and {tag} too.
    #[arg(long, value_name = "PATH", require_equals = true)]
    pub input_path: Option<PathBuf>,
    /// For how many seconds to wait for inputs that are not in the registry yet. The variable
    /// ORASCACHE_INPUT_WAIT_REMAINING replaces this number.
    #[arg(long, value_name = "SECONDS", require_equals = true, default_value_t = 0)]
    pub input_wait: u32,
    /// What to do when two inputs hold the same file with different content.
    #[arg(long, value_name = "RULE", require_equals = true, value_enum, default_value_t)]
    pub input_conflicts: InputConflicts,
    /// Artifact to push, as `repository[:tag]`; may be repeated. Behind ,path= stands the file or
    /// directory of this artifact alone.
    #[arg(long = "output", value_name = "URI[,path=PATH]", require_equals = true)]
    pub outputs: Vec<String>,
    /// File or directory to push as those outputs that have no path of their own.
    #[arg(long, value_name = "PATH", require_equals = true)]
    pub output_path: Option<PathBuf>,
    /// File that the command's standard output is also written to.
    #[arg(long, value_name = "PATH", require_equals = true)]
    pub output_pipe: Option<PathBuf>,
    /// Whether a pushed directory is marked to be unpacked on pull.
    #[arg(long, value_name = "BOOLEAN", require_equals = true, default_value_t = true, action = ArgAction::Set)]
    pub unpack: bool,
    /// How a pushed directory is compressed. `oras pull` unpacks gzip alone.
    #[arg(long, value_name = "METHOD", require_equals = true, value_enum, default_value_t)]
    pub compression: CompressionMethod,
    /// Whether to leave a provenance statement (in-toto, SLSA) beside each output, where the registry
    /// knows referrers.
    #[arg(long, value_name = "BOOLEAN", require_equals = true, default_value_t = true, action = ArgAction::Set)]
    pub provenance: bool,
    #[command(flatten)]
    pub reuse: ReuseArgs,
    /// Whether to log what the agent does.
    #[arg(long, value_name = "BOOLEAN", require_equals = true, default_value_t = false, action = ArgAction::Set)]
    pub debug: bool,
    /// File for what the step did, in the text format of Prometheus, as a textfile collector reads
    /// it.
    #[arg(long, value_name = "PATH", require_equals = true)]
    pub metrics_file: Option<PathBuf>,
    /// File for the reason why a step failed other than by its command.
    #[arg(long, value_name = "PATH", require_equals = true, default_value = DEFAULT_TERMINATION_MESSAGE)]
    pub termination_message: PathBuf,
    /// A transfer is given up when nothing was transferred for this number of seconds.
    #[arg(long, value_name = "SECONDS", require_equals = true, default_value_t = 120)]
    pub patience: u32,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub words: Vec<OsString>,
}

/// Whether a step that was done before is not done again, and what counts besides what the agent
/// sees itself.
#[derive(Args, Clone, Debug, Default)]
pub struct ReuseArgs {
    /// Whether outputs of an equal step are reused: then nothing is pulled or run.
    #[arg(long = "reuse", value_name = "BOOLEAN", require_equals = true, default_value_t = false, action = ArgAction::Set)]
    pub is_on: bool,
    /// The image of the step's container, as the pod has it: for the provenance of the outputs, and
    /// for the key.
    #[arg(long = "reuse-image", value_name = "IMAGE", require_equals = true)]
    pub image: Option<String>,
    /// A text that counts.
    #[arg(long = "reuse-salt", value_name = "TEXT", require_equals = true)]
    pub salt: Option<String>,
    /// A file or directory whose content counts; may be repeated. Placeholders are replaced.
    #[arg(long = "reuse-file", value_name = "PATH", require_equals = true)]
    pub files: Vec<PathBuf>,
    /// A variable whose value counts; may be repeated.
    #[arg(long = "reuse-variable", value_name = "NAME", require_equals = true)]
    pub variables: Vec<String>,
    /// A variable that counts by where its value comes from; may be repeated.
    #[arg(long = "reuse-named-variable", value_name = "NAME=SOURCE", require_equals = true, value_parser = named_variable)]
    pub named_variables: Vec<(String, String)>,
}

fn named_variable(text: &str) -> Result<(String, String), String> {
    let (name, source) = text.split_once('=').ok_or("write it like NAME=secret/NAME/KEY")?;
    Ok((name.to_owned(), source.to_owned()))
}

/// What happens when two inputs hold the same file with different content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum InputConflicts {
    /// The step fails.
    #[default]
    Refuse,
    /// The later input wins.
    LastWins,
}

impl From<InputConflicts> for SamePath {
    fn from(rule: InputConflicts) -> Self {
        match rule {
            InputConflicts::Refuse => SamePath::Refuse,
            InputConflicts::LastWins => SamePath::LastWins,
        }
    }
}

/// How a directory is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CompressionMethod {
    /// Gzip, which every program for artifacts reads.
    #[default]
    Gzip,
    /// Zstandard: faster and smaller.
    Zstd,
}

impl From<CompressionMethod> for Compression {
    fn from(method: CompressionMethod) -> Self {
        match method {
            CompressionMethod::Gzip => Compression::Gzip,
            CompressionMethod::Zstd => Compression::Zstd,
        }
    }
}

/// A command line that is nothing but a step.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct StepLine {
    #[command(flatten)]
    step: StepArgs,
}

impl StepArgs {
    /// Reads the flags of a step, `--` and its command.
    ///
    /// # Errors
    /// A sentence.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        StepLine::try_parse_from(words).map(|line| line.step).map_err(|error| sentence(&error))
    }
}

/// The file for the termination message, according to arguments that may be wrong otherwise.
pub fn termination_message(arguments: &[OsString]) -> &Path {
    let of_agent = arguments.iter().take_while(|word| word.as_os_str() != "--");
    let named = of_agent.filter_map(|word| word.as_bytes().strip_prefix(TERMINATION_MESSAGE)).last();
    Path::new(named.map_or(OsStr::new(DEFAULT_TERMINATION_MESSAGE), OsStr::from_bytes))
}

/// What is wrong with arguments, as one sentence, without the usage that clap adds.
pub fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\nUsage:").next().unwrap_or_default();
    let said = said.split("\nFor more information").next().unwrap_or_default();
    let words: Vec<&str> = said.split_whitespace().collect();
    let said = words.join(" ");
    format!("wrong arguments: {}", said.strip_prefix("error: ").unwrap_or(&said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn refused(arguments: &[&str]) -> String {
        StepArgs::read(words(arguments)).unwrap_err()
    }

    #[test]
    fn the_arguments_of_a_step_are_read() {
        let arguments = [
            "--registry=http://a:5000",
            "--input=x:1",
            "--input=y",
            "--unpack=false",
            "--debug=true",
            "--",
            "sh",
            "--",
            "",
            "--input=z",
        ];
        let step = StepArgs::read(words(&arguments)).unwrap();
        assert_eq!(step.inputs, ["x:1", "y"]);
        assert_eq!((step.unpack, step.debug, step.patience), (false, true, 120));
        assert_eq!(step.input_conflicts, InputConflicts::Refuse);
        assert_eq!(step.words, words(&["sh", "--", "", "--input=z"]));
        assert_eq!(step.termination_message, Path::new("/dev/termination-log"));
    }

    #[test]
    fn wrong_arguments_become_a_sentence() {
        let said = refused(&["--registry=a"]);
        assert!(said.starts_with("wrong arguments: the following required arguments"), "{said}");
        assert!(said.contains("<COMMAND>") && !said.contains("Usage") && !said.contains('\n'), "{said}");
        let said = refused(&["--registry=a", "--compression=xz", "--", "true"]);
        assert!(said.contains("invalid value 'xz'") && said.contains("gzip, zstd"), "{said}");
        let said = refused(&["--registry=a", "--unpack=x", "--", "true"]);
        assert!(said.contains("invalid value 'x' for '--unpack=<BOOLEAN>'"), "{said}");
    }

    #[test]
    fn the_termination_message_is_found_in_wrong_arguments() {
        let arguments =
            words(&["a", "exec", "--x", "--termination-message=/y", "--", "--termination-message=/z"]);
        assert_eq!(termination_message(&arguments), Path::new("/y"));
        assert_eq!(termination_message(&words(&["a", "exec"])), Path::new(DEFAULT_TERMINATION_MESSAGE));
    }
}
