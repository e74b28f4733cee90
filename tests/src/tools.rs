//! Command-line tools that tests run where they are installed.

use std::path::Path;
use std::process::{Command, Output};

/// Whether a tool is on the path. If it is not, a line of output says that the test is skipped.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
pub fn installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--help").output().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// The output and the outcome of a command.
#[derive(Debug)]
pub struct Ran {
    /// Whether the exit code is 0.
    pub ok: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    fn from(output: Output) -> Self {
        Ran {
            ok: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a command that must succeed.
    ///
    /// # Panics
    /// When it failed.
    pub fn expect(self) -> String {
        assert!(self.ok, "failed: {}{}", self.out, self.err);
        self.out
    }
}

/// Runs a shell script with KUBECONFIG set, and with `set -e`.
pub fn shell(script: &str, kubeconfig: &Path, directory: &Path) -> Ran {
    let output = Command::new("sh")
        .args(["-e", "-c", script])
        .env("KUBECONFIG", kubeconfig)
        // kubectl caches discovery in HOME by server address, and tests use an address again.
        .env("HOME", directory)
        .current_dir(directory)
        .output();
    Ran::from(output.expect("sh runs"))
}
