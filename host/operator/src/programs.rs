//! The other programs that this binary is, so that `cargo run -- dev` needs no second one: the agent
//! in the pods of `dev`, and the helper that starts their containers.

use std::process::ExitCode;

/// The subcommand that is the helper of the node. It is not for people.
#[cfg(all(feature = "workstation", target_os = "linux"))]
pub(crate) const CONTAINER: &str = "dev-container";

/// Runs the program that the name of this process or its first argument asks for, if that is
/// another one than `orascache`. Both of them need a process without further threads, so that this
/// comes first.
#[cfg(all(feature = "workstation", target_os = "linux"))]
pub fn run_other() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    if std::path::Path::new(&name).file_name().is_some_and(|name| name == orascache_api::steps::AGENT_PROGRAM)
    {
        return Some(orascache_agent::main());
    }
    (arguments.next()? == CONTAINER).then(|| fake_kube_node::helper::main(std::env::args_os()))
}

/// There are no such programs here: they belong to `dev`, and namespaces are Linux's.
#[cfg(not(all(feature = "workstation", target_os = "linux")))]
pub fn run_other() -> Option<ExitCode> {
    None
}
