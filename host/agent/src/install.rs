//! Copies this program to a volume, where other containers of the pod find it.

use crate::exit;
use crate::log::Log;
use orascache_api::steps::AGENT_PROGRAM;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// This program, also when its file has been replaced meanwhile (proc_pid_exe(5)).
const THIS_PROGRAM: &str = "/proc/self/exe";
/// Any user may run it, since containers run as any user.
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

/// The copy appears in one step and complete, or not at all, since a container may be about to
/// start it. A container that runs an older copy keeps it.
fn install(directory: &Path) -> Result<(), String> {
    let into = directory.display();
    if !directory.is_dir() {
        return Err(format!("{into} is no directory: name one that exists, such as the mount of a volume"));
    }
    let mut source =
        File::open(THIS_PROGRAM).map_err(|error| format!("cannot read {THIS_PROGRAM}: {error}"))?;
    let failed = |error: io::Error| format!("cannot install into {into}: {error}");
    let mut copy =
        tempfile::Builder::new().prefix(".orascache-agent.").tempfile_in(directory).map_err(failed)?;
    io::copy(&mut source, copy.as_file_mut()).map_err(failed)?;
    // The umask changes the mode at creation, and not here.
    copy.as_file().set_permissions(Permissions::from_mode(MODE)).map_err(failed)?;
    // The file is closed first, since a file that is open for writing cannot be executed.
    copy.into_temp_path().persist(directory.join(AGENT_PROGRAM)).map_err(|error| failed(error.error))?;
    Ok(())
}
