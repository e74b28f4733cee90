//! Makes the metadata section of the policy from `metadata.yml`, as `kwctl annotate` does: JSON,
//! with the version of the protocol and the page for the hub.

use serde_json::Value;
use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo runs this")?);
    let (metadata, page) = (here.join("metadata.yml"), here.join("README.md"));
    let mut tree: Value = serde_saphyr::from_str(&fs::read_to_string(&metadata)?)?;
    let members = tree.as_object_mut().ok_or("metadata.yml must be an object")?;
    members.insert("protocolVersion".into(), "v1".into());
    members
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
        .ok_or("metadata.yml: annotations must be an object")?
        .insert("io.kubewarden.policy.usage".into(), fs::read_to_string(&page)?.into());
    let section = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo runs this")?).join("metadata.json");
    fs::write(&section, serde_json::to_vec(&tree)?)?;
    instruct(&format!("rustc-env=METADATA_PATH={}", section.display()));
    for file in [metadata, page] {
        instruct(&format!("rerun-if-changed={}", file.display()));
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "build scripts talk to cargo through stdout")]
fn instruct(instruction: &str) {
    println!("cargo::{instruction}");
}
