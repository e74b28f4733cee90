//! Copies this program to where other containers of the pod find it.

use crate::exit;
use crate::log::Log;
use orascache_api::steps::AGENT_PROGRAM;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// This program, also when its file has been replaced meanwhile.
const OURSELVES: &str = "/proc/self/exe";
/// Everybody may run it, whatever user the container has.
const MODE: u32 = 0o755;

/// Installs into `directory`. Returns the exit code.
pub fn execute(directory: &Path) -> u8 {
    match install(directory) {
        Ok(()) => 0,
        Err(sentence) => {
            Log::default().info(sentence);
            exit::FAILED
        }
    }
}

/// The copy appears at once and complete, or not at all: a container may be starting from it. One that runs keeps its file.
fn install(directory: &Path) -> Result<(), String> {
    let into = directory.display();
    if !directory.is_dir() {
        return Err(format!("{into} is no directory: name one that exists, such as the mount of a volume"));
    }
    let mut source = File::open(OURSELVES).map_err(|error| format!("cannot read {OURSELVES}: {error}"))?;
    let failed = |error: io::Error| format!("cannot install into {into}: {error}");
    let mut copy =
        tempfile::Builder::new().prefix(".orascache-agent.").tempfile_in(directory).map_err(failed)?;
    io::copy(&mut source, copy.as_file_mut()).map_err(failed)?;
    // Behind the umask, which applies at creation only.
    copy.as_file().set_permissions(Permissions::from_mode(MODE)).map_err(failed)?;
    // Closed first: what is open for writing cannot be executed.
    copy.into_temp_path().persist(directory.join(AGENT_PROGRAM)).map_err(|error| failed(error.error))?;
    Ok(())
}
