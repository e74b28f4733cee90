//! The waPC side of the module: what is exported and imported.

#![allow(unsafe_code, reason = "an exported name and a section of the module are named by unsafe attributes")]

use crate::lookup::Host;
use crate::operations::{PROTOCOL_VERSION, validate, validate_settings};
use wapc_guest::{host_call, register_function};

/// What Kubewarden reads of a policy before it runs it: `metadata.yml`, converted to JSON by the
/// build script.
#[used]
#[unsafe(link_section = "io.kubewarden.metadata")]
static METADATA: [u8; include_bytes!(env!("METADATA_PATH")).len()] = *include_bytes!(env!("METADATA_PATH"));

/// The host calls this before every other function.
#[unsafe(no_mangle)]
pub extern "C" fn wapc_init() {
    register_function("protocol_version", |_| Ok(PROTOCOL_VERSION.to_vec()));
    register_function("validate_settings", |payload| Ok(validate_settings(payload)?));
    register_function("validate", |payload| Ok(validate(payload, &Kubewarden)?));
}

/// The host that runs the module.
struct Kubewarden;

impl Host for Kubewarden {
    fn call(&self, namespace: &str, operation: &str, payload: &str) -> Result<Vec<u8>, String> {
        host_call("kubewarden", namespace, operation, payload.as_bytes()).map_err(|error| error.to_string())
    }
}
