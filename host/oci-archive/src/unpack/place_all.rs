//! Moving several pulls into place.

use super::conflicts::check_all;
use super::error::UnpackError;
use super::place::SamePath;
use super::staging::Staging;

impl Staging {
    /// Moves several pulls into their targets, in order, all or none. Where two hold the same file,
    /// the later one counts. Targets may be inside of each other.
    ///
    /// # Errors
    ///
    /// As [`Staging::place`], and if one of the pulls has a directory where another one has a file:
    /// then nothing was moved.
    pub fn place_all(pulls: Vec<Self>) -> Result<(), UnpackError> {
        for pull in &pulls {
            pull.check_target(&pull.complete_content()?)?;
        }
        let each: Vec<usize> = (0..pulls.len()).collect();
        check_all(&pulls, &each, SamePath::LastWins).map_err(|conflict| conflict.error)?;
        // Pulls into one target that follow each other are moved together, so that most entries are
        // moved within the hidden directory, where nobody sees a half of them.
        let mut runs: Vec<Self> = Vec::new();
        for pull in pulls {
            match runs.last() {
                Some(run) if run.folder().location() == pull.folder().location() => run.absorb(&pull)?,
                _ => runs.push(pull),
            }
        }
        runs.into_iter().try_for_each(Self::place)
    }
}
