//! The file system of a container.
//!
//! The root is an empty folder of the container's own, so that any path can be created. The
//! programs of the base are mounted into it, read-only: some folders as a whole, of others the
//! entries, so that a container can create its own beside them. What is not needed for running
//! programs is left out, such as `/data` or `/tmp` of this machine.

use super::seal::{Rules, seal};
use crate::messages::{FileSystem, Mount, StartFailure};
use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    unmount,
};
use rustix::process::pivot_root;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

/// Where the root of this machine is while the file system is made.
const MACHINE: &str = "/.machine";
/// Folders that are mounted as a whole.
const WHOLE: [&str; 12] =
    ["bin", "gnu", "lib", "lib32", "lib64", "libexec", "libx32", "nix", "sbin", "snap", "sys", "usr"];
/// Folders of which the entries are mounted.
const BY_ENTRY: [&str; 6] = ["etc", "home", "opt", "root", "run", "var"];
/// Folders that the container has for itself.
const OWN: [&str; 4] = ["dev", "proc", "tmp", ".machine"];
/// Entries that the container has for itself.
const OWN_ENTRIES: [&str; 2] = ["etc/hosts", "var/tmp"];
/// Devices of containers (OCI runtime specification, "Default Devices").
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

/// Makes the file system and makes it the root of this process.
pub(super) fn make(files: &FileSystem) -> Result<(), StartFailure> {
    // Ubuntu lets processes make user namespaces, and then refuses mounts in them.
    change_root(&files.root).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => StartFailure::NoNamespaces(error.to_string()),
        _ => StartFailure::Container(format!("the root cannot be changed: {error}")),
    })?;
    fill(files).map_err(|error| StartFailure::Container(error.to_string()))
}

fn change_root(root: &Path) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount_bind(root, root)?;
    let machine = root.join(MACHINE.trim_start_matches('/'));
    fs::create_dir_all(&machine)?;
    pivot_root(root, &machine)?;
    std::env::set_current_dir("/")
}

fn fill(files: &FileSystem) -> io::Result<()> {
    show_base(files)?;
    mount_processes()?;
    let mut rules = Rules::default();
    rules.add("/proc", true);
    rules.add(MACHINE, true);
    // From here on nothing of this machine can be changed by accident, such as by a link in the
    // base that leads to it.
    seal(&rules, true)?;
    make_own()?;
    rules.add("/dev", true);
    mount_file(&on_machine(&files.hosts), Path::new("/etc/hosts"))?;
    for mount in &files.mounts {
        mount_volume(mount).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::ReadOnlyFilesystem => {
                    ": the folders of programs cannot be changed here, so that it has to exist"
                }
                _ => "",
            };
            io::Error::new(error.kind(), format!("nothing can be mounted at {}: {error}{hint}", mount.target))
        })?;
        // A link of the base may be a part of the path, as in /var/run. The kernel knows mounts by
        // the path behind it.
        rules.add(fs::canonicalize(&mount.target)?, !mount.read_only);
    }
    unmount(MACHINE, UnmountFlags::DETACH)?;
    fs::remove_dir(MACHINE)?;
    // The mount at the root is the folder of the container's own.
    seal(&rules, !files.read_only)
}

/// A path of this machine, as it is reached now.
fn on_machine(path: &Path) -> PathBuf {
    Path::new(MACHINE).join(path.strip_prefix("/").unwrap_or(path))
}

/// Mounts the programs of the base.
fn show_base(files: &FileSystem) -> io::Result<()> {
    let base = on_machine(&files.base);
    let is_machine = files.base == Path::new("/");
    for entry in fs::read_dir(&base)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(known) = name.to_str() else { continue };
        let target = Path::new("/").join(&name);
        let kind = entry.file_type()?;
        if OWN.contains(&known) {
            continue;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else if kind.is_dir() && WHOLE.contains(&known) {
            make_folder(&target, 0o755)?;
            match mount_bind_recursive(entry.path(), &target) {
                // The kernel's own files are not needed by most programs.
                Err(_) if known == "sys" => {}
                mounted => mounted?,
            }
        } else if kind.is_dir()
            && (!is_machine || BY_ENTRY.contains(&known) || files.shown.iter().any(|shown| shown == known))
        {
            show_entries(known, &entry.path(), &target)?;
        } else if kind.is_file() && !is_machine {
            mount_file(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Mounts the entries of a folder. What this user cannot read is left out.
fn show_entries(name: &str, source: &Path, target: &Path) -> io::Result<()> {
    make_folder(target, 0o755)?;
    let Ok(entries) = fs::read_dir(source) else { return Ok(()) };
    for entry in entries.filter_map(Result::ok) {
        let path = target.join(entry.file_name());
        let is_own = OWN_ENTRIES.iter().any(|own| Path::new(own) == Path::new(name).join(entry.file_name()));
        let Ok(kind) = entry.file_type() else { continue };
        // An entry may disappear meanwhile, or belong to a file system that nobody may mount again.
        let _ = if is_own {
            Ok(())
        } else if kind.is_symlink() {
            fs::read_link(entry.path()).and_then(|link| symlink(link, &path))
        } else if kind.is_dir() {
            make_folder(&path, 0o755).and_then(|()| Ok(mount_bind_recursive(entry.path(), &path)?))
        } else if kind.is_file() {
            mount_file(&entry.path(), &path)
        } else {
            Ok(())
        };
    }
    Ok(())
}

/// Mounts `/proc`, with the processes of the container.
fn mount_processes() -> io::Result<()> {
    make_folder(Path::new("/proc"), 0o755)?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // Within a container whose own /proc is masked, the kernel refuses another one.
    if mount("proc", "/proc", "proc", quiet, None).is_err() {
        mount_bind_recursive(on_machine(Path::new("/proc")), "/proc")?;
    }
    Ok(())
}

/// The folders that each container has for itself.
fn make_own() -> io::Result<()> {
    for (folder, mode) in
        [("/etc", 0o755), ("/root", 0o700), ("/var", 0o755), ("/var/tmp", 0o1777), ("/tmp", 0o1777)]
    {
        make_folder(Path::new(folder), mode)?;
    }
    make_folder(Path::new("/dev"), 0o755)?;
    mount("tmpfs", "/dev", "tmpfs", MountFlags::NOSUID, Some(c"mode=755"))?;
    for device in DEVICES {
        let path = Path::new("/dev").join(device);
        mount_file(&on_machine(&path), &path)?;
    }
    for (link, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{target}"), Path::new("/dev").join(link))?;
    }
    make_folder(Path::new("/dev/shm"), 0o1777)
}

/// Creates a folder with this mode, whatever the umask is. An existing one stays as it is.
fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Mounts a file. The mount point is created if there is none.
fn mount_file(source: &Path, target: &Path) -> io::Result<()> {
    if !target.exists() {
        File::create(target)?;
    }
    Ok(mount_bind(source, target)?)
}

fn mount_volume(mount: &Mount) -> io::Result<()> {
    let source = on_machine(&mount.source);
    let target = Path::new(&mount.target);
    let (source, _part) = match &mount.part {
        None => (source, None),
        Some(part) => {
            let part = open_part(&source, Path::new(part))?;
            (PathBuf::from(format!("/proc/self/fd/{}", part.as_raw_fd())), Some(part))
        }
    };
    if fs::metadata(&source)?.is_dir() {
        fs::create_dir_all(target)?;
        return Ok(mount_bind_recursive(&source, target)?);
    }
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    mount_file(&source, target)
}

/// Opens a part of a volume. Links in the volume, which containers make, cannot lead out of it.
fn open_part(volume: &Path, part: &Path) -> io::Result<OwnedFd> {
    let open = |folder: &OwnedFd, path: &Path| {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        openat2(folder, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
    };
    let root = rustix::fs::open(volume, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    match open(&root, part) {
        Ok(found) => return Ok(found),
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let mut folder = root.as_fd().try_clone_to_owned()?;
    for component in part.components() {
        let name = match component {
            Component::Normal(name) => Path::new(name),
            Component::CurDir => continue,
            _ => return Err(io::Error::other(format!("{} leads out of the volume", part.display()))),
        };
        match mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        folder = open(&folder, name)?;
    }
    Ok(folder)
}
