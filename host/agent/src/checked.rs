//! The arguments of a step, checked: everything that can be wrong with them is found before
//! anything is done.

use crate::output;
use crate::placeholders::{self, Input, Output, expand_path};
use crate::step_args::StepArgs;
use crate::transfer::RegistryAccess;
use oci_registry_client::{ArtifactReference, Credentials, Endpoint};
use orascache_api::reuse::MAX_SALT_LENGTH;
use orascache_api::steps::{LARGEST_MAXIMUM_INPUTS, env};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A step of which nothing has to be parsed any more.
pub struct CheckedStep<'a> {
    pub args: &'a StepArgs,
    pub registry: RegistryAccess,
    pub inputs: Vec<Input>,
    /// How long to wait for inputs that are not there.
    pub wait: Duration,
    pub outputs: Vec<Output>,
    pub output_pipe: Option<PathBuf>,
    /// Files whose content counts for the reuse of outputs: their paths as they are written, and
    /// where they are.
    pub reuse_files: Vec<(PathBuf, PathBuf)>,
    pub metrics_file: Option<PathBuf>,
}

impl<'a> CheckedStep<'a> {
    /// Checks the arguments of a step. `variable` has the values of placeholders.
    ///
    /// # Errors
    /// A sentence about an argument that is wrong.
    pub fn new(
        args: &'a StepArgs,
        variable: impl Fn(&str) -> Option<OsString> + Copy,
    ) -> Result<Self, String> {
        let inputs =
            placeholders::inputs(&args.inputs, args.input_path.as_deref(), LARGEST_MAXIMUM_INPUTS, variable)?;
        let path = |flag, path: &Option<PathBuf>| {
            path.as_ref().map(|path| expand_path(flag, path, variable)).transpose()
        };
        let output_pipe = path("--output-pipe", &args.output_pipe)?;
        let metrics_file = path("--metrics-file", &args.metrics_file)?;
        let outputs = outputs(args, variable)?;
        let reuse_files = reuse_files(args, variable)?;
        let mut endpoint = Endpoint::parse(&args.registry).map_err(|error| error.to_string())?;
        if let Some(socket) = &args.proxy {
            endpoint = endpoint.through(socket.clone());
        }
        let network = args.network.network(variable)?;
        let patience = Duration::from_secs(args.patience.into());
        let registry = RegistryAccess { endpoint, credentials: Credentials::default(), network, patience };
        let wait = Duration::from_secs(wait(args.input_wait, variable)?);
        Ok(CheckedStep { args, registry, inputs, wait, outputs, output_pipe, reuse_files, metrics_file })
    }
}

impl CheckedStep<'_> {
    /// The references of the inputs, in order.
    pub fn references(&self) -> Vec<ArtifactReference> {
        self.inputs.iter().map(|input| input.reference.clone()).collect()
    }
}

fn outputs(
    args: &StepArgs,
    variable: impl Fn(&str) -> Option<OsString> + Copy,
) -> Result<Vec<Output>, String> {
    let mut outputs: Vec<Output> = Vec::new();
    for text in &args.outputs {
        let output = placeholders::output(text, args.output_path.as_deref(), variable)?;
        if output::is_root(&output.path) {
            return Err(format!(
                "the path of the output {} is \"{}\": name a file or directory below the root of the file system",
                output.reference,
                output.path.display()
            ));
        }
        let is_same = |other: &Output| {
            let (one, other) = (&other.reference, &output.reference);
            one.repository == other.repository && one.tag() == other.tag()
        };
        if outputs.iter().any(is_same) {
            return Err(format!(
                "two outputs are {}, of which only one would remain: give one of them another tag",
                output.reference
            ));
        }
        outputs.push(output);
    }
    Ok(outputs)
}

/// Checks what a step says about reuse. Returns the files whose content counts.
fn reuse_files(
    args: &StepArgs,
    variable: impl Fn(&str) -> Option<OsString> + Copy,
) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let reuse = &args.reuse;
    if reuse.is_on && args.outputs.is_empty() {
        return Err("--reuse is \"true\", but there is no output to reuse: name one with --output".to_owned());
    }
    if let Some(length) = reuse.salt.as_ref().map(String::len).filter(|length| *length > MAX_SALT_LENGTH) {
        return Err(format!(
            "--reuse-salt has {length} bytes, and {MAX_SALT_LENGTH} are allowed: shorten it"
        ));
    }
    let expand = |path: &PathBuf| Ok((path.clone(), expand_path("--reuse-file", path, variable)?));
    reuse.files.iter().map(expand).collect()
}

/// The seconds to wait for inputs. What is left of the time, where another program has waited
/// already, replaces the flag.
fn wait(flag: u32, variable: impl Fn(&str) -> Option<OsString>) -> Result<u64, String> {
    let Some(left) = variable(env::INPUT_WAIT_REMAINING).filter(|left| !left.is_empty()) else {
        return Ok(flag.into());
    };
    let seconds = left.to_str().and_then(|left| left.trim().parse::<u32>().ok());
    seconds.map(u64::from).ok_or_else(|| {
        format!(
            "{} is \"{}\", which is no number of seconds: remove it, or set it to 0 for no waiting",
            env::INPUT_WAIT_REMAINING,
            left.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_replaces_the_flag() {
        for (left, wanted) in [(None, 30), (Some(""), 30), (Some("7"), 7), (Some("0"), 0), (Some("90 "), 90)]
        {
            assert_eq!(wait(30, |_| left.map(OsString::from)), Ok(wanted), "{left:?}");
        }
        for left in ["-1", "5m", "1.5", "99999999999"] {
            let said = wait(30, |_| Some(left.into())).unwrap_err();
            assert!(said.starts_with("ORASCACHE_INPUT_WAIT_REMAINING is \""), "{said}");
        }
    }
}
