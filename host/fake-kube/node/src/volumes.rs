//! Volumes as folders.

use crate::fields::{self, Machine};
use crate::folders;
use crate::objects::{Objects, Obstacle, Source};
use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, KeyToPath, Pod, Volume, VolumeProjection};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// The mode of files of Secrets, ConfigMaps and the like (core/v1 `SecretVolumeSource.defaultMode`).
const DEFAULT_MODE: i32 = 0o644;

/// The folder of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumeFolder {
    pub path: PathBuf,
    pub read_only: bool,
}

/// What volumes are made of.
pub(crate) struct Sources<'s> {
    pub pod: &'s Pod,
    pub objects: &'s Objects,
    /// UIDs of volume claims, by name.
    pub claims: &'s BTreeMap<String, String>,
    /// Folder of volume claims.
    pub claims_folder: &'s Path,
    pub machine: Machine,
}

/// Makes the folder of a volume. `folder` is for this pod's volumes.
pub(crate) fn make(volume: &Volume, folder: &Path, sources: &Sources<'_>) -> Result<VolumeFolder, Obstacle> {
    let failed = |what: String| {
        Obstacle::volume(format!("MountVolume.SetUp failed for volume {:?} : {what}", volume.name))
    };
    let path = folder.join(&volume.name);
    let io = |error: io::Error| failed(error.to_string());
    if volume.empty_dir.is_some() {
        folders::make(&path, 0o777).map_err(io)?;
        return Ok(VolumeFolder { path, read_only: false });
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        let uid = sources.claims.get(&claim.claim_name);
        let uid =
            uid.ok_or_else(|| failed(format!("persistentvolumeclaim {:?} not found", claim.claim_name)))?;
        let path = sources.claims_folder.join(uid);
        if !path.is_dir() {
            folders::make(&path, 0o777).map_err(io)?;
        }
        return Ok(VolumeFolder { path, read_only: claim.read_only == Some(true) });
    }
    let files = files(volume, sources).map_err(failed)?;
    let files = files.ok_or_else(|| {
        Obstacle::volume(format!(
            "the volume {:?} is of a kind that processes on this machine do not get: use emptyDir, configMap, secret, projected, downwardAPI or persistentVolumeClaim",
            volume.name
        ))
    })?;
    folders::make(&path, 0o755).map_err(io)?;
    for (name, file) in files {
        write(&path, &name, &file).map_err(|error| failed(format!("{name}: {error}")))?;
    }
    Ok(VolumeFolder { path, read_only: true })
}

struct File {
    content: Vec<u8>,
    mode: i32,
}

/// The files of a volume, by path. `None` when it does not consist of files.
fn files(volume: &Volume, sources: &Sources<'_>) -> Result<Option<BTreeMap<String, File>>, String> {
    let mut files = BTreeMap::new();
    if let Some(secret) = &volume.secret {
        let name = secret.secret_name.as_deref().unwrap_or_default();
        let keys =
            Keys { items: secret.items.as_deref(), optional: secret.optional, mode: secret.default_mode };
        files.extend(keys.of(Source::Secret, name, sources.objects)?);
    } else if let Some(map) = &volume.config_map {
        let keys = Keys { items: map.items.as_deref(), optional: map.optional, mode: map.default_mode };
        files.extend(keys.of(Source::ConfigMap, &map.name, sources.objects)?);
    } else if let Some(fields) = &volume.downward_api {
        files.extend(downward(fields.items.as_deref(), fields.default_mode, sources)?);
    } else if let Some(projected) = &volume.projected {
        for source in projected.sources.iter().flatten() {
            files.extend(projection(source, projected.default_mode, sources)?);
        }
    } else {
        return Ok(None);
    }
    Ok(Some(files))
}

fn projection(
    source: &VolumeProjection,
    mode: Option<i32>,
    sources: &Sources<'_>,
) -> Result<BTreeMap<String, File>, String> {
    if let Some(secret) = &source.secret {
        let keys = Keys { items: secret.items.as_deref(), optional: secret.optional, mode };
        return keys.of(Source::Secret, &secret.name, sources.objects);
    }
    if let Some(map) = &source.config_map {
        let keys = Keys { items: map.items.as_deref(), optional: map.optional, mode };
        return keys.of(Source::ConfigMap, &map.name, sources.objects);
    }
    if let Some(fields) = &source.downward_api {
        return downward(fields.items.as_deref(), mode, sources);
    }
    Err("it has a source that processes on this machine do not get: use secret, configMap or downwardAPI"
        .to_owned())
}

/// Which keys of an object become files.
struct Keys<'k> {
    items: Option<&'k [KeyToPath]>,
    optional: Option<bool>,
    mode: Option<i32>,
}

impl Keys<'_> {
    fn of(&self, source: Source, name: &str, objects: &Objects) -> Result<BTreeMap<String, File>, String> {
        let is_optional = self.optional == Some(true);
        let default_mode = self.mode.unwrap_or(DEFAULT_MODE);
        let Some(data) = objects.get(source, name) else {
            return if is_optional {
                Ok(BTreeMap::new())
            } else {
                Err(format!("{} {name:?} not found", source.lowercase()))
            };
        };
        let Some(items) = self.items.filter(|items| !items.is_empty()) else {
            let file = |content: &Vec<u8>| File { content: content.clone(), mode: default_mode };
            return Ok(data.iter().map(|(key, content)| (key.clone(), file(content))).collect());
        };
        let mut files = BTreeMap::new();
        for item in items {
            match data.get(&item.key) {
                Some(content) => {
                    let mode = item.mode.unwrap_or(default_mode);
                    files.insert(item.path.clone(), File { content: content.clone(), mode });
                }
                None if is_optional => {}
                None => {
                    return Err(format!("references non-existent {} key: {}", source.lowercase(), item.key));
                }
            }
        }
        Ok(files)
    }
}

/// Files with fields of the pod.
fn downward(
    items: Option<&[DownwardAPIVolumeFile]>,
    mode: Option<i32>,
    sources: &Sources<'_>,
) -> Result<BTreeMap<String, File>, String> {
    let mut files = BTreeMap::new();
    for item in items.into_iter().flatten() {
        let content = match (&item.field_ref, &item.resource_field_ref) {
            (Some(reference), _) => fields::field(sources.pod, &reference.field_path)?,
            (None, Some(reference)) => {
                let name = reference.container_name.as_deref().unwrap_or_default();
                let spec = sources.pod.spec.as_ref();
                let containers = spec
                    .iter()
                    .flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
                let container = containers.into_iter().find(|container| container.name == name);
                let container = container.ok_or_else(|| format!("there is no container {name:?}"))?;
                fields::resource(container, reference, sources.machine)?
            }
            (None, None) => return Err(format!("{} has no source", item.path)),
        };
        let mode = item.mode.or(mode).unwrap_or(DEFAULT_MODE);
        files.insert(item.path.clone(), File { content: content.into_bytes(), mode });
    }
    Ok(files)
}

fn write(folder: &Path, name: &str, file: &File) -> io::Result<()> {
    let relative = Path::new(name);
    if !relative.components().all(|component| matches!(component, Component::Normal(_))) {
        return Err(io::Error::other("the path leads out of the volume"));
    }
    let path = folder.join(relative);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, &file.content)?;
    fs::set_permissions(&path, Permissions::from_mode(u32::try_from(file.mode).unwrap_or(0o644)))
}

#[cfg(test)]
mod tests {
    use super::{Sources, VolumeFolder, make};
    use crate::fields::Machine;
    use crate::objects::{Objects, Obstacle, Source};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn volume(folder: &Path, mut source: Value) -> Result<VolumeFolder, Obstacle> {
        source["name"] = json!("v");
        let volume = serde_json::from_value(source).expect("a volume");
        let pod = json!({
            "metadata": {"name": "p", "labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "2"}}}]},
        });
        let data = [("one".to_owned(), b"1".to_vec()), ("two".to_owned(), b"2".to_vec())];
        let found = [((Source::Secret, "s".to_owned()), data.into())];
        make(
            &volume,
            folder,
            &Sources {
                pod: &serde_json::from_value(pod).expect("a pod"),
                objects: &Objects { namespace: "n".to_owned(), found: found.into() },
                claims: &BTreeMap::from([("data".to_owned(), "uid-1".to_owned())]),
                claims_folder: &folder.join("claims"),
                machine: Machine { cores: 1, memory: 0 },
            },
        )
    }

    fn read(volume: &VolumeFolder, path: &str) -> (String, u32) {
        let path = volume.path.join(path);
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        (std::fs::read_to_string(path).expect("text"), mode)
    }

    #[test]
    fn keys_become_files_with_modes() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = volume(folder.path(), json!({"secret": {"secretName": "s", "defaultMode": 0o400}}));
        let all = all.expect("a volume");
        assert_eq!((read(&all, "one"), read(&all, "two")), (("1".into(), 0o400), ("2".into(), 0o400)));
        assert!(all.read_only);

        let folder = tempfile::tempdir().expect("a folder");
        let projected = json!({"projected": {"sources": [
            {"secret": {"name": "s", "items": [{"key": "two", "path": "deep/2", "mode": 0o600}]}},
            {"secret": {"name": "none", "optional": true}},
            {"configMap": {"name": "none", "optional": true}},
            {"downwardAPI": {"items": [
                {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}},
            ]}},
        ]}});
        let projected = volume(folder.path(), projected).expect("a volume");
        assert_eq!(read(&projected, "deep/2"), ("2".into(), 0o600));
        assert_eq!(read(&projected, "labels"), ("a=\"b\"".into(), 0o644));
        assert_eq!(read(&projected, "cpu").0, "2");
        assert!(!projected.path.join("one").exists());
    }

    #[test]
    fn claims_have_a_folder_by_their_uid() {
        let folder = tempfile::tempdir().expect("a folder");
        let claim = |name: &str| {
            volume(folder.path(), json!({"persistentVolumeClaim": {"claimName": name, "readOnly": true}}))
        };
        let found = claim("data").expect("a volume");
        assert_eq!(found, VolumeFolder { path: folder.path().join("claims/uid-1"), read_only: true });
        assert!(claim("none").unwrap_err().message.contains("persistentvolumeclaim \"none\" not found"));
    }

    #[test]
    fn what_is_missing_or_impossible_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let message = |source: Value| volume(folder.path(), source).expect_err("an obstacle").message;
        assert!(message(json!({"secret": {"secretName": "t"}})).ends_with("secret \"t\" not found"));
        let item = json!({"secret": {"secretName": "s", "items": [{"key": "x", "path": "x"}]}});
        assert!(message(item).ends_with("references non-existent secret key: x"));
        let outside = json!({"secret": {"secretName": "s", "items": [{"key": "one", "path": "../x"}]}});
        assert!(message(outside).ends_with("leads out of the volume"));
        assert!(message(json!({"hostPath": {"path": "/"}})).contains("use emptyDir"));
        let token = json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}});
        assert!(message(token).contains("use secret, configMap or downwardAPI"));
    }
}
