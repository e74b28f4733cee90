//! Arguments that name what a command reads.

use clap::Args;
use std::path::PathBuf;

/// Files, folders and standard input.
#[derive(Args, Clone, Debug)]
pub struct InputArgs {
    /// Files or folders, YAML or JSON. Folders are read with everything below them; `-` is standard
    /// input, which is also read when nothing is named and something is piped in.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The same, as kubectl takes it. Can be repeated.
    #[arg(short = 'f', long = "file", visible_alias = "filename", value_name = "FILE")]
    pub named: Vec<PathBuf>,
}

impl InputArgs {
    /// All names, those without a flag first.
    pub fn names(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.named).cloned().collect()
    }
}
