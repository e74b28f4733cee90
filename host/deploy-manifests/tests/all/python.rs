//! Python environments with pinned tools, which a script installs below the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Exit code of the script where nothing can be installed.
const CANNOT_INSTALL: i32 = 3;

/// Cargo's target directory.
pub fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("tmp lies in the target directory")
}

/// The Python with the tools of a runtime. None where they cannot be installed. Call it once for each
/// runtime: two installations at a time would write into one folder.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
pub fn install(runtime: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/packages/install");
    let output = Command::new(script).arg(runtime).env("CARGO_TARGET_DIR", target()).output();
    let output = output.expect("the script starts");
    if output.status.code() == Some(CANNOT_INSTALL) {
        println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    Some(target().join("runtimes").join(runtime).join("bin/python"))
}
