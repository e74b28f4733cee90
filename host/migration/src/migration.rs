//! A migration of one cache, step by step.

use crate::act::Actor;
use crate::action::Action;
use crate::back::next_back;
use crate::error::MigrationError;
use crate::forward::next;
use crate::observed::Observed;
use crate::read::{self, LeasePlace};
use crate::report::Report;
use crate::step::{Step, Wishes};
use kube::Client;
use std::time::{Duration, Instant};

/// Which way a migration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the former operator to this one.
    Forward,
    /// Back to the former operator.
    Back,
}

/// How a migration is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which way it goes.
    pub direction: Direction,
    /// The image with the agent, for the Jobs that copy.
    pub agent_image: String,
    /// Where the operator's Lease is.
    pub lease: LeasePlace,
    /// Whether it goes on although steps of the former operator run.
    pub ignore_running_steps: bool,
    /// For how long one thing is waited for.
    pub patience: Duration,
    /// How often it looks while it waits.
    pub period: Duration,
}

/// What [`Migration::advance`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// Nothing is left to do.
    Done,
    /// It made a change.
    Made(Action, String),
    /// It waits for something, as a part of a sentence.
    Waits(String),
}

/// A migration of one cache.
pub struct Migration {
    client: Client,
    namespace: String,
    name: String,
    options: Options,
    /// Whether copies that failed before are still tried again: once.
    retries: bool,
}

impl Migration {
    /// A migration of the cache of that name. Nothing is read or written yet.
    pub fn new(client: Client, namespace: &str, name: &str, options: Options) -> Self {
        Self { client, namespace: namespace.to_owned(), name: name.to_owned(), options, retries: true }
    }

    /// What was found, and what would be done.
    ///
    /// # Errors
    /// When something cannot be read.
    pub async fn report(&self) -> Result<Report, MigrationError> {
        let observed = self.observe().await?;
        Ok(match self.options.direction {
            Direction::Forward => Report::forward(&observed, self.wishes()),
            Direction::Back => Report::back(&observed),
        })
    }

    /// Looks, and makes at most one change.
    ///
    /// # Errors
    /// When something is in the way, or the API server does not do what is asked.
    pub async fn advance(&mut self) -> Result<Advance, MigrationError> {
        let observed = self.observe().await?;
        let step = match self.options.direction {
            Direction::Forward => next(&observed, self.wishes()),
            Direction::Back => next_back(&observed),
        };
        match step {
            Step::Done => Ok(Advance::Done),
            Step::Wait(what) => Ok(Advance::Waits(what)),
            Step::Refuse(sentences) => Err(MigrationError::Refused(sentences)),
            Step::Do(action) => {
                let image = &self.options.agent_image;
                Actor { client: &self.client, observed: &observed, image }.make(action).await?;
                if let Action::StartCopy(_) = action {
                    // What fails from now on failed in this run.
                    self.retries = false;
                }
                Ok(Advance::Made(action, action.sentence(&observed)))
            }
        }
    }

    /// Goes on until nothing is left to do. `say` gets each change, and what is waited for.
    ///
    /// # Errors
    /// As [`Migration::advance`], and when something does not happen in time. Another migration of
    /// the same cache goes on from there.
    pub async fn run(&mut self, mut say: impl FnMut(&Advance)) -> Result<(), MigrationError> {
        let mut waiting: Option<(String, Instant)> = None;
        loop {
            let advance = self.advance().await?;
            match &advance {
                Advance::Done => return Ok(()),
                Advance::Made(..) => {
                    waiting = None;
                    say(&advance);
                }
                Advance::Waits(what) => {
                    let since = match &waiting {
                        Some((known, since)) if known == what => *since,
                        _ => {
                            say(&advance);
                            let now = Instant::now();
                            waiting = Some((what.clone(), now));
                            now
                        }
                    };
                    if since.elapsed() >= self.options.patience {
                        let seconds = self.options.patience.as_secs();
                        return Err(MigrationError::TimedOut { what: capital(what), seconds });
                    }
                    tokio::time::sleep(self.options.period).await;
                }
            }
        }
    }

    async fn observe(&self) -> Result<Observed, MigrationError> {
        read::observe(&self.client, &self.namespace, &self.name, &self.options.lease).await
    }

    fn wishes(&self) -> Wishes {
        Wishes { ignore_running_steps: self.options.ignore_running_steps, retries_copies: self.retries }
    }
}

/// The beginning of a sentence.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
