//! Mounts in the target directory.

use cap_std::fs::{Dir, MetadataExt};
use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};
use std::ffi::OsStr;
use std::os::fd::AsFd;

/// Whether another file is mounted over the entry `name` of a directory, as Kubernetes does it with
/// the `subPath` of a volume. Such an entry cannot be replaced (rename(2), `EBUSY`).
///
/// Where the kernel does not tell (before Linux 5.8), a mount is recognised by its device only.
pub(super) fn is_mounted_over(dir: &Dir, name: &OsStr) -> bool {
    let Ok(found) = statx(dir.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS) else {
        return false;
    };
    if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
        return found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    }
    let devices = dir.dir_metadata().and_then(|parent| Ok((parent.dev(), dir.symlink_metadata(name)?.dev())));
    devices.is_ok_and(|(parent, entry)| parent != entry)
}
