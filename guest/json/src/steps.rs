//! Counts the work of a function in visited members and items, for tests. A clock would make tests
//! depend on the machine.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn add(number: usize) {
    STEPS.set(STEPS.get() + number);
}

/// The steps of a function.
pub fn of(function: impl FnOnce()) -> usize {
    STEPS.set(0);
    function();
    STEPS.get()
}
