//! The integration tests of the agent in one program: linking a program takes longer than running
//! most files of tests, and each would hold all libraries. A new file of tests is a module here.

#[path = "../../../../guest/core/tests/all/real_registry/client.rs"]
#[allow(dead_code, reason = "its certificates are needed here")]
mod client;
#[path = "../../../../guest/core/tests/all/real_registry/pod.rs"]
#[allow(dead_code, reason = "its accounts do not change here")]
mod pod;
mod support;
#[path = "../../../../guest/core/tests/all/world/mod.rs"]
#[allow(dead_code, reason = "tests of the core use the rest")]
mod world;

mod archives;
mod collection;
mod copy;
mod copy_faults;
mod entrypoint;
mod explain_key;
mod faults;
mod install;
mod interop;
mod large;
mod many_inputs;
mod many_outputs;
mod orphans;
mod output;
mod proxy;
mod proxy_lifetime;
mod prune;
mod prune_writers;
mod pull_and_push;
mod pushes;
mod rendered_pod;
mod rendered_tasks;
mod reuse;
mod rotation;
mod security_collection;
mod security_copy;
mod security_proxy_requests;
mod security_proxy_secrets;
mod security_pulls;
mod security_reuse;
mod security_zstandard;
mod signals;
mod statements;
mod step_command;
mod tee;
mod tls;
mod transfer;
mod waiting;
mod zstandard;
