//! The output of a command, and a missing output.

use crate::support::Agent;

#[test]
fn a_missing_output_fails_the_step() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = Agent::script("exit 0")
        .directory(folder.path())
        .flag("--output=flow/x:1")
        .flag("--output-path=result")
        .run();
    assert_eq!(outcome.code, Some(99));
    let message = outcome.message.unwrap();
    assert!(message.starts_with("orascache: the command succeeded but left nothing at result"), "{message}");
}

#[test]
fn nothing_is_pushed_after_a_failure() {
    let outcome = Agent::script("exit 9").flag("--output=flow/x:1").flag("--output-path=result").run();
    assert_eq!((outcome.code, outcome.stderr.as_str(), outcome.message), (Some(9), "", None));
}
