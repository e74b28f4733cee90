use super::{made_by, path_of, pod_of_job};
use serde_json::{Value, json};

fn template(annotation: &str) -> Value {
    json!({
        "metadata": {"name": "ignored", "labels": {"app": "x"}, "annotations": {"a": annotation}},
        "spec": {"containers": [{"name": "main", "image": "i"}]},
    })
}

fn object(api_version: &str, kind: &str, spec: Value) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "spec": spec,
        "metadata": {"name": "maker", "namespace": "lab", "annotations": {"own": "1"}},
        "status": {"template": template("status")},
    })
}

/// Kind, path, and the annotation of everything that is made.
fn made(object: &Value) -> Vec<String> {
    let describe = |made: super::Made| {
        let annotation = match &made.object["kind"] {
            kind if kind == "Job" => &made.object["spec"]["template"]["metadata"]["annotations"]["a"],
            _ => &made.object["metadata"]["annotations"]["a"],
        };
        assert!(made.object["metadata"]["annotations"].get("own").is_none(), "the maker's own stay there");
        assert_eq!(made.object["metadata"]["namespace"], "lab");
        let kind = made.object["kind"].as_str().unwrap_or_default().to_owned();
        format!("{kind} {} {}", path_of(&made.pointer), annotation.as_str().unwrap_or_default())
    };
    made_by(object).into_iter().map(describe).collect()
}

#[test]
fn pod_templates_are_found_in_objects_of_any_kind() {
    let job = json!({"spec": {"template": template("job")}});
    for (object, wanted) in [
        (object("apps/v1", "Deployment", json!({"template": template("a")})), vec!["Pod spec.template a"]),
        (
            object("v1", "ReplicationController", json!({"template": template("a")})),
            vec!["Pod spec.template a"],
        ),
        (
            object("batch/v1", "CronJob", json!({"schedule": "0 3 * * *", "jobTemplate": job})),
            vec!["Job spec.jobTemplate job"],
        ),
        (
            object(
                "jobset.x-k8s.io/v1alpha2",
                "JobSet",
                json!({"replicatedJobs": [
                    {"name": "one", "template": job}, {"name": "two", "template": job},
                ]}),
            ),
            vec!["Job spec.replicatedJobs[0].template job", "Job spec.replicatedJobs[1].template job"],
        ),
        (
            object(
                "kubeflow.org/v2beta1",
                "MPIJob",
                json!({"mpiReplicaSpecs": {
                    "Launcher": {"template": template("l")}, "Worker": {"template": template("w")},
                }}),
            ),
            vec![
                "Job spec.mpiReplicaSpecs.Launcher.template l",
                "Pod spec.mpiReplicaSpecs.Worker.template w",
            ],
        ),
        (
            object(
                "ray.io/v1",
                "RayCluster",
                json!({
                    "headGroupSpec": {"template": template("h")},
                    "workerGroupSpecs": [{"template": template("w")}],
                }),
            ),
            vec!["Pod spec.headGroupSpec.template h", "Pod spec.workerGroupSpecs[0].template w"],
        ),
        (
            object(
                "example.org/v1",
                "Anything",
                json!({"deep": [{"er/and~er": {"podTemplate": template("x")}}]}),
            ),
            vec!["Pod spec.deep[0].er/and~er.podTemplate x"],
        ),
        // An object within an object is applied as it is.
        (
            object(
                "work.example.org/v1",
                "Work",
                json!({"manifests": [
                    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template("in")}},
                    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {}},
                ]}),
            ),
            vec!["Pod spec.manifests[0].spec.template in"],
        ),
        (object("v1", "Service", json!({"ports": [{"port": 80}]})), vec![]),
        (object("example.org/v1", "Odd", json!({"template": {"spec": {"containers": []}}})), vec![]),
        (object("example.org/v1", "Odd", json!({"template": {"spec": {"containers": ["a"]}}})), vec![]),
        // The schema of a definition speaks of containers and has none.
        (
            object(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                json!({"template": {"spec": {"containers": {"type": "array"}}}}),
            ),
            vec![],
        ),
    ] {
        assert_eq!(made(&object), wanted, "{object}");
    }
    let template = json!({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t", "namespace": "lab"}, "template": template("a")});
    assert_eq!(made(&template), ["Pod template a"]);
}

#[test]
fn pods_look_as_their_maker_makes_them() {
    let set = object("apps/v1", "StatefulSet", json!({"template": template("a")}));
    let pod = &made_by(&set)[0].object;
    assert_eq!(pod["metadata"]["name"], "maker-0");
    assert_eq!(pod["metadata"]["labels"], json!({"app": "x", "apps.kubernetes.io/pod-index": "0"}));
    assert_eq!(pod["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");

    let deployment = object("apps/v1", "Deployment", json!({"template": template("a")}));
    let metadata = &made_by(&deployment)[0].object["metadata"];
    assert_eq!((&metadata["generateName"], metadata.get("name")), (&json!("maker-"), None));

    let mut job = object("batch/v1", "Job", json!({"completionMode": "Indexed", "template": template("a")}));
    let pod = pod_of_job(&job).expect("a pod").object;
    assert_eq!(pod["metadata"]["labels"]["batch.kubernetes.io/job-name"], "maker");
    assert_eq!(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"], "0");
    job["spec"]["completionMode"] = json!("NonIndexed");
    let pod = pod_of_job(&job).expect("a pod").object;
    assert_eq!(pod["metadata"]["annotations"], json!({"a": "a"}));
}

#[test]
fn controllers_that_give_a_command_are_known() {
    let first = |object: Value| made_by(&object).remove(0).object["spec"].clone();
    let ray = object("ray.io/v1", "RayCluster", json!({"headGroupSpec": {"template": template("h")}}));
    assert_eq!(first(ray)["containers"][0]["command"], json!(["/bin/bash", "-c", "--"]));
    let mut kept = template("h");
    kept["metadata"]["annotations"]["ray.io/overwrite-container-cmd"] = json!("true");
    let ray = object("ray.io/v1", "RayCluster", json!({"headGroupSpec": {"template": kept}}));
    assert!(first(ray)["containers"][0].get("command").is_none());

    let worker = |container: Value| {
        let template = json!({"spec": {"containers": [container]}});
        let replicas = json!({"Worker": {"restartPolicy": "ExitCode", "template": template}});
        first(object("kubeflow.org/v2beta1", "MPIJob", json!({"mpiReplicaSpecs": replicas})))
    };
    let spec = worker(json!({"name": "w"}));
    assert_eq!(spec["containers"][0]["command"], json!(["/usr/sbin/sshd", "-De"]));
    assert_eq!(spec["restartPolicy"], "Never");
    assert!(worker(json!({"name": "w", "args": ["x"]}))["containers"][0].get("command").is_none());
}

fn workflow(template: Value) -> Value {
    object(
        "argoproj.io/v1alpha1",
        "Workflow",
        json!({
            "entrypoint": "main",
            "podMetadata": {"annotations": {"oras.converged-computing.github.io/oras-cache": "lab", "a": "one"}},
            "templates": [{"name": "graph", "dag": {"tasks": []}}, template],
        }),
    )
}

#[test]
fn templates_of_argo_become_pods() {
    let workflow_of = |annotations: Value| {
        workflow(json!({
            "name": "step", "metadata": {"annotations": annotations},
            "script": {"image": "i", "command": ["sh"], "source": "date"},
            "sidecars": [{"name": "helper", "image": "h"}],
        }))
    };
    let uri = "oras.converged-computing.github.io/output-uri";
    let made =
        made_by(&workflow_of(json!({"a": "two", uri: "flow/{{workflow.name}}:{{inputs.parameters.tag}}"})));
    assert_eq!(made.len(), 1, "a graph runs no pod");
    assert_eq!(made[0].pointer, "/spec/templates/1");
    assert_eq!(made[0].annotations, "spec.templates[1].metadata.annotations");
    let annotations = &made[0].object["metadata"]["annotations"];
    assert_eq!(annotations["a"], "two", "a template's own value counts");
    assert_eq!(annotations["oras.converged-computing.github.io/oras-cache"], "lab");
    assert_eq!(annotations["kubectl.kubernetes.io/default-container"], "main");
    assert_eq!(annotations[uri], "flow/x:x", "a stand-in for what the workflow knows later");
    let containers = &made[0].object["spec"]["containers"];
    let names: Vec<_> =
        containers.as_array().expect("a list").iter().map(|container| &container["name"]).collect();
    assert_eq!(names, ["wait", "main", "helper"]);
    assert_eq!(containers[1]["command"], json!(["/var/run/argo/argoexec", "emissary", "--", "sh"]));
    assert_eq!(made[0].unknown, None);

    let cache = "oras.converged-computing.github.io/oras-cache";
    let made = made_by(&workflow_of(json!({cache: "{{workflow.parameters.cache}}"})));
    assert!(made[0].unknown.as_ref().is_some_and(|why| why.contains("{{workflow.parameters.cache}}")));

    let set = json!({"name": "set", "containerSet": {"containers": [{"name": "a"}, {"name": "b"}]}});
    let made = made_by(&workflow(set));
    assert_eq!(made[0].object["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"], "b");
    let cron = object(
        "argoproj.io/v1alpha1",
        "CronWorkflow",
        json!({"workflowSpec": {
            "templates": [{"name": "a", "container": {"image": "i"}}],
        }}),
    );
    assert_eq!(made_by(&cron)[0].pointer, "/spec/workflowSpec/templates/0");
}

#[test]
fn a_mini_cluster_is_an_indexed_job() {
    let cluster = object(
        "flux-framework.org/v1alpha2",
        "MiniCluster",
        json!({
            "size": 4,
            "pod": {"annotations": {"a": "flux"}},
            "containers": [{"image": "i", "command": "lmp -in x", "volumes": {"data": {"path": "/data"}}}],
        }),
    );
    assert_eq!(made(&cluster), ["Job spec flux"]);
    let job = &made_by(&cluster)[0].object["spec"];
    assert_eq!((&job["completions"], &job["completionMode"]), (&json!(4), &json!("Indexed")));
    assert_eq!(
        job["template"]["spec"]["containers"],
        json!([{"name": "maker", "image": "i", "command": ["/bin/bash", "/flux_operator/wait-0.sh"]}])
    );
    let several = object(
        "flux-framework.org/v1alpha2",
        "MiniCluster",
        json!({"containers": [
            {"name": "a", "runFlux": true}, {"name": "b", "command": "redis"}, {"name": "c"},
        ]}),
    );
    let containers = made_by(&several)[0].object["spec"]["template"]["spec"]["containers"].clone();
    assert_eq!(containers[1]["command"], json!(["/bin/bash", "/flux_operator/start-1.sh"]));
    assert_eq!((&containers[1]["name"], containers[2].get("command")), (&json!("b"), None));
}

#[test]
fn steps_of_tekton_become_containers_of_one_pod() {
    let uri = "oras.converged-computing.github.io/output-uri";
    let mut run = object(
        "tekton.dev/v1",
        "TaskRun",
        json!({
            "podTemplate": {"hostNetwork": true},
            "taskSpec": {
                "stepTemplate": {"workingDir": "/workspace"},
                "steps": [
                    {"name": "write", "image": "i", "script": "date"},
                    {"image": "i", "command": ["sh", "-c"], "args": ["date"], "workingDir": "/own"},
                    {"image": "i"},
                ],
                "sidecars": [{"name": "helper", "image": "h"}],
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        }),
    );
    run["metadata"]["annotations"][uri] = json!("a/b:1");
    let made = made_by(&run);
    assert_eq!((made.len(), made[0].pointer.as_str()), (1, "/spec/taskSpec"));
    assert_eq!(made[0].annotations, "metadata.annotations");
    assert!(super::hands_on_annotations(&run));
    assert_eq!(made[0].object["metadata"]["annotations"][uri], "a/b:1");
    let spec = &made[0].object["spec"];
    assert_eq!((&spec["hostNetwork"], &spec["volumes"][0]["name"]), (&json!(true), &json!("v")));
    let containers = spec["containers"].as_array().expect("a list");
    let names: Vec<_> = containers.iter().map(|container| &container["name"]).collect();
    assert_eq!(names, ["step-write", "step-unnamed-1", "step-unnamed-2", "sidecar-helper"]);
    let start = |position: usize| {
        let words = containers[position]["args"].as_array().expect("a list");
        words.iter().skip(2).map(|word| word.as_str().expect("a text")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(start(0), "-entrypoint /tekton/scripts/script-0 --");
    assert_eq!(start(1), "-entrypoint sh -- -c date");
    assert_eq!(start(2), "-entrypoint x --", "Tekton finds out what an image starts");
    assert_eq!(
        (&containers[0]["workingDir"], &containers[1]["workingDir"]),
        (&json!("/workspace"), &json!("/own"))
    );

    let by_reference = object("tekton.dev/v1", "TaskRun", json!({"taskRef": {"name": "t"}}));
    assert!(made_by(&by_reference).is_empty(), "the steps are in another object");
}

#[test]
fn annotations_of_a_pipeline_run_reach_its_tasks_unless_a_task_has_its_own() {
    let annotated = |value: &str| json!({"annotations": {"a": value, value: "1"}});
    let steps = json!([{"image": "i", "command": ["date"]}]);
    let mut run = object(
        "tekton.dev/v1",
        "PipelineRun",
        json!({
            "pipelineSpec": {
                "tasks": [
                    {"name": "one", "taskSpec": {"metadata": annotated("task"), "steps": steps}},
                    {"name": "two", "taskSpec": {"steps": steps}},
                    {"name": "three", "taskRef": {"name": "elsewhere"}},
                ],
                "finally": [{"name": "last", "taskSpec": {"steps": steps}}],
            },
            "taskRunSpecs": [{"pipelineTaskName": "two", "metadata": annotated("run")}],
        }),
    );
    run["metadata"]["annotations"] = json!({"a": "pipeline run"});
    let made = made_by(&run);
    let pointers: Vec<_> = made.iter().map(|made| made.pointer.as_str()).collect();
    let tasks = "/spec/pipelineSpec/tasks";
    assert_eq!(
        pointers,
        [
            format!("{tasks}/0/taskSpec"),
            format!("{tasks}/1/taskSpec"),
            "/spec/pipelineSpec/finally/0/taskSpec".to_owned()
        ]
    );
    let annotations: Vec<_> = made.iter().map(|made| &made.object["metadata"]["annotations"]).collect();
    assert_eq!(*annotations[0], json!({"a": "pipeline run", "task": "1"}));
    assert_eq!(*annotations[1], json!({"a": "run", "run": "1"}));
    assert_eq!(*annotations[2], json!({"a": "pipeline run"}));
    assert_eq!(made[0].annotations, "spec.pipelineSpec.tasks[0].taskSpec.metadata.annotations");
}
