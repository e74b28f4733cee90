use super::{Inquiries, Look, Pace, Registries};
use crate::activity::Activity;
use crate::metrics::QuestionMetrics;
use crate::object::Key;
use crate::testing::kind;
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{ArtifactAspect, ArtifactFinding, ArtifactQuestion, ObjectRef};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Answers by the tag that is asked for, and remembers when it was asked. Time is simulated.
#[derive(Default)]
struct Fake {
    looks: Mutex<HashMap<String, Look>>,
    asked: Mutex<Vec<(Instant, ArtifactQuestion)>>,
    woken: Arc<Mutex<Vec<Key>>>,
}

impl Fake {
    fn set(&self, reference: &str, look: Look) {
        self.looks.lock().expect("whole").insert(reference.to_owned(), look);
    }

    /// Seconds, since the first one, of the looks for a tag.
    fn seconds(&self, reference: &str) -> Vec<u64> {
        let asked = self.asked.lock().expect("whole");
        let first = asked.first().map(|(at, _)| *at).expect("a look");
        let of = asked.iter().filter(|(_, question)| question.reference == reference);
        of.map(|(at, _)| (*at - first).as_secs()).collect()
    }

    fn number(&self) -> usize {
        self.asked.lock().expect("whole").len()
    }

    /// The objects that were woken since the last call.
    fn woken(&self) -> Vec<Key> {
        let mut woken = std::mem::take(&mut *self.woken.lock().expect("whole"));
        woken.sort();
        woken
    }
}

impl Registries for Fake {
    fn look<'q>(&'q self, question: &'q ArtifactQuestion) -> BoxFuture<'q, Look> {
        self.asked.lock().expect("whole").push((Instant::now(), question.clone()));
        let look = self.looks.lock().expect("whole").get(&question.reference).cloned();
        futures::future::ready(look.unwrap_or(Look::Answer(ArtifactFinding::Missing))).boxed()
    }
}

fn found() -> Look {
    Look::Answer(ArtifactFinding::Digest("sha256:1".to_owned()))
}

fn question(reference: &str) -> ArtifactQuestion {
    ArtifactQuestion {
        registry: "r:5000".to_owned(),
        plain_http: true,
        repository: "flow/words".to_owned(),
        reference: reference.to_owned(),
        credentials: None,
        aspect: ArtifactAspect::Digest,
    }
}

fn key(name: &str) -> Key {
    Key::new("lab", name)
}

fn inquiries(fake: &Arc<Fake>, pace: Pace) -> Inquiries {
    let metrics = QuestionMetrics::new(&mut Default::default());
    Inquiries::new(fake.clone(), pace, Activity::default(), metrics)
}

fn ask(inquiries: &Inquiries, fake: &Arc<Fake>, name: &str, questions: &[ArtifactQuestion]) {
    let woken = fake.woken.clone();
    inquiries
        .ask(&key(name), name, questions, || Box::new(move |keys| woken.lock().expect("whole").extend(keys)));
}

#[tokio::test(start_paused = true)]
async fn one_artifact_is_asked_for_once_however_many_objects_wait() {
    let fake = Arc::new(Fake::default());
    let inquiries = inquiries(&fake, Pace::default());
    for number in 0..10_000 {
        ask(&inquiries, &fake, &format!("p{number}"), &[question("1"), question("1")]);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.number(), 1);
    assert_eq!(fake.woken().len(), 10_000, "the first answer is new to all of them");
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(fake.woken(), [], "an answer that stays wakes nobody");
    // Once a minute, and a little more at the beginning.
    assert!((55..75).contains(&fake.number()), "{}", fake.number());
    fake.set("1", found());
    sleep(Duration::from_secs(70)).await;
    assert_eq!(fake.woken().len(), 10_000);
    let answers = inquiries.answers(&key("p7"), "p7");
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].finding, ArtifactFinding::Digest("sha256:1".to_owned()));
    assert!(inquiries.answers(&key("p7"), "a later one").is_empty());
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_objects_with_a_thousand_artifacts_lead_to_ten_looks_a_second() {
    let fake = Arc::new(Fake::default());
    let inquiries = inquiries(&fake, Pace::default());
    for number in 0..10_000 {
        ask(&inquiries, &fake, &format!("p{number}"), &[question(&format!("t{}", number % 1_000))]);
    }
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(fake.woken().len(), 10_000);
    let before = fake.number();
    sleep(Duration::from_secs(1_000)).await;
    let looks = fake.number() - before;
    assert!((8_000..=10_000).contains(&looks), "{looks} looks in 1,000 seconds");
    assert_eq!(fake.woken(), [], "no object was worked on");
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_begin_anew_when_something_changed() {
    let fake = Arc::new(Fake::default());
    let pace = Pace { longest: Duration::from_secs(8), ..Pace::default() };
    let inquiries = inquiries(&fake, pace);
    ask(&inquiries, &fake, "p", &[question("1")]);
    sleep(Duration::from_secs(60)).await;
    let seconds = fake.seconds("1");
    let pauses: Vec<u64> = seconds.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses[0] == 2 && pauses[1] == 3 && pauses[2..].iter().all(|pause| (4..=9).contains(pause)));
    assert!(pauses.len() >= 7, "{seconds:?}");
    fake.set("1", found());
    sleep(Duration::from_secs(30)).await;
    fake.set("1", Look::Answer(ArtifactFinding::Missing));
    fake.woken();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(fake.woken(), [key("p")], "an artifact that was deleted again is noticed");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_does_not_answer_keeps_the_last_answer_and_wakes_nobody() {
    let fake = Arc::new(Fake::default());
    let inquiries = inquiries(&fake, Pace::default());
    fake.set("1", Look::NotNow { why: "connection refused".to_owned(), after: None });
    ask(&inquiries, &fake, "p", &[question("1")]);
    sleep(Duration::from_secs(600)).await;
    assert!(fake.woken().is_empty() && inquiries.answers(&key("p"), "p").is_empty());
    fake.set("1", found());
    sleep(Duration::from_secs(70)).await;
    assert_eq!(fake.woken(), [key("p")]);
    fake.set("1", Look::NotNow { why: "connection refused".to_owned(), after: None });
    sleep(Duration::from_secs(600)).await;
    assert_eq!((fake.woken().len(), inquiries.answers(&key("p"), "p").len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_asks_for_patience_gets_it_for_all_its_artifacts() {
    let fake = Arc::new(Fake::default());
    let inquiries = inquiries(&fake, Pace { at_once_of_one: 1, ..Pace::default() });
    let patience = Some(Duration::from_secs(120));
    fake.set("1", Look::NotNow { why: "429".to_owned(), after: patience });
    fake.set("2", Look::NotNow { why: "429".to_owned(), after: patience });
    ask(&inquiries, &fake, "p", &[question("1")]);
    sleep(Duration::from_secs(1)).await;
    ask(&inquiries, &fake, "q", &[question("2")]);
    let other = ArtifactQuestion { registry: "another".to_owned(), ..question("3") };
    ask(&inquiries, &fake, "q2", std::slice::from_ref(&other));
    sleep(Duration::from_secs(100)).await;
    assert_eq!((fake.seconds("1"), fake.seconds("2")), (vec![0], vec![]));
    assert!(!fake.seconds("3").is_empty(), "another registry is asked meanwhile");
    sleep(Duration::from_secs(25)).await;
    assert_eq!(fake.seconds("2"), [120]);
}

#[tokio::test(start_paused = true)]
async fn an_early_look_is_had_for_the_asking_and_no_more_often_than_the_pace_allows() {
    let fake = Arc::new(Fake::default());
    let inquiries = inquiries(&fake, Pace::default());
    let waker = inquiries.waker();
    ask(&inquiries, &fake, "p", &[question("1")]);
    ask(&inquiries, &fake, "q", &[ArtifactQuestion { repository: "other".to_owned(), ..question("2") }]);
    sleep(Duration::from_secs(600)).await;
    let (before, of_other) = (fake.seconds("1").len(), fake.seconds("2").len());
    fake.set("1", found());
    waker.wake("flow/words");
    sleep(Duration::from_millis(100)).await;
    assert_eq!(fake.woken().len(), 3, "both first answers, and the new one");
    assert_eq!(fake.seconds("1").len(), before + 1);
    // Ten seconds of noise.
    for _ in 0..10_000 {
        waker.wake("flow/words");
        sleep(Duration::from_millis(1)).await;
    }
    assert!(fake.seconds("1").len() <= before + 12, "{:?}", fake.seconds("1"));
    assert!(fake.seconds("2").len() <= of_other + 1, "another repository is not asked");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_joins_is_woken_for_answers_that_are_there_and_leaving_ends_a_question() {
    let fake = Arc::new(Fake::default());
    let inquiries = inquiries(&fake, Pace::default());
    ask(&inquiries, &fake, "p", &[question("1")]);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.woken(), [key("p")]);
    ask(&inquiries, &fake, "q", &[question("1")]);
    assert_eq!(fake.woken(), [key("q")], "its plan was made without that answer");
    ask(&inquiries, &fake, "q", &[question("1")]);
    assert_eq!(fake.woken(), []);
    inquiries.forget(&key("p"));
    ask(&inquiries, &fake, "q", &[question("2")]);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(fake.seconds("1").len(), 1, "nobody waits for it");
    assert!(inquiries.answers(&key("p"), "p").is_empty());
}

#[tokio::test(start_paused = true)]
async fn questions_beyond_the_limit_and_foreign_credentials_are_answered_with_unknown() {
    let fake = Arc::new(Fake::default());
    let inquiries = inquiries(&fake, Pace { most: 1, ..Pace::default() });
    let secret = |namespace: &str| {
        let namespace = Some(namespace.to_owned());
        Some(ObjectRef { kind: kind("Secret"), namespace, name: "s".to_owned(), uid: None })
    };
    let foreign = ArtifactQuestion { credentials: secret("other"), ..question("1") };
    let own = ArtifactQuestion { credentials: secret("lab"), ..question("1") };
    ask(&inquiries, &fake, "p", &[foreign, own.clone(), question("2")]);
    assert_eq!(fake.woken(), [key("p")]);
    sleep(Duration::from_secs(1)).await;
    let findings: Vec<_> =
        inquiries.answers(&key("p"), "p").into_iter().map(|answer| answer.finding).collect();
    assert_eq!(findings[0], ArtifactFinding::Missing);
    let unknown = |finding: &ArtifactFinding, part: &str| matches!(finding, ArtifactFinding::Unknown(why) if why.contains(part));
    assert!(unknown(&findings[1], "the object's namespace alone"), "{findings:?}");
    assert!(unknown(&findings[2], "as many other questions"), "{findings:?}");
    assert!(fake.asked.lock().expect("whole").iter().all(|(_, asked)| *asked == own));
}
