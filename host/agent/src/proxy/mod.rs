//! The credential proxy: a registry on a Unix socket, for the repositories of one step, with credentials that the
//! container of the step never sees.
//!
//! - `rules` decides what passes, as a function of the request;
//! - `forward` sends what passes to the registry and brings back the answer;
//! - `sessions` keeps the addresses of uploads, which may lie anywhere;
//! - `serve` accepts connections, and knows when the last one is gone;
//! - `hold` is the other side's: a connection that says that a step still runs.

mod forward;
mod rules;
mod serve;
mod sessions;

pub mod hold;

use crate::exit;
use crate::log::Log;
use crate::placeholders::{self, Direction};
use clap::{ArgAction, Args};
use oci_registry_client::{Client, Credentials, Endpoint, Policy, Reference, Secret};
use orascache_api::steps::env;
use std::path::PathBuf;

/// What passes, and where to.
#[derive(Args, Debug)]
pub struct Proxy {
    /// The registry, as http://host:port or https://host:port.
    #[arg(long, value_name = "URL", require_equals = true)]
    pub registry: String,
    /// Unix socket to listen on.
    #[arg(long, value_name = "SOCKET", require_equals = true)]
    pub socket: PathBuf,
    /// Artifact that may be pulled, as repository[:tag][@digest]; may be repeated.
    #[arg(long, value_name = "URI", require_equals = true)]
    pub pull: Vec<String>,
    /// Artifact that may be pushed, as repository[:tag].
    #[arg(long, value_name = "URI", require_equals = true)]
    pub push: Option<String>,
    /// Whether to log requests.
    #[arg(long, value_name = "BOOLEAN", require_equals = true, default_value_t = false, action = ArgAction::Set)]
    pub debug: bool,
}

/// Serves until nobody needs it. Returns the exit code.
pub fn execute(arguments: &Proxy) -> u8 {
    let log = Log::new(arguments.debug);
    let signals = serve::Signals::block();
    let (client, rules) = match prepare(arguments, |name| std::env::var_os(name)) {
        Ok(prepared) => prepared,
        Err(sentence) => {
            log.info(sentence);
            return exit::BAD_REQUEST;
        }
    };
    match serve::run(&arguments.socket, forward::Forward::new(client, rules, log), signals, log) {
        Ok(()) => 0,
        Err(sentence) => {
            log.info(sentence);
            exit::FAILED
        }
    }
}

/// The registry with its credentials, and what may be done with it.
fn prepare(
    arguments: &Proxy,
    variable: impl Fn(&str) -> Option<std::ffi::OsString> + Copy,
) -> Result<(Client, rules::Rules), String> {
    let endpoint = Endpoint::parse(&arguments.registry).map_err(|error| error.to_string())?;
    let reference = |uri: &String, direction| -> Result<Reference, String> {
        let uri = placeholders::expand(uri, direction, variable)?;
        Reference::parse(&uri).map_err(|why| format!("\"{uri}\" is no artifact: {why}"))
    };
    let pulls: Result<Vec<_>, _> = arguments.pull.iter().map(|uri| reference(uri, Direction::Pull)).collect();
    let push = arguments.push.as_ref().map(|uri| reference(uri, Direction::Push)).transpose()?;
    let text = |name| match variable(name).map(|value| value.into_string()) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        // What it holds is not repeated.
        Some(Err(_)) => Err(format!("{name} is not UTF-8: check the Secret that it comes from")),
    };
    let user = text(env::USER)?.unwrap_or_default();
    let secret = |password: Option<String>| password.map(|password| Secret::Password(user.clone(), password));
    let credentials =
        Credentials { pull: secret(text(env::PULL_PASSWORD)?), push: secret(text(env::PUSH_PASSWORD)?) };
    let rules = rules::Rules::new(pulls?, push, credentials.pull.is_some());
    // Failures go back at once: whoever asks knows how long to wait, and for what.
    Ok((Client::new(endpoint, credentials, Policy::default()), rules))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(registry: &str, pull: &str) -> Proxy {
        Proxy {
            registry: registry.to_owned(),
            socket: PathBuf::from("/nowhere"),
            pull: vec![pull.to_owned()],
            push: None,
            debug: false,
        }
    }

    #[test]
    fn wrong_arguments_are_sentences_without_secrets() {
        let variable = |name: &str| (name == env::PULL_PASSWORD).then(|| "hunter2".into());
        for (registry, pull, why) in [
            ("cache:5000", "a:1", "neither http:// nor https://"),
            ("http://cache:5000", "A:1", "lower case"),
            ("http://cache:5000", "a:{index}", "ORASCACHE_INDEX is not set"),
        ] {
            let sentence = prepare(&arguments(registry, pull), variable).err().unwrap();
            assert!(sentence.contains(why) && !sentence.contains("hunter2"), "{sentence}");
        }
        assert!(prepare(&arguments("http://cache:5000", "a:1"), variable).is_ok());
    }
}
