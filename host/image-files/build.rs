//! Builds the component whose compiled code the image has: the one that the operator embeds.

use std::process::ExitCode;

fn main() -> ExitCode {
    guest_build::embed_orascache("../../guest/component")
}
