//! `orascache version`: the versions of this program, its component, and the contract.

use super::failed::Failed;
use super::load;
use crate::EMBEDDED;
use crate::cli::{VersionArgs, VersionFormat};
use crate::output::{self, Format};
use serde_json::json;
use std::process::ExitCode;

pub(super) fn execute(args: &VersionArgs) -> Result<ExitCode, Failed> {
    let version = env!("CARGO_PKG_VERSION");
    let interface = load::interface(EMBEDDED)?;
    let (digest, size, contract) = (&interface.digest, interface.size, &interface.wit);
    let document = json!({
        "version": version,
        "component": {"digest": digest, "size": size},
        "contract": contract,
    });
    let text = match args.output {
        VersionFormat::Text => {
            format!("orascache {version}\ncomponent {digest} ({size} bytes)\ncontract {contract}\n")
        }
        VersionFormat::Json => Format::Json.render(&document)?,
        VersionFormat::Yaml => Format::Yaml.render(&document)?,
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
