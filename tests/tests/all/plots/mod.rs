//! The figures of `docs/performance.md` are drawn from the numbers beside them.
//! `ORASCACHE_BLESS=1` draws them anew.

mod bars;
mod table;

use crate::manifests;
use std::path::{Path, PathBuf};
use table::Table;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The tables, each with its path.
fn tables() -> Vec<(PathBuf, Table)> {
    let folder = std::fs::read_dir(docs().join("plots")).expect("docs/plots is readable");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "csv")).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a text");
        let table = Table::parse(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        (path, table)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn figures_are_drawn_from_the_numbers_beside_them() {
    let tables = tables();
    assert!(!tables.is_empty(), "docs/plots has tables");
    for (path, table) in tables {
        let name = path.file_stem().expect("a name").to_string_lossy();
        manifests::check(&format!("docs/plots/{name}.svg"), &bars::draw(&table));
    }
}

#[test]
fn each_figure_is_shown_with_the_command_that_measures_it() {
    let document = std::fs::read_to_string(docs().join("performance.md")).expect("a text");
    for (path, table) in tables() {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let shown = document.split_once(&format!("](plots/{name}.svg)"));
        let (_, after) = shown.unwrap_or_else(|| panic!("docs/performance.md shows plots/{name}.svg"));
        let below = after.split("\n\n").nth(1).unwrap_or_default().replace('\n', " ");
        assert!(below.contains(&table.command), "{name}: `{}` is not below the figure", table.command);
    }
}
