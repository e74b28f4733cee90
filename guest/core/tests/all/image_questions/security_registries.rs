//! Security: which questions about images a pod can cause. Its author chooses the image, so that the
//! administrator has to choose the registries.

use super::{DIGEST, pod, question, review, settings};
use crate::reviewing;
use serde_json::{Value, json};

fn refusal(pod: &Value, settings: &str) -> String {
    let response = reviewing::decided(review(pod, None, settings, Vec::new()));
    response.refusal().expect("a refusal").message.clone()
}

#[test]
fn only_registries_that_the_administrator_names_are_asked() {
    for image in
        ["169.254.169.254/a", "ghcr.io:443/a", "x.ghcr.io/a", "ghcr.io.evil.org/a", "[::1]:5000/a", "a"]
    {
        let pod = pod(&format!("{image}@{DIGEST}"), &json!({}));
        let said = refusal(&pod, &settings(&["ghcr.io", "http://registry.lan:5000"]));
        assert!(said.contains("(the administrator lets no image of "), "{image}: {said}");
        for nobody in ["", r#"{"imageConfigRegistries":[]}"#, r#"{"allowedRegistries":["ghcr.io"]}"#] {
            let said = refusal(&pod, nobody);
            assert!(said.contains("is not known here: run orascache-agent entrypoint"), "{said}");
        }
    }
}

#[test]
fn no_tag_is_ever_asked_for_since_a_node_may_have_another_image_under_it() {
    for image in ["ghcr.io/a:1", "ghcr.io/a"] {
        let said = refusal(&pod(image, &json!({})), &settings(&["ghcr.io"]));
        let wanted = format!(
            "(it is read for images that are named by their digest alone): write the image as {image}@sha256:..., or run"
        );
        assert!(said.contains(&wanted), "{said}");
    }
}

#[test]
fn no_credentials_go_with_a_question() {
    let mut pod = pod(&format!("ghcr.io/a@{DIGEST}"), &json!({}));
    pod["spec"]["imagePullSecrets"] = json!([{"name": "mine"}]);
    pod["metadata"]["annotations"]["oras.converged-computing.github.io/oras-env"] = json!("mine");
    assert_eq!(question(&pod, &settings(&["ghcr.io"])).credentials, None);
}

#[test]
fn a_pod_that_is_refused_anyway_asks_for_nothing() {
    let mut pod = pod(&format!("ghcr.io/a@{DIGEST}"), &json!({}));
    pod["metadata"]["annotations"]["oras.converged-computing.github.io/debug"] = json!("yes");
    assert!(refusal(&pod, &settings(&["ghcr.io"])).contains("debug is \"yes\""));
}
