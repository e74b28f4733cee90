//! `image-files TARGET FOLDER` writes the files of the image into a folder, and prints the digest of the
//! compiled code. `.ci/image` calls it.

use std::path::Path;
use std::process::ExitCode;

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, folder] = arguments.as_slice() else {
        eprintln!("usage: image-files TARGET FOLDER");
        return ExitCode::from(2);
    };
    match image_files::write(target, Path::new(folder)) {
        Ok(digest) => {
            println!("{digest}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
