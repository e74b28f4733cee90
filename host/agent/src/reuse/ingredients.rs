//! The document of a step: what determines its outputs, as far as the agent can see it.

use super::document::{FORMAT, KeyDocument, KeyFile, KeyInput, NamedVariable};
use crate::checked::CheckedStep;
use crate::step_args::{CompressionMethod, InputConflicts};
use oci_registry_client::Digest;
use orascache_api::steps::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Variable with the index of a pod, which Kubernetes itself sets in the pods of indexed Jobs
/// (kubernetes.io/docs/concepts/workloads/controllers/job, "Completion mode").
const JOB_COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";
/// How the source of a variable begins that is a text with other variables.
const VALUE_SOURCE: &str = "value/";
/// How a text begins that stands for bytes which are no text.
const BYTES: &str = "bytes:";

/// The document of a step. `manifests` are the digests of the inputs' manifests, in order; `files`
/// the files whose content counts; `directory` the working directory; `variable` the environment.
pub fn document(
    step: &CheckedStep<'_>,
    manifests: &[Digest],
    files: Vec<KeyFile>,
    directory: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
) -> KeyDocument {
    let args = step.args;
    let inputs = step.inputs.iter().zip(manifests);
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let index = set(env::INDEX).or_else(|| set(JOB_COMPLETION_INDEX));
    let variables = args.reuse.variables.iter();
    KeyDocument {
        format: FORMAT,
        image: args.reuse.image.clone(),
        command: args.words.iter().map(|word| digest(word)).collect(),
        directory: text(directory.as_os_str()),
        inputs: inputs
            .map(|(input, digest)| KeyInput {
                path: text(input.into.as_os_str()),
                digest: digest.to_string(),
            })
            .collect(),
        input_conflicts: match args.input_conflicts {
            InputConflicts::Refuse => "refuse",
            InputConflicts::LastWins => "last-wins",
        }
        .to_owned(),
        outputs: step.outputs.iter().map(|output| text(output.path.as_os_str())).collect(),
        output: 0,
        output_pipe: step.output_pipe.as_ref().map(|path| text(path.as_os_str())),
        unpack: args.unpack,
        compression: match args.compression {
            CompressionMethod::Gzip => None,
            CompressionMethod::Zstd => Some("zstd".to_owned()),
        },
        index: index.map(|index| text(&index)),
        variables: variables.map(|name| (name.clone(), variable(name).map(|value| digest(&value)))).collect(),
        named_variables: args.reuse.named_variables.iter().map(named).collect(),
        salt: args.reuse.salt.as_ref().map(|salt| digest(OsStr::new(salt))),
        files,
    }
}

/// A variable that counts by its source. A source that is a text may hold a part of a secret, so
/// that its digest is kept instead.
fn named((name, source): &(String, String)) -> NamedVariable {
    let source = match source.strip_prefix(VALUE_SOURCE) {
        Some(text) => format!("{VALUE_SOURCE}{}", digest(OsStr::new(text))),
        None => source.clone(),
    };
    NamedVariable { name: name.clone(), source }
}

fn digest(value: &OsStr) -> String {
    Digest::of(value.as_bytes()).to_string()
}

/// Bytes as text. Different bytes have different texts.
pub(super) fn text(bytes: &OsStr) -> String {
    match bytes.to_str() {
        Some(text) if !text.starts_with(BYTES) => text.to_owned(),
        _ => bytes.as_bytes().iter().fold(BYTES.to_owned(), |all, byte| format!("{all}{byte:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step_args::StepArgs;
    use std::path::PathBuf;

    const FLAGS: [&str; 13] = [
        "--registry=http://a:5000",
        "--input=a:1,path=in",
        "--input=b:1",
        "--output=out:1,path=out",
        "--output=log:1,path=log",
        "--output-pipe=pipe",
        "--reuse=true",
        "--reuse-image=busybox:1",
        "--reuse-salt=salt",
        "--reuse-variable=SEED",
        "--reuse-variable=MISSING",
        "--reuse-named-variable=TOKEN=secret/s/k",
        "--reuse-named-variable=URL=value/http://$(TOKEN)",
    ];
    const WORDS: [&str; 2] = ["sh", "run"];

    /// A step, and everything around it that can change.
    #[derive(Clone)]
    struct Case {
        flags: Vec<String>,
        words: Vec<String>,
        manifests: Vec<Digest>,
        files: Vec<KeyFile>,
        directory: PathBuf,
        variables: Vec<(&'static str, &'static str)>,
    }

    fn case() -> Case {
        Case {
            flags: FLAGS.map(str::to_owned).to_vec(),
            words: WORDS.map(str::to_owned).to_vec(),
            manifests: vec![Digest::of(b"a"), Digest::of(b"b")],
            files: vec![KeyFile { path: "/run.sh".to_owned(), digest: "sha256:1".to_owned() }],
            directory: PathBuf::from("/work"),
            variables: vec![("SEED", "7"), ("TOKEN", "hunter2"), ("OTHER", "x")],
        }
    }

    fn parse(case: &Case) -> StepArgs {
        let words = case.flags.iter().cloned().chain(["--".to_owned()]).chain(case.words.iter().cloned());
        StepArgs::read(words.map(OsString::from)).unwrap()
    }

    fn document_of(case: &Case) -> KeyDocument {
        let args = parse(case);
        let variable = |name: &str| {
            let found = case.variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let step = CheckedStep::new(&args, variable).unwrap();
        document(&step, &case.manifests, case.files.clone(), &case.directory, variable)
    }

    fn changed(change: impl FnOnce(&mut Case)) -> Case {
        let mut case = case();
        change(&mut case);
        case
    }

    /// The case with a flag in place of another one, or behind all others.
    fn flag(old: &str, new: &str) -> Case {
        changed(|case| match case.flags.iter_mut().find(|flag| flag.as_str() == old) {
            Some(flag) => *flag = new.to_owned(),
            None => {
                assert_eq!(old, "", "{old} is no flag of the case");
                case.flags.push(new.to_owned());
            }
        })
    }

    #[test]
    fn every_ingredient_changes_the_key() {
        let variable = |name, value| changed(|case| case.variables.push((name, value)));
        let seed = |value| changed(|case| case.variables[0] = ("SEED", value));
        let cases = [
            ("image", flag("--reuse-image=busybox:1", "--reuse-image=busybox:2")),
            ("no image", changed(|case| case.flags.retain(|flag| !flag.starts_with("--reuse-image")))),
            ("argument", changed(|case| case.words[1] = "ran".to_owned())),
            ("command", changed(|case| case.words[0] = "bash".to_owned())),
            ("more arguments", changed(|case| case.words.push(String::new()))),
            ("arguments parted differently", changed(|case| case.words = vec!["shrun".to_owned()])),
            ("working directory", changed(|case| case.directory = PathBuf::from("/other"))),
            ("manifest", changed(|case| case.manifests[1] = Digest::of(b"c"))),
            ("order of inputs", changed(|case| case.manifests.reverse())),
            ("path of an input", flag("--input=a:1,path=in", "--input=a:1,path=into")),
            ("path of all inputs", flag("", "--input-path=all")),
            ("conflicts", flag("", "--input-conflicts=last-wins")),
            ("path of an output", flag("--output=log:1,path=log", "--output=log:1,path=logs")),
            ("another output", flag("", "--output=more:1,path=more")),
            ("output pipe", flag("--output-pipe=pipe", "--output-pipe=pipes")),
            ("unpack", flag("", "--unpack=false")),
            ("compression", flag("", "--compression=zstd")),
            ("value of a variable", seed("8")),
            ("empty variable", seed("")),
            ("variable that was not set", variable("MISSING", "")),
            ("name of a variable", flag("--reuse-variable=SEED", "--reuse-variable=OTHER")),
            ("source of a variable", flag(FLAGS[11], "--reuse-named-variable=TOKEN=secret/s/l")),
            ("text with a variable", flag(FLAGS[12], "--reuse-named-variable=URL=value/https://$(TOKEN)")),
            ("salt", flag("--reuse-salt=salt", "--reuse-salt=pepper")),
            ("content of a file", changed(|case| case.files[0].digest = "sha256:2".to_owned())),
            ("path of a file", changed(|case| case.files[0].path = "/ran.sh".to_owned())),
            ("index", variable("ORASCACHE_INDEX", "3")),
            ("index of an indexed Job", variable("JOB_COMPLETION_INDEX", "3")),
            ("variable with the name of another one", flag("", "--reuse-variable=OTHER")),
        ];
        let base = document_of(&case());
        let mut keys = vec![base.key(0).text().to_owned(), base.key(1).text().to_owned()];
        for (name, case) in &cases {
            let key = document_of(case).key(0).text().to_owned();
            assert!(!keys.contains(&key) || name.starts_with("index of"), "{name}");
            assert_ne!(key, keys[0], "{name}");
            keys.push(key);
        }
    }

    #[test]
    fn nothing_else_changes_the_key() {
        let cases = [
            ("name of an input", flag("--input=b:1", "--input=other/b:2")),
            ("name of an output", flag("--output=out:1,path=out", "--output=other/out:2,path=out")),
            ("registry", flag("--registry=http://a:5000", "--registry=https://b")),
            ("proxy", flag("", "--proxy=/orascache/proxy.sock")),
            ("the compression of old", flag("", "--compression=gzip")),
            ("waiting", flag("", "--input-wait=60")),
            ("patience", flag("", "--patience=7")),
            ("log", flag("", "--debug=true")),
            ("termination message", flag("", "--termination-message=/message")),
            ("metrics", flag("", "--metrics-file=/metrics.prom")),
            ("value that counts by its source", changed(|case| case.variables[1] = ("TOKEN", "other"))),
            ("variable that is not declared", changed(|case| case.variables[2] = ("OTHER", "y"))),
            ("name of the pod", changed(|case| case.variables.push(("ORASCACHE_POD", "words-2")))),
            ("order of variables", changed(|case| case.flags.swap(9, 10))),
        ];
        let wanted = document_of(&case()).key(0);
        for (name, case) in cases {
            assert_eq!(document_of(&case).key(0), wanted, "{name}");
        }
    }

    /// Security: others can read the document in the registry.
    #[test]
    fn security_the_document_holds_no_values() {
        let case = changed(|case| {
            case.variables[0] = ("SEED", "hunter2");
            case.words.push("hunter2".to_owned());
            case.flags[8] = "--reuse-salt=hunter2".to_owned();
            case.flags.push("--reuse-named-variable=MIXED=value/hunter2:$(TOKEN)".to_owned());
        });
        let document = document_of(&case);
        let shown = format!("{}{:?}", String::from_utf8(document.key(0).document).unwrap(), document.parts());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("SEED") && shown.contains("secret/s/k"), "{shown}");
    }

    #[test]
    fn bytes_that_are_no_text_stay_different() {
        let odd = |bytes: &[u8]| text(OsStr::from_bytes(bytes));
        assert_eq!((odd(b"a"), odd(b"a\xff")), ("a".to_owned(), "bytes:61ff".to_owned()));
        assert_ne!(odd(b"bytes:61ff"), odd(b"a\xff"));
    }
}
