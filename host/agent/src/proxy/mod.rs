//! The credential proxy: a registry on a Unix socket, for the repositories of one step, with
//! credentials that the container of the step never sees.
//!
//! - `credentials` reads the credentials, and keeps other processes from reading them;
//! - `rules` decides what passes, as a function of the request;
//! - `forward` sends requests to the registry, and brings back the answers;
//! - `sessions` keeps the addresses of uploads, which may be on any host;
//! - `server` accepts connections, and ends when the last one is closed;
//! - `keep_alive` belongs to the step: a connection that says that the step still runs.

mod credentials;
mod forward;
mod rules;
mod server;
mod sessions;

pub mod keep_alive;

use crate::exit;
use crate::log::Log;
use crate::network::NetworkArgs;
use crate::placeholders;
use clap::{ArgAction, Args};
use oci_registry_client::{Client, Credentials, Endpoint, TransferPolicy};
use orascache_api::steps::LARGEST_MAXIMUM_INPUTS;
use std::ffi::OsString;
use std::path::PathBuf;

/// What passes, and where to.
#[derive(Args, Debug)]
pub struct ProxyArgs {
    /// The registry, as http://host:port or https://host:port.
    #[arg(long, value_name = "URL", require_equals = true)]
    pub registry: String,
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Unix socket to listen on.
    #[arg(long, value_name = "SOCKET", require_equals = true)]
    pub socket: PathBuf,
    /// Directory where a Secret is mounted, with the files ORAS_USER, ORAS_PULL_PASS and
    /// ORAS_PUSH_PASS. By default, environment variables of these names are read.
    #[arg(long, value_name = "DIRECTORY", require_equals = true)]
    pub credentials: Option<PathBuf>,
    /// Reads the credentials from standard input. The proxy passes this flag to itself.
    #[arg(long, hide = true, conflicts_with = "credentials")]
    pub credentials_stdin: bool,
    /// Artifact that may be pulled, as `repository[:tag][@digest]`; may be repeated. A range as
    /// {0..99} stands for many artifacts.
    #[arg(long, value_name = "URI", require_equals = true)]
    pub pull: Vec<String>,
    /// Artifact that may be pushed, as `repository[:tag]`; may be repeated.
    #[arg(long, value_name = "URI", require_equals = true)]
    pub push: Vec<String>,
    /// Whether outputs are reused: tags of keys may be read and written in the repositories of the
    /// artifacts that may be pushed.
    #[arg(long, value_name = "BOOLEAN", require_equals = true, default_value_t = false, action = ArgAction::Set)]
    pub reuse: bool,
    /// Whether to log requests.
    #[arg(long, value_name = "BOOLEAN", require_equals = true, default_value_t = false, action = ArgAction::Set)]
    pub debug: bool,
}

/// Serves until a signal has come and no step needs the proxy. `command_line` is that of this
/// process. Returns the exit code.
pub fn execute(arguments: &ProxyArgs, command_line: &[OsString]) -> u8 {
    let log = Log::new(arguments.debug);
    credentials::hide_memory(&log);
    let found = credentials::load(arguments, command_line, &log);
    let signals = server::Signals::block();
    let prepared = found.and_then(|found| prepare(arguments, found, |name| std::env::var_os(name)));
    let (client, rules) = match prepared {
        Ok(prepared) => prepared,
        Err(sentence) => {
            log.info(sentence);
            return exit::BAD_REQUEST;
        }
    };
    match server::run(&arguments.socket, forward::Forward::new(client, rules, log), signals, log) {
        Ok(()) => 0,
        Err(sentence) => {
            log.info(sentence);
            exit::FAILED
        }
    }
}

/// The registry with its credentials, and the rules of the step.
fn prepare(
    arguments: &ProxyArgs,
    credentials: Credentials,
    variable: impl Fn(&str) -> Option<OsString> + Copy,
) -> Result<(Client, rules::Rules), String> {
    let endpoint = Endpoint::parse(&arguments.registry).map_err(|error| error.to_string())?;
    let pulls = placeholders::artifacts_to_pull("--pull", &arguments.pull, LARGEST_MAXIMUM_INPUTS, variable)?;
    let push = |uri: &String| placeholders::artifact_to_push("--push", uri, variable);
    let pushes = arguments.push.iter().map(push).collect::<Result<_, _>>()?;
    let declared = rules::Declared { pulls, pushes, reuses: arguments.reuse };
    let rules = rules::Rules::new(declared, credentials.pull.is_some());
    // The proxy does not repeat requests. The step does: it knows how long it can wait.
    let (policy, network) = (TransferPolicy::default(), arguments.network.network(variable)?);
    let client = match &arguments.credentials {
        // The account may be replaced while the step runs.
        Some(mounted) => {
            let mounted = mounted.clone();
            Client::rereading(endpoint, move || Credentials::from_directory(&mounted), policy, network)?
        }
        None => Client::with_network(endpoint, credentials, policy, network),
    };
    Ok((client, rules))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_registry_client::Secret;

    fn arguments(registry: &str, pull: &str) -> ProxyArgs {
        ProxyArgs {
            registry: registry.to_owned(),
            network: NetworkArgs::default(),
            socket: PathBuf::from("/nowhere"),
            credentials: None,
            credentials_stdin: false,
            pull: vec![pull.to_owned()],
            push: Vec::new(),
            reuse: false,
            debug: false,
        }
    }

    #[test]
    fn wrong_arguments_are_sentences_without_secrets() {
        let credentials = Credentials::both(Secret::Password("ann".to_owned(), "hunter2".to_owned()));
        for (registry, pull, why) in [
            ("cache:5000", "a:1", "neither http:// nor https://"),
            ("http://cache:5000", "A:1", "lower case"),
            ("http://cache:5000", "a:{index}", "ORASCACHE_INDEX is not set"),
        ] {
            let prepared = prepare(&arguments(registry, pull), credentials.clone(), |_| None);
            let sentence = prepared.err().unwrap();
            assert!(sentence.contains(why) && !sentence.contains("hunter2"), "{sentence}");
        }
        assert!(prepare(&arguments("http://cache:5000", "a:1"), credentials, |_| None).is_ok());
    }
}
