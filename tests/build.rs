//! Builds the second guest, which the tests run in the same host.

use std::process::ExitCode;

fn main() -> ExitCode {
    match guest_build::component("greeter", "guests/greeter", "ORASCACHE_TEST_GREETER") {
        Ok(path) => {
            guest_build::emit(format_args!("rustc-env=GREETER_PATH={}", path.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            guest_build::emit(format_args!("error={error}"));
            ExitCode::FAILURE
        }
    }
}
