//! The operator's image in an OCI layout, unpacked and run without a container engine.

use crate::tools::shell;
use orascache_runtime::digest;
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Names the layout, as `.ci/image` makes it.
const LAYOUT: &str = "ORASCACHE_IMAGE";
/// Annotation with the tag (image-spec, "Pre-Defined Annotation Keys").
const TAG: &str = "org.opencontainers.image.ref.name";

/// A layout on disk, and the image of this machine's architecture in it.
pub struct Image {
    layout: PathBuf,
    /// The index that the tag names, and its digest.
    pub index: (Value, String),
    /// The manifest of this architecture, and its digest.
    pub manifest: (Value, String),
    /// The configuration.
    pub config: Value,
}

impl Image {
    /// The image that the environment names. Without one, a line of output says that the test is
    /// skipped.
    ///
    /// # Panics
    /// When the layout is not as the image-spec says, or has no image of this version for this
    /// architecture.
    #[allow(clippy::print_stdout, reason = "a skipped test says why")]
    pub fn find() -> Option<Self> {
        let Some(layout) = std::env::var_os(LAYOUT).map(PathBuf::from) else {
            println!("skipped: {LAYOUT} names no layout with an image; .ci/image makes one in target/image");
            return None;
        };
        // Tests of packages run in the folder of the package.
        let layout =
            layout.canonicalize().unwrap_or_else(|error| panic!("{LAYOUT}: {}: {error}", layout.display()));
        let entries = read(&layout.join("index.json"))["manifests"].clone();
        let tagged = find(&entries, |entry| entry["annotations"][TAG] == env!("CARGO_PKG_VERSION"));
        let index = document(&layout, &tagged);
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let entry = find(&index["manifests"], |entry| entry["platform"]["architecture"] == architecture);
        let manifest = document(&layout, &entry);
        let config = document(&layout, &manifest["config"]);
        Some(Self {
            layout,
            index: (index, text(&tagged["digest"])),
            manifest: (manifest, text(&entry["digest"])),
            config,
        })
    }

    /// The folder of the layout.
    pub fn layout(&self) -> &Path {
        &self.layout
    }

    /// The artifacts that refer to the manifest with that digest.
    ///
    /// # Panics
    /// When the layout is not as the image-spec says.
    pub fn referrers(&self, subject: &str) -> Vec<Value> {
        let entries = read(&self.layout.join("index.json"))["manifests"].clone();
        let entries = entries.as_array().cloned().unwrap_or_default();
        let documents = entries.iter().map(|entry| document(&self.layout, entry));
        documents.filter(|document| document["subject"]["digest"] == subject).collect()
    }

    /// A JSON document of the layout.
    ///
    /// # Panics
    /// When it is missing, or has another digest.
    pub fn document(&self, descriptor: &Value) -> Value {
        document(&self.layout, descriptor)
    }

    /// The file with the only layer.
    ///
    /// # Panics
    /// When the image has another number of layers.
    pub fn layer(&self) -> PathBuf {
        let layers = self.manifest.0["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 1, "{layers:?}");
        blob(&self.layout, &layers[0])
    }

    /// Unpacks the image. Owners are kept, which only root can do.
    ///
    /// # Panics
    /// When it cannot be unpacked.
    pub fn unpack(&self) -> Unpacked {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        std::fs::create_dir(&root).expect("a folder");
        let script = format!("tar -xpzf {} -C {}", self.layer().display(), root.display());
        shell(&script, Path::new("/dev/null"), folder.path()).expect();
        Unpacked { folder, root }
    }
}

/// An unpacked image. It is deleted when this is dropped.
pub struct Unpacked {
    folder: TempDir,
    /// The root of its file system.
    pub root: PathBuf,
}

impl Unpacked {
    /// A folder that everybody may write, as an emptyDir is, and that containers can mount.
    ///
    /// # Panics
    /// When there is one of that name.
    pub fn volume(&self, name: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let volume = self.folder.path().join(name);
        std::fs::create_dir(&volume).expect("a folder");
        std::fs::set_permissions(&volume, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
        volume
    }

    /// Starts a program of the image as a container engine does: in a mount namespace, as that user,
    /// without any privilege, with a root that cannot be written and these volumes. `env` is its whole
    /// environment. The process is the program itself, so that signals reach it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(
        &self,
        user: &str,
        volumes: &[(&Path, &str)],
        env: &[(String, String)],
        words: &[String],
    ) -> Child {
        let root = self.root.display();
        let mut script = format!(
            "set -e\nmount --bind {root} {root}\nmkdir -p {root}/proc\nmount --rbind /proc {root}/proc\n"
        );
        for (volume, place) in volumes {
            let volume = volume.display();
            // Writing to a String cannot fail.
            let _ = writeln!(script, "mkdir -p {root}{place}\nmount --bind {volume} {root}{place}");
        }
        let _ = write!(
            script,
            "mount -o remount,bind,ro {root}\nexec setpriv --no-new-privs chroot --userspec={user} --groups= {root} \"$@\""
        );
        Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"])
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare starts")
    }
}

/// Whether this machine lets this process make mount namespaces and become another user. If not, a
/// line of output says that the test is skipped.
#[allow(clippy::print_stdout, reason = "a skipped test says why")]
pub fn can_run() -> bool {
    let script = "mount --bind / /mnt && exec setpriv --no-new-privs chroot --userspec=1:1 --groups= / true";
    let tried =
        Command::new("unshare").args(["--mount", "--propagation", "private", "sh", "-c", script]).output();
    let why = match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    println!("skipped: the image cannot be run here, which needs root and mount namespaces: {why}");
    false
}

fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn find(entries: &Value, is_meant: impl Fn(&Value) -> bool) -> Value {
    let found = entries.as_array().into_iter().flatten().find(|entry| is_meant(entry));
    found.unwrap_or_else(|| panic!("not in the layout: {entries:#}")).clone()
}

/// The file of a blob, whose content has the digest that names it.
fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    let named = text(&descriptor["digest"]);
    let path = layout.join("blobs").join(named.replace(':', "/"));
    let content = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(digest(&content), named);
    assert_eq!(Some(content.len() as u64), descriptor["size"].as_u64(), "{named}");
    path
}

fn document(layout: &Path, descriptor: &Value) -> Value {
    read(&blob(layout, descriptor))
}
