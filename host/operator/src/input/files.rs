//! Which files are read: those that are named, and of folders those that look like manifests.

use super::{Found, Place, documents};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// Names of manifests end so.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Reads a file, or all manifests of a folder and of the folders below it. Folders whose names
/// begin with a dot are left out: they belong to other programs.
///
/// # Errors
/// When there is no such file, or no manifest in the folder.
pub(super) fn read(name: &Path, found: &mut Vec<Found>) -> anyhow::Result<()> {
    let what = std::fs::metadata(name).with_context(|| format!("{} cannot be read", name.display()))?;
    if !what.is_dir() {
        let text = std::fs::read(name).with_context(|| format!("{} cannot be read", name.display()))?;
        texts(name, text, found);
        return Ok(());
    }
    let files = manifests(name)?;
    if files.is_empty() {
        bail!("{} holds no file that ends in .yaml, .yml or .json: name another folder", name.display());
    }
    for file in files {
        match std::fs::read(&file) {
            Ok(text) => texts(&file, text, found),
            Err(error) => {
                let place = Place { file: Some(file), line: 1 };
                found.push(Found::Broken(place, format!("this file cannot be read: {error}")));
            }
        }
    }
    Ok(())
}

fn texts(file: &Path, bytes: Vec<u8>, found: &mut Vec<Found>) {
    let place = Place { file: Some(file.to_owned()), line: 1 };
    match String::from_utf8(bytes) {
        Ok(text) => {
            let before = found.len();
            documents(Some(file), &text, found);
            if found.len() == before {
                found.push(Found::Skipped(place, "an empty file".to_owned()));
            }
        }
        Err(_) => found.push(Found::Broken(place, "this is no text in UTF-8".to_owned())),
    }
}

/// The manifests of a folder, in the order of their names.
fn manifests(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let entries = walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name()));
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("the folder {} cannot be read", folder.display()))?;
        let extension = entry.path().extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let is_manifest = extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()));
        // A link to a file is followed, one to a folder is not: it may lead back here.
        if is_manifest && entry.path().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::manifests;
    use std::fs;

    #[test]
    fn folders_are_read_with_everything_below_them_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "a: 1").expect("written");
        };
        for name in ["b.yml", "a/z.YAML", "a/b/c.json", "README.md", ".git/x.yaml", ".hidden.yaml", "yaml"] {
            write(name);
        }
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).expect("linked");
        std::os::unix::fs::symlink("b.yml", folder.path().join("link.yaml")).expect("linked");
        let found = manifests(folder.path()).expect("readable");
        let names: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(folder.path()).expect("below").display().to_string())
            .collect();
        assert_eq!(names, ["a/b/c.json", "a/z.YAML", "b.yml", "link.yaml"]);
    }
}
