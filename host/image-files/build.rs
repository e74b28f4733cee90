//! Builds the component whose compiled code the image has: the one that the operator embeds.

use std::process::ExitCode;

fn main() -> ExitCode {
    match guest_build::component("orascache-component", "../../guest/component", "ORASCACHE_COMPONENT") {
        Ok(path) => {
            guest_build::emit(format_args!("rustc-env=ORASCACHE_COMPONENT_PATH={}", path.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            guest_build::emit(format_args!("error={error}"));
            ExitCode::FAILURE
        }
    }
}
