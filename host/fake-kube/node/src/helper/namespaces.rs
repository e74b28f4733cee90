//! Namespaces of a container's own.

use nix::sched::{CloneFlags, unshare};
use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set, set_no_new_privs};
use std::io;

/// The capabilities that containers have by default (containerd, Docker). In a user namespace they
/// concern nothing but the container.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// Enters new namespaces for users, mounts, IPC, the host name, and, for processes that are started
/// later, process IDs. The user of this process appears as `user` and `group`; there are no others.
///
/// The network stays that of this machine, since the registries and the API are on its loopback
/// interface.
pub(super) fn enter_new(user: u32, group: u32) -> io::Result<()> {
    let (real_user, real_group) = (geteuid().as_raw(), getegid().as_raw());
    let flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWPID;
    unshare(flags)?;
    // A group map of an ordinary user needs this first (user_namespaces(7)).
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {real_user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {real_group} 1"))
}

/// Gives up what containers do not have: without `CAP_SYS_ADMIN` a container cannot make the
/// folders of this machine writable again.
pub(super) fn give_up_capabilities() -> io::Result<()> {
    for number in 0..u64::BITS {
        let Some(one) = CapabilitySet::from_bits(1 << number).filter(|one| !KEPT.contains(*one)) else {
            continue;
        };
        match remove_capability_from_bounding_set(one) {
            // The kernel does not know it.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    set_no_new_privs(true)?;
    Ok(())
}
