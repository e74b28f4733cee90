//! Tools and packages that scripts of the repository install and build under the target directory.

use super::answers;
use super::calls::Call;
use orascache_operator::EMBEDDED;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The folder with the tools of a runtime. `None` where they cannot be installed.
pub type Tools = LazyLock<Option<PathBuf>>;

/// Node's packages.
pub static NODE: Tools = LazyLock::new(|| install("node"));
/// A Python environment with wasmtime's bindings.
pub static PYTHON: Tools = LazyLock::new(|| install("python"));
/// A Python environment with wasmtime's command line.
pub static WASMTIME: Tools = LazyLock::new(|| install("wasmtime"));

/// Exit code of the scripts where something cannot be installed.
const CANNOT_INSTALL: i32 = 3;

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Cargo's target directory.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("tmp lies in the target directory")
}

/// Runs a script of guest/packages. Returns false, and prints why, where it cannot install its
/// tools.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
fn script(name: &str, arguments: &[&OsStr]) -> bool {
    let output = Command::new(repository().join("guest/packages").join(name))
        .args(arguments)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .expect("the script starts");
    if output.status.code() == Some(CANNOT_INSTALL) {
        println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
        return false;
    }
    assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
    true
}

fn install(runtime: &str) -> Option<PathBuf> {
    script("install", &[runtime.as_ref()]).then(|| target().join("runtimes").join(runtime))
}

/// The output of a command that must succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A package around a component, installed as users install it.
pub struct Package {
    name: &'static str,
    /// Makes the command that runs the calls of a file. The file is still missing as last argument.
    runner: Box<dyn Fn() -> Command>,
}

/// Held while a package is built: builds run one after the other, also of packages that differ only
/// by their component and lie in folders of their own.
static BUILDING: Mutex<()> = Mutex::new(());

fn build(what: &str, component: &str, bytes: &[u8]) -> Option<PathBuf> {
    let folder = target().join("packages").join(component);
    fs::create_dir_all(&folder).expect("writable");
    let file = folder.join(format!("{what}.wasm"));
    fs::write(&file, bytes).expect("writable");
    let _one_at_a_time = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    script("build", &[what.as_ref(), file.as_os_str(), folder.as_os_str()]).then_some(folder)
}

/// The folder in which the wheel is installed.
static WHEEL: Tools = LazyLock::new(|| {
    let python = PYTHON.as_ref()?.join("bin/python");
    let folder = build("python", "orascache", EMBEDDED)?;
    let wheel = folder.join(concat!("orascache-", env!("CARGO_PKG_VERSION"), "-py3-none-any.whl"));
    let site = folder.join("site");
    if site.exists() {
        fs::remove_dir_all(&site).expect("removable");
    }
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"])
        .arg("--target")
        .args([&site, &wheel]));
    Some(site)
});

impl Package {
    /// The npm package around a component, unpacked from its archive. `None` where Node cannot be
    /// installed.
    pub fn npm(component: &str, bytes: &[u8]) -> Option<Self> {
        NODE.as_ref()?;
        let package = build("npm", component, bytes)?.join("npm/check/node_modules/orascache");
        let script = repository().join("guest/packages/npm/tests/calls.mjs");
        let runner = move || {
            let mut command = Command::new("node");
            command.arg(&script).arg(&package);
            command
        };
        Some(Self { name: "the npm package", runner: Box::new(runner) })
    }

    /// The wheel, installed, with its own component or another one. `None` where Python cannot be
    /// installed.
    pub fn wheel(component: Option<&[u8]>) -> Option<Self> {
        let python = PYTHON.as_ref()?.join("bin/python");
        let site = WHEEL.clone()?;
        let component = match component {
            Some(bytes) => {
                let file = site.join("another.wasm");
                fs::write(&file, bytes).expect("writable");
                file
            }
            None => "-".into(),
        };
        let script = repository().join("guest/packages/python/tests/calls.py");
        let runner = move || {
            let mut command = Command::new(&python);
            command.arg(&script).arg(&component).env("PYTHONPATH", &site);
            command
        };
        Some(Self { name: "the wheel", runner: Box::new(runner) })
    }

    /// The name of the package in messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Makes the calls and returns their answers.
    pub fn answers(&self, calls: &[Call]) -> Vec<Value> {
        match answers::parsed(&self.output(calls, None)) {
            Value::Array(answers) => answers,
            other => panic!("no list: {other}"),
        }
    }

    /// Microseconds for one call, as the fastest of 100 series of calls took on average.
    pub fn microseconds(&self, call: &Call, repeat: u32) -> f64 {
        self.output(std::slice::from_ref(call), Some(repeat)).trim().parse().expect("a number")
    }

    fn output(&self, calls: &[Call], repeat: Option<u32>) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("calls.json");
        let listed: Vec<Value> = calls.iter().map(Call::to_json).collect();
        fs::write(&file, Value::from(listed).to_string()).expect("writable");
        run((self.runner)().arg(&file).args(repeat.map(|repeat| repeat.to_string())))
    }
}
