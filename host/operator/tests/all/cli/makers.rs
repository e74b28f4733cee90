//! `orascache review` of objects that make pods.

use super::{CACHE, Folder, err, out, run};

const PREFIX: &str = "oras.converged-computing.github.io";

/// Reviews an object where the cache `demo` exists.
fn review(object: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    let context = folder.write("cache.yaml", CACHE);
    let output = run(&["review", "--context", &context], object);
    (output.status.code(), format!("{}{}", out(&output), err(&output)))
}

/// A pod template, indented by spaces.
fn template(indent: usize, annotation: &str, container: &str) -> String {
    let lines = [
        "metadata:",
        "  annotations:",
        &format!("    {PREFIX}/oras-cache: demo"),
        &format!("    {annotation}"),
        "spec:",
        "  restartPolicy: Never",
        &format!("  containers: [{{name: main, image: alpine, {container}}}]"),
    ];
    lines.iter().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect()
}

const COMMAND: &str = "command: [date]";

#[test]
fn what_the_pods_of_a_maker_would_be_refused_for_is_found() {
    let input = format!("{PREFIX}/input-uri: a/model:1");
    let misspelt = format!("{PREFIX}/inputuri: a/model:1");
    for (head, indent, title) in [
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: m}\nspec:\n  template:\n",
            4,
            "Deployment/m, Pod of spec.template",
        ),
        (
            "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: m}\nspec:\n  template:\n",
            4,
            "DaemonSet/m, Pod of spec.template",
        ),
        (
            "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: m}\nspec:\n  template:\n",
            4,
            "ReplicaSet/m, Pod of spec.template",
        ),
        (
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: m}\nspec:\n  template:\n",
            4,
            "StatefulSet/m, Pod of spec.template",
        ),
        (
            "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: m}\nspec:\n  template:\n",
            4,
            "ReplicationController/m, Pod of spec.template",
        ),
        (
            "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: m}\ntemplate:\n",
            2,
            "PodTemplate/m, Pod of template",
        ),
        (
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: m}\nspec:\n  jobTemplate:\n    spec:\n      template:\n",
            8,
            "CronJob/m, Job of spec.jobTemplate",
        ),
        (
            "apiVersion: jobset.x-k8s.io/v1alpha2\nkind: JobSet\nmetadata: {name: m}\nspec:\n  replicatedJobs:\n  - name: r\n    template:\n      spec:\n        template:\n",
            10,
            "JobSet/m, Job of spec.replicatedJobs[0].template",
        ),
        ("apiVersion: batch/v1\nkind: Job\nmetadata: {name: m}\nspec:\n  template:\n", 4, "Job/m"),
        (
            "apiVersion: kubeflow.org/v1\nkind: PyTorchJob\nmetadata: {name: m}\nspec:\n  pytorchReplicaSpecs:\n    Worker:\n      template:\n",
            8,
            "PyTorchJob/m, Pod of spec.pytorchReplicaSpecs.Worker.template",
        ),
        (
            "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: m}\n  spec: {containers: [{name: a, image: i}]}\n- metadata: {name: m}\n  unused: {}\n",
            2,
            "Pod/m",
        ),
    ] {
        // The last line of a PodList's item is replaced by that of a step.
        let head = head.replace("- metadata: {name: m}\n  unused: {}\n", "-\n");
        let (code, said) = review(&format!("{head}{}", template(indent, &misspelt, COMMAND)));
        assert_eq!(code, Some(1), "{title}: {said}");
        let title = if head.contains("PodList") { "Pod/(without a name)" } else { title };
        assert!(
            said.contains(&format!("{title}: refused (422): {PREFIX}/inputuri is unknown")),
            "{title}: {said}"
        );

        let (code, said) = review(&format!("{head}{}", template(indent, &input, "args: [date]")));
        assert_eq!(code, Some(1), "{title}: {said}");
        assert!(said.contains("command"), "a container without a command: {said}");

        let (code, said) = review(&format!("{head}{}", template(indent, &input, COMMAND)));
        assert_eq!(code, Some(0), "{title}: {said}");
        assert!(said.contains(&format!("{title}: allowed, ")), "{title}: {said}");
    }
}

#[test]
fn annotations_that_reach_no_pod_are_named_with_their_right_place() {
    let cron = format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: nightly\n  annotations:\n    {PREFIX}/oras-cache: demo\n    {PREFIX}/output-uri: a/b:1\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers: [{{name: main, image: alpine, command: [date]}}]\n"
    );
    let (code, said) = review(&cron);
    assert_eq!(code, Some(0), "the API server accepts it: {said}");
    assert!(
        said.contains(
            "warning: the annotations under oras.converged-computing.github.io/ of the CronJob itself do not reach its pods: move oras-cache, output-uri to spec.jobTemplate.metadata.annotations"
        ),
        "{said}"
    );
    // Those of a Job are copied to its pods.
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\n  annotations: {{{PREFIX}/oras-cache: demo, {PREFIX}/input-uri: \"a/b:1\"}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{{name: main, image: alpine, command: [date]}}]\n"
    );
    let (code, said) = review(&job);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Job/j: allowed, patched") && !said.contains("do not reach"), "{said}");
}

#[test]
fn the_number_of_a_pod_is_known_where_its_maker_gives_one() {
    let output = format!("{PREFIX}/output-uri: \"a/b:{{index}}\"\n    {PREFIX}/output-path: /data");
    let of = |head: &str, indent: usize| {
        let annotation = output.replace("\n    ", &format!("\n{}", " ".repeat(indent + 4)));
        review(&format!("{head}{}", template(indent, &annotation, COMMAND)))
    };
    let (code, said) =
        of("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: m}\nspec:\n  template:\n", 4);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) =
        of("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: m}\nspec:\n  template:\n", 4);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("{index}"), "{said}");
    let job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: m}\nspec:\n  jobTemplate:\n    spec:\n      completionMode: Indexed\n      completions: 2\n      template:\n";
    let (code, said) = of(job, 8);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn templates_of_argo_are_reviewed_with_the_containers_that_argo_adds() {
    let workflow = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{generateName: flow-}}\nspec:\n  entrypoint: one\n  podMetadata:\n    annotations: {{{PREFIX}/oras-cache: demo}}\n  templates:\n  - name: one\n    metadata:\n      annotations: {{{PREFIX}/input-uri: \"flow/{{{{workflow.name}}}}:1\"}}\n    container: {{image: alpine}}\n  - name: two\n    metadata:\n      annotations: {{{PREFIX}/input-url: \"a:1\"}}\n    container: {{image: alpine, command: [date]}}\n  - name: three\n    metadata:\n      annotations: {{{PREFIX}/oras-cache: \"{{{{workflow.parameters.cache}}}}\"}}\n    container: {{image: alpine, command: [date]}}\n"
    );
    let (code, said) = review(&workflow);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Workflow/flow-, Pod of spec.templates[0]: allowed, patched"), "{said}");
    assert!(said.contains("Workflow/flow-, Pod of spec.templates[1]: refused (422): "), "{said}");
    assert!(said.contains("Workflow/flow-, Pod of spec.templates[2]: not reviewed: "), "{said}");
}

#[test]
fn a_kind_that_cannot_be_looked_into_is_not_reviewed() {
    let run = format!(
        "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata:\n  name: t\n  annotations: {{{PREFIX}/oras-cache: demo}}\nspec: {{}}\n"
    );
    let (code, said) = review(&run);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("TaskRun/t: not reviewed: no pod template is found in it"), "{said}");
    assert!(
        said.contains("warning: there are annotations under oras.converged-computing.github.io/ in it"),
        "{said}"
    );
}

#[test]
fn steps_of_tekton_are_reviewed_with_the_annotations_that_reach_them() {
    let steps = "steps: [{name: a, image: alpine, script: date}, {name: b, image: alpine, command: [date]}]";
    let run = format!(
        "apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata:\n  name: t\n  annotations:\n    {PREFIX}/oras-cache: demo\n    {PREFIX}/input-uri: a/b:1\n    {PREFIX}/input-path: /workspace\nspec:\n  taskSpec: {{{steps}}}\n"
    );
    let (code, said) = review(&run);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("TaskRun/t, Pod of spec.taskSpec: refused (422)"), "{said}");
    assert!(said.contains("several containers: write one of step-a, step-b"), "{said}");
    let (code, said) = review(&run.replace("spec:", &format!("    {PREFIX}/container: step-b\nspec:")));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("TaskRun/t, Pod of spec.taskSpec: allowed, patched"), "{said}");
    assert!(!said.contains("warning"), "annotations of a TaskRun reach its pod: {said}");
}

#[test]
fn the_workloads_of_the_page_about_engines_are_as_it_says() {
    let page = include_str!("../../../../../docs/workflow-engines.md");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let folder = Folder::new();
    let context = folder.write("cache.yaml", &CACHE.replace("demo", "orascache-sample"));
    let output = run(&["review", "--context", &context], &blocks.join("---\n"));
    let (code, said) = (output.status.code(), format!("{}{}", out(&output), err(&output)));
    assert_eq!(code, Some(0), "{said}");
    for wanted in [
        "Job/patient: allowed, patched",
        "Job/join: allowed, patched",
        "JobSet/train, Job of spec.replicatedJobs[0].template: allowed, patched",
        "Workflow/words-, Pod of spec.templates[1]: allowed, patched",
        "Workflow/words-, Pod of spec.templates[2]: allowed, patched",
        "MutatingAdmissionPolicy/keep-snakemake-results: not reviewed",
        "PipelineRun/words-, Pod of spec.pipelineSpec.tasks[0].taskSpec: allowed, patched",
        "PipelineRun/words-, Pod of spec.pipelineSpec.tasks[1].taskSpec: allowed, patched",
        "MiniCluster/lammps, Job of spec: allowed",
        "MetricSet/lammps-0: not reviewed",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in: {said}");
    }
}
