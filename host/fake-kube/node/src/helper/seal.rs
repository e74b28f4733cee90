//! Makes mounts read-only.

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_remount};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Which parts of the file system can be written. The nearest folder above a mount decides.
#[derive(Default)]
pub(super) struct Rules(Vec<(PathBuf, bool)>);

impl Rules {
    /// Mounts at this path and below it can be written, or not.
    pub(super) fn add(&mut self, path: impl Into<PathBuf>, writable: bool) {
        self.0.push((path.into(), writable));
    }

    fn may_write(&self, mount: &Path) -> bool {
        let above = self.0.iter().filter(|(path, _)| mount.starts_with(path));
        above.max_by_key(|(path, _)| path.components().count()).is_some_and(|(_, writable)| *writable)
    }
}

/// A mount of this process.
#[derive(Debug, PartialEq, Eq)]
struct Mounted {
    path: PathBuf,
    flags: MountFlags,
}

/// Makes all mounts read-only that the rules do not let anybody write. The mount at the root stays
/// writable if `root` says so.
pub(super) fn seal(rules: &Rules, root: bool) -> io::Result<()> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    for line in table.split(|byte| *byte == b'\n') {
        let Some(mounted) = parse(line) else { continue };
        let is_sealed = mounted.flags.contains(MountFlags::RDONLY);
        let is_root = mounted.path == Path::new("/");
        let may_write = if is_root { root } else { rules.may_write(&mounted.path) };
        if is_sealed || may_write {
            continue;
        }
        let flags = mounted.flags | MountFlags::BIND | MountFlags::RDONLY;
        match mount_remount(&mounted.path, flags, c"") {
            Ok(()) => {}
            // Another mount or a missing permission hides it: the container cannot reach it either.
            Err(Errno::ACCESS | Errno::NOENT | Errno::INVAL) if is_hidden(&mounted.path) => {}
            Err(error) => {
                let path = mounted.path.display();
                return Err(io::Error::other(format!("{path} cannot be made read-only: {error}")));
            }
        }
    }
    Ok(())
}

/// Whether a path does not lead to a mount that processes of the container could reach.
fn is_hidden(path: &Path) -> bool {
    match std::fs::symlink_metadata(path) {
        Err(_) => true,
        Ok(found) if found.is_dir() => std::fs::read_dir(path).is_err(),
        Ok(_) => std::fs::File::open(path).is_err(),
    }
}

/// A line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)): the fifth word is the path, the sixth
/// has the options of the mount.
fn parse(line: &[u8]) -> Option<Mounted> {
    let mut words = line.split(|byte| *byte == b' ').skip(4);
    let path = PathBuf::from(OsString::from_vec(unescape(words.next()?)));
    let mut flags = MountFlags::empty();
    for option in words.next()?.split(|byte| *byte == b',') {
        flags |= match option {
            b"ro" => MountFlags::RDONLY,
            b"nosuid" => MountFlags::NOSUID,
            b"nodev" => MountFlags::NODEV,
            b"noexec" => MountFlags::NOEXEC,
            b"noatime" => MountFlags::NOATIME,
            b"nodiratime" => MountFlags::NODIRATIME,
            b"relatime" => MountFlags::RELATIME,
            b"nosymfollow" => MountFlags::NOSYMFOLLOW,
            _ => MountFlags::empty(),
        };
    }
    Some(Mounted { path, flags })
}

/// Spaces and the like are written as a backslash and three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = word;
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            digits.iter().try_fold(0_u32, |sum, digit| {
                (b'0'..=b'7').contains(digit).then(|| sum * 8 + u32::from(digit - b'0'))
            })
        });
        match code.and_then(|code| u8::try_from(code).ok()) {
            Some(byte) => {
                text.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                text.push(*first);
                rest = behind;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Mounted, Rules, parse};
    use rustix::mount::MountFlags;
    use std::path::Path;

    #[test]
    fn lines_of_the_mount_table_are_read() {
        let line =
            br"36 35 98:0 /mnt1 /a\040b\134 rw,noatime,nosuid master:1 - ext3 /dev/root rw,errors=continue";
        let flags = MountFlags::NOATIME | MountFlags::NOSUID;
        assert_eq!(parse(line), Some(Mounted { path: r"/a b\".into(), flags }));
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn the_nearest_folder_decides() {
        let mut rules = Rules::default();
        rules.add("/data", true);
        rules.add("/data/config", false);
        let may_write = |path: &str| rules.may_write(Path::new(path));
        assert!(may_write("/data") && may_write("/data/deep/er"));
        assert!(!may_write("/data/config") && !may_write("/data/config/x"));
        assert!(!may_write("/usr") && !may_write("/database"));
    }
}
