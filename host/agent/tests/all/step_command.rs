//! The start of the command, and its exit code.

use crate::support;
use crate::support::Agent;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[test]
fn the_step_ends_with_the_code_of_the_command() {
    for (script, code) in
        [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
    {
        let outcome = Agent::script(script).run();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(code), ""), "{script}");
        assert_eq!(outcome.message, None, "{script}");
    }
}

#[test]
fn the_termination_message_of_the_command_is_kept() {
    let agent = Agent::script("echo mine > \"$WORDS\"; exit 97");
    let words = agent.message();
    let outcome = agent.env("WORDS", words).run();
    assert_eq!((outcome.code, outcome.message.as_deref()), (Some(97), Some("mine\n")));
}

#[test]
fn a_missing_command_ends_with_127() {
    let outcome = Agent::exec(["no-such-command-here"]).env("PATH", "/usr/bin:/bin").run();
    assert_eq!(outcome.code, Some(127));
    let message = outcome.message.unwrap();
    assert_eq!(
        message,
        "orascache: the command no-such-command-here was not found in any directory of PATH, which is /usr/bin:/bin"
    );
    assert_eq!(outcome.stderr, format!("{message}\n"));
    for words in [["/no/such/command"], ["/etc/passwd/x"], [""]] {
        let outcome = Agent::exec(words).run();
        assert_eq!(outcome.code, Some(127), "{words:?}");
        assert!(outcome.message.unwrap().contains("was not found"), "{words:?}");
    }
}

fn file(folder: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn a_missing_interpreter_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, part) in [
        ("a", "#!/no/such/shell -e\n", "its interpreter /no/such/shell was not found"),
        ("b", "#!/bin/sh\r\necho\r\n", "ends in a carriage return"),
    ] {
        let script = file(folder.path(), name, content.as_bytes(), 0o755);
        let by_path = Agent::exec([&script]).run();
        let by_name = Agent::exec([name]).env("PATH", folder.path()).run();
        for outcome in [by_path, by_name] {
            assert_eq!(outcome.code, Some(127));
            let message = outcome.message.unwrap();
            assert!(message.contains(part) && message.contains(&script.display().to_string()), "{message}");
        }
    }
}

#[test]
fn a_command_that_is_not_executable_ends_with_126() {
    let folder = tempfile::tempdir().unwrap();
    for (path, part) in [
        (file(folder.path(), "plain", b"#!/bin/sh\n", 0o644), "is not executable: give it the permission"),
        (file(folder.path(), "junk", b"junk\n", 0o755), "neither a program for this machine nor a script"),
        (folder.path().to_owned(), "is not executable"),
    ] {
        let outcome = Agent::exec([&path]).run();
        assert_eq!(outcome.code, Some(126), "{path:?}");
        let message = outcome.message.unwrap();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn arguments_are_passed_on_unchanged() {
    let words: Vec<&OsStr> = [
        &b"sh"[..],
        b"-c",
        b"printf '%s\\0' \"$0\" \"$@\"",
        b"",
        b"two words",
        b"it's",
        b"\"quoted\"",
        b"a;b|c&d>e",
        b"$(VAR) $HOME `id` $$",
        b"*",
        b"\\n\n\t",
        b"--",
        b"--input=x",
        b"-h",
        b"\xff\xfe",
        b"\xc3\xa9",
    ]
    .map(OsStr::from_bytes)
    .to_vec();
    let outcome = Agent::exec(&words).run();
    let expected: Vec<u8> = words[3..].iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, expected);
}

#[test]
fn the_environment_is_passed_on_without_the_variables_of_the_agent() {
    let odd = OsStr::from_bytes(b"\xff a=b\n");
    let mut agent = Agent::exec(["env", "-0"]).env("MINE", odd).env("ORASCACHE_OTHER", "stays");
    let before = agent.env_of_command();
    for name in ["POD", "NAMESPACE", "JOB", "INDEX"] {
        agent = agent.env(&format!("ORASCACHE_{name}"), "ours");
    }
    let outcome = agent.run();
    let mut seen: Vec<Vec<u8>> =
        outcome.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    seen.sort();
    assert!(seen.contains(&b"MINE=\xff a=b\n".to_vec()));
    assert!(seen.contains(&b"ORASCACHE_OTHER=stays".to_vec()));
    assert_eq!(seen, before);
}

#[test]
fn the_command_starts_without_blocked_or_ignored_signals() {
    let outcome = Agent::exec(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]).run();
    let stdout = outcome.stdout();
    let mask = |name: &str| {
        let line = stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    // SIGPIPE is 13 and SIGCHLD is 17, where the first bit is 1. Other signals that the process of
    // the tests ignores stay ignored.
    assert_eq!((mask("SigBlk:"), mask("SigIgn:") & (1 << 12 | 1 << 16)), (0, 0), "{stdout}");
}

#[test]
fn standard_streams_are_those_of_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "in", b"in\n", 0o644);
    let outcome = Agent::script("cat; readlink /proc/$$/fd/1 /proc/$PPID/fd/1; echo err >&2")
        .stdin(fs::File::open(path).unwrap())
        .run();
    let stdout = outcome.stdout();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!((lines[0], outcome.stderr.as_str()), ("in", "err\n"));
    assert_eq!(lines[1], lines[2]);
}

#[test]
fn the_exit_code_is_known_where_sigchld_was_ignored() {
    let ignoring = ["--ignore-signal=CHLD"].map(std::ffi::OsString::from);
    let words = ["exec", "--registry=http://127.0.0.1:9", "--", "sh", "-c", "sh -c 'exit 7'; exit $?"];
    let arguments = ignoring.into_iter().chain([support::program().into_os_string()]);
    let outcome = Agent::of("/usr/bin/env", arguments.chain(words.map(Into::into))).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(7), ""));
}

#[test]
fn wrong_arguments_end_with_97_and_a_termination_message() {
    let folder = tempfile::tempdir().unwrap();
    let message = folder.path().join("message");
    let named = format!("--termination-message={}", message.display());
    let registry = "--registry=http://a:5000";
    for (arguments, part) in [
        (vec!["--", "true"], "--registry=<URL>"),
        (vec![registry], "<COMMAND>"),
        (vec![registry, "--"], "<COMMAND>"),
        (vec![registry, "true"], "unexpected argument 'true'"),
        (vec![registry, "--output=a:1", "--", "true"], "--output-path=<PATH>"),
        (vec![registry, "--unpack=maybe", "--", "true"], "'maybe'"),
        (vec![registry, "--patience=-1", "--", "true"], "'-1'"),
        (vec![registry, "--no-such-flag=1", "--", "true"], "--no-such-flag"),
        (vec![registry, "--input=Upper", "--", "true"], "its repository may hold"),
        (vec![registry, "--input=a:{what}", "--", "true"], "{what} is no placeholder"),
        (vec![registry, "--input=a:{pod}", "--", "true"], "ORASCACHE_POD is not set"),
        (vec![registry, "--input=a:1", "--input-path=/x/{what}", "--", "true"], "{what} is no placeholder"),
        (vec![registry, "--ca-file=/no/such", "--", "true"], "--ca-file is \"/no/such\""),
        (vec![registry, "--output=a:1", "--output-path=//", "--", "true"], "below the root"),
    ] {
        fs::write(&message, "old and much longer than what comes ".repeat(200)).unwrap();
        let all = ["exec", &named].into_iter().chain(arguments);
        let outcome = Agent::new(all).env_remove("ORASCACHE_POD").run();
        let said = fs::read_to_string(&message).unwrap();
        assert_eq!(outcome.code, Some(97), "{said}");
        assert!(said.contains(part) && !said.contains('\n') && !said.contains("Usage"), "{said}");
        assert_eq!(outcome.stderr, format!("{said}\n"));
    }
}

#[test]
fn the_termination_message_is_cut_at_4096_bytes() {
    let outcome = Agent::exec([format!("/{}", "é".repeat(1000)).as_str()])
        .flag(format!("--input=a:{{{}}}", "é".repeat(3000)))
        .run();
    let message = outcome.message.unwrap();
    assert_eq!(outcome.code, Some(97));
    assert!((4095..=4096).contains(&message.len()), "{}", message.len());
    assert!(outcome.stderr.starts_with(&message));
    assert!(outcome.stderr.len() > 6000);
}

#[test]
fn a_termination_message_that_cannot_be_written_is_logged() {
    let outcome =
        Agent::new(["exec", "--registry=http://a", "--termination-message=/no/such/file", "--", "/no/such"])
            .run();
    assert_eq!(outcome.code, Some(127));
    assert!(outcome.stderr.contains("the command /no/such was not found"));
    assert!(outcome.stderr.contains("cannot write the termination message to /no/such/file"));
}

#[test]
fn wrong_arguments_of_other_commands_end_with_2() {
    for arguments in [vec![], vec!["bogus"], vec!["install"], vec!["install", "a", "b"]] {
        let outcome = Agent::new(&arguments).run();
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert!(!outcome.stderr.is_empty());
    }
}

#[test]
fn help_and_version_are_printed() {
    let version = Agent::new(["--version"]).run();
    assert_eq!(version.stdout(), format!("orascache-agent {}\n", env!("CARGO_PKG_VERSION")));
    for arguments in [vec!["--help"], vec!["exec", "--help"], vec!["help", "exec"]] {
        let help = Agent::new(&arguments).run();
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
        assert!(help.stdout().contains("Usage: orascache-agent"), "{arguments:?}");
    }
}
