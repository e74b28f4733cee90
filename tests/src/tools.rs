//! Command-line tools that tests drive where they are installed.

use std::path::Path;
use std::process::{Command, Output};

/// Whether a tool is on the path; says so in the output when it is not.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
pub fn installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--help").output().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code 0.
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

    /// The output of a command that must succeed.
    ///
    /// # Panics
    /// When it failed.
    pub fn expect(self) -> String {
        assert!(self.ok, "failed: {}{}", self.out, self.err);
        self.out
    }
}

/// Runs a shell script with KUBECONFIG set; `set -e` is on.
pub fn shell(script: &str, kubeconfig: &Path, directory: &Path) -> Ran {
    let output = Command::new("sh")
        .args(["-e", "-c", script])
        .env("KUBECONFIG", kubeconfig)
        // kubectl keeps discovery per server address, and addresses come back in tests.
        .env("HOME", directory)
        .current_dir(directory)
        .output();
    Ran::from(output.expect("sh runs"))
}
