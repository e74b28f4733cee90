//! The kubeconfig of a server.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::token::Token;

/// The name of cluster, user and context in the kubeconfig.
const NAME: &str = "fake-kube";

/// A kubeconfig, YAML.
pub fn text(server: &str, authority: Option<&str>, token: Option<&Token>) -> String {
    let mut cluster = json!({"server": server});
    if let (Some(authority), Some(map)) = (authority, cluster.as_object_mut()) {
        map.insert("certificate-authority-data".into(), STANDARD.encode(authority).into());
    }
    // JSON is YAML too, whatever characters the values have.
    let user = match token {
        Some(token) => json!({"token": token.reveal()}),
        None => json!({}),
    };
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: {NAME}\n  cluster: {cluster}\n\
         users:\n\
         - name: {NAME}\n  user: {user}\n\
         contexts:\n\
         - name: {NAME}\n  context:\n    cluster: {NAME}\n    user: {NAME}\n    namespace: default\n\
         current-context: {NAME}\n"
    )
}

/// Writes a kubeconfig that only this user can read (mode 0600), whatever file was there before.
///
/// # Errors
/// Those of the file system.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    let mut temporary = name.to_os_string();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let mut options = OpenOptions::new();
    // A new file: an existing one may be readable by others, or be a link.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The file may not exist. The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::{text, write};
    use crate::token::Token;

    #[test]
    fn the_user_has_the_token() {
        let token = Token::new("a \"token\": with # signs");
        let document: serde_json::Value =
            serde_saphyr::from_str(&text("https://127.0.0.1:1", Some("authority"), Some(&token))).unwrap();
        assert_eq!(document["users"][0]["user"]["token"], token.reveal());
        let cluster = &document["clusters"][0]["cluster"];
        assert_eq!(cluster["server"], "https://127.0.0.1:1");
        assert_eq!(cluster["certificate-authority-data"], "YXV0aG9yaXR5");
        assert!(!text("http://127.0.0.1:1", None, None).contains("token"));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        std::fs::write(&path, "readable by all").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        assert!(write(&folder.path().join("missing/kubeconfig"), "x").is_err());
    }
}
