//! A container, as those know it who watch over it.

use crate::backoff::RestartPolicy;
use crate::context::PodContext;
use crate::messages::CommandLine;
use crate::record::{Place, State};
use k8s_openapi::api::core::v1::Container;
use std::sync::Arc;

/// A container of a pod.
#[derive(Clone)]
pub(crate) struct Supervised {
    pub context: Arc<PodContext>,
    pub place: Place,
    pub container: Container,
    pub policy: RestartPolicy,
}

impl Supervised {
    pub(crate) fn new(
        context: &Arc<PodContext>,
        place: Place,
        container: &Container,
        policy: RestartPolicy,
    ) -> Self {
        Self { context: context.clone(), place, container: container.clone(), policy }
    }

    /// Says what the container does.
    pub(crate) fn set(&self, state: State) {
        self.context.board.change(self.place, |record| record.state = state);
    }

    /// Records an Event about something that went wrong.
    pub(crate) async fn warn(&self, reason: &str, sentence: String) {
        self.context.board.warn(self.place, reason, sentence).await;
    }
}

/// What further commands in a container need to know.
pub(crate) struct Inside {
    /// The first process of the container.
    pub process: i32,
    /// Its command, with the variables and the working directory.
    pub command: CommandLine,
}
