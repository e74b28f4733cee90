//! A simulated cluster as a value. What a plan writes is observed next, with the defaults that an
//! API server adds.

use orascache_contract::time::rfc3339;
use orascache_contract::{Failure, Kind, Observed, Plan, Rotation};
use orascache_core::reconcile;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const NOW: u64 = 1_795_521_759;

#[derive(Clone)]
pub struct World {
    pub cache: Value,
    pub children: BTreeMap<String, Value>,
    pub related: Vec<Value>,
    pub omitted: Vec<Kind>,
    pub absent: Vec<Kind>,
    pub failures: Vec<Failure>,
    pub settings: String,
    pub now: u64,
    counter: u64,
}

impl World {
    pub fn new(spec: Value) -> Self {
        let cache = json!({
            "apiVersion": "cache.converged-computing.github.io/v1alpha1",
            "kind": "OrasCache",
            "metadata": {"name": "demo", "namespace": "lab", "uid": "11111111-2222-3333-4444-555555555555", "generation": 1},
            "spec": spec,
        });
        Self {
            cache,
            children: BTreeMap::new(),
            related: Vec::new(),
            omitted: Vec::new(),
            absent: Vec::new(),
            failures: Vec::new(),
            settings: String::new(),
            now: NOW,
            counter: 0,
        }
    }

    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.cache["spec"]);
        let generation = self.cache["metadata"]["generation"].as_i64().unwrap() + 1;
        self.cache["metadata"]["generation"] = generation.into();
    }

    pub fn plan(&self) -> Plan {
        reconcile(&self.observed()).expect("a plan")
    }

    pub fn observed(&self) -> Observed<String> {
        Observed {
            primary: self.cache.to_string(),
            owned: self.children.values().filter(|child| is_owned(child)).map(Value::to_string).collect(),
            related: self
                .related
                .iter()
                .chain(self.children.values().filter(|child| !is_owned(child)))
                .map(Value::to_string)
                .collect(),
            omitted: self.omitted.clone(),
            absent: self.absent.clone(),
            failures: self.failures.clone(),
            settings: self.settings.clone(),
            now: self.now,
            ..Observed::default()
        }
    }

    /// Puts an object into the cluster, as somebody else wrote it.
    pub fn put(&mut self, mut object: Value) {
        add_defaults(&mut object);
        self.store(object);
    }

    /// Carries the plan out, as a host and an API server would.
    pub fn execute(&mut self, plan: &Plan) {
        for generated in &plan.generate {
            let mut secret: Value = serde_json::from_str(&generated.secret).unwrap();
            strip_content(&mut secret);
            self.store(secret);
        }
        for rotation in &plan.rotate {
            self.rotate(rotation);
        }
        for text in &plan.apply {
            let mut object: Value = serde_json::from_str(text).unwrap();
            strip_content(&mut object);
            add_defaults(&mut object);
            self.keep_patched(&mut object);
            self.store(object);
        }
        for planned in &plan.patch {
            let key = format!("{}/{}", planned.target.kind.kind, planned.target.name);
            let mut object = self.children[&key].clone();
            assert_eq!(object["metadata"]["uid"], json!(planned.target.uid));
            let patch: json_patch::Patch = serde_json::from_str(&planned.patch).expect("a patch");
            json_patch::patch(&mut object, &patch).expect("a patch that applies");
            self.store(object);
        }
        for target in &plan.delete {
            let removed = self.children.remove(&format!("{}/{}", target.kind.kind, target.name));
            assert_eq!(removed.expect("only what exists is deleted")["metadata"]["uid"], json!(target.uid));
        }
        if let Some(status) = &plan.status {
            let document: Value = serde_json::from_str(status).unwrap();
            assert_eq!(document["metadata"]["uid"], self.cache["metadata"]["uid"]);
            self.cache["status"] = document["status"].clone();
        }
    }

    /// Changes a generated Secret, unless it is in another state than the one that is named.
    /// Returns whether it was changed.
    pub fn rotate(&mut self, rotation: &Rotation) -> bool {
        let planned: Value = serde_json::from_str(&rotation.secret).unwrap();
        let key = format!("Secret/{}", planned["metadata"]["name"].as_str().unwrap());
        let Some(live) = self.children.get(&key) else { return false };
        let is_known = |member: &str| {
            assert!(planned["metadata"][member].is_string(), "{member} is named");
            live["metadata"][member] == planned["metadata"][member]
        };
        if !is_known("uid") || !is_known("resourceVersion") {
            return false;
        }
        let mut object = live.clone();
        for (name, value) in planned["metadata"]["annotations"].as_object().unwrap() {
            object["metadata"]["annotations"][name] = value.clone();
        }
        self.store(object);
        true
    }

    /// An apply leaves what a patch added.
    fn keep_patched(&self, object: &mut Value) {
        const PATCHED: &str = "cache.converged-computing.github.io/retained";
        let name = object["metadata"]["name"].as_str().unwrap();
        let old = self.children.get(&format!("{}/{name}", object["kind"].as_str().unwrap()));
        if let Some(value) = old.and_then(|old| old["metadata"]["annotations"].get(PATCHED)) {
            object["metadata"]["annotations"][PATCHED] = value.clone();
        }
    }

    fn store(&mut self, mut object: Value) {
        let key =
            format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        self.counter += 1;
        let old = self.children.get(&key);
        if let Some(old) = old {
            assert_changeable(old, &object);
        }
        object["metadata"]["uid"] =
            old.map_or_else(|| json!(format!("uid-{}", self.counter)), |old| old["metadata"]["uid"].clone());
        // As the API server does: a change of the metadata alone is no new generation.
        let generation = old.map_or(0, |old| old["metadata"]["generation"].as_i64().unwrap_or(0));
        let is_edited = old.is_none_or(|old| old["spec"] != object["spec"]);
        object["metadata"]["generation"] = (generation + i64::from(is_edited)).into();
        if object["kind"] == "Secret" {
            let created = old.and_then(|old| old["metadata"]["creationTimestamp"].as_str());
            let created = created.map_or_else(|| rfc3339(self.now), str::to_owned);
            object["metadata"]["creationTimestamp"] = created.into();
            object["metadata"]["resourceVersion"] = self.counter.to_string().into();
        }
        if let Some(status) = old.and_then(|old| old.get("status")) {
            object["status"] = status.clone();
        }
        self.children.insert(key, object);
    }

    /// Adds a run of a CronJob that ended then: its Job and its pod.
    pub fn run_of(&mut self, cron_job: &str, name: &str, ended: u64, message: &str) {
        let owner = &self.children[cron_job]["metadata"]["uid"];
        let uid = json!(format!("{cron_job}-{name}"));
        self.related.push(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {
            "name": format!("{name}-job"), "namespace": "lab", "uid": uid,
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "x", "uid": owner, "controller": true}],
        }}));
        self.related.push(ended_pod(name, &uid, ended, message));
    }

    /// Carries out the first two plans: the registry pods follow their NetworkPolicy.
    pub fn start(&mut self) {
        for _ in 0..2 {
            let plan = self.plan();
            self.execute(&plan);
        }
    }

    /// Makes the pods of the StatefulSet ready.
    pub fn roll_out(&mut self) {
        if let Some(set) = self.children.get_mut("StatefulSet/demo") {
            let replicas = set["spec"]["replicas"].clone();
            set["status"] = json!({
                "observedGeneration": set["metadata"]["generation"], "replicas": replicas,
                "readyReplicas": replicas, "updatedReplicas": replicas,
            });
        }
    }

    /// Carries plans out until they are empty. Returns how many were not.
    pub fn settle(&mut self) -> usize {
        for rounds in 0..8 {
            self.roll_out();
            let plan = self.plan();
            if is_settled(&plan) {
                return rounds;
            }
            self.execute(&plan);
        }
        panic!("no fixpoint: {:#?}", self.plan());
    }

    pub fn condition(&self, kind: &str) -> Value {
        let conditions = self.cache["status"]["conditions"].as_array().expect("conditions");
        conditions.iter().find(|condition| condition["type"] == kind).expect(kind).clone()
    }
}

/// Whether a plan writes nothing. It may name a time.
pub fn is_settled(plan: &Plan) -> bool {
    Plan { requeue_after: None, ..plan.clone() }.is_empty()
}

/// Whether a child is handed over as one: a volume claim that nothing controls is a related object.
fn is_owned(object: &Value) -> bool {
    object["kind"] != "PersistentVolumeClaim"
        || object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty())
}

/// An API server refuses other values of these fields.
fn assert_changeable(old: &Value, new: &Value) {
    let fixed: &[&str] = match old["kind"].as_str().unwrap() {
        "StatefulSet" => &["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"],
        "Service" => &["clusterIP"],
        "PersistentVolumeClaim" => &["accessModes", "storageClassName", "volumeMode"],
        _ => &[],
    };
    for field in fixed {
        assert_eq!(old["spec"][field], new["spec"][field], "{field} of {} cannot change", old["kind"]);
    }
}

/// Secrets are observed as metadata only.
fn strip_content(object: &mut Value) {
    if object["kind"] == "Secret" {
        let map = object.as_object_mut().unwrap();
        map.remove("data");
        map.remove("type");
    }
}

pub fn add_defaults(object: &mut Value) {
    match object["kind"].as_str().unwrap() {
        "StatefulSet" => {
            let spec = &mut object["spec"];
            spec["revisionHistoryLimit"] = 10.into();
            spec["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
            let pod = &mut spec["template"]["spec"];
            pod["restartPolicy"] = "Always".into();
            pod["dnsPolicy"] = "ClusterFirst".into();
            let container = &mut pod["containers"][0];
            container["terminationMessagePath"] = "/dev/termination-log".into();
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                container[probe]["successThreshold"] = 1.into();
                let scheme = &mut container[probe]["httpGet"]["scheme"];
                if scheme.is_null() {
                    *scheme = "HTTP".into();
                }
            }
            // Quantities come back in canonical form.
            if container["resources"]["requests"]["cpu"] == "1000m" {
                container["resources"]["requests"]["cpu"] = "1".into();
                container["resources"]["requests"]["memory"] = "1Gi".into();
            }
        }
        "Service" => add_service_defaults(&mut object["spec"]),
        "PersistentVolumeClaim" => {
            object["spec"]["volumeMode"] = "Filesystem".into();
            object["spec"]["volumeName"] = "pv-1".into();
            if object["spec"]["resources"]["requests"]["storage"] == "1024Mi" {
                object["spec"]["resources"]["requests"]["storage"] = "1Gi".into();
            }
        }
        _ => {}
    }
}

fn add_service_defaults(spec: &mut Value) {
    if spec["clusterIP"] == "None" {
        spec["type"] = "ClusterIP".into();
    } else {
        spec["clusterIP"] = "10.96.0.7".into();
    }
    spec["clusterIPs"] = json!([spec["clusterIP"]]);
    if spec["type"] != "ClusterIP" {
        for port in spec["ports"].as_array_mut().unwrap() {
            let chosen = port.get("nodePort").cloned();
            port["nodePort"] = chosen.unwrap_or_else(|| 30_001.into());
        }
        if spec.get("externalTrafficPolicy").is_none() {
            spec["externalTrafficPolicy"] = "Cluster".into();
        }
    }
}

pub fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "lab", "uid": "s"}})
}

/// A pod of a Job whose container has ended with success then.
pub fn ended_pod(name: &str, job_uid: &Value, ended: u64, message: &str) -> Value {
    let terminated =
        json!({"exitCode": 0, "finishedAt": orascache_contract::time::rfc3339(ended), "message": message});
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{name}-pod"), "namespace": "lab", "uid": format!("{name}-pod"),
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": job_uid, "controller": true}],
        },
        "status": {"phase": "Succeeded", "containerStatuses": [{"name": "agent", "state": {"terminated": terminated}}]}})
}

pub fn claim(name: &str, mode: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "lab", "uid": "c"},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}})
}
