//! Security: whoever may create a pod chooses the image that is asked for, and a registry may answer
//! anything.

use super::Limits;
use super::tests::{Image, Told, find, images, patient, starts, why};
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use oci_registry_client::Digest;
use orascache_contract::{ArtifactAspect, ArtifactFinding, ArtifactQuestion, Kind, ObjectRef};
use serde_json::json;
use std::time::Duration;

const ENOUGH: usize = 1_000;

/// The component asks for nothing else, but it is not the component that decides about this.
#[tokio::test]
async fn nothing_is_asked_but_images_by_digest_at_registries_that_the_administrator_names() {
    let image = Image::starting(&["/tool"]);
    let registry = Told::with(ENOUGH, &[&image]);
    let images = images(patient());
    let right = registry.question(&image.digest());
    let secret = ObjectRef {
        kind: Kind::namespaced("v1", "Secret", "secrets"),
        namespace: Some("lab".to_owned()),
        name: "mine".to_owned(),
        uid: None,
    };
    for (question, part) in [
        (ArtifactQuestion { aspect: ArtifactAspect::Digest, ..right.clone() }, "nothing but images"),
        (ArtifactQuestion { credentials: Some(secret), ..right.clone() }, "without credentials"),
        (ArtifactQuestion { reference: "1".to_owned(), ..right.clone() }, "cannot be asked for"),
        (ArtifactQuestion { repository: "../x".to_owned(), ..right.clone() }, "cannot be asked for"),
        (ArtifactQuestion { plain_http: false, ..right.clone() }, "does not name 127.0.0.1"),
        (
            ArtifactQuestion { registry: "localhost:5000".to_owned(), ..right.clone() },
            "does not name http://l",
        ),
    ] {
        let said = why(find(&images, question, &registry.settings()).await);
        assert!(said.contains(part), "{said}");
    }
    let host = registry.host();
    for settings in [
        String::new(),
        "{}".to_owned(),
        json!({"allowedRegistries": [format!("http://{host}")]}).to_string(),
        json!({"imageConfigRegistries": [host]}).to_string(),
        json!({"imageConfigRegistries": ["http://*.0.0.1", "http://127.0.0.1"]}).to_string(),
        json!({"imageConfigRegistries": format!("http://{host}")}).to_string(),
    ] {
        let said = why(find(&images, right.clone(), &settings).await);
        assert!(said.contains("does not name"), "{settings}: {said}");
    }
    assert_eq!(registry.requests(), 0);
    assert_eq!(find(&images, right, &registry.settings()).await, starts(&["/tool"]));
}

#[tokio::test]
async fn what_the_digest_does_not_say_is_not_believed() {
    let image = Image::starting(&["/tool"]);
    let evil = Image::starting(&["/evil"]);
    for (manifest, config) in [(&evil.manifest, &evil.config), (&image.manifest, &evil.config)] {
        let (manifest, config) = (manifest.clone(), config.clone());
        let registry = Told::new(ENOUGH, move |path| {
            let text = if path.contains("/manifests/") { &manifest } else { &config };
            text.clone().into_response()
        });
        let said = why(registry.ask(&images(patient()), &image.digest()).await);
        assert!(said.contains("another manifest than this") || said.contains("another digest"), "{said}");
    }
}

#[tokio::test]
async fn large_answers_are_given_up() {
    let filler = "x".repeat(3 << 20);
    let large = format!("{{\"config\":{{\"Entrypoint\":[\"{filler}\"]}}}}");
    let manifest = |size: usize| {
        json!({"schemaVersion": 2, "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(large.as_bytes()).as_str(), "size": size,
        }})
        .to_string()
    };
    // One that says how large it is, and one that lies.
    for (size, part) in [(large.len(), "at most 1048576 are read"), (10, "is longer than 1048576 bytes")] {
        let image = Image { manifest: manifest(size), config: large.clone() };
        let said = why(Told::with(ENOUGH, &[&image]).ask(&images(patient()), &image.digest()).await);
        assert!(said.contains(part), "{said}");
    }
    // A manifest without an end.
    let endless = Told::new(ENOUGH, |_| {
        let chunk = || Ok::<_, std::io::Error>(vec![b' '; 1 << 16]);
        Body::from_stream(futures::stream::repeat_with(chunk)).into_response()
    });
    let said = why(endless.ask(&images(patient()), &Image::starting(&[]).digest()).await);
    assert!(said.contains("is longer than"), "{said}");
    // A command that is no command.
    let image = Image::starting(&[&"x".repeat(20_000)]);
    let said = why(Told::with(ENOUGH, &[&image]).ask(&images(patient()), &image.digest()).await);
    assert!(said.contains("the command of the image is longer than 16384 bytes"), "{said}");
}

#[tokio::test]
async fn a_registry_that_never_answers_is_given_up_and_frees_its_place() {
    let image = Image::starting(&["/tool"]);
    let (silent, other) = (Told::with(0, &[]), Told::with(ENOUGH, &[&image]));
    let (read, failures) = (Duration::from_millis(200), Duration::ZERO);
    let images = images(Limits { read, failures, at_once: 1, pending: 1, ..patient() });
    let said = why(silent.ask(&images, &image.digest()).await);
    assert!(said.contains("gave no answer within 200ms"), "{said}");
    // How fast the other one is decides nothing: it is asked until it was fast enough.
    while other.ask(&images, &image.digest()).await != starts(&["/tool"]) {}
}

#[tokio::test]
async fn a_redirect_leads_into_no_private_network() {
    let image = Image::starting(&["/tool"]);
    let (inside, digest) = (Told::with(ENOUGH, &[&image]), image.digest());
    let to = format!("http://{}/v2/team/tool/manifests/{digest}", inside.host());
    let registry =
        Told::new(ENOUGH, move |_| (StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response());
    let said = why(registry.ask(&images(patient()), &digest).await);
    assert!(said.contains("it has no public address"), "{said}");
    assert_eq!(inside.requests(), 0);
    // Where the administrator names both, it does.
    let hosts = [registry.host(), inside.host()].map(|host| format!("http://{host}"));
    let settings = json!({"imageConfigRegistries": hosts}).to_string();
    let found = find(&images(patient()), registry.question(&digest), &settings).await;
    assert!(matches!(&found, ArtifactFinding::Unknown(why) if !why.contains("public")), "{found:?}");
    assert_eq!(inside.requests(), 2);
}

#[tokio::test]
async fn many_questions_hold_up_neither_reviews_nor_the_host() {
    let registry = Told::with(0, &[]);
    let digests = ["/a", "/b"].map(|program| Image::starting(&[program]).digest());
    let busy = images(Limits { pending: 1, wait: Duration::ZERO, ..patient() });
    assert!(why(registry.ask(&busy, &digests[0]).await).contains("gave no answer"));
    assert!(why(registry.ask(&busy, &digests[1]).await).contains("too many other images are read now"));

    let full = images(Limits { waiting: 1, ..patient() });
    let (settings, second) = (registry.settings(), registry.question(&digests[1]));
    let waiting = registry.ask(&full, &digests[0]);
    let others = async {
        let said = why(find(&full, second, &settings).await);
        registry.permits.add_permits(ENOUGH);
        said
    };
    let (first, said) = futures::join!(waiting, others);
    assert_eq!(first, ArtifactFinding::Missing);
    assert!(said.contains("too many reviews wait for images now"), "{said}");

    let questions = vec![registry.question(&digests[0]); 5];
    let answers = full.answer(questions, &settings).await;
    let said = why(answers.last().expect("an answer").finding.clone());
    assert!(said.contains("a review may ask for 4 images"), "{said}");
}

#[tokio::test]
async fn what_a_registry_says_is_shortened_to_one_line() {
    let text = json!({"errors": [{"code": "DENIED", "message": format!("a\u{7}\n\u{1b}[31m{}", "x".repeat(5_000))}]});
    let text = text.to_string();
    let registry = Told::new(ENOUGH, move |_| (StatusCode::FORBIDDEN, text.clone()).into_response());
    let said = why(registry.ask(&images(patient()), &Image::starting(&[]).digest()).await);
    assert!(said.chars().count() <= 303 && !said.contains(char::is_control), "{said:?}");
}
