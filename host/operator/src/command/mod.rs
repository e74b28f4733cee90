//! One module a subcommand.

pub mod crd;
mod dev;
mod inspect;
mod manifests;
mod module;
mod render;
mod replay;
mod review;
mod run;

use crate::cli::{Cli, Command, ComponentArgs, RegistryArgs};
use crate::engine::{CompiledCache, EMBEDDED, Engine, Guest, Interface, Limits};
use crate::operator;
use crate::swap;
use anyhow::Context;
use std::borrow::Cow;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The input made sense, the answer is no (exit code 1).
    Refused(anyhow::Error),
    /// The input made no sense (exit code 2).
    Unusable(anyhow::Error),
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Failed::Refused(error)
    }
}

/// Runs what was asked for. Results go to standard output, everything else to standard error.
#[allow(clippy::print_stderr, reason = "errors of a command are sentences on standard error")]
pub fn execute(cli: Cli) -> ExitCode {
    let filter = match EnvFilter::try_new(&cli.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!(
                "error: --log {:?} is not a filter: {error}. Write for example info or info,controller=debug.",
                cli.log
            );
            return ExitCode::from(2);
        }
    };
    // Only one subscriber can be set, and a test may have set its own.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();

    let done = match cli.command {
        Command::Crd(args) => crd::execute(&args),
        Command::Inspect(args) => inspect::execute(&args),
        Command::Module(command) => module::execute(&command),
        Command::Manifests(args) => manifests::execute(&args),
        Command::Render(args) => render::execute(&args),
        Command::Replay(args) => replay::execute(&args),
        Command::Review(args) => review::execute(&args),
        Command::Run(args) => run::execute(&args),
        Command::Dev(args) => dev::execute(&args),
    };
    let (code, error) = match done {
        Ok(code) => return code,
        Err(Failed::Refused(error)) => (1, error),
        Err(Failed::Unusable(error)) => (2, error),
    };
    eprintln!("error: {error:#}");
    ExitCode::from(code)
}

/// Follows the file of the component, where there is one. What a registry has under a digest does not change.
fn swap_options(args: &ComponentArgs) -> Option<swap::Options> {
    let in_registry = |file: &&PathBuf| file.to_str().and_then(module::reference).is_some();
    args.component.as_ref().filter(|file| !in_registry(file)).map(swap::Options::new)
}

/// Runs the asynchronous part of a command.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads for the asynchronous runtime")
}

/// The bytes of the component that is to decide.
fn component_bytes(file: Option<&Path>, registry: &RegistryArgs) -> Result<Cow<'static, [u8]>, Failed> {
    match file {
        None => Ok(Cow::Borrowed(EMBEDDED)),
        Some(file) => {
            if let Some(reference) = file.to_str().and_then(module::reference) {
                return module::fetch(reference, registry).map(|pulled| Cow::Owned(pulled.component));
            }
            let bytes = std::fs::read(file)
                .with_context(|| format!("the component {} cannot be read", file.display()));
            bytes.map(Cow::Owned).map_err(Failed::Unusable)
        }
    }
}

/// What a component looks like from outside.
fn interface(bytes: &[u8]) -> Result<Interface, Failed> {
    let engine = Engine::new(Limits::default()).context("no engine")?;
    // What is only looked at is not worth keeping in compiled form.
    engine.inspect(bytes, &CompiledCache::none()).map_err(|error| Failed::Unusable(error.into()))
}

/// The bounds that were asked for.
fn limits(args: &ComponentArgs) -> Limits {
    Limits {
        memory: usize::from(args.component_memory) << 20,
        call: Duration::from_millis(args.component_deadline.into()),
        calls_per_instance: args.component_calls,
        ..Limits::default()
    }
}

/// Loads the component that is to decide.
fn load_guest(args: &ComponentArgs) -> Result<Guest, Failed> {
    let bytes = component_bytes(args.component.as_deref(), &args.registry)?;
    let engine = Engine::new(limits(args)).context("no engine")?;
    let name = args
        .component
        .as_ref()
        .map_or_else(|| "the embedded component".to_owned(), |file| file.display().to_string());
    let guest = engine.load(&bytes, &CompiledCache::of_user());
    guest.with_context(|| format!("{name} cannot be used")).map_err(Failed::Unusable)
}
