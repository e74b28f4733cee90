//! Credentials in Docker's configuration, read as Docker and ORAS read it
//! (docs.docker.com/reference/cli/docker/login, "Credential stores" and "Credential helpers").

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::credentials::Secret;
use crate::endpoint::DOCKER_HUB;

/// The key under which `docker login` stores credentials for Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user name by which a credential helper says that it returns an identity token
/// (docker-credential-helpers, README).
const TOKEN_USER: &str = "<token>";
/// What a credential helper prints when it has no credentials for a server
/// (docker-credential-helpers, `credentials/error.go`).
const HELPER_HAS_NONE: [&str; 3] =
    ["credentials not found in native keychain", "no credentials server URL", "no credentials username"];

/// The parts of the file that name credentials. Every part may be missing or null.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// The answer of a credential helper.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// The secret for a repository of a host. None where there is none, which means anonymous access.
///
/// # Errors
/// A sentence, when there are credentials that cannot be used, or the configuration is damaged.
pub(crate) fn secret(host: &str, repository: &str) -> Result<Option<Secret>, String> {
    let Some(path) = path(|name| std::env::var_os(name).map(PathBuf::from)) else { return Ok(None) };
    secret_in(&path, host, repository)
}

/// As [`secret`], in the configuration of this path.
pub(crate) fn secret_in(path: &Path, host: &str, repository: &str) -> Result<Option<Secret>, String> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        // The home directory of another user is not readable, and holds nothing that is meant for
        // us.
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => {
            return Err(format!("Docker's configuration {} cannot be read: {error}", path.display()));
        }
    };
    let config = parse(&text, path)?;
    find(&config, host, repository, |helper, server| ask_helper(helper, server, host))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
}

/// Where the configuration is.
fn path(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let folder = variable("DOCKER_CONFIG").filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.or_else(|| variable("HOME").map(|home| home.join(".docker")))?;
    Some(folder.join("config.json"))
}

fn parse(text: &[u8], path: &Path) -> Result<DockerConfig, String> {
    serde_json::from_slice(text).map_err(|error| {
        // The text of a syntax error holds no content of the file.
        let (line, column) = (error.line(), error.column());
        format!(
            "Docker's configuration {} is damaged at line {line}, column {column}: mend it, or name another folder with DOCKER_CONFIG",
            path.display()
        )
    })
}

/// Looks for a secret: a helper for the host first, then the credential store, then the file
/// itself.
fn find(
    config: &DockerConfig,
    host: &str,
    repository: &str,
    ask: impl Fn(&str, &str) -> Result<Option<Secret>, String>,
) -> Result<Option<Secret>, String> {
    let names = names(host);
    let helper = names.iter().find_map(|name| config.cred_helpers.as_ref()?.get(name));
    let helper = helper.or(config.creds_store.as_ref()).filter(|helper| !helper.is_empty());
    if let Some(helper) = helper {
        let server = if host == DOCKER_HUB { DOCKER_HUB_KEY } else { host };
        if let Some(secret) = ask(helper, server)? {
            return Ok(Some(secret));
        }
    }
    let empty = BTreeMap::new();
    let auths = config.auths.as_ref().unwrap_or(&empty);
    let entry = keys(&names, repository).into_iter().find_map(|key| {
        let matching = auths.iter().find(|(name, _)| bare(name) == key)?;
        matching.1.as_ref().filter(|entry| !entry.is_empty())
    });
    entry.map(|entry| entry.secret(host)).transpose()
}

/// The names under which credentials for a host may be stored.
fn names(host: &str) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    if host == DOCKER_HUB {
        names.extend([DOCKER_HUB_KEY, "docker.io", "index.docker.io"].map(str::to_owned));
    }
    names
}

/// The keys to look for, the most specific first: keys may name a repository or a part of it
/// (containers-auth.json(5)).
fn keys(names: &[String], repository: &str) -> Vec<String> {
    let mut paths: Vec<&str> = vec![repository];
    let mut rest = repository;
    while let Some((shorter, _)) = rest.rsplit_once('/') {
        paths.push(shorter);
        rest = shorter;
    }
    let with_path =
        paths.iter().flat_map(|path| names.iter().map(move |name| format!("{}/{path}", bare(name))));
    with_path.chain(names.iter().map(|name| bare(name).to_owned())).collect()
}

/// A key without its scheme, and without the API version that old versions of Docker wrote behind
/// the host.
fn bare(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
}

impl Entry {
    /// An entry beside a credential store is empty.
    fn is_empty(&self) -> bool {
        let values = [&self.auth, &self.username, &self.password, &self.identitytoken];
        values.into_iter().flatten().all(|value| value.trim().is_empty())
    }

    fn secret(&self, host: &str) -> Result<Secret, String> {
        let text = |value: &Option<String>| {
            let value = value.as_deref()?.trim_end_matches(['\r', '\n']);
            (!value.is_empty()).then(|| value.to_owned())
        };
        if let Some(token) = text(&self.identitytoken) {
            return Ok(Secret::Identity(token));
        }
        if let Some(auth) = text(&self.auth) {
            return decode(&auth).ok_or_else(|| {
                format!(
                    "Docker's configuration holds an \"auth\" for {host} that is not the base64 of user:password: log in again"
                )
            });
        }
        match (text(&self.username), text(&self.password)) {
            (Some(user), Some(password)) => Ok(Secret::Password(user, password)),
            _ => Err(format!(
                "Docker's configuration holds a user or a password for {host}, but not both: log in again"
            )),
        }
    }
}

/// Decodes user and password. Docker ends the password with NUL bytes where it pads it.
fn decode(auth: &str) -> Option<Secret> {
    let packed: String = auth.split_whitespace().collect();
    let text = String::from_utf8(STANDARD.decode(packed).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Secret::Password(user.to_owned(), password.trim_matches('\0').to_owned()))
}

/// Runs a credential helper. None where it is not installed, as on machines that got the
/// configuration of another one, or where it has no credentials for the server.
fn ask_helper(helper: &str, server: &str, host: &str) -> Result<Option<Secret>, String> {
    let program = format!("docker-credential-{helper}");
    // The output of a helper may be secret, so that it is not shown.
    let fails = || format!("the credential helper {program} of Docker's configuration fails for {host}");
    let mut command = Command::new(&program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err(fails()),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A helper may answer without reading the name.
        let _ = stdin.write_all(server.as_bytes());
    }
    let output = child.wait_with_output().map_err(|_| fails())?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stdout);
        return if HELPER_HAS_NONE.contains(&printed.trim()) { Ok(None) } else { Err(fails()) };
    }
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout).map_err(|_| fails())?;
    if answer.username.is_empty() && answer.secret.is_empty() {
        return Ok(None);
    }
    if answer.username == TOKEN_USER {
        return Ok(Some(Secret::Identity(answer.secret)));
    }
    Ok(Some(Secret::Password(answer.username, answer.secret)))
}

#[cfg(test)]
mod tests;
