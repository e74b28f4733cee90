//! The helper of the node as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    let code = fake_kube_node::helper::main(std::env::args_os());
    #[cfg(not(target_os = "linux"))]
    let code = ExitCode::from(2);
    code
}
