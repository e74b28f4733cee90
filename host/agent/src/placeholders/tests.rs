use super::*;
use std::os::unix::ffi::OsStringExt;

const MOST: u64 = 1000;

fn variable(name: &str) -> Option<OsString> {
    match name {
        "ORASCACHE_POD" => Some("words-3-x7k".into()),
        "ORASCACHE_NAMESPACE" => Some("flows".into()),
        "ORASCACHE_INDEX" => Some("3".into()),
        "ORASCACHE_JOB" => Some(OsString::new()),
        _ => None,
    }
}

/// The inputs, as reference and directory.
fn pulls(values: &[&str], path: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let inputs = inputs(&values, path.map(Path::new), MOST, variable)?;
    Ok(inputs
        .into_iter()
        .map(|input| (input.reference.to_string(), input.into.display().to_string()))
        .collect())
}

fn pull(value: &str) -> Result<String, String> {
    pulls(&[value], None).map(|inputs| inputs.into_iter().map(|(reference, _)| reference).collect())
}

fn push(value: &str, path: Option<&str>) -> Result<(String, String), String> {
    let output = output(value, path.map(Path::new), variable)?;
    Ok((output.reference.to_string(), output.path.display().to_string()))
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, two)| ((*one).to_owned(), (*two).to_owned())).collect()
}

#[test]
fn placeholders_are_replaced() {
    assert_eq!(pull("{namespace}/words-{index}:{pod}").as_deref(), Ok("flows/words-3:words-3-x7k"));
    assert_eq!(pull("flow/words").as_deref(), Ok("flow/words:latest"));
}

#[test]
fn values_are_not_searched_for_placeholders_or_ranges() {
    for value in ["{index}", "{0..9}"] {
        let nested = inputs(&["a:{pod}".to_owned()], None, MOST, |_| Some(value.into()));
        let said = nested.unwrap_err();
        assert!(said.contains(&format!("\"a:{value}\" here, but its tag may hold")), "{said}");
    }
}

#[test]
fn errors_say_what_to_write() {
    for (uri, part) in [
        ("a:{jobs}", "{jobs} is no placeholder: write {index}, {pod}, {job} or {namespace}"),
        ("a:{pod", "{pod is no placeholder"),
        ("a:{}", "{} is no placeholder"),
        ("a:{job}", "{job} is not known here, since ORASCACHE_JOB is not set"),
        ("Words", "\"Words\", but its repository may hold"),
        ("{pod}:-1", "\"{pod}:-1\", but its tag may hold"),
        ("a:}", "but its tag may hold"),
        ("", "but its repository may hold"),
        ("https://host/a", "without a host"),
        ("a:{3..1}", "{3..1}"),
        ("a:1,/x", "\",/x\" is unknown: only \",path=\" and a path may stand there"),
        ("a:1,path=", "nothing stands behind \",path=\""),
        (
            "a:1,path=/{rank}",
            "{rank} is no placeholder: write {index}, {pod}, {job}, {namespace}, {repository}",
        ),
        ("a:1,path=/{job}", "{job} is not known here"),
    ] {
        let said = pull(uri).unwrap_err();
        assert!(said.contains(part) && said.starts_with("--input is \""), "{said}");
    }
    let value = |_: &str| Some(OsString::from_vec(vec![b'a', 0xff]));
    let bytes = inputs(&["a:{pod}".to_owned()], None, MOST, value);
    assert!(bytes.unwrap_err().contains("ORASCACHE_POD is not UTF-8"));
}

#[test]
fn a_range_is_many_inputs_in_its_order() {
    let found = pulls(&["a:1", "{namespace}/p:{8..10}", "b:{01..02}"], None).unwrap();
    let names: Vec<&str> = found.iter().map(|(reference, _)| reference.as_str()).collect();
    assert_eq!(names, ["a:1", "flows/p:8", "flows/p:9", "flows/p:10", "b:01", "b:02"]);
    assert!(pulls(&["a:{1..600}", "b:{1..400}"], None).is_ok());
    for huge in [&["a:{1..600}", "b:{1..401}"][..], &["a:{0..999999999999999999}"; 30]] {
        let said = pulls(huge, None).unwrap_err();
        assert!(said.contains("artifacts in all, and 1000 are allowed: write shorter ranges"), "{said}");
    }
}

#[test]
fn an_input_goes_to_its_own_path_or_to_that_of_all() {
    let found =
        pulls(&["a/b:{1..2},path=/in/{repository}/{tag}-{index}", "c", "d:7,path=x, y"], Some("all/{tag}"));
    let wanted =
        [("a/b:1", "/in/a/b/1-3"), ("a/b:2", "/in/a/b/2-3"), ("c:latest", "all/latest"), ("d:7", "x, y")];
    assert_eq!(found.unwrap(), owned(&wanted));
    assert_eq!(pulls(&["c:1"], None).unwrap(), owned(&[("c:1", ".")]));
    let digest = format!("a@sha256:{}", "0".repeat(64));
    let said = pulls(&[&digest], Some("/in/{tag}")).unwrap_err();
    assert!(said.starts_with("--input-path is \"/in/{tag}\", but a@sha256:0"), "{said}");
    assert!(said.contains("has no tag: name it with its tag too"), "{said}");
    let both = format!("a:1@sha256:{}", "0".repeat(64));
    assert_eq!(pulls(&[&both], Some("/in/{tag}")).unwrap().first().unwrap().1, "/in/1");
}

#[test]
fn an_output_has_its_own_path_or_that_of_all() {
    assert_eq!(push("a:{index},path=/out/{pod}", Some("/x")).unwrap().1, "/out/words-3-x7k");
    assert_eq!(push("a:{index}", Some("/x/{index}")), Ok(("a:3".to_owned(), "/x/3".to_owned())));
    for (value, why) in [
        ("a:1", "it has no path: write ,path=<PATH> behind it, or --output-path=<PATH>"),
        ("a:{0..9},path=x", "{0..9}"),
        ("a:1,path={tag}", "{tag} is no placeholder: write {index}, {pod}, {job} or {namespace}"),
    ] {
        let said = push(value, None).unwrap_err();
        assert!(said.contains(why) && said.starts_with("--output is \""), "{said}");
    }
}

#[test]
fn artifacts_without_paths_are_read_alike() {
    let values = ["a:{1..2}".to_owned(), "b:{pod}".to_owned()];
    let found = artifacts_to_pull("--pull", &values, MOST, variable).unwrap();
    let names: Vec<String> = found.iter().map(ArtifactReference::to_string).collect();
    assert_eq!(names, ["a:1", "a:2", "b:words-3-x7k"]);
    let said = artifacts_to_pull("--pull", &["a:1,path=/x".to_owned()], MOST, variable).unwrap_err();
    assert!(said.starts_with("--pull is \"a:1,path=/x\", but its repository may hold"), "{said}");
    assert_eq!(artifact_to_push("--push", "a:{index}", variable).unwrap().to_string(), "a:3");
    assert!(artifact_to_push("--push", "a:{0..9}", variable).unwrap_err().starts_with("--push is"));
}

#[test]
fn placeholders_in_paths_are_replaced() {
    let path = |text: &str| expand_path("--output-path", Path::new(text), variable);
    assert_eq!(path("/x/{pod}/{index}"), Ok(PathBuf::from("/x/words-3-x7k/3")));
    assert_eq!(path("/x/A B:y"), Ok(PathBuf::from("/x/A B:y")));
    for (text, why) in [
        ("/x/{rank}", "--output-path is \"/x/{rank}\", but {rank} is no placeholder: write {index}"),
        ("/x/{job}", "{job} is not known here, since ORASCACHE_JOB is not set"),
    ] {
        let sentence = path(text).unwrap_err();
        assert!(sentence.contains(why), "{sentence}");
    }
    let odd = PathBuf::from(OsString::from_vec(b"/x/\xff".to_vec()));
    assert_eq!(expand_path("--output-path", &odd, variable), Ok(odd.clone()));
    let braces = odd.join("{pod}");
    assert!(expand_path("--output-path", &braces, variable).is_err());
    let input = ["a:1".to_owned()];
    assert_eq!(inputs(&input, Some(&odd), MOST, variable).unwrap().first().unwrap().into, odd);
    assert!(inputs(&input, Some(&braces), MOST, variable).is_err());
}

#[test]
fn errors_show_no_credentials() {
    for said in [
        pull("https://user:secret@host/a").unwrap_err(),
        push("https://user:secret@host/a", Some("x")).unwrap_err(),
        artifact_to_push("--push", "https://user:secret@host/a", variable).unwrap_err(),
    ] {
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn only_an_input_may_have_a_digest() {
    let uri = format!("a@sha256:{}", "0".repeat(64));
    assert_eq!(pull(&uri).as_deref(), Ok(uri.as_str()));
    assert!(push(&uri, Some("x")).unwrap_err().contains("--output"));
}
