//! Generated files in the repository are up to date. `ORASCACHE_BLESS=1` writes them anew.

use std::path::{Path, PathBuf};

/// Compares a file of the repository with what the code makes now.
pub(crate) fn check(path: &str, generated: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("ORASCACHE_BLESS").is_some() {
        std::fs::write(&path, generated).expect("the file is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "{} is not what the code generates: run the tests with ORASCACHE_BLESS=1",
        path.display()
    );
}

#[test]
fn the_crd_file_is_up_to_date() {
    let definition = orascache_operator::command::crd::definition();
    let text = orascache_operator::output::Format::Yaml.render(&definition).expect("YAML");
    check("manifests/crd/orascaches.yaml", &text);
}
