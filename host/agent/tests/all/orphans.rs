//! Processes that the command starts and does not wait for.

use crate::support::{Agent, exists};

#[test]
fn orphans_are_adopted_and_reaped_while_the_command_runs() {
    let script = r#"
        id=$(sh -c 'sh -c "read x < fifo" > /dev/null & echo $!')
        while [ "$(sed -n 's/^PPid:\t//p' /proc/$id/status)" != $PPID ]; do sleep 0.01; done
        echo > fifo
        while [ -e /proc/$id ]; do sleep 0.01; done
        echo reaped
    "#;
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("fifo")).status().unwrap();
    assert!(made.success());
    let outcome = Agent::script(script).directory(folder.path()).run();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "reaped\n"), "{}", outcome.stderr);
}

#[test]
fn processes_that_the_command_leaves_running_are_killed() {
    // A child, a child in a session of its own, a child that ignores signals, grandchildren, and a
    // stopped child.
    let script = r#"
        sleep 1000 & echo $!
        setsid sleep 1000 & echo $!
        sh -c 'trap "" TERM HUP INT QUIT; sleep 1000 & echo $!; wait' & echo $!
        (setsid sh -c 'sh -c "sleep 1000 & echo \$!; wait" & echo $!; wait' &)
        sleep 1000 & kill -STOP $!; echo $!
        while [ "$(wc -l < ids)" -lt 7 ]; do sleep 0.01; done
        exit 3
    "#;
    let folder = tempfile::tempdir().unwrap();
    let ids = folder.path().join("ids");
    let outcome =
        Agent::script(script).directory(folder.path()).stdout(std::fs::File::create(&ids).unwrap()).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(3), ""));
    let ids = std::fs::read_to_string(ids).unwrap();
    assert!(ids.lines().count() == 7, "{ids}");
    assert!(ids.lines().all(|id| !exists(id)), "{ids}");
}

#[test]
fn a_process_with_the_standard_output_open_does_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("out");
    for flag in [None, Some(format!("--output-pipe={}", pipe.display()))] {
        let mut agent = Agent::script("setsid sleep 1000 & echo $!; exit 4");
        if let Some(flag) = &flag {
            agent = agent.flag(flag);
        }
        // `run` returns only when all processes have closed the standard output.
        let outcome = agent.run();
        assert_eq!(outcome.code, Some(4));
        assert!(!exists(outcome.stdout().trim()));
    }
    assert!(std::fs::read_to_string(&pipe).unwrap().ends_with('\n'));
}

#[test]
fn a_process_that_never_stops_writing_does_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = Agent::script("yes & echo $! >&2; echo mine; exit 0")
        .flag(format!("--output-pipe={}", folder.path().join("out").display()))
        .run();
    assert_eq!(outcome.code, Some(0));
    assert!(!exists(outcome.stderr.trim()));
    assert!(outcome.stdout().contains("mine\n"));
}
