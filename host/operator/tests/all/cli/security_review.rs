//! `review` and `render` of documents by somebody who is not trusted, as in the pull requests that CI
//! looks at.

use super::{CACHE, Folder, err, out, run};
use serde_json::json;

#[test]
fn a_document_cannot_write_commands_of_a_workflow() {
    let evil = "x\n::error file=a::forged";
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": evil, "annotations": {
            "oras.converged-computing.github.io/oras-cache": evil,
            "oras.converged-computing.github.io/input-uri": evil,
        }},
        "spec": {"containers": [{"name": evil, "command": ["x"]}]},
    });
    let other = json!({"apiVersion": "v1", "kind": format!("Kind{evil}"), "metadata": {"name": evil}});
    let folder = Folder::new();
    folder.write("a.json", &format!("{pod}\n{other}"));
    folder.write("b\n::error file=a::forged.yaml", "a: 1");
    let context = folder.write("caches.yaml", CACHE);
    for format in ["text", "github", "yaml", "diff"] {
        let output = run(&["review", "-o", format, &folder.path(), "--context", &context], "");
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        for line in format!("{}{}", out(&output), err(&output)).lines() {
            assert!(!line.starts_with("::error file=a::forged"), "{format}: {line}");
        }
    }
}

#[test]
fn a_document_cannot_use_up_the_memory() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, below) in ('b'..='i').zip('a'..='h') {
        text.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{below}"); 10].join(", ")));
    }
    let output = run(&["review"], &text);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("this is neither YAML nor JSON"), "{}", err(&output));
}

#[test]
fn rendered_files_stay_in_their_folder() {
    for metadata in ["{name: ../../x}", "{name: x, namespace: ../..}", "{name: x, namespace: /tmp}"] {
        let folder = Folder::new();
        let inner = format!("{}/a/b/out", folder.path());
        let output = run(&["render", "--output-dir", &inner], &CACHE.replace("{name: demo}", metadata));
        assert_ne!(output.status.code(), Some(0), "{metadata}");
        assert_eq!(std::fs::read_dir(&folder.0).expect("a folder").count(), 0, "{metadata}");
    }
}
