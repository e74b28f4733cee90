//! Exit codes. A step ends with the exit code of its command, or with one of these when the agent
//! fails.

/// `pull`, `push`, `copy`, `prune`, `proxy` or `install` failed.
pub const FAILED: u8 = 1;
/// Wrong arguments, except for those of a step.
pub const USAGE: u8 = 2;
/// The arguments of a step are wrong: a flag, a URI, a placeholder.
pub const BAD_REQUEST: u8 = 97;
/// An input could not be pulled. The command was not started.
pub const PULL_FAILED: u8 = 98;
/// The command succeeded, but its output could not be saved or pushed.
pub const PUSH_FAILED: u8 = 99;
/// The command was found, but could not be started (POSIX, Shell Command Language, 2.8.2).
pub const NOT_EXECUTABLE: u8 = 126;
/// The command was not found (as [`NOT_EXECUTABLE`]).
pub const NOT_FOUND: u8 = 127;

/// The exit code of a process that a signal ended, as shells report it. Numbers of signals end at
/// 64.
pub fn of_signal(number: i32) -> u8 {
    u8::try_from(number).ok().and_then(|number| number.checked_add(128)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn signals_are_counted_from_128() {
        assert_eq!((super::of_signal(9), super::of_signal(15), super::of_signal(64)), (137, 143, 192));
    }
}
