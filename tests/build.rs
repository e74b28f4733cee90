//! Builds the second guest, which the tests run in the same host, and the Kubewarden policy.

use guest_build::BuildError;
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
