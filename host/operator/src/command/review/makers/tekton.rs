//! Tasks and Pipelines of Tekton: a step of theirs is a container, and no pod template. Their
//! annotations reach the pods (tektoncd/pipeline, docs/labels.md and pkg/pod/pod.go).

use super::{Made, Maker, path_of};
use serde_json::{Map, Value, json};

/// API group of Tekton's kinds.
pub(super) const GROUP: &str = "tekton.dev";
/// What stands for a command that Tekton finds out: the entrypoint of the image.
const STAND_IN: &str = "x";
/// Fields that a pod template of Tekton shares with a pod.
const POD_FIELDS: [&str; 5] = ["securityContext", "hostNetwork", "dnsPolicy", "dnsConfig", "nodeSelector"];

/// Whether annotations of an object of this kind reach its pods.
pub(super) fn hands_on_annotations(group: &str, kind: &str) -> bool {
    group == GROUP && matches!(kind, "Task" | "TaskRun" | "Pipeline" | "PipelineRun")
}

/// The pods of a Task, a TaskRun, a Pipeline or a PipelineRun, as far as they are written in it.
pub(super) fn pods(maker: &Maker<'_>) -> Vec<Made> {
    match maker.kind {
        "Task" => pod_of_task(maker, "/spec", &[], None).into_iter().collect(),
        "TaskRun" => {
            let template = maker.object.pointer("/spec/podTemplate");
            pod_of_task(maker, "/spec/taskSpec", &[], template).into_iter().collect()
        }
        "Pipeline" => pods_of_tasks(maker, "/spec"),
        _ => pods_of_tasks(maker, "/spec/pipelineSpec"),
    }
}

fn pods_of_tasks(maker: &Maker<'_>, pipeline: &str) -> Vec<Made> {
    let template = maker.object.pointer("/spec/taskRunTemplate/podTemplate");
    let runs = || maker.object.pointer("/spec/taskRunSpecs").and_then(Value::as_array).into_iter().flatten();
    let mut made = Vec::new();
    for list in ["tasks", "finally"] {
        let tasks = maker.object.pointer(&format!("{pipeline}/{list}")).and_then(Value::as_array);
        for (position, task) in tasks.into_iter().flatten().enumerate() {
            let run = runs().find(|run| run.get("pipelineTaskName") == task.get("name"));
            // Those of the run count before those of the PipelineRun, and these before the task's.
            let of_task = annotations(task.get("taskSpec"));
            let of_run = annotations(run);
            let pointer = format!("{pipeline}/{list}/{position}/taskSpec");
            made.extend(pod_of_task(maker, &pointer, &[of_task, of_run], template));
        }
    }
    made
}

fn annotations(owner: Option<&Value>) -> Map<String, Value> {
    let found = owner.and_then(|owner| owner.pointer("/metadata/annotations")).and_then(Value::as_object);
    found.cloned().unwrap_or_default()
}

/// The pod of the task at `pointer`. `around` are annotations that count before and after those of
/// the object itself: less, and more.
fn pod_of_task(
    maker: &Maker<'_>,
    pointer: &str,
    around: &[Map<String, Value>],
    template: Option<&Value>,
) -> Option<Made> {
    let task = maker.object.pointer(pointer)?;
    let steps = task.get("steps")?.as_array()?;
    let defaults = task.get("stepTemplate");
    let mut containers: Vec<Value> =
        steps.iter().enumerate().map(|(position, step)| container(step, defaults, position)).collect();
    for sidecar in task.get("sidecars").and_then(Value::as_array).into_iter().flatten() {
        let mut sidecar = sidecar.clone();
        let name = sidecar.get("name").and_then(Value::as_str).unwrap_or_default();
        sidecar["name"] = format!("sidecar-{name}").into();
        containers.push(sidecar);
    }
    let mut spec = json!({"restartPolicy": "Never", "containers": containers});
    for (field, value) in POD_FIELDS.iter().filter_map(|field| Some((field, template?.get(field)?))) {
        spec[*field] = value.clone();
    }
    let volumes =
        [Some(task), template].into_iter().flatten().filter_map(|owner| owner.get("volumes")?.as_array());
    let volumes: Vec<Value> = volumes.flatten().cloned().collect();
    if !volumes.is_empty() {
        spec["volumes"] = volumes.into();
    }

    let mut all = around.first().cloned().unwrap_or_default();
    all.extend(annotations(Some(maker.object)));
    all.extend(around.get(1).cloned().unwrap_or_default());
    let object = maker.pod(&json!({"metadata": {"annotations": all}, "spec": spec}));
    let there = match maker.kind {
        "Task" | "TaskRun" => "metadata.annotations".to_owned(),
        _ => format!("{}.metadata.annotations", path_of(pointer)),
    };
    Some(Made { pointer: pointer.to_owned(), annotations: there, object, unknown: None })
}

/// The container of a step, with Tekton's program in front of its command.
fn container(step: &Value, defaults: Option<&Value>, position: usize) -> Value {
    let mut made = defaults.and_then(Value::as_object).cloned().unwrap_or_default();
    made.extend(step.as_object().cloned().unwrap_or_default());
    let name = step.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.map_or_else(|| format!("unnamed-{position}"), str::to_owned);
    let words = |field: &str| made.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let (command, arguments) = match made.get("script") {
        Some(_) => (vec![json!(format!("/tekton/scripts/script-{position}"))], Vec::new()),
        None => (words("command"), words("args")),
    };
    let (program, rest) = match command.split_first() {
        Some((program, rest)) => (program.clone(), rest.to_vec()),
        None => (json!(STAND_IN), Vec::new()),
    };
    let flags =
        [json!("-post_file"), json!(format!("/tekton/run/{position}/out")), json!("-entrypoint"), program];
    let args: Vec<Value> = flags.into_iter().chain([json!("--")]).chain(rest).chain(arguments).collect();
    made.retain(|field, _| {
        matches!(
            field.as_str(),
            "image" | "env" | "envFrom" | "workingDir" | "volumeMounts" | "securityContext"
        )
    });
    made.insert("name".to_owned(), format!("step-{name}").into());
    made.insert("command".to_owned(), json!(["/tekton/bin/entrypoint"]));
    made.insert("args".to_owned(), args.into());
    made.insert("terminationMessagePath".to_owned(), json!("/tekton/termination"));
    Value::Object(made)
}
