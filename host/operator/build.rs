//! Builds the component that the binary embeds.

use std::process::ExitCode;

fn main() -> ExitCode {
    guest_build::embed_orascache("../../guest/component")
}
