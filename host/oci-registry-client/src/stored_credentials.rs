//! Credentials that were stored before the program started: in environment variables, in the files
//! of a mounted Secret, or by `docker login` and `oras login`.

use std::io::ErrorKind;
use std::path::Path;

use orascache_api::steps::env;

use crate::credentials::{Credentials, Secret};
use crate::docker_config;
use crate::endpoint::Endpoint;

/// The link in a mounted Secret that names the directory with its files (AtomicWriter of Kubernetes).
const MOUNTED_STATE: &str = "..data";
/// How often the files are read when they are replaced meanwhile.
const ATTEMPTS: usize = 4;

impl Credentials {
    /// The credentials in `ORAS_USER`, `ORAS_PULL_PASS` and `ORAS_PUSH_PASS`, or else those of
    /// Docker's configuration for a repository of a registry. None where there are none.
    ///
    /// # Errors
    /// A sentence, when there are credentials that cannot be used.
    pub fn stored(endpoint: &Endpoint, repository: &str) -> Result<Self, String> {
        let found = Credentials::from_values(|name| Ok(std::env::var(name).ok()))?;
        if found != Credentials::default() {
            return Ok(found);
        }
        Credentials::of_docker_config(endpoint, repository)
    }

    /// The credentials of Docker's configuration for a repository of a registry. None where there
    /// are none. A program that speaks to two registries uses it: variables do not say which of
    /// them they are for.
    ///
    /// # Errors
    /// As [`Credentials::stored`].
    pub fn of_docker_config(endpoint: &Endpoint, repository: &str) -> Result<Self, String> {
        let secret = docker_config::secret(&endpoint.host(), repository)?;
        Ok(secret.map(Credentials::both).unwrap_or_default())
    }

    /// The credentials of a mounted Secret for a repository of a registry: those of
    /// [`Credentials::from_directory`], or else of the file `.dockerconfigjson` or `config.json`, as
    /// a Secret for pulling images has it.
    ///
    /// # Errors
    /// As [`Credentials::from_directory`].
    pub fn of_secret(directory: &Path, endpoint: &Endpoint, repository: &str) -> Result<Self, String> {
        let found = Credentials::from_directory(directory)?;
        if found != Credentials::default() {
            return Ok(found);
        }
        for name in [".dockerconfigjson", "config.json"] {
            let secret = docker_config::secret_in(&directory.join(name), &endpoint.host(), repository)?;
            if let Some(secret) = secret {
                return Ok(Credentials::both(secret));
            }
        }
        Ok(Credentials::default())
    }

    /// The credentials of a Secret that is mounted at a directory: files with the names
    /// `ORAS_USER`, `ORAS_PULL_PASS` and `ORAS_PUSH_PASS`, each of which may be missing.
    ///
    /// # Errors
    /// A sentence, when the directory or a file cannot be read. It never holds the content of a
    /// file.
    pub fn from_directory(directory: &Path) -> Result<Self, String> {
        // The kubelet replaces all files at once, by another target of this link. A user of one state
        // and a password of another one do not belong together.
        let state = || std::fs::read_link(directory.join(MOUNTED_STATE)).ok();
        let mut before = state();
        for _ in 1..ATTEMPTS {
            let found = Credentials::from_files(directory);
            let after = state();
            if before == after {
                return found;
            }
            before = after;
        }
        Credentials::from_files(directory)
    }

    fn from_files(directory: &Path) -> Result<Self, String> {
        let cannot = |path: &Path, error: std::io::Error| {
            format!("the credentials in {} cannot be read: {error}", path.display())
        };
        // A directory that is missing is a wrong mount. A file that is missing is a Secret without
        // that key.
        std::fs::read_dir(directory).map_err(|error| cannot(directory, error))?;
        Credentials::from_values(|name| {
            let path = directory.join(name);
            match std::fs::read(&path) {
                Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| not_utf8(name)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(cannot(&path, error)),
            }
        })
    }

    /// The credentials in three values that are looked up by the names of the environment
    /// variables. Line ends behind a value are removed: a Secret that was made with `echo` has
    /// them.
    ///
    /// # Errors
    /// As the look-up.
    pub fn from_values(look_up: impl Fn(&str) -> Result<Option<String>, String>) -> Result<Self, String> {
        let value = |name| {
            let text = look_up(name)?.map(|text: String| text.trim_end_matches(['\r', '\n']).to_owned());
            Ok::<_, String>(text.filter(|text| !text.is_empty()))
        };
        let user = value(env::USER)?.unwrap_or_default();
        let secret = |name| {
            let password = value(name)?;
            Ok::<_, String>(password.map(|password| Secret::Password(user.clone(), password)))
        };
        Ok(Credentials { pull: secret(env::PULL_PASSWORD)?, push: secret(env::PUSH_PASSWORD)? })
    }
}

/// The message for a value that is no text. It does not show the value.
fn not_utf8(name: &str) -> String {
    format!("{name} is not UTF-8: check the Secret that it comes from")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(password: &str) -> Option<Secret> {
        Some(Secret::Password("ann".to_owned(), password.to_owned()))
    }

    #[test]
    fn reading_and_writing_have_a_password_each() {
        let values = |name: &str| match name {
            "ORAS_USER" => Ok(Some("ann".to_owned())),
            "ORAS_PUSH_PASS" => Ok(Some("secret".to_owned())),
            _ => Ok(None),
        };
        let found = Credentials::from_values(values).unwrap();
        assert_eq!((found.pull, found.push), (None, password("secret")));
        assert_eq!(Credentials::from_values(|_| Ok(None)).unwrap(), Credentials::default());
    }

    #[test]
    fn line_ends_behind_values_are_removed() {
        let values =
            |name: &str| Ok(Some(if name == "ORAS_USER" { "ann\n" } else { "se cret\r\n" }.to_owned()));
        let found = Credentials::from_values(values).unwrap();
        assert_eq!((found.pull, found.push), (password("se cret"), password("se cret")));
    }

    #[test]
    fn a_secret_for_pulling_images_holds_credentials_for_its_registries() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint: Endpoint = "https://ghcr.io".parse().unwrap();
        let of = |repository: &str| Credentials::of_secret(folder.path(), &endpoint, repository);
        assert_eq!(of("lab/words"), Ok(Credentials::default()));
        let text = r#"{"auths":{"ghcr.io/lab":{"username":"ann","password":"secret"}}}"#;
        std::fs::write(folder.path().join(".dockerconfigjson"), text).unwrap();
        assert_eq!(of("lab/words").unwrap().push, password("secret"));
        assert_eq!(of("other"), Ok(Credentials::default()));
        std::fs::write(folder.path().join("ORAS_USER"), "ann").unwrap();
        std::fs::write(folder.path().join("ORAS_PULL_PASS"), "own").unwrap();
        assert_eq!(of("lab/words").unwrap().pull, password("own"));
    }

    #[test]
    fn a_mounted_secret_is_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ORAS_USER"), "ann").unwrap();
        std::fs::write(folder.path().join("ORAS_PULL_PASS"), "secret\n").unwrap();
        let found = Credentials::from_directory(folder.path()).unwrap();
        assert_eq!((found.pull, found.push), (password("secret"), None));
        std::fs::write(folder.path().join("ORAS_PUSH_PASS"), b"hunter\xff").unwrap();
        let sentence = Credentials::from_directory(folder.path()).unwrap_err();
        assert!(sentence.starts_with("ORAS_PUSH_PASS is not UTF-8"), "{sentence}");
        let sentence = Credentials::from_directory(&folder.path().join("missing")).unwrap_err();
        assert!(sentence.contains("missing cannot be read"), "{sentence}");
    }
}
