//! A small node: it runs the containers of an admitted pod as processes, with folders in place of
//! volumes and images.
//!
//! Init containers run in order, native sidecars run as long as the other containers, and `$(VAR)`
//! in commands is expanded. Users, namespaces and limits are ignored.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a container may run before the test fails.
const LIMIT: Duration = Duration::from_secs(60);

/// The agent: the one that `ORASCACHE_AGENT` names, or the one in the target directory of this
/// test, which is built if it is missing.
///
/// # Panics
/// When it cannot be built.
pub fn agent() -> PathBuf {
    if let Some(path) = std::env::var_os("ORASCACHE_AGENT") {
        return path.into();
    }
    let path = std::env::current_exe().expect("this test").with_file_name("../orascache-agent");
    if !path.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--package", "orascache-agent"]);
        let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
        assert!(status.success() && path.is_file(), "the agent is not at {}", path.display());
    }
    path.canonicalize().expect("the agent")
}

/// What the containers of a pod see besides the pod itself.
#[derive(Default)]
pub struct Node {
    /// Replacements in the words of commands: from a name that only the DNS of a cluster resolves,
    /// to an address.
    pub addresses: Vec<(String, String)>,
    /// Secrets of the namespace: by name, then by key.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
}

/// The outcome of a pod.
pub struct Ran {
    /// Exit code of its container.
    pub code: i32,
    /// Standard output of its container.
    pub out: String,
    /// Standard error of its container.
    pub err: String,
    /// The termination message of its container.
    pub message: String,
    /// Exit codes of its sidecars, which get SIGTERM when the container has ended.
    pub sidecars: Vec<i32>,
    root: TempDir,
}

impl Ran {
    /// The content of a file at this path in the container, or an empty text.
    pub fn file(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.path().join(path.trim_start_matches('/'))).unwrap_or_default()
    }
}

impl Node {
    /// Runs a pod with one container to its end.
    ///
    /// # Panics
    /// When an init container fails, or something hangs.
    pub fn run(&self, pod: &Value) -> Ran {
        let root = tempfile::tempdir().expect("a folder");
        let mut sidecars = Vec::new();
        for container in pod["spec"]["initContainers"].as_array().into_iter().flatten() {
            let mut command = self.command(pod, container, root.path());
            if container["restartPolicy"] == "Always" {
                sidecars.push(Process(command.spawn().expect("a sidecar starts")));
            } else {
                let output = wait(command.spawn().expect("an init container starts"));
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
        let message = root.path().join("termination-log");
        std::fs::write(&message, "").expect("a file for the termination message");
        let container = &pod["spec"]["containers"][0];
        let output = wait(self.command(pod, container, root.path()).spawn().expect("the container starts"));
        let sidecars = sidecars.into_iter().map(Process::end).collect();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            message: std::fs::read_to_string(message).unwrap_or_default(),
            sidecars,
            root,
        }
    }

    fn command(&self, pod: &Value, container: &Value, root: &Path) -> Command {
        let variables = self.variables(pod, container);
        let mut words = Vec::new();
        let mut is_of_agent = true;
        for word in strings(&container["command"]).chain(strings(&container["args"])) {
            let word = expand(word, &variables);
            // The words after `--` are the user's command, and stay as they are.
            is_of_agent &= word != "--";
            words.push(if is_of_agent { self.translate(&word, root) } else { word });
        }
        let program = words.remove(0);
        let program = if program == "orascache-agent" { agent() } else { program.into() };
        let mut command = Command::new(program);
        if let Some(at) = words.iter().position(|word| word == "--") {
            let message = root.join("termination-log");
            words.insert(at, format!("--termination-message={}", message.display()));
        }
        let directory = root.join(container["workingDir"].as_str().unwrap_or("/").trim_start_matches('/'));
        std::fs::create_dir_all(&directory).expect("the working directory");
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let path = mount["mountPath"].as_str().unwrap_or_default();
            let folder = root.join(path.trim_start_matches('/'));
            std::fs::create_dir_all(&folder).expect("a volume");
            self.mount_secrets(pod, &mount["name"], &folder);
        }
        command.args(words).current_dir(directory).env_clear().envs(variables);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Writes the Secrets of a projected volume as files.
    fn mount_secrets(&self, pod: &Value, volume: &Value, folder: &Path) {
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        let projected = volumes.filter(|found| found["name"] == *volume);
        for source in projected.filter_map(|found| found["projected"]["sources"].as_array()).flatten() {
            let reference = &source["secret"];
            let secret = self.secrets.get(reference["name"].as_str().unwrap_or_default());
            for item in reference["items"].as_array().into_iter().flatten() {
                let text = |member: &str| item[member].as_str().unwrap_or_default();
                match secret.and_then(|secret| secret.get(text("key"))) {
                    Some(value) => std::fs::write(folder.join(text("path")), value).expect("a file"),
                    None => assert!(reference["optional"] == true, "{item} of {reference} is missing"),
                }
            }
        }
    }

    /// Moves an absolute path into the pod's folder, and replaces names of the cluster's DNS by
    /// addresses.
    fn translate(&self, word: &str, root: &Path) -> String {
        let (flag, value) = word.split_once('=').map_or(("", word), |(flag, value)| (flag, value));
        let mut value = value.to_owned();
        if value.starts_with('/') {
            value = format!("{}{value}", root.display());
        }
        for (name, address) in &self.addresses {
            value = value.replace(name, address);
        }
        if flag.is_empty() { value } else { format!("{flag}={value}") }
    }

    fn variables(&self, pod: &Value, container: &Value) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for variable in container["env"].as_array().into_iter().flatten() {
            let from = &variable["valueFrom"];
            let value = if let Some(value) = variable["value"].as_str() {
                Some(expand(value, &variables))
            } else if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
                field(pod, path)
            } else {
                let reference = &from["secretKeyRef"];
                let text = |key: &str| reference[key].as_str().unwrap_or_default();
                let found =
                    self.secrets.get(text("name")).and_then(|secret| secret.get(text("key"))).cloned();
                assert!(found.is_some() || reference["optional"] == true, "{reference} is missing");
                found
            };
            if let (Some(name), Some(value)) = (variable["name"].as_str(), value) {
                variables.insert(name.to_owned(), value);
            }
        }
        variables
    }
}

/// A field of the downward API, such as `metadata.name` or `metadata.labels['key']`.
fn field(pod: &Value, path: &str) -> Option<String> {
    let value = match path.split_once("['") {
        Some((map, key)) => &pod["metadata"][map.trim_start_matches("metadata.")][key.trim_end_matches("']")],
        None => &pod["metadata"][path.trim_start_matches("metadata.")],
    };
    value.as_str().map(str::to_owned)
}

/// Expands `$(VAR)` in a word of a command, and `$$` to a dollar sign (core/v1
/// `Container.command`).
fn expand(word: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let variable = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        rest = match (after.strip_prefix('$'), variable) {
            (Some(behind), _) => {
                expanded.push('$');
                behind
            }
            (None, Some((name, behind))) if variables.contains_key(name) => {
                expanded.push_str(&variables[name]);
                behind
            }
            _ => {
                expanded.push('$');
                after
            }
        };
    }
    expanded.push_str(rest);
    expanded
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn wait(child: Child) -> Output {
    let id = child.id();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(LIMIT) {
        Ok(output) => output.expect("a container's output"),
        Err(_) => {
            // The test fails whether or not this works.
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
            panic!("a container runs for more than a minute")
        }
    }
}

/// A sidecar. It is killed when this is dropped.
struct Process(Child);

impl Process {
    /// Sends SIGTERM, as the kubelet does, waits for the end, and returns the exit code.
    fn end(mut self) -> i32 {
        let told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "a sidecar ended too early");
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if let Some(status) = self.0.try_wait().expect("a sidecar's status") {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("a sidecar does not end after SIGTERM")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Usually it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
