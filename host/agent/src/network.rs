//! How the agent reaches registries: forward proxies of the environment, and private authorities.

use clap::Args;
use oci_registry_client::Network;
use orascache_api::steps::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The network.
#[derive(Args, Clone, Debug, Default)]
pub struct NetworkArgs {
    /// File with certificates, in PEM, of authorities that are trusted besides those of browsers
    /// and of the system. ORASCACHE_CA_FILE names one too, and ORASCACHE_CA_PEM holds the text of
    /// one.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub ca_file: Option<PathBuf>,
    /// Forward proxy for https, as http://host:port, where the environment names none. It is a
    /// flag, since the command of a step gets the variables of the agent.
    #[arg(long, value_name = "URL", require_equals = true)]
    pub https_proxy: Option<String>,
    /// Forward proxy for http, where the environment names none.
    #[arg(long, value_name = "URL", require_equals = true)]
    pub http_proxy: Option<String>,
    /// Hosts that are reached without a forward proxy, separated by commas, where the environment
    /// names none.
    #[arg(long, value_name = "HOSTS", require_equals = true)]
    pub no_proxy: Option<String>,
}

impl NetworkArgs {
    /// The network that the arguments and the environment describe.
    ///
    /// # Errors
    /// A sentence, when certificates cannot be read.
    pub fn network(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Network, String> {
        let text = |name: &str| {
            let of_environment = variable(name).filter(|value| !value.is_empty());
            of_environment.and_then(|value| value.into_string().ok()).or_else(|| self.flag(name))
        };
        let mut network = Network::from_variables(text);
        let is_set = |value: &OsString| !value.is_empty();
        let named = variable(env::CA_FILE).filter(is_set).map(PathBuf::from);
        let files = [("--ca-file", self.ca_file.clone()), (env::CA_FILE, named)];
        for (source, file) in files.into_iter().filter_map(|(source, file)| Some((source, file?))) {
            network = trusting_file(network, source, &file)?;
        }
        if let Some(pem) = variable(env::CA_PEM).filter(is_set) {
            let trusting = network.trusting(pem.as_encoded_bytes());
            network = trusting.map_err(|why| format!("{} {why}", env::CA_PEM))?;
        }
        Ok(network)
    }

    /// The flag in place of a variable. A variable is asked for in upper case first, and in lower
    /// case only when it is not set: a flag counts after both.
    fn flag(&self, variable: &str) -> Option<String> {
        match variable {
            "https_proxy" => self.https_proxy.clone(),
            "http_proxy" => self.http_proxy.clone(),
            "no_proxy" => self.no_proxy.clone(),
            _ => None,
        }
    }
}

/// The same network, which trusts the authorities of a file besides, as they are when it is used.
/// `source` is the flag or the variable that names the file.
///
/// # Errors
/// A sentence, when certificates cannot be read.
pub fn trusting_file(network: Network, source: &str, file: &Path) -> Result<Network, String> {
    // The file may be replaced while the step or the Job runs.
    let following = network.following(file.to_owned());
    following.map_err(|why| format!("{source} is \"{}\", which {why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_cannot_be_read_are_sentences() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "nothing").unwrap();
        let given =
            |path: &std::path::Path| NetworkArgs { ca_file: Some(path.to_owned()), ..NetworkArgs::default() };
        let sentence = given(&file).network(|_| None).unwrap_err();
        assert!(
            sentence.starts_with("--ca-file is \"/") && sentence.contains("no certificate"),
            "{sentence}"
        );
        let missing = folder.path().join("missing");
        let sentence = given(&missing).network(|_| None).unwrap_err();
        assert!(sentence.contains("cannot be read"), "{sentence}");
        for (name, value) in [(env::CA_FILE, missing.as_os_str()), (env::CA_PEM, "x".as_ref())] {
            let variable = |asked: &str| (asked == name).then(|| value.to_owned());
            let sentence = NetworkArgs::default().network(variable).unwrap_err();
            assert!(sentence.starts_with(name), "{sentence}");
        }
        assert!(NetworkArgs::default().network(|_| None).is_ok());
    }

    #[test]
    fn flags_name_the_forward_proxies_where_the_environment_names_none() {
        let args = NetworkArgs {
            https_proxy: Some("http://flag:1".to_owned()),
            http_proxy: Some("http://flag:2".to_owned()),
            ..NetworkArgs::default()
        };
        let shown = |name: &'static str, value: &'static str| {
            let network = args.network(|asked| (asked == name).then(|| value.into()));
            format!("{:?}", network.unwrap())
        };
        for (name, value, wanted) in [
            ("", "", ["http: \"http://flag:2", "https: \"http://flag:1"]),
            ("HTTPS_PROXY", "", ["http: \"http://flag:2", "https: \"http://flag:1"]),
            ("HTTPS_PROXY", "http://own:3", ["http: \"http://flag:2", "https: \"http://own:3"]),
            ("http_proxy", "http://own:3", ["http: \"http://own:3", "https: \"http://flag:1"]),
        ] {
            let shown = shown(name, value);
            assert!(wanted.iter().all(|part| shown.contains(part)), "{name}: {shown}");
        }
    }
}
