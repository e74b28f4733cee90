use super::super::finding::{Decision, Finding, Part, Tally};
use super::{github, json, sarif, text};
use crate::input::Place;
use orascache_contract::Refusal;
use serde_json::{Value, json};
use std::path::PathBuf;

fn at(file: &str, line: usize) -> Place {
    Place { file: (file != "-").then(|| PathBuf::from(file)), line }
}

fn refused(message: &str) -> Decision {
    Decision::Refused(Refusal { code: 422, message: message.to_owned() })
}

/// One finding of every sort.
fn findings() -> Vec<Finding> {
    let part = Some(Part { kind: "Pod".to_owned(), path: "spec.template".to_owned() });
    vec![
        Finding {
            is_asked: true,
            ..Finding::of(at("a b.yaml", 3), "Pod/one".to_owned(), refused("50% wrong:\nsecond line"))
        },
        Finding {
            part,
            warnings: vec!["odd, perhaps".to_owned()],
            ..Finding::of(at("./dir/b.yaml", 7), "Deployment/two".to_owned(), Decision::Allowed(None))
        },
        Finding {
            is_asked: true,
            ..Finding::of(at("-", 1), "Pod/three".to_owned(), Decision::Allowed(Some(json!([]))))
        },
        Finding::about(at("values.yaml", 1), Decision::NotReviewed("no object".to_owned())),
        Finding::about(at("broken.yaml", 9), Decision::Unusable("no YAML".to_owned())),
    ]
}

#[test]
fn text_has_decisions_apart_from_what_was_not_decided() {
    let report = text::report(&findings());
    assert_eq!(
        report.decisions,
        "a b.yaml:3: Pod/one: refused (422): 50% wrong: second line\n\
         ./dir/b.yaml:7: Deployment/two, Pod of spec.template: allowed, unchanged\n  warning: odd, perhaps\n  \
         note: the API server does not ask about this, so that only this command says so\n\
         Pod/three: allowed, patched\n"
    );
    assert_eq!(report.asides, "values.yaml:1: not reviewed: no object\nerror: broken.yaml:9: no YAML\n");
    assert_eq!(report.summary, "2 allowed, 1 refused, 1 cannot be used, 1 not reviewed, 1 warning\n");
}

#[test]
fn json_has_file_and_line_of_each_decision() {
    let report = json::report(&findings());
    assert_eq!(
        report["decisions"][0],
        json!({"file": "a b.yaml", "line": 3, "object": "Pod/one", "decision": "refused", "code": 422,
            "message": "50% wrong:\nsecond line", "asked": true, "warnings": []})
    );
    assert_eq!(
        report["decisions"][1],
        json!({"file": "dir/b.yaml", "line": 7, "object": "Deployment/two", "decision": "allowed",
            "part": {"kind": "Pod", "path": "spec.template"}, "asked": false, "warnings": ["odd, perhaps"]})
    );
    assert_eq!(report["decisions"][2]["file"], "-");
    assert_eq!(report["decisions"][2]["patch"], json!([]));
    assert_eq!(
        report["decisions"][3],
        json!({"file": "values.yaml", "line": 1, "decision": "notReviewed", "message": "no object", "warnings": []})
    );
    assert_eq!(
        report["summary"],
        json!({"allowed": 2, "refused": 1, "unusable": 1, "notReviewed": 1, "warnings": 1})
    );
}

#[test]
fn workflow_commands_are_escaped() {
    assert_eq!(
        github::report(&findings()),
        "::error file=a b.yaml,line=3,title=Pod/one is refused::50%25 wrong:%0Asecond line\n\
         ::warning file=dir/b.yaml,line=7,title=Deployment/two%2C Pod of spec.template::odd, perhaps \
         (the API server does not ask about this, so that only this command says so)\n\
         ::error file=broken.yaml,line=9,title=A document cannot be used::no YAML\n"
    );
}

/// Members that the published schema of SARIF 2.1.0 requires, by the name of their definition, and
/// where values of that definition stand below the run.
const REQUIRED: [(&str, &str, &[&str]); 7] = [
    ("toolComponent", "/tool/driver", &["name"]),
    ("reportingDescriptor", "/tool/driver/rules/*", &["id"]),
    ("invocation", "/invocations/*", &["executionSuccessful"]),
    ("notification", "/invocations/*/toolExecutionNotifications/*", &["message"]),
    ("result", "/results/*", &["message"]),
    ("physicalLocation", "/results/*/locations/*/physicalLocation", &["artifactLocation"]),
    ("message", "/results/*/message", &["text"]),
];

fn all<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for name in path.split('/').skip(1) {
        found = match name {
            "*" => found.into_iter().flat_map(|value| value.as_array().expect("a list")).collect(),
            name => found
                .into_iter()
                .map(|value| value.get(name).unwrap_or_else(|| panic!("{name} in {value}")))
                .collect(),
        };
    }
    found
}

#[test]
fn sarif_has_what_its_schema_requires() {
    let report = sarif::report(&findings());
    assert_eq!(report["version"], "2.1.0", "the only value of the schema");
    assert_eq!(report["runs"].as_array().map(Vec::len), Some(1));
    let run = &report["runs"][0];
    for (definition, path, members) in REQUIRED {
        let values = all(run, path);
        assert!(!values.is_empty(), "{definition}");
        for (value, member) in
            values.iter().flat_map(|value| members.iter().map(move |member| (value, member)))
        {
            assert!(value.get(member).is_some(), "{definition} needs {member}: {value}");
        }
    }
    let rules = all(run, "/tool/driver/rules/*/id");
    for result in all(run, "/results/*") {
        let level = result["level"].as_str().expect("a level");
        assert!(["none", "note", "warning", "error"].contains(&level), "{level}");
        let index =
            result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok()).expect("a position");
        assert_eq!(*rules[index], result["ruleId"]);
        for line in all(result, "/locations/*/physicalLocation/region/startLine") {
            assert!(line.as_u64().is_some_and(|line| line >= 1), "{line}");
        }
    }
    let uris: Vec<_> = all(run, "/results/*/locations/*/physicalLocation/artifactLocation/uri");
    assert_eq!(uris, ["a%20b.yaml", "dir/b.yaml", "broken.yaml"]);
    assert_eq!(all(run, "/results/*/level"), ["error", "warning", "error"]);
    assert_eq!(
        run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"],
        "not reviewed: no object"
    );
}

#[test]
fn the_exit_code_says_the_worst() {
    let code = |decisions: Vec<Decision>, warnings: usize, strict: bool| {
        let mut findings: Vec<Finding> =
            decisions.into_iter().map(|decision| Finding::about(at("a", 1), decision)).collect();
        findings[0].warnings = vec!["w".to_owned(); warnings];
        Tally::of(&findings).exit_code(strict)
    };
    let skipped = || Decision::NotReviewed(String::new());
    assert_eq!(code(vec![Decision::Allowed(None), skipped()], 1, false), 0);
    assert_eq!(code(vec![Decision::Allowed(None), skipped()], 1, true), 1);
    assert_eq!(code(vec![Decision::Allowed(None), skipped()], 0, true), 0);
    assert_eq!(code(vec![Decision::Allowed(None), refused("x")], 0, false), 1);
    assert_eq!(code(vec![refused("x"), Decision::Unusable(String::new())], 0, false), 2);
}
