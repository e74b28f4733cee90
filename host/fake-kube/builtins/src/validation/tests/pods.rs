//! Causes for pods and for the kinds that create them.

use serde_json::{Value, json};

use super::{changed, created};

fn pod(spec: Value) -> Value {
    json!({"spec": spec})
}

fn container(more: Value) -> Value {
    let mut container = json!({"name": "c", "image": "i"});
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    pod(json!({"containers": [container], "volumes": [{"name": "v"}]}))
}

fn workload(more: Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"spec": spec})
}

#[test]
fn containers_are_checked() {
    created("pods", container(json!({})), &[]);
    created("pods", container(json!({"image": ""})), &["spec.containers[0].image: Required value"]);
    created(
        "pods",
        pod(json!({"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]})),
        &["spec.containers[1].name: Duplicate value: \"c\""],
    );
    created(
        "pods",
        container(json!({"volumeMounts": [{"name": "w", "mountPath": "/x"}]})),
        &["spec.containers[0].volumeMounts[0].name: Not found: \"w\""],
    );
    created(
        "pods",
        container(
            json!({"volumeMounts": [{"name": "v", "mountPath": "/x"}, {"name": "v", "mountPath": "/x"}]}),
        ),
        &["spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique"],
    );
    created(
        "pods",
        container(json!({"ports": [{"containerPort": 70000}]})),
        &[
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ],
    );
    created(
        "pods",
        container(
            json!({"env": [{"name": "A", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}),
        ),
        &[
            "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
        ],
    );
    created(
        "pods",
        container(
            json!({"readinessProbe": {}, "livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}}),
        ),
        &[
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
            "spec.containers[0].readinessProbe: Required value: must specify a handler type",
        ],
    );
    created(
        "pods",
        container(json!({"imagePullPolicy": "Sometimes"})),
        &[
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \
           \"IfNotPresent\", \"Never\"",
        ],
    );
    created(
        "pods",
        container(json!({"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1024Mi"}}})),
        &[
            "spec.containers[0].resources.requests: Invalid value: \"2Gi\": must be less than or equal to memory limit \
           of 1Gi",
        ],
    );
}

#[test]
fn pods_are_checked() {
    let with = |field: &str, value: Value| {
        let mut pod = container(json!({}));
        pod["spec"][field] = value;
        pod
    };
    created(
        "pods",
        with("restartPolicy", "Sometimes".into()),
        &[
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\"",
        ],
    );
    created(
        "pods",
        with("volumes", json!([{"name": "v", "secret": {}, "emptyDir": {}}, {"name": "v"}])),
        &[
            "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type",
            "spec.volumes[1].name: Duplicate value: \"v\"",
        ],
    );
    created(
        "pods",
        with("tolerations", json!([{"key": "a", "operator": "Exists", "value": "b"}])),
        &[
            "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
        ],
    );
    changed("pods", container(json!({})), |pod| pod["spec"]["containers"][0]["image"] = "j".into(), &[]);
    changed("pods", container(json!({})), |pod| pod["metadata"]["labels"] = json!({"a": "b"}), &[]);
    changed(
        "pods",
        container(json!({})),
        |pod| pod["spec"]["hostname"] = "h".into(),
        &["spec: Forbidden: pod updates may not change fields other than \
           `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` \
           (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if \
           it was previously negative)"],
    );
}

#[test]
fn workloads_are_checked() {
    for name in ["statefulsets.apps", "deployments.apps", "daemonsets.apps", "replicasets.apps"] {
        created(name, workload(json!({})), &[]);
        created(
            name,
            workload(json!({"selector": {"matchLabels": {"app": "b"}}})),
            &[
                "spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`",
            ],
        );
    }
    created("statefulsets.apps", workload(json!({"selector": null})), &["spec.selector: Required value"]);
    created(
        "statefulsets.apps",
        workload(json!({"replicas": -1})),
        &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    );
    created(
        "deployments.apps",
        workload(json!({"strategy": {"type": "Recreate", "rollingUpdate": {}}})),
        &["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    );
    changed(
        "deployments.apps",
        workload(json!({})),
        |new| {
            new["spec"]["selector"]["matchLabels"]["app"] = "b".into();
            new["spec"]["template"]["metadata"]["labels"]["app"] = "b".into();
        },
        &["spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"b\"}}: field is immutable"],
    );
    changed("statefulsets.apps", workload(json!({})), |new| new["spec"]["replicas"] = 3.into(), &[]);
}

fn job(restart: &str) -> Value {
    let template = json!({"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": restart}});
    json!({"spec": {"template": template}})
}

#[test]
fn jobs_are_checked() {
    created("jobs.batch", job("Never"), &[]);
    created(
        "jobs.batch",
        job("Always"),
        &["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""],
    );
    let with_policy = |restart: &str| {
        let mut job = job(restart);
        job["spec"]["podFailurePolicy"] = json!({"rules": []});
        job
    };
    created("jobs.batch", with_policy("Never"), &[]);
    created(
        "jobs.batch",
        with_policy("OnFailure"),
        &[
            "spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified",
        ],
    );
    changed("jobs.batch", job("Never"), |new| new["spec"]["suspend"] = true.into(), &[]);
    changed(
        "jobs.batch",
        job("Never"),
        |new| new["spec"]["completions"] = 2.into(),
        &["spec.completions: Invalid value: 2: field is immutable"],
    );
    created("cronjobs.batch", json!({"spec": {"schedule": "@daily", "jobTemplate": job("Never")}}), &[]);
    created(
        "cronjobs.batch",
        json!({"spec": {"schedule": "* *", "jobTemplate": job("Never")}}),
        &["spec.schedule: Invalid value: \"* *\": expected exactly 5 fields, found 2: \"* *\""],
    );
}
