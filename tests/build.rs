//! Builds the second guest, which the tests run in the same host, and the Kubewarden policy.

use guest_build::BuildError;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            guest_build::emit(format_args!("error={error}"));
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), BuildError> {
    // Tests keep compiled code there, of components that this build may replace. It may be missing.
    let _ = std::fs::remove_dir_all(
        std::env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default().join("compiled"),
    );
    let greeter = guest_build::component("greeter", "guests/greeter", "ORASCACHE_TEST_GREETER")?;
    guest_build::emit(format_args!("rustc-env=GREETER_PATH={}", greeter.display()));
    let policy = guest_build::module(
        "orascache-kubewarden",
        "../guest/kubewarden",
        "ORASCACHE_TEST_KUBEWARDEN",
        "wapc",
        "io.kubewarden.metadata",
    )?;
    guest_build::emit(format_args!("rustc-env=KUBEWARDEN_PATH={}", policy.display()));
    Ok(())
}
