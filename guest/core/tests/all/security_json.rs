//! Security: JSON is written as it was read, and JSON that programs may read differently changes no
//! decision.

use orascache_contract::{Context, Outcome};
use orascache_core::{admission, json::Json};
use proptest::prelude::*;

const CACHE: &str = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{"name":"shared","namespace":"lab"}}"#;
const PREFIX: &str = "oras.converged-computing.github.io/";

proptest! {
    #[test]
    fn numbers_are_written_as_they_were_read(
        number in r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        other in r"-?(0|[1-9][0-9]{0,18})",
        string in r#"([a-z0-9 .eE+\-{}\[\]:,]|\\"|\\\\|\\u00e9){0,20}"#,
    ) {
        let text = format!(r#"{{"a":[{number},{other},"{string}",{{"{string}":{number}}}],"1":{other}}}"#);
        let tree = Json::parse(&text).expect("JSON");
        prop_assert_eq!(tree.to_text().replace('é', "\\u00e9"), text);
    }

    #[test]
    fn texts_are_accepted_as_the_reference_parser_accepts_them(text in r#"[\[\]{}",:0-9.eE+\-\\ntrue]{0,12}"#) {
        let reference = serde_json::from_str::<serde_json::Value>(&text);
        let tree = Json::parse(&text);
        prop_assert_eq!(tree.is_ok(), reference.is_ok(), "{}", text);
    }
}

#[test]
fn unusual_numbers_are_written_as_they_were_read() {
    let digits = "9".repeat(300);
    for number in [
        "0.5",
        "-0",
        "-0.0",
        "0.50",
        "1E1",
        "1e+1",
        "1e-400",
        "1.0",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "0.1000000000000000055511151231257827",
        "123456789012345678901234567890",
        &digits,
    ] {
        assert_eq!(Json::parse(number).expect(number).to_text(), number);
    }
    for wrong in ["1e400", "01", "1.", ".5", "+1", "NaN", "Infinity", "-", "0x1", "1e"] {
        assert!(Json::parse(wrong).is_err(), "{wrong}");
    }
}

fn pod(annotations: &str, more: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p","annotations":{annotations}}}{more},"spec":{spec}}}"#
    )
}

fn review_of(object: &str, request: &str) -> String {
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u"{request},"kind":{{"group":"","version":"v1","kind":"Pod"}},"namespace":"lab","name":"p","operation":"CREATE","object":{object}}}}}"#
    )
}

const SPEC: &str = r#"{"containers":[{"name":"a","image":"b","workingDir":"/d","command":["sh"]}]}"#;

fn asking() -> String {
    format!(r#"{{"{PREFIX}oras-cache":"shared","{PREFIX}input-uri":"a:1"}}"#)
}

/// The decision as one text: an error, a refusal, or the commands of the patch. A patch must be
/// JSON.
fn outcome(review: &str) -> String {
    let context = Context { objects: vec![CACHE], complete: true, ..Context::default() };
    match admission::review(review, &context) {
        Err(error) => format!("error: {error}"),
        Ok(Outcome::Need(needs)) => format!("needs {}", needs.objects.len()),
        Ok(Outcome::Decided(response)) => match (response.refusal(), response.patch()) {
            (Some(refusal), _) => format!("refused: {}", refusal.message),
            (None, None) => "nothing to do".to_owned(),
            (None, Some(patch)) => {
                let patch: serde_json::Value = serde_json::from_str(patch).expect("a patch is JSON");
                let commands = patch.as_array().expect("a list").iter();
                let commands = commands
                    .filter(|one| one["path"].as_str().is_some_and(|path| path.ends_with("/command")));
                format!("rewritten: {}", commands.map(|one| one["value"].to_string()).collect::<String>())
            }
        },
    }
}

#[test]
fn ambiguous_json_changes_no_decision() {
    let rewritten = |input: &str| {
        format!(
            r#"rewritten: ["/orascache/orascache-agent","exec","--registry=http://shared-0.shared.lab.svc:5000",{input},"--","sh"]"#
        )
    };
    let usual = rewritten(r#""--input=a:1""#);
    let deep =
        |open: &str, close: &str, depth| format!(r#","x":{}1{}"#, open.repeat(depth), close.repeat(depth));
    let with = |annotations: &str| pod(&format!("{{{annotations}}}"), "", SPEC);
    for (name, review, wanted) in [
        ("usual", review_of(&pod(&asking(), "", SPEC), ""), usual.as_str()),
        (
            "escaped key",
            review_of(&pod(&asking().replace("oras.conv", "\\u006fras.conv"), "", SPEC), ""),
            &usual,
        ),
        ("escaped slash", review_of(&pod(&asking().replace(".io/", ".io\\/"), "", SPEC), ""), &usual),
        ("depth 100", review_of(&pod(&asking(), &deep("[", "]", 100), SPEC), ""), &usual),
        ("depth 200", review_of(&pod(&asking(), &deep("[", "]", 200), SPEC), ""), "error: "),
        ("depth 100000", review_of(&pod(&asking(), &deep("[", "]", 100_000), SPEC), ""), "error: "),
        ("deep objects", review_of(&pod(&asking(), &deep(r#"{"a":"#, "}", 100_000), SPEC), ""), "error: "),
        ("1e400", review_of(&pod(&asking(), r#","x":1e400"#, SPEC), ""), "error: "),
        (
            "long number",
            review_of(&pod(&asking(), &format!(r#","x":{}"#, "9".repeat(100_000)), SPEC), ""),
            "error: ",
        ),
        ("NaN", review_of(&pod(&asking(), r#","x":NaN"#, SPEC), ""), "error: "),
        ("lone surrogate", review_of(&pod(&asking(), r#","x":"\ud800""#, SPEC), ""), "error: "),
        ("byte order mark", format!("\u{feff}{}", review_of(&pod(&asking(), "", SPEC), "")), "error: "),
        ("trailing text", format!("{} {{}}", review_of(&pod(&asking(), "", SPEC), "")), "error: "),
        ("trailing NUL", format!("{}\0", review_of(&pod(&asking(), "", SPEC), "")), "error: "),
        (
            "upper case key",
            review_of(&with(&format!(r#""{PREFIX}ORAS-cache":"shared","{PREFIX}input-uri":"a:1""#)), ""),
            "refused: oras.converged-computing.github.io/ORAS-cache is unknown",
        ),
        (
            "upper case prefix is another annotation",
            review_of(&with(&format!(r#""{}oras-cache":"shared""#, PREFIX.to_uppercase())), ""),
            "nothing to do",
        ),
        (
            "prototype",
            review_of(&pod(&format!(r#"{{"__proto__":{}}}"#, asking()), "", SPEC), ""),
            "nothing to do",
        ),
        // What was asked for twice is checked twice: no copy of a name escapes the rules.
        (
            "two inputs of one name",
            review_of(
                &with(&format!(
                    r#""{PREFIX}oras-cache":"shared","{PREFIX}input-uri":"a:1","{PREFIX}input-uri":"b:2""#
                )),
                "",
            ),
            &rewritten(r#""--input=a:1","--input=b:2""#),
        ),
        (
            "the second of two is wrong",
            review_of(
                &with(&format!(
                    r#""{PREFIX}oras-cache":"shared","{PREFIX}input-uri":"a:1","{PREFIX}input-uri":"B""#
                )),
                "",
            ),
            "refused: ",
        ),
        (
            "spec twice",
            review_of(&pod(&asking(), &format!(r#","spec":{SPEC}"#), r#"{"containers":[]}"#), ""),
            &usual,
        ),
        (
            "namespace twice",
            review_of(&pod(&asking(), "", SPEC), r#","namespace":"victim""#),
            "refused: OrasCache shared does not exist in namespace victim",
        ),
    ] {
        let found = outcome(&review);
        assert!(found.starts_with(wanted), "{name}: {}", &found[..found.len().min(400)]);
    }
}
