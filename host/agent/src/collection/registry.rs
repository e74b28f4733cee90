//! The registry of an image: its program, its configuration, and the variables that it gets.

use super::args::SuperviseArgs;
use super::machine::Mode;
use super::protocol;
use std::env::var_os;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variable of distribution that names its configuration, where no argument does.
const CONFIGURATION: &str = "REGISTRY_CONFIGURATION_PATH";
/// Where images have their configuration: that of distribution 3, and that of 2.8.
const KNOWN: [&str; 2] = ["/etc/distribution/config.yml", "/etc/docker/registry/config.yml"];

/// Distribution ends its requests within this time when it is asked to end. Without it, it cuts them.
const DRAIN_TIMEOUT: (&str, &str) = ("REGISTRY_HTTP_DRAINTIMEOUT", "10s");
/// Secret for the state of uploads. One that stays lets uploads go on after a restart.
const HTTP_SECRET: &str = "REGISTRY_HTTP_SECRET";
/// Distribution 2.8 takes this value as a map only.
const READ_ONLY: (&str, &str) = ("REGISTRY_STORAGE_MAINTENANCE_READONLY", r#"{"enabled":true}"#);
/// A header of each answer: when to ask again. It tells clients that writes are refused for some time
/// only. Where the registry has other headers, they stay.
const RETRY_AFTER: (&str, &str) = ("REGISTRY_HTTP_HEADERS_RETRY-AFTER", r#"["2"]"#);
/// Directory of the storage, where it is one of files.
const ROOT: &str = "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY";

/// A registry that can be started.
#[derive(Debug)]
pub struct Registry {
    program: OsString,
    configuration: PathBuf,
    /// Variables in both modes.
    variables: Vec<(&'static str, String)>,
}

impl Registry {
    /// Finds the registry of this image.
    ///
    /// # Errors
    /// A sentence, where its configuration is in no known place.
    pub fn find(arguments: &SuperviseArgs) -> Result<Self, String> {
        let named = arguments.config.clone().or_else(|| var_os(CONFIGURATION).map(PathBuf::from));
        let configuration = configuration(named, &KNOWN)?;
        let mut variables = Vec::new();
        let (drain, time) = DRAIN_TIMEOUT;
        for (name, value) in [(drain, time.to_owned()), (HTTP_SECRET, protocol::random()?)] {
            if var_os(name).is_none() {
                variables.push((name, value));
            }
        }
        Ok(Registry { program: arguments.program.clone(), configuration, variables })
    }

    /// The words that start it.
    pub fn serve(&self) -> [OsString; 3] {
        [self.program.clone(), "serve".into(), self.configuration.clone().into()]
    }

    /// The words that start its collector. Manifests without a tag stay: the option that removes them
    /// takes those of an index too, in distribution 2.8.
    pub fn collect(&self, only_looks: bool) -> Vec<OsString> {
        let mut words = vec![self.program.clone(), "garbage-collect".into()];
        words.extend(only_looks.then(|| "--dry-run".into()));
        words.push(self.configuration.clone().into());
        words
    }

    /// Variables that differ from those of this process.
    pub fn variables(&self, mode: Mode) -> Vec<(&'static str, String)> {
        let read_only = [READ_ONLY, RETRY_AFTER].map(|(name, value)| (name, value.to_owned()));
        let read_only = read_only.into_iter().filter(|_| mode == Mode::ReadOnly);
        self.variables.iter().cloned().chain(read_only).collect()
    }

    /// Directory of the blobs, where they are files and the directory is known.
    pub fn blobs() -> Option<PathBuf> {
        var_os(ROOT).map(|root| Path::new(&root).join("docker/registry/v2/blobs/sha256"))
    }
}

/// The configuration that is named, or the first of the known ones that exists.
fn configuration(named: Option<PathBuf>, known: &[&str]) -> Result<PathBuf, String> {
    let existing = || known.iter().map(PathBuf::from).find(|path| path.exists());
    named.or_else(existing).ok_or_else(|| {
        format!(
            "this image has no configuration of a distribution registry in {}: name it in the variable {CONFIGURATION}, or set spec.retention.garbageCollection of the cache to false",
            known.join(" or ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_the_named_one_or_that_of_the_image() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        std::fs::write(&second, "").unwrap();
        let known = [first.to_str().unwrap(), second.to_str().unwrap()];
        assert_eq!(configuration(None, &known), Ok(second.clone()));
        assert_eq!(configuration(Some("named".into()), &known), Ok("named".into()));
        let sentence = configuration(None, &known[..1]).unwrap_err();
        assert!(sentence.contains("set spec.retention.garbageCollection"), "{sentence}");
    }

    #[test]
    fn a_read_only_registry_says_when_to_ask_again() {
        let registry =
            Registry { program: "registry".into(), configuration: "c".into(), variables: Vec::new() };
        assert_eq!(registry.variables(Mode::Configured), []);
        let names: Vec<_> = registry.variables(Mode::ReadOnly).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [READ_ONLY.0, RETRY_AFTER.0]);
        assert_eq!(registry.collect(true), ["registry", "garbage-collect", "--dry-run", "c"]);
        assert_eq!(registry.collect(false), ["registry", "garbage-collect", "c"]);
    }
}
