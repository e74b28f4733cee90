//! Namespaces of a container's own.

use nix::sched::{CloneFlags, unshare};
use rustix::process::{getegid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};
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
    std::fs::write("/proc/self/gid_map", format!("{group} {real_group} 1"))?;
    keep_capabilities()
}

/// Keeps the rights to the new namespaces when another program is started, also where the user does
/// not appear as root.
fn keep_capabilities() -> io::Result<()> {
    let sets = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: sets.permitted, ..sets })?;
    for one in each().filter(|one| sets.permitted.contains(*one)) {
        configure_capability_in_ambient_set(one, true)?;
    }
    Ok(())
}

/// All capabilities, one by one, also those that this program does not know.
fn each() -> impl Iterator<Item = CapabilitySet> {
    (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number))
}

/// Gives up what containers do not have: without `CAP_SYS_ADMIN` a container cannot make the
/// folders of this machine writable again.
pub(super) fn give_up_capabilities() -> io::Result<()> {
    for one in each().filter(|one| !KEPT.contains(*one)) {
        match remove_capability_from_bounding_set(one) {
            // The kernel does not know it.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    clear_ambient_capability_set()?;
    let sets = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: CapabilitySet::empty(), ..sets })?;
    set_no_new_privs(true)?;
    Ok(())
}
