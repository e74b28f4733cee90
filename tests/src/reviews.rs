//! Reviews of realistic sizes: of a pod of 4.5 KB as the API server sends it, and of one of 1.7 KB.

use crate::pods::{CACHE, NAMESPACE, PREFIX};
use serde_json::{Value, json};

/// The pod, with everything that a job's controller and the API server add to it.
pub fn pod() -> Value {
    let field = |path: &str| json!({"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
    let mut env: Vec<Value> = (0..8)
        .map(|number| json!({"name": format!("OMP_PARAMETER_{number}"), "value": format!("value-of-parameter-{number}")}))
        .collect();
    for (name, path) in [("NODE_NAME", "spec.nodeName"), ("POD_IP", "status.podIP")] {
        let mut variable = field(path);
        variable["name"] = json!(name);
        env.push(variable);
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": "simulation-7-", "namespace": NAMESPACE, "creationTimestamp": null,
            "labels": {
                "app.kubernetes.io/name": "simulation", "app.kubernetes.io/part-of": "climate-ensemble",
                "batch.kubernetes.io/controller-uid": "2c3f2b1e-5d3a-4a68-9a57-5f8a1f0a7f11",
                "batch.kubernetes.io/job-completion-index": "7", "batch.kubernetes.io/job-name": "simulation",
                "controller-uid": "2c3f2b1e-5d3a-4a68-9a57-5f8a1f0a7f11", "job-name": "simulation",
            },
            "annotations": {
                "batch.kubernetes.io/job-completion-index": "7",
                format!("{PREFIX}oras-cache"): CACHE,
                format!("{PREFIX}input-uri_1"): "climate/forcing:2026-11",
                format!("{PREFIX}input-uri_2"): "climate/grid:t63",
                format!("{PREFIX}input-path"): "/data/in",
                format!("{PREFIX}output-uri"): "climate/run:{index}",
                format!("{PREFIX}output-path"): "/data/out",
            },
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "simulation", "uid": "2c3f2b1e-5d3a-4a68-9a57-5f8a1f0a7f11", "controller": true, "blockOwnerDeletion": true}],
            "finalizers": ["batch.kubernetes.io/job-tracking"],
            "managedFields": [{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": "2026-11-24T12:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {
                "f:metadata": {"f:annotations": {".": {}, "f:batch.kubernetes.io/job-completion-index": {}}, "f:finalizers": {".": {}, "v:\"batch.kubernetes.io/job-tracking\"": {}}, "f:generateName": {}, "f:labels": {".": {}, "f:batch.kubernetes.io/job-name": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"model\"}": {".": {}, "f:command": {}, "f:env": {}, "f:image": {}, "f:name": {}, "f:resources": {}}}, "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:schedulerName": {}},
            }}],
        },
        "spec": {
            "volumes": [
                {"name": "scratch", "emptyDir": {"sizeLimit": "20Gi"}},
                {"name": "configuration", "configMap": {"name": "namelists", "defaultMode": 420}},
                {"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
                ]}},
            ],
            "containers": [{
                "name": "model", "image": "ghcr.io/climate/model:5.2.1", "imagePullPolicy": "IfNotPresent",
                "command": ["mpirun", "-n", "4", "/opt/model/bin/echam6", "--namelist", "/etc/namelists/run.nml"],
                "args": ["--restart", "auto", "--out", "/data/out"],
                "workingDir": "/data", "env": env,
                "resources": {"limits": {"cpu": "4", "memory": "16Gi"}, "requests": {"cpu": "4", "memory": "16Gi"}},
                "volumeMounts": [
                    {"name": "scratch", "mountPath": "/data"},
                    {"name": "configuration", "mountPath": "/etc/namelists", "readOnly": true},
                    {"name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true},
                ],
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "serviceAccount": "default",
            "securityContext": {"runAsUser": 1000, "runAsNonRoot": true, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "hostname": "simulation-7", "schedulerName": "default-scheduler",
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            ],
            "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {},
    })
}

/// A pod as `kubectl apply` makes it, with what the API server adds: 1.7 KB.
pub fn small_pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "count-words", "namespace": NAMESPACE, "creationTimestamp": null,
            "labels": {"app.kubernetes.io/name": "count-words"},
            "annotations": {
                format!("{PREFIX}oras-cache"): CACHE,
                format!("{PREFIX}input-uri"): "corpus/words:2026-11",
                format!("{PREFIX}input-path"): "/data/in",
                format!("{PREFIX}output-uri"): "corpus/counts:2026-11",
                format!("{PREFIX}output-path"): "/data/out",
            },
        },
        "spec": {
            "volumes": [
                {"name": "data", "emptyDir": {}},
                {"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                ]}},
            ],
            "containers": [{
                "name": "count", "image": "docker.io/library/busybox:1.37", "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", "cat /data/in/* | tr -s ' ' '\\n' | sort | uniq -c >/data/out/counts"],
                "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}},
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data"},
                    {"name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true},
                ],
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }],
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "serviceAccount": "default", "securityContext": {},
            "schedulerName": "default-scheduler", "priority": 0, "enableServiceLinks": true,
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            ],
        },
        "status": {},
    })
}

/// The AdmissionReview around a pod.
pub fn review(pod: &Value) -> String {
    let versioned = |name: &str, value: &str| json!({"group": "", "version": "v1", name: value});
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": versioned("kind", "Pod"), "resource": versioned("resource", "pods"),
            "requestKind": versioned("kind", "Pod"), "requestResource": versioned("resource", "pods"),
            "namespace": NAMESPACE, "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:kube-system:job-controller",
                "uid": "f2b0f0d6-94b8-4d2f-9a8d-0f4a4a3f1e22",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
            },
            "object": pod, "oldObject": null, "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    })
    .to_string()
}

/// The AdmissionReview about an update of a Job with a number of annotations of the kind that steps
/// have, in another order than before. 6,800 are as many as a Job can have.
pub fn update_of_annotated_job(number: usize) -> String {
    let job = |numbers: &mut dyn Iterator<Item = usize>| {
        let annotations: Vec<String> = numbers.map(|number| format!("\"{PREFIX}{number}\":\"\"")).collect();
        format!(
            r#"{{"apiVersion":"batch/v1","kind":"Job","metadata":{{"name":"j","annotations":{{{}}}}},"spec":{{"template":{{"spec":{{"containers":[{{"name":"a","command":["sh"]}}]}}}}}}}}"#,
            annotations.join(",")
        )
    };
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"1","operation":"UPDATE","namespace":"{NAMESPACE}","kind":{{"group":"batch","version":"v1","kind":"Job"}},"object":{},"oldObject":{}}}}}"#,
        job(&mut (0..number)),
        job(&mut (0..number).rev())
    )
}
