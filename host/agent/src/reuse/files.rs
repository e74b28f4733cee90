//! Files and directories whose content counts.

use super::document::KeyFile;
use super::ingredients::text;
use oci_registry_client::Digest;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Deepest nesting of directories. Links that lead in a circle end here.
const DEEPEST: usize = 32;

/// The files with digests of their content. Each has its path as it is written, which counts, and
/// the path at which it is: they differ where a placeholder was replaced. Links are followed. A
/// directory counts with everything in it, except for entries whose names begin with `..`: in
/// mounted ConfigMaps and Secrets these are the directories of the kubelet, whose names differ from
/// pod to pod.
///
/// # Errors
/// A sentence about a file that cannot be read.
pub fn read(paths: &[(PathBuf, PathBuf)]) -> Result<Vec<KeyFile>, String> {
    paths
        .iter()
        .map(|(written, path)| {
            let digest = digest(path, 0).map_err(|error| {
                format!("--reuse-file is \"{}\", which cannot be read: {error}", path.display())
            })?;
            Ok(KeyFile { path: text(written.as_os_str()), digest })
        })
        .collect()
}

fn digest(path: &Path, depth: usize) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() {
        return Digest::of_reader(File::open(path)?).map(|digest| digest.to_string());
    }
    if !metadata.is_dir() {
        return Err(io::Error::other("it is neither a file nor a directory"));
    }
    if depth >= DEEPEST {
        return Err(io::Error::other("its directories are nested too deep, or links lead in a circle"));
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().starts_with(b"..") {
            entries.push((text(&name), digest(&path.join(&name), depth + 1)?));
        }
    }
    entries.sort();
    // A list of pairs of texts can always be written.
    let listed = serde_json::to_vec(&("directory", entries)).unwrap_or_default();
    Ok(Digest::of(&listed).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn of(path: &Path) -> Result<String, String> {
        Ok(read(&[(PathBuf::from("written"), path.to_owned())])?.remove(0).digest)
    }

    #[test]
    fn the_content_of_files_counts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::write(&one, "abc").unwrap();
        fs::write(&two, "abc").unwrap();
        assert_eq!(of(&one).unwrap(), Digest::of(b"abc").to_string());
        assert_eq!(of(&one), of(&two));
        fs::write(&two, "abd").unwrap();
        assert_ne!(of(&one), of(&two));
        symlink("one", folder.path().join("link")).unwrap();
        assert_eq!(of(&folder.path().join("link")), of(&one));
    }

    /// A ConfigMap as the kubelet mounts it.
    fn mounted(root: &Path, time: &str, content: &str) -> PathBuf {
        let mount = root.join(time);
        fs::create_dir_all(mount.join(time)).unwrap();
        fs::write(mount.join(time).join("run.sh"), content).unwrap();
        symlink(time, mount.join("..data")).unwrap();
        symlink("..data/run.sh", mount.join("run.sh")).unwrap();
        mount
    }

    #[test]
    fn mounted_configmaps_count_by_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let first = mounted(folder.path(), "..2026_01_01", "a");
        let later = mounted(folder.path(), "..2026_01_02", "a");
        let other = mounted(folder.path(), "..2026_01_03", "b");
        assert_eq!(of(&first), of(&later));
        assert_ne!(of(&first), of(&other));
        fs::write(first.join("more"), "").unwrap();
        assert_ne!(of(&first), of(&later), "a name counts");
        assert_eq!(of(&first.join("run.sh")), of(&later.join("run.sh")));
    }

    #[test]
    fn names_and_contents_cannot_be_mistaken_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let directory = |name: &str, file: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.join(file).parent().unwrap()).unwrap();
            fs::write(path.join(file), "x").unwrap();
            of(&path).unwrap()
        };
        let all = [directory("1", "a/b"), directory("2", "ab"), directory("3", "a"), directory("4", "b")];
        let mut different = all.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(of(&missing).unwrap_err().starts_with(&format!("--reuse-file is \"{}\"", missing.display())));
        assert!(of(Path::new("/dev/null")).unwrap_err().contains("neither a file nor a directory"));
        symlink(".", folder.path().join("circle")).unwrap();
        assert!(of(folder.path()).unwrap_err().contains("lead in a circle"));
    }
}
