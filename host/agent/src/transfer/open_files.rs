//! How many files may be open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process open as many files as the system allows, until it is dropped: each directory
/// that inputs go to keeps some open. The command must not inherit that, since programs that use
/// select(2) rely on a low limit.
pub struct OpenFiles {
    before: Rlimit,
}

impl OpenFiles {
    /// Raises the limit. Where that fails, the limit stays as it is.
    pub fn raise() -> Self {
        let before = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum });
        OpenFiles { before }
    }
}

impl Drop for OpenFiles {
    fn drop(&mut self) {
        // A lower limit than the highest is always allowed.
        let _ = setrlimit(Resource::Nofile, self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_restored() {
        let before = getrlimit(Resource::Nofile);
        let raised = OpenFiles::raise();
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
        drop(raised);
        assert_eq!(getrlimit(Resource::Nofile), before);
    }
}
