//! What `kubectl get` shows of caches.

#![cfg(feature = "schema")]

use kube::CustomResourceExt;
use orascache_api::orascache::OrasCache;

/// `kubectl` puts three spaces between columns (k8s.io/cli-runtime, `GetNewTabWriter`).
const GAP: usize = 3;

/// The columns that `kubectl get` shows without `-o wide`, with the name in front.
fn columns() -> Vec<String> {
    let definition = OrasCache::crd();
    let version = definition.spec.versions.first().expect("a version");
    let columns = version.additional_printer_columns.iter().flatten();
    let narrow = columns.filter(|column| column.priority.unwrap_or(0) == 0);
    std::iter::once("NAME".to_owned()).chain(narrow.map(|column| column.name.to_uppercase())).collect()
}

#[test]
fn a_table_of_caches_fits_a_terminal_of_80_characters() {
    let columns = columns();
    assert_eq!(columns, ["NAME", "READY", "STORAGE", "REASON", "AGE"]);
    for row in [
        ["orascache-sample", "False", "Persistent", "ProgressDeadlineExceeded", "5m30s"],
        ["a-cache-with-a-rather-long-name", "False", "Ephemeral", "ImagePullFailed", "120d"],
    ] {
        let widths = columns.iter().zip(row).map(|(column, cell)| column.len().max(cell.len()));
        let gaps = GAP * (columns.len() - 1);
        assert!(widths.sum::<usize>() + gaps <= 80, "{row:?}");
    }
}
