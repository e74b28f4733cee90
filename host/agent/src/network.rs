//! How the agent reaches registries: forward proxies of the environment, and private authorities.

use clap::Args;
use oci_registry_client::Network;
use orascache_api::steps::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The network.
#[derive(Args, Clone, Debug, Default)]
pub struct NetworkArgs {
    /// File with certificates, in PEM, of authorities that are trusted besides those of browsers
    /// and of the system. ORASCACHE_CA_FILE names one too, and ORASCACHE_CA_PEM holds the text of
    /// one.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub ca_file: Option<PathBuf>,
}

impl NetworkArgs {
    /// The network that the arguments and the environment describe.
    ///
    /// # Errors
    /// A sentence, when certificates cannot be read.
    pub fn network(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Network, String> {
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let mut network = Network::from_variables(text);
        let is_set = |value: &OsString| !value.is_empty();
        let named = variable(env::CA_FILE).filter(is_set).map(PathBuf::from);
        let files = [("--ca-file", self.ca_file.clone()), (env::CA_FILE, named)];
        for (source, file) in files.into_iter().filter_map(|(source, file)| Some((source, file?))) {
            let shown = file.display();
            let pem = std::fs::read(&file)
                .map_err(|error| format!("{source} is \"{shown}\", which cannot be read: {error}"))?;
            network =
                network.trusting(&pem).map_err(|why| format!("{source} is \"{shown}\", which {why}"))?;
        }
        if let Some(pem) = variable(env::CA_PEM).filter(is_set) {
            let trusting = network.trusting(pem.as_encoded_bytes());
            network = trusting.map_err(|why| format!("{} {why}", env::CA_PEM))?;
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_cannot_be_read_are_sentences() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "nothing").unwrap();
        let given = |path: &std::path::Path| NetworkArgs { ca_file: Some(path.to_owned()) };
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
}
