//! `orascache review`: what it prints in each format.

use super::{CACHE, Folder, STEP, err, out, run};
use serde_json::Value;

#[test]
fn review_prints_the_patched_object_or_a_diff() {
    let both = format!("{}---\n{STEP}", CACHE);
    let yaml = run(&["review", "-f", "-", "-o", "yaml", "--agent-image", "mirror.lab/agent:1"], &both);
    let stored: Vec<Value> = serde_saphyr::from_multiple(&out(&yaml)).expect("YAML");
    assert_eq!(stored[1]["spec"]["initContainers"][0]["image"], "mirror.lab/agent:1");
    assert!(stored[1]["metadata"].get("namespace").is_none(), "kubectl chooses the namespace");
    assert!(err(&yaml).contains("Pod/step: allowed, patched"), "with -o, decisions go to standard error");
    let diff = out(&run(&["review", "-f", "-", "-o", "diff"], &both));
    assert!(
        diff.contains("+    - /orascache/orascache-agent\n") && !diff.contains("OrasCache/demo"),
        "{diff}"
    );
    let removed: Vec<&str> =
        diff.lines().filter(|line| line.starts_with('-') && !line.starts_with("---")).collect();
    assert!(removed.is_empty(), "the patch removes nothing: {removed:?}");
}

#[test]
fn objects_that_are_not_reviewed_are_printed_as_they_are() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n";
    let cron = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: i}]}}}}}\n";
    let yaml = run(&["review", "-o", "yaml"], &format!("{service}---\n{cron}---\n{CACHE}"));
    let stored: Vec<Value> = serde_saphyr::from_multiple(&out(&yaml)).expect("YAML");
    let kinds: Vec<_> = stored.iter().map(|object| &object["kind"]).collect();
    assert_eq!(
        kinds,
        ["Service", "CronJob", "OrasCache"],
        "the pods of a CronJob are not printed in its place"
    );
}

/// A folder with one document of each sort.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("a/cache.yaml", CACHE);
    folder.write("a/step.yaml", &format!("# a comment\n{}", STEP.replace("input-uri:", "input-url:")));
    folder.write("b.yaml", "a: [1,\n");
    folder.write("values.yaml", "replicas: 2\n");
    folder
}

#[test]
fn json_has_decisions_with_file_and_line() {
    let folder = folder();
    let output = run(&["review", "-o", "json", &folder.path()], "");
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let decisions = report["decisions"].as_array().expect("a list");
    let found: Vec<_> = decisions
        .iter()
        .map(|decision| {
            let file =
                decision["file"].as_str().expect("a file").trim_start_matches(&folder.path()).to_owned();
            (file, decision["line"].as_u64(), decision["decision"].as_str().expect("a decision"))
        })
        .collect();
    assert_eq!(
        found,
        [
            ("/a/cache.yaml".to_owned(), Some(1), "allowed"),
            ("/a/step.yaml".to_owned(), Some(2), "refused"),
            ("/b.yaml".to_owned(), Some(1), "unusable"),
            ("/values.yaml".to_owned(), Some(1), "notReviewed"),
        ]
    );
    assert_eq!(decisions[1]["object"], "Pod/step");
    assert!(decisions[1]["message"].as_str().is_some_and(|message| message.contains("input-url is unknown")));
}

#[test]
fn github_and_sarif_name_files_relative_to_the_working_directory() {
    let folder = folder();
    let review = |format: &str| {
        let output = super::orascache()
            .args(["review", "-o", format, &format!("{}/a", folder.path())])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::null())
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        output
    };
    let github = out(&review("github"));
    assert!(github.starts_with("::error file=a/step.yaml,line=2,title=Pod/step is refused::"), "{github}");
    assert!(
        github.lines().skip(1).all(|line| line.starts_with("::warning file=a/step.yaml,line=2,")),
        "{github}"
    );
    let sarif: Value = serde_json::from_slice(&review("sarif").stdout).expect("JSON");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "refused");
    let location = &result["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "a/step.yaml");
    assert_eq!(location["region"]["startLine"], 2);
}
