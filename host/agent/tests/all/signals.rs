//! Signals that reach the program while its command runs.

use crate::support::{Agent, eventually, exists, program};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::Stdio;

#[test]
fn signals_are_passed_on() {
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
        (Signal::CONT, "CONT"),
        (Signal::TSTP, "TSTP"),
        (Signal::ALARM, "ALRM"),
        (Signal::ABORT, "ABRT"),
        (Signal::PIPE, "PIPE"),
    ] {
        let script =
            format!("trap 'echo got {name}; exit 7' {name}; echo ready; while :; do sleep 0.01; done");
        let running = Agent::script(&script).start();
        running.wait_for("ready\n");
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!((outcome.code, outcome.stdout()), (Some(7), format!("ready\ngot {name}\n")));
        assert_eq!((outcome.stderr.as_str(), outcome.message), ("", None));
    }
}

#[test]
fn a_signal_that_the_command_does_not_handle_ends_it() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::USR1, 138)] {
        let running = Agent::script("echo ready; exec sleep 1000").start();
        running.wait_for("ready\n");
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!((outcome.code, outcome.message), (Some(code), None));
    }
}

#[test]
fn a_command_that_succeeds_after_a_signal_has_succeeded() {
    let running = Agent::script("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done").start();
    running.wait_for("ready\n");
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code, Some(0));
}

#[test]
fn killing_the_process_group_leaves_nothing() {
    let running = Agent::script("sleep 1000 & echo $$ $!. ; wait").start();
    running.wait_for(".\n");
    kill_process_group(running.id(), Signal::KILL).unwrap();
    let outcome = running.wait();
    assert_eq!(outcome.signal, Some(9));
    // The process that reaps orphans on this machine may need a moment.
    for id in outcome.stdout().trim_end_matches(".\n").split(' ') {
        eventually("the end of the process", || !is_alive(id));
    }
}

/// Whether a process runs, and is not a zombie.
fn is_alive(id: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    exists(id) && stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// A terminal: the side of the user, and the side of the program.
fn terminal() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (File::from(master), slave)
}

#[test]
fn a_signal_of_the_terminal_is_not_sent_twice() {
    let (mut keyboard, screen) = terminal();
    let script =
        "trap 'echo INT' INT; trap 'echo TERM; exit 5' TERM; echo id $PPID.; while :; do sleep 0.01; done";
    let path = program();
    let running = Agent::of("setsid", ["--ctty", "--wait"])
        .flag(&path)
        .flag("exec")
        .flag("--registry=http://a")
        .flag("--debug=true")
        .flag("--")
        .flag("sh")
        .flag("-c")
        .flag(script)
        .stdin(Stdio::from(screen))
        .start();
    running.wait_for(".\n");
    let agent =
        running.stdout_text().split_once("id ").unwrap().1.split_once('.').unwrap().0.parse().unwrap();
    keyboard.write_all(b"\x03").unwrap();
    running.wait_for("INT\n");
    // It is fetched after the signal of the terminal, since lower numbers come first.
    kill_process(Pid::from_raw(agent).unwrap(), Signal::TERM).unwrap();
    let outcome = running.wait();
    assert!(outcome.stdout().ends_with(".\nINT\nTERM\n"), "{}", outcome.stdout());
    assert!(outcome.stderr.contains("passed SIGTERM on"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("passed SIGINT on"), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(5));
}

#[test]
fn a_shell_can_stop_and_continue_the_step() {
    let (mut keyboard, screen) = terminal();
    let script = r#""$AGENT" exec --registry=http://a -- sh -c 'trap "exit 6" USR1; echo ready $PPID.; while :; do sleep 0.01; done'; echo stopped; fg; echo ended $?"#;
    // The shell finds the terminal by its standard error.
    let running =
        Agent::of("setsid", ["--ctty", "--wait", "sh", "-c", "exec bash -mc \"$SCRIPT\" 2> /dev/tty"])
            .env("SCRIPT", script)
            .env("AGENT", program())
            .stdin(Stdio::from(screen))
            .start();
    running.wait_for(".\n");
    let agent =
        running.stdout_text().split_once("ready ").unwrap().1.split_once('.').unwrap().0.parse().unwrap();
    keyboard.write_all(b"\x1a").unwrap();
    running.wait_for("stopped\n");
    kill_process(Pid::from_raw(agent).unwrap(), Signal::USR1).unwrap();
    running.wait_for("ended 6\n");
    running.wait();
}
