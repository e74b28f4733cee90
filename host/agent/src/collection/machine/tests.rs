use super::*;

const LIMIT: Duration = Duration::from_secs(60);
const FOUND: Found = Found { blobs: 2, bytes: Some(7) };

fn look() -> Action {
    Action::StartCollector { only_looks: true }
}

/// A machine after these events.
fn after(events: impl IntoIterator<Item = Event>) -> Machine {
    let mut machine = Machine::new(LIMIT);
    for event in events {
        machine.step(event, Instant::now());
    }
    machine
}

/// The events of a collection up to each of its phases.
fn phases() -> Vec<Vec<Event>> {
    let ended = || Event::CollectorEnded(Ok(FOUND));
    (0..5)
        .map(|length| {
            let all = [Event::Asked, ended(), Event::RegistryEnded(0), ended(), Event::RegistryEnded(0)];
            all.into_iter().take(length).collect()
        })
        .collect()
}

#[test]
fn a_collection_starts_the_registry_read_only_and_with_writes_again() {
    let (mut machine, start) = (Machine::new(LIMIT), Instant::now());
    let mut step = |event, seconds| machine.step(event, start + Duration::from_secs(seconds));
    assert_eq!(step(Event::Asked, 0), [look()]);
    assert_eq!(step(Event::CollectorEnded(Ok(FOUND)), 5), [stop()]);
    let delete = Action::StartCollector { only_looks: false };
    assert_eq!(step(Event::RegistryEnded(0), 6), [Action::StartRegistry(Mode::ReadOnly), delete]);
    assert_eq!(step(Event::CollectorEnded(Ok(FOUND)), 9), [stop()]);
    let freed = Outcome::Freed { blobs: 2, bytes: Some(7), seconds: 5 };
    let wanted = [Action::StartRegistry(Mode::Configured), Action::Finish(freed)];
    assert_eq!(step(Event::RegistryEnded(0), 10), wanted);
    assert_eq!(step(Event::Asked, 11), [look()], "the next one");
}

#[test]
fn nothing_to_free_leaves_the_registry_alone() {
    let mut machine = after([Event::Asked]);
    let nothing = Event::CollectorEnded(Ok(Found { blobs: 0, bytes: None }));
    assert_eq!(machine.step(nothing, Instant::now()), [Action::Finish(Outcome::Nothing)]);
}

#[test]
fn a_look_that_fails_does_not_keep_the_collector_from_deleting() {
    let mut machine = after([Event::Asked]);
    assert_eq!(machine.step(Event::CollectorEnded(Err("x".to_owned())), Instant::now()), [stop()]);
}

#[test]
fn a_collector_that_hangs_is_killed_and_the_registry_takes_writes_again() {
    let killed = || Event::CollectorEnded(Err("signal 9".to_owned()));
    let mut machine = after([Event::Asked]);
    let now = Instant::now();
    assert!(machine.deadline.is_some());
    assert_eq!(machine.step(Event::TimeIsUp, now), [Action::KillCollector]);
    let [Action::Finish(Outcome::Failed { why })] = &machine.step(killed(), now)[..] else { panic!() };
    assert_eq!(why, "it took longer than 60 seconds, and was ended");
    let deleting = phases().into_iter().nth(3).unwrap();
    let mut machine = after(deleting);
    assert_eq!(machine.step(Event::TimeIsUp, now), [Action::KillCollector]);
    assert_eq!(machine.step(killed(), now), [stop()]);
    let actions = machine.step(Event::RegistryEnded(0), now);
    assert_eq!(actions[0], Action::StartRegistry(Mode::Configured));
    assert!(matches!(&actions[1], Action::Finish(Outcome::Failed { .. })), "{actions:?}");
}

#[test]
fn a_registry_that_does_not_end_is_killed() {
    for length in [2, 4] {
        let mut machine = after(phases().into_iter().nth(length).unwrap());
        assert!(machine.deadline.is_some());
        let killed = machine.step(Event::TimeIsUp, Instant::now());
        assert_eq!(killed, [Action::SignalRegistry(Signal::SIGKILL)]);
        let actions = machine.step(Event::RegistryEnded(137), Instant::now());
        assert!(matches!(actions[0], Action::StartRegistry(_)), "{actions:?}");
    }
}

#[test]
fn a_signal_ends_everything_in_each_phase() {
    for events in phases() {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
            let mut machine = after(phases().into_iter().nth(events.len()).unwrap());
            let actions = machine.step(Event::Signal(signal), Instant::now());
            assert_eq!(actions, [Action::KillCollector, Action::SignalRegistry(signal)]);
            assert_eq!(machine.step(Event::CollectorEnded(Ok(FOUND)), Instant::now()), []);
            assert_eq!(machine.step(Event::Asked, Instant::now()), []);
            let actions = machine.step(Event::RegistryEnded(143), Instant::now());
            assert_eq!(actions, [Action::KillCollector, Action::Exit(143)], "{events:?}");
        }
    }
}

#[test]
fn other_signals_go_to_the_registry_and_change_nothing() {
    for events in phases() {
        let mut machine = after(events);
        let (phase, deadline) = (format!("{:?}", machine.phase), machine.deadline);
        let actions = machine.step(Event::Signal(Signal::SIGHUP), Instant::now());
        assert_eq!(actions, [Action::SignalRegistry(Signal::SIGHUP)]);
        assert_eq!((format!("{:?}", machine.phase), machine.deadline), (phase, deadline));
    }
}

#[test]
fn a_registry_that_ends_by_itself_ends_the_container() {
    for length in [0, 1, 3] {
        let mut machine = after(phases().into_iter().nth(length).unwrap());
        let actions = machine.step(Event::RegistryEnded(1), Instant::now());
        assert_eq!(actions, [Action::KillCollector, Action::Exit(1)], "{length}");
    }
}
