//! The binary `orascache-agent`.

use std::process::ExitCode;

fn main() -> ExitCode {
    orascache_agent::main()
}
