//! Takes over what the former operator made (oras-operator, in Go), together with its artifacts, and
//! hands it back.
//!
//! Its registry pods have no volume, and the selector of its StatefulSet cannot change. So the
//! artifacts go from the former registry into a holding cache, and from there into the new registry,
//! which gets the former one's name. [`next`] and [`next_back`] decide what comes next, from what is
//! observed alone: a migration that was interrupted goes on, in either direction. [`Migration`] reads
//! the cluster and carries a step out.
//!
//! ```no_run
//! use orascache_migration::{Direction, LeasePlace, Migration, Options};
//! use std::time::Duration;
//!
//! # async fn example(client: kube::Client) -> Result<(), orascache_migration::MigrationError> {
//! let options = Options {
//!     direction: Direction::Forward,
//!     agent_image: "ghcr.io/converged-computing/orascache:latest".to_owned(),
//!     lease: LeasePlace { namespace: "orascache-system".to_owned(), name: "orascache-operator".to_owned() },
//!     ignore_running_steps: false,
//!     patience: Duration::from_secs(600),
//!     period: Duration::from_secs(1),
//! };
//! let mut migration = Migration::new(client, "lab", "orascache-sample", options);
//! println!("{}", migration.report().await?);
//! migration.run(|advance| println!("{advance:?}")).await?;
//! # Ok(())
//! # }
//! ```

mod act;
mod action;
mod back;
mod copy;
mod error;
mod forward;
mod migration;
mod names;
mod objects;
mod observed;
mod obstacles;
mod read;
mod report;
mod step;

pub use action::Action;
pub use back::next_back;
pub use copy::{Copy, CopyState};
pub use error::MigrationError;
pub use forward::next;
pub use migration::{Advance, Direction, Migration, Options};
pub use observed::{Observed, Operators, Whose};
pub use read::{LeasePlace, list_caches};
pub use report::Report;
pub use step::{Step, Wishes};
