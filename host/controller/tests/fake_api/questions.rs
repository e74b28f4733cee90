//! Questions to registries and their answers.

use crate::script::{CONFIG_MAP, SECRET, Script, description};
use crate::world::{LAB, OTHER, World};
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{
    ArtifactAnswer, ArtifactAspect, ArtifactFinding, ArtifactQuestion, ObjectRef, Observed, Plan, WatchedKind,
};
use orascache_controller::{Artifacts, Options};
use std::sync::Arc;
use tokio::sync::watch;

/// Answers every question with one digest, as soon as that is set.
struct Registry {
    digest: watch::Sender<Option<&'static str>>,
    asked: watch::Sender<Vec<ArtifactQuestion>>,
}

impl Registry {
    fn new(digest: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self { digest: watch::Sender::new(digest), asked: watch::Sender::default() })
    }
}

impl Artifacts for Registry {
    fn answer(&self, questions: Vec<ArtifactQuestion>) -> BoxFuture<'_, Vec<ArtifactAnswer>> {
        async move {
            self.asked.send_modify(|asked| asked.extend(questions.clone()));
            let mut digest = self.digest.subscribe();
            let digest = digest.wait_for(Option::is_some).await.expect("a registry").unwrap_or_default();
            let finding = ArtifactFinding::Digest(digest.to_owned());
            questions
                .into_iter()
                .map(|question| ArtifactAnswer { question, finding: finding.clone() })
                .collect()
        }
        .boxed()
    }
}

fn question(reference: &str, credentials: Option<ObjectRef>) -> ArtifactQuestion {
    ArtifactQuestion {
        registry: "registry.example.org".to_owned(),
        plain_http: false,
        repository: "flow/words".to_owned(),
        reference: reference.to_owned(),
        credentials,
        aspect: ArtifactAspect::Digest,
    }
}

fn asks(questions: Vec<ArtifactQuestion>) -> Arc<Script> {
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    Script::new(description(owned, Vec::new()), move |_: &Observed| Plan {
        questions: questions.clone(),
        ..Plan::default()
    })
}

fn options(registry: &Arc<Registry>) -> Options {
    Options { artifacts: registry.clone(), ..World::options() }
}

#[tokio::test]
async fn answers_come_with_the_next_call_and_only_new_ones_lead_to_a_call() {
    let world = World::start().await;
    world.widget("w").await;
    let registry = Registry::new(Some("sha256:1"));
    let script = asks(vec![question("1", None), question("1", None)]);
    let mut metrics = Default::default();
    let controller = world.controller_with(script.clone(), options(&registry), &mut metrics).await;
    let answer = |digest: &str| ArtifactAnswer {
        question: question("1", None),
        finding: ArtifactFinding::Digest(digest.to_owned()),
    };
    assert_eq!(script.last().answers, [answer("sha256:1")], "one question, asked twice");
    assert_eq!(script.calls(), 2, "the same answer leads to no third call");
    registry.digest.send_replace(Some("sha256:2"));
    world.touch("w").await;
    world.settle(&controller).await;
    assert_eq!(script.last().answers, [answer("sha256:2")]);
}

#[tokio::test]
async fn a_registry_that_does_not_answer_holds_nothing_up() {
    let world = World::start().await;
    world.widget("w").await;
    world.widget("v").await;
    let registry = Registry::new(None);
    let script = asks(vec![question("1", None)]);
    let options = Options { workers: 1, ..options(&registry) };
    let controller = orascache_controller::Controller::start(
        world.client.clone(),
        script.clone(),
        options,
        &mut Default::default(),
    )
    .await
    .expect("the controller starts");
    controller.synced().await;
    assert_eq!(script.calls(), 2, "both primaries were worked on by the one worker");
    assert_eq!(script.last().answers, []);
    let mut asked = registry.asked.subscribe();
    asked.wait_for(|asked| asked.len() == 2).await.expect("a registry");
    registry.digest.send_replace(Some("sha256:1"));
    world.settle(&controller).await;
    assert_eq!((script.calls(), script.last().answers.len()), (4, 1));
}

#[tokio::test]
async fn credentials_of_another_namespace_are_not_used() {
    let world = World::start().await;
    world.widget("w").await;
    let registry = Registry::new(Some("sha256:1"));
    let secret = |kind, namespace: Option<&str>| {
        let namespace = namespace.map(str::to_owned);
        Some(ObjectRef { kind, namespace, name: "s".to_owned(), uid: None })
    };
    let script = asks(vec![
        question("other", secret(SECRET, Some(OTHER))),
        question("none", secret(SECRET, None)),
        question("kind", secret(CONFIG_MAP, Some(LAB))),
        question("own", secret(SECRET, Some(LAB))),
    ]);
    let mut metrics = Default::default();
    let _controller = world.controller_with(script.clone(), options(&registry), &mut metrics).await;
    let answers = script.last().answers;
    for answer in &answers[..3] {
        let ArtifactFinding::Unknown(why) = &answer.finding else { panic!("{answer:?}") };
        assert!(why.contains("the primary's namespace"), "{why}");
    }
    assert_eq!(answers[3].finding, ArtifactFinding::Digest("sha256:1".to_owned()));
    let asked = registry.asked.borrow();
    assert!(!asked.is_empty() && asked.iter().all(|question| question.reference == "own"), "{asked:?}");
}

#[tokio::test]
async fn the_default_answers_every_question_with_unknown() {
    let world = World::start().await;
    world.widget("w").await;
    let script = asks(vec![question("1", None)]);
    let _controller = world.controller(script.clone()).await;
    let why = ArtifactFinding::Unknown("this host does not look into registries".to_owned());
    assert_eq!(script.last().answers[0].finding, why);
}
