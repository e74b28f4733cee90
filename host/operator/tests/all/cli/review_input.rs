//! `orascache review`: what it reads, and what it leaves out.

use super::{CACHE, Folder, STEP, err, out, run};

#[test]
fn review_names_what_is_wrong_with_its_input() {
    for (input, wanted) in [
        ("", "holds nothing"),
        ("a: [", "neither YAML nor JSON"),
        ("metadata: {name: x}", "no apiVersion or no kind"),
        ("apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n", "request is missing"),
    ] {
        let output = run(&["review", "-f", "-"], input);
        assert_eq!(output.status.code(), Some(2), "{input}");
        assert!(err(&output).contains(wanted), "{}", err(&output));
    }
}

#[test]
fn folders_files_and_standard_input_are_read_together() {
    let folder = Folder::new();
    folder.write("caches/deep/cache.yml", CACHE);
    let one = folder.write("one.json", r#"{"apiVersion":"v1","kind":"List","items":[]}"#);
    let two = folder.write("two.yaml", &STEP.replace("name: step", "name: two"));
    let output = run(&["review", &folder.path(), "-f", &one, "--filename", "-", &two], STEP);
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    let decisions = out(&output);
    assert_eq!(decisions.matches("OrasCache/demo: allowed, unchanged").count(), 1, "{decisions}");
    assert_eq!(decisions.matches("Pod/two: allowed, patched").count(), 2, "{decisions}");
    assert!(decisions.ends_with("Pod/step: allowed, patched\n"), "{decisions}");
    assert!(err(&output).contains("4 allowed"), "{}", err(&output));
}

#[test]
fn standard_input_is_read_when_something_is_piped_in() {
    let output = run(&["review"], CACHE);
    assert_eq!(
        (output.status.code(), out(&output)),
        (Some(0), "OrasCache/demo: allowed, unchanged\n".to_owned())
    );
    let output = run(&["review"], "");
    assert_eq!(output.status.code(), Some(2), "a program in front of the pipe may have failed");
    assert!(err(&output).contains("standard input holds nothing"), "{}", err(&output));
}

#[test]
fn a_broken_document_does_not_stop_the_others() {
    let folder = Folder::new();
    let file = folder.write("all.yaml", &format!("{CACHE}---\nspec:\n  a: [1,\n---\n{STEP}"));
    let output = run(&["review", &file], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).contains("all.yaml:9: Pod/step: allowed, patched\n"), "{}", out(&output));
    let errors = err(&output);
    assert!(errors.contains("all.yaml:7: this is neither YAML nor JSON: unclosed bracket"), "{errors}");
    assert!(errors.contains("2 allowed, 1 cannot be used"), "{errors}");
}

#[test]
fn documents_of_other_programs_are_left_out_and_named() {
    let folder = Folder::new();
    folder.write("Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n");
    folder.write("values.yaml", "replicas: 2\n");
    folder.write("templates/pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n");
    folder.write("kustomization.yaml", "resources: [a.yaml]\n");
    folder.write("comments.yaml", "# nothing\n---\n# at all\n");
    folder.write("empty.yaml", "");
    folder.write("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n");
    let output = run(&["review", &folder.path()], "");
    assert_eq!((output.status.code(), out(&output)), (Some(0), String::new()), "{}", err(&output));
    let errors = err(&output);
    for (file, why) in [
        ("Chart.yaml:1", "no Kubernetes object"),
        ("values.yaml:1", "no Kubernetes object"),
        ("templates/pod.yaml:1", "review what `helm template`"),
        ("kustomization.yaml:1", "review what `kubectl kustomize`"),
        ("comments.yaml:1", "nothing but comments"),
        ("empty.yaml:1", "an empty file"),
        ("service.yaml:1: Service/s", "no pod template is found in it"),
    ] {
        let line = errors.lines().find(|line| line.contains(&format!("/{file}: not reviewed: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{file}: {errors}");
    }
    assert!(errors.contains("7 not reviewed"), "{errors}");
}

#[test]
fn a_name_that_stands_for_nothing_is_an_error() {
    let folder = Folder::new();
    for (name, why) in [
        ("/does/not/exist".to_owned(), "/does/not/exist cannot be read"),
        (folder.path(), "holds no file that ends in .yaml"),
    ] {
        let output = run(&["review", &name], "");
        assert_eq!(output.status.code(), Some(2));
        assert!(err(&output).contains(why), "{}", err(&output));
    }
}
