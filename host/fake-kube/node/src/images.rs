//! Unpacked images.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A folder with the unpacked file system of an image.
///
/// ```
/// use fake_kube_node::ImageFolder;
///
/// let parsed: Result<ImageFolder, _> = "busybox=/no/such/folder".parse();
/// assert!(parsed.is_err_and(|error| error.to_string().contains("/no/such/folder")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFolder {
    image: String,
    folder: PathBuf,
}

/// Why a folder cannot be that of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFolderError(String);

impl std::fmt::Display for ImageFolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImageFolderError {}

impl FromStr for ImageFolder {
    type Err = ImageFolderError;

    /// Parses `IMAGE=FOLDER`, such as `busybox=/tmp/busybox`. Without a tag it is for every tag of
    /// the image.
    fn from_str(text: &str) -> Result<Self, ImageFolderError> {
        let split = text.split_once('=').filter(|(image, folder)| !image.is_empty() && !folder.is_empty());
        let (image, folder) = split.ok_or_else(|| {
            ImageFolderError(format!(
                "{text:?} names no image and folder: write IMAGE=FOLDER, such as busybox=/tmp/busybox"
            ))
        })?;
        let path = std::fs::canonicalize(folder)
            .map_err(|error| ImageFolderError(format!("the folder {folder} cannot be used: {error}")))?;
        if !["bin", "usr/bin", "sbin"].iter().any(|programs| path.join(programs).is_dir()) {
            return Err(ImageFolderError(format!(
                "the folder {folder} has no bin and no usr/bin: name a folder with the file system of an image, as docker export and tar unpack it"
            )));
        }
        Ok(Self { image: name(image).to_owned(), folder: path })
    }
}

/// The folder of an image, if there is one. One with the tag comes before one without.
pub(crate) fn find<'f>(folders: &'f [ImageFolder], image: &str) -> Option<&'f Path> {
    let exact = name(image);
    let found = folders.iter().find(|folder| folder.image == exact);
    let found = found.or_else(|| folders.iter().find(|folder| folder.image == without_tag(exact)));
    found.map(|found| found.folder.as_path())
}

/// An image without the parts that are defaults (the reference syntax of Docker).
fn name(image: &str) -> &str {
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    image.strip_prefix("library/").unwrap_or(image)
}

fn without_tag(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _digest)| image);
    match image.rsplit_once(':') {
        Some((image, tag)) if !tag.contains('/') => image,
        _ => image,
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageFolder, find};
    use std::path::Path;

    #[test]
    fn an_image_is_found_with_and_without_its_tag() {
        let folder = |image: &str, folder: &str| ImageFolder { image: image.into(), folder: folder.into() };
        let folders = [folder("busybox", "/b"), folder("busybox:1", "/b1"), folder("h:5000/a", "/a")];
        for (image, wanted) in [
            ("busybox", Some("/b")),
            ("busybox:latest", Some("/b")),
            ("busybox:1", Some("/b1")),
            ("docker.io/library/busybox:1@sha256:00", Some("/b")),
            ("h:5000/a", Some("/a")),
            ("h:5000/a:2", Some("/a")),
            ("other", None),
        ] {
            assert_eq!(find(&folders, image), wanted.map(Path::new), "{image}");
        }
    }

    #[test]
    fn folders_without_programs_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let parse = |text: String| text.parse::<ImageFolder>();
        let text = format!("busybox={}", folder.path().display());
        assert!(parse(text.clone()).unwrap_err().to_string().contains("has no bin"));
        std::fs::create_dir(folder.path().join("bin")).expect("a folder");
        assert!(parse(text).is_ok());
        assert!(parse("busybox".into()).unwrap_err().to_string().contains("write IMAGE=FOLDER"));
    }
}
