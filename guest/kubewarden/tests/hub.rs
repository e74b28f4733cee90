//! What the hubs of policies expect beside the module.

use orascache_kubewarden::validate_settings;
use serde_json::{Value, json};
use std::path::Path;

fn file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = std::fs::read_to_string(path).expect("a file");
    serde_saphyr::from_str(&text).expect("YAML")
}

#[test]
fn the_form_asks_for_settings_that_there_are() {
    let questions = file("questions-ui.yml")["questions"].clone();
    let mut asked = 0;
    for question in questions.as_array().expect("questions") {
        let variable = question["variable"].as_str().expect("a name");
        if question["hide_input"] == true {
            continue;
        }
        let value = match question["type"].as_str().expect("a type") {
            "array[" => json!(["example.org"]),
            "string" if variable == "maximumStorage" => json!("1Ti"),
            _ => json!("example.org/a:1"),
        };
        let answer = validate_settings(json!({variable: value}).to_string().as_bytes()).expect("an answer");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!(answer, json!({"valid": true}), "{variable}");
        assert!(question.get("default").is_none(), "{variable}: a default would be a limit");
        asked += 1;
    }
    assert!(asked >= 4, "{asked}");
}

/// `kwctl scaffold artifacthub` refuses other authors.
#[test]
fn the_author_has_a_name_and_an_address() {
    let author = file("metadata.yml")["annotations"]["io.kubewarden.policy.author"].clone();
    let author = author.as_str().expect("text");
    let (name, rest) = author.split_once(" <").expect("an address");
    let address = rest.strip_suffix('>').expect("an end");
    assert!(
        !name.is_empty()
            && address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
    );
    let owners = file("artifacthub-repo.yml")["owners"].clone();
    assert_eq!(owners[0], json!({"name": name, "email": address}));
}

#[test]
fn the_policy_may_make_the_host_call_that_it_makes_and_no_other_one() {
    assert_eq!(file("metadata.yml")["hostCapabilities"], json!(["kubernetes/get_resource"]));
}
