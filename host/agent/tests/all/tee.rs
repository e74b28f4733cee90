//! The file to which the standard output of the command is copied.

use crate::support::Agent;
use std::fs;
use std::io::pipe;

#[test]
fn output_just_before_the_end_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folders/out");
    let outcome = Agent::script("head -c 1048576 /dev/zero | tr '\\0' x; printf end; exec sh -c 'printf .'")
        .flag(format!("--output-pipe={}", path.display()))
        .run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(outcome.stdout.len(), 1048576 + 4);
    assert!(outcome.stdout.ends_with(b"xend."));
    assert!(fs::read(&path).unwrap() == outcome.stdout);
}

#[test]
fn an_old_file_is_emptied_before_the_command_starts() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out"), "old and long").unwrap();
    let outcome =
        Agent::script("wc -c < out >&2; echo new").directory(folder.path()).flag("--output-pipe=out").run();
    assert_eq!((outcome.code, outcome.stderr.trim()), (Some(0), "0"));
    assert_eq!(fs::read_to_string(folder.path().join("out")).unwrap(), "new\n");
}

#[test]
fn output_is_copied_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let running = Agent::script("printf first; while [ ! -e go ]; do sleep 0.01; done; printf '\\377\\000'")
        .directory(folder.path())
        .flag("--output-pipe=out")
        .start();
    running.wait_for("first");
    fs::write(folder.path().join("go"), "").unwrap();
    let outcome = running.wait();
    assert_eq!(outcome.stdout, b"first\xff\0");
    assert_eq!(fs::read(folder.path().join("out")).unwrap(), b"first\xff\0");
}

#[test]
fn a_full_disk_fails_the_step_but_not_the_standard_output() {
    let outcome = Agent::script("head -c 300000 /dev/zero; echo end").flag("--output-pipe=/dev/full").run();
    assert_eq!(outcome.code, Some(99));
    assert_eq!(outcome.stdout.len(), 300004);
    let message = outcome.message.unwrap();
    assert!(message.contains("could not be written to /dev/full to its end: No space left"), "{message}");
    assert_eq!(outcome.stderr, format!("{message}\n"));
}

#[test]
fn a_command_that_fails_itself_keeps_its_code_on_a_full_disk() {
    let outcome = Agent::script("echo x; exit 3").flag("--output-pipe=/dev/full").run();
    assert_eq!((outcome.code, outcome.message), (Some(3), None));
    assert!(outcome.stderr.contains("/dev/full"));
}

#[test]
fn a_file_that_cannot_be_created_stops_the_step_before_the_command() {
    let outcome = Agent::script("echo started").flag("--output-pipe=/proc/no/such").run();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(99), ""));
    assert!(outcome.message.unwrap().contains("to /proc/no/such: "));
}

#[test]
fn a_closed_standard_output_reaches_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let outcome =
        Agent::exec(["yes"]).directory(folder.path()).flag("--output-pipe=out").stdout(writer).run();
    // SIGPIPE.
    assert_eq!((outcome.code, outcome.message), (Some(141), None));
    let written = fs::read(folder.path().join("out")).unwrap();
    assert!(written.starts_with(b"y\ny\n"));
}

#[test]
fn without_the_file_a_closed_standard_output_reaches_the_command_too() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    assert_eq!(Agent::exec(["yes"]).stdout(writer).run().code, Some(141));
}
