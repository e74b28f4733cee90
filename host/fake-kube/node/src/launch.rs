//! What the helper is told about a container.

use crate::context::{PodContext, host_name};
use crate::environment::Variables;
use crate::images;
use crate::messages::{CommandLine, FileSystem, Launch, Mount};
use crate::objects::Obstacle;
use crate::supervised::Supervised;
use k8s_openapi::api::core::v1::VolumeMount;
use std::collections::BTreeSet;
use std::path::{Component, Path};

/// The path of programs in images (runc, containerd).
const IMAGE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The default of `terminationMessagePath`.
const TERMINATION_MESSAGE: &str = "/dev/termination-log";
/// The file with the termination message, in the folder of a container.
pub(crate) const MESSAGE: &str = "termination-log";

/// What the helper needs to know about a container.
pub(crate) fn launch(
    supervised: &Supervised,
    declared: Variables,
    folder: &Path,
) -> Result<Launch, Obstacle> {
    let Supervised { context, container, .. } = supervised;
    let options = &context.shared.options;
    let image = container.image.as_deref().unwrap_or_default();
    let host_name = host_name(&context.pod);
    let mut words = container.command.clone().unwrap_or_default();
    if words.is_empty() {
        return Err(Obstacle::creation(format!(
            "no command specified: what the image {image:?} starts by itself is not known here, so write it as command"
        )));
    }
    words.extend(container.args.clone().unwrap_or_default());
    let words: Vec<String> = words.iter().map(|word| declared.expand(word)).collect();
    let base = images::find(&options.images, image).unwrap_or(Path::new("/"));
    let is_machine = base == Path::new("/");
    let program = words.first().filter(|_| is_machine).and_then(|name| options.programs.get(name)).cloned();
    let path = std::env::var("PATH").ok().filter(|_| is_machine);
    let path = path.unwrap_or_else(|| IMAGE_PATH.to_owned());
    let shown = tops(&path);
    let mut variables = declared;
    let target = container.termination_message_path.as_deref().unwrap_or(TERMINATION_MESSAGE);
    let mut mounts =
        vec![Mount { source: folder.join(MESSAGE), part: None, target: absolute(target)?, read_only: false }];
    for mount in container.volume_mounts.iter().flatten() {
        mounts.push(volume_mount(context, mount, &variables)?);
    }
    // Folders come before what is mounted into them.
    mounts.sort_by(|one, other| Path::new(&one.target).cmp(Path::new(&other.target)));
    variables.set_default("PATH", path);
    variables.set_default("HOSTNAME", host_name.clone());
    variables.set_default("HOME", "/root".to_owned());
    let security = container.security_context.as_ref();
    let of_pod = context.pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
    let user = security.and_then(|found| found.run_as_user).or(of_pod.and_then(|found| found.run_as_user));
    let group = security.and_then(|found| found.run_as_group).or(of_pod.and_then(|found| found.run_as_group));
    let number = |id: Option<i64>| u32::try_from(id.unwrap_or(0)).unwrap_or(0);
    Ok(Launch {
        command: CommandLine {
            words,
            variables: variables.0,
            directory: absolute(container.working_dir.as_deref().unwrap_or("/"))?,
        },
        files: FileSystem {
            base: base.to_owned(),
            shown,
            root: folder.join("root"),
            read_only: security.and_then(|found| found.read_only_root_filesystem) == Some(true),
            hosts: context.hosts.path().to_owned(),
            mounts,
        },
        hostname: host_name,
        user: number(user),
        group: number(group),
        program,
    })
}

/// The folders at the root of this machine in which the programs of a PATH are.
fn tops(path: &str) -> Vec<String> {
    let mut tops = BTreeSet::new();
    for folder in std::env::split_paths(path) {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        for folder in [folder, real] {
            let top = folder.components().find_map(|component| match component {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                _ => None,
            });
            tops.extend(top.filter(|_| folder.is_absolute()));
        }
    }
    tops.into_iter().collect()
}

/// A path of a container. Relative ones start at its root.
fn absolute(path: &str) -> Result<String, Obstacle> {
    let absolute = Path::new("/").join(path);
    if absolute.components().any(|component| component == Component::ParentDir) {
        return Err(Obstacle::creation(format!("the path {path:?} has a .. in it: write it without")));
    }
    Ok(absolute.to_string_lossy().into_owned())
}

fn volume_mount(context: &PodContext, mount: &VolumeMount, variables: &Variables) -> Result<Mount, Obstacle> {
    let volume = context.volumes.get(&mount.name);
    let volume = volume.ok_or_else(|| Obstacle::creation(format!("there is no volume {:?}", mount.name)))?;
    let part = match (&mount.sub_path, &mount.sub_path_expr) {
        (Some(part), _) if !part.is_empty() => Some(part.clone()),
        (_, Some(part)) if !part.is_empty() => Some(variables.expand(part)),
        _ => None,
    };
    Ok(Mount {
        source: volume.path.clone(),
        part,
        target: absolute(&mount.mount_path)?,
        read_only: volume.read_only || mount.read_only == Some(true),
    })
}

#[cfg(test)]
mod tests {
    use super::{absolute, tops};

    #[test]
    fn folders_with_programs_are_shown() {
        let found = tops("/usr/bin:/no-such-top/bin::relative/bin");
        assert!(found.contains(&"usr".to_owned()) && found.contains(&"no-such-top".to_owned()));
        assert!(!found.contains(&"relative".to_owned()), "{found:?}");
    }

    #[test]
    fn paths_start_at_the_root_and_do_not_leave_it() {
        assert_eq!(absolute("data").as_deref(), Ok("/data"));
        assert_eq!(absolute("/data/x").as_deref(), Ok("/data/x"));
        assert!(absolute("/data/../..").unwrap_err().message.contains("write it without"));
    }
}
