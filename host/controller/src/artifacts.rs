//! Questions about artifacts in OCI registries, and who answers them.

use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{ArtifactAnswer, ArtifactFinding, ArtifactQuestion};

/// Looks into OCI registries for reconcilers.
pub trait Artifacts: Send + Sync + 'static {
    /// Answers questions, each once and in any order. What cannot be found out is answered with
    /// [`ArtifactFinding::Unknown`] and a sentence. The controller asks again after every plan with
    /// questions, so that answers should be cached for a while.
    fn answer(&self, questions: Vec<ArtifactQuestion>) -> BoxFuture<'_, Vec<ArtifactAnswer>>;
}

/// Answers every question with [`ArtifactFinding::Unknown`]: for hosts without registries.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoArtifacts;

impl Artifacts for NoArtifacts {
    fn answer(&self, questions: Vec<ArtifactQuestion>) -> BoxFuture<'_, Vec<ArtifactAnswer>> {
        let why = "this host does not look into registries";
        let answers = questions.into_iter().map(|question| unknown(question, why)).collect();
        futures::future::ready(answers).boxed()
    }
}

/// An answer that says why there is none.
pub(crate) fn unknown(question: ArtifactQuestion, why: &str) -> ArtifactAnswer {
    ArtifactAnswer { question, finding: ArtifactFinding::Unknown(why.to_owned()) }
}
