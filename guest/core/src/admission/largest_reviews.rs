//! Reviews of the largest objects that etcd takes: one for each place where users write lists. Tests
//! count what they cost, and a benchmark measures it.

use super::size::MAX_VALUES;
use crate::json::Json;

const PREFIX: &str = "oras.converged-computing.github.io/";
/// Bytes of the largest object that etcd takes by default (etcd.io/docs, `--max-request-bytes`).
pub const LARGEST: usize = 3 * 512 * 1024;
/// The cache that the reviews are about.
pub const CACHE: &str = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{"name":"shared","namespace":"lab"}}"#;

/// A list of `number` items or members.
fn list(number: usize, item: &dyn Fn(usize) -> String) -> String {
    (0..number).map(item).collect::<Vec<_>>().join(",")
}

/// Annotations of a step that is complete, and those of the place.
fn asking(annotations: &str) -> String {
    let comma = if annotations.is_empty() { "" } else { "," };
    format!(
        r#""annotations":{{"{PREFIX}oras-cache":"shared","{PREFIX}input-uri":"a:1","{PREFIX}registry":"ghcr.io","{PREFIX}oras-env":"mine"{comma}{annotations}}}"#
    )
}

fn wrap(kind: &str, object: &str, old: Option<&str>) -> String {
    let group = match kind {
        "Job" => "batch",
        "OrasCache" => "cache.converged-computing.github.io",
        _ => "",
    };
    let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
    let old = old.unwrap_or("null");
    format!(
        r#"{{"request":{{"uid":"u","operation":"{operation}","namespace":"lab","kind":{{"group":"{group}","kind":"{kind}"}},"object":{object},"oldObject":{old}}}}}"#
    )
}

/// A pod with additions to its metadata, its spec and its first container.
fn pod(annotations: &str, labels: &str, spec: &str, container: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"p",{},"labels":{{{labels}}}}},"spec":{{{spec}"containers":[{{"name":"main","command":["sh"]{container}}}]}}}}"#,
        asking(annotations)
    )
}

const MARKER: &str = r#""cache.converged-computing.github.io/injected":"v1""#;
const WRAPPED: &str = r#"["/orascache/orascache-agent","exec","--registry=https://ghcr.io","--","sh"]"#;

/// A pod that was rewritten.
fn rewritten(spec: &str, more_containers: &str, container: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"p",{}}},"spec":{{{spec}"containers":[{{"name":"main","command":{WRAPPED}{container}}}{more_containers}]}}}}"#,
        asking(MARKER)
    )
}

fn job(own: &str, template: &str, is_suspended: bool) -> String {
    format!(
        r#"{{"metadata":{{"name":"j","annotations":{{{own}}}}},"spec":{{"suspend":{is_suspended},"template":{{"metadata":{{"annotations":{{{template}}}}},"spec":{{"containers":[{{"name":"main","command":["sh"]}}]}}}}}}}}"#
    )
}

fn step_annotations(number: usize) -> String {
    list(number, &|index| format!(r#""{PREFIX}{index}":"""#))
}

fn reversed(number: usize) -> String {
    list(number, &|index| format!(r#""{PREFIX}{}":"""#, number - 1 - index))
}

/// Annotations of others around a number of inputs that is still reviewed.
fn inputs_among_others(number: usize) -> String {
    let inputs = list(200, &|index| format!(r#""{PREFIX}input-uri_{index}":"a:1""#));
    format!(
        r#"{},{inputs},"{PREFIX}oras-cache":"shared""#,
        list(number, &|index| format!(r#""x/{index}":"""#))
    )
}

/// A cache with additions to its metadata and its spec.
fn cache(metadata: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{{"name":"c"{metadata}}},"spec":{{{spec}}}}}"#
    )
}

/// A place for a list: its name, and a review with a list of that length there.
pub type PlaceForList = (&'static str, fn(usize) -> String);

/// All places where users write lists into objects that are reviewed.
pub fn places() -> Vec<PlaceForList> {
    vec![
        ("annotations", |n| wrap("Pod", &pod(&list(n, &|i| format!(r#""x{i}":"""#)), "", "", ""), None)),
        ("step annotations", |n| wrap("Pod", &pod(&step_annotations(n), "", "", ""), None)),
        ("labels", |n| {
            let asks = format!(r#""{PREFIX}input-uri_1":"a:{{job}}-{{index}}""#);
            wrap("Pod", &pod(&asks, &list(n, &|i| format!(r#""x{i}":"""#)), "", ""), None)
        }),
        ("volumes", |n| {
            let volumes = list(n, &|i| format!(r#"{{"name":"v{i}"}}"#));
            wrap("Pod", &pod("", "", &format!(r#""volumes":[{volumes}],"#), ""), None)
        }),
        ("volumes named like ours", |n| {
            let volumes = list(n, &|_| r#"{"name":"orascache-agent"}"#.to_owned());
            wrap("Pod", &pod("", "", &format!(r#""volumes":[{volumes}],"#), ""), None)
        }),
        ("init containers", |n| {
            let containers = list(n, &|i| format!(r#"{{"name":"c{i}"}}"#));
            wrap("Pod", &pod("", "", &format!(r#""initContainers":[{containers}],"#), ""), None)
        }),
        ("search domains", |n| {
            let short = format!(r#""{PREFIX}registry":"http://shared:5000""#);
            let searches = list(n, &|i| format!(r#""example{i}.svc.org""#));
            let spec = format!(r#""dnsConfig":{{"searches":[{searches}]}},"#);
            wrap("Pod", &pod(&short, "", &spec, ""), None)
        }),
        ("variables", |n| {
            let env = list(n, &|i| format!(r#"{{"name":"E{i}"}}"#));
            wrap("Pod", &pod("", "", "", &format!(r#","env":[{env}]"#)), None)
        }),
        ("variables named like ours", |n| {
            let env = list(n, &|_| r#"{"name":"ORASCACHE_POD"}"#.to_owned());
            wrap("Pod", &pod("", "", "", &format!(r#","env":[{env}]"#)), None)
        }),
        ("variables that count for reuse", |n| {
            let env = list(n, &|i| format!(r#"{{"name":"E{i}","value":"$(E{}) $$(X)"}}"#, i / 2));
            let secrets = list(n, &|i| format!(r#"{{"prefix":"P{i}","secretRef":{{"name":"s"}}}}"#));
            let reuse =
                format!(r#""{PREFIX}output-uri":"b:1","{PREFIX}output-path":"/b","{PREFIX}reuse":"true""#);
            wrap("Pod", &pod(&reuse, "", "", &format!(r#","env":[{env}],"envFrom":[{secrets}]"#)), None)
        }),
        ("files that count for reuse", |n| {
            let files = list(n, &|i| format!("/{i}"));
            let reuse = format!(
                r#""{PREFIX}output-uri":"b:1","{PREFIX}output-path":"/b","{PREFIX}reuse":"true","{PREFIX}reuse-files":"{files}""#
            );
            wrap("Pod", &pod(&reuse, "", "", ""), None)
        }),
        ("near misses", |n| {
            let keys = list(n, &|i| format!(r#""oras.converged-computing.gihub.io/x{i}":"""#));
            wrap("Pod", &pod(&keys, &keys, "", ""), None)
        }),
        ("near misses of a Job", |n| {
            let keys = list(n, &|i| format!(r#""oras.converged-computing.gihub.io/x{i}":"""#));
            wrap("Job", &job(&keys, &keys, false), None)
        }),
        ("mounts", |n| {
            let mounts = list(n, &|i| format!(r#"{{"name":"v{i}","mountPath":"/m{i}"}}"#));
            wrap("Pod", &pod("", "", "", &format!(r#","volumeMounts":[{mounts}]"#)), None)
        }),
        ("words", |n| {
            wrap(
                "Pod",
                &pod("", "", "", &format!(r#","args":[{}]"#, list(n, &|_| r#""x""#.to_owned()))),
                None,
            )
        }),
        ("limits", |n| {
            let limits = list(n, &|i| format!(r#""x{i}":1"#));
            wrap("Pod", &pod("", "", "", &format!(r#","resources":{{"limits":{{{limits}}}}}"#)), None)
        }),
        ("unknown members", |n| {
            wrap("Pod", &pod("", "", "", &format!(",{}", list(n, &|i| format!(r#""x{i}":1"#)))), None)
        }),
        ("containers", |n| {
            let others = list(n, &|i| format!(r#"{{"name":"c{i}","command":["sh"]}}"#));
            let asked = asking(&format!(r#""{PREFIX}container":"c1""#));
            wrap("Pod", &format!(r#"{{"metadata":{{{asked}}},"spec":{{"containers":[{others}]}}}}"#), None)
        }),
        ("containers of a rewritten pod", |n| {
            let others = list(n, &|i| format!(r#"{{"name":"c{i}","command":{WRAPPED}}}"#));
            wrap("Pod", &rewritten("", &format!(",{others}"), ""), None)
        }),
        ("proxies of a rewritten pod", |n| {
            let proxies = list(n, &|_| r#"{"name":"oras","volumeMounts":[{"name":"v"}]}"#.to_owned());
            let volumes = list(n, &|i| format!(r#"{{"name":"v{i}"}}"#));
            let spec = format!(r#""initContainers":[{proxies}],"volumes":[{volumes}],"#);
            wrap("Pod", &rewritten(&spec, "", ""), None)
        }),
        ("mounts and volumes of a proxy", |n| {
            let mounts = list(n, &|i| format!(r#"{{"name":"v{i}"}}"#));
            let spec = format!(
                r#""initContainers":[{{"name":"oras","volumeMounts":[{mounts}]}}],"volumes":[{mounts}],"#
            );
            wrap("Pod", &rewritten(&spec, "", ""), None)
        }),
        ("variables of a proxy", |n| {
            let env = list(n, &|i| format!(r#"{{"name":"AWS_{i}"}}"#));
            let spec = format!(r#""initContainers":[{{"name":"oras","env":[{env}]}}],"#);
            wrap("Pod", &rewritten(&spec, "", ""), None)
        }),
        ("sources of credentials", |n| {
            let sources = list(n, &|_| r#"{"secret":{}}"#.to_owned());
            let spec = format!(
                r#""volumes":[{{"name":"orascache-credentials","projected":{{"sources":[{sources}]}}}}],"#
            );
            wrap("Pod", &rewritten(&spec, "", ""), None)
        }),
        ("variables of a rewritten step", |n| {
            let env = list(n, &|i| format!(r#"{{"name":"E{i}"}}"#));
            wrap("Pod", &rewritten("", "", &format!(r#","env":[{env}]"#)), None)
        }),
        ("updated proxies", |n| {
            let proxies = |image: &str| list(n, &|i| format!(r#"{{"name":"oras","image":"{image}{i}"}}"#));
            let with = |image: &str| rewritten(&format!(r#""initContainers":[{}],"#, proxies(image)), "", "");
            wrap("Pod", &with("a"), Some(&with("b")))
        }),
        ("ephemeral containers", |n| {
            let containers = |name: &str| list(n, &|i| format!(r#"{{"name":"{name}{i}"}}"#));
            let with = |name: &str| {
                let volumes = r#""volumes":[{"name":"orascache-credentials"}]"#;
                let spec = format!(r#"{volumes},"ephemeralContainers":[{}],"#, containers(name));
                pod("", "", &spec, "")
            };
            let review = wrap("Pod", &with("a"), Some(&with("b")));
            review.replacen(r#""uid":"u""#, r#""uid":"u","subResource":"ephemeralcontainers""#, 1)
        }),
        ("updated containers", |n| {
            let others =
                list(n, &|i| format!(r#",{{"name":"c{i}","command":{WRAPPED}}}"#)).replace(",,", ",");
            let pod = rewritten("", &others, "");
            wrap("Pod", &pod, Some(&pod))
        }),
        ("updated variables named like ours", |n| {
            let env = list(n, &|_| r#"{"name":"ORASCACHE_POD"}"#.to_owned());
            let others = list(n, &|i| format!(r#"{{"name":"E{i}"}}"#));
            let with = |env: &str| rewritten("", "", &format!(r#","env":[{env}]"#));
            wrap("Pod", &with(&others), Some(&with(&env)))
        }),
        ("updated volumes", |n| {
            let volumes = |name: &str| list(n, &|i| format!(r#"{{"name":"{name}{i}"}}"#));
            let with = |name: &str| rewritten(&format!(r#""volumes":[{}],"#, volumes(name)), "", "");
            wrap("Pod", &with("v"), Some(&with("w")))
        }),
        ("labels of a cache", |n| {
            let labels = list(n, &|i| format!(r#""x{i}":"""#));
            wrap("OrasCache", &cache(&format!(r#","labels":{{{labels}}}"#), ""), None)
        }),
        ("resources of a cache", |n| {
            let amounts = list(n, &|i| format!(r#""x/{i}":1"#));
            let spec = format!(r#""resources":{{"requests":{{{amounts}}},"limits":{{{amounts}}}}}"#);
            wrap("OrasCache", &cache("", &spec), None)
        }),
        ("nodes of a cache", |n| {
            let labels = list(n, &|i| format!(r#""x{i}":"""#));
            wrap("OrasCache", &cache("", &format!(r#""nodeSelector":{{{labels}}}"#)), None)
        }),
        ("tolerations of a cache", |n| {
            let spec = format!(r#""tolerations":[{}]"#, list(n, &|i| format!(r#"{{"key":"x{i}"}}"#)));
            wrap("OrasCache", &cache("", &spec), Some(&cache("", &spec)))
        }),
        ("access modes of a cache", |n| {
            let modes = |mode: &str| list(n, &|_| format!(r#""{mode}""#));
            let with =
                |mode| cache("", &format!(r#""storage":{{"size":"1Gi","accessModes":[{}]}}"#, modes(mode)));
            wrap("OrasCache", &with("a"), Some(&with("b")))
        }),
        ("labels of the pods of a cache", |n| {
            let labels = list(n, &|i| format!(r#""x{i}":"""#));
            wrap("OrasCache", &cache("", &format!(r#""podLabels":{{{labels}}}"#)), None)
        }),
        ("annotations of the pods of a cache", |n| {
            let keys = list(n, &|i| format!(r#""x{i}":"""#));
            wrap("OrasCache", &cache("", &format!(r#""podAnnotations":{{{keys}}}"#)), None)
        }),
        ("variables of a cache", |n| {
            let env = list(n, &|i| format!(r#"{{"name":"E{i}","value":""}}"#));
            wrap("OrasCache", &cache("", &format!(r#""env":[{env}]"#)), None)
        }),
        ("variables of a cache that are the same", |n| {
            let env = list(n, &|_| r#"{"name":"REGISTRY_HTTP_SECRET"}"#.to_owned());
            wrap("OrasCache", &cache("", &format!(r#""env":[{env}]"#)), None)
        }),
        ("spread of the pods of a cache", |n| {
            let constraints = list(n, &|i| format!(r#"{{"topologyKey":"x{i}"}}"#));
            let spec = format!(r#""topologySpreadConstraints":[{constraints}]"#);
            wrap("OrasCache", &cache("", &spec), Some(&cache("", &spec)))
        }),
        ("affinity of a cache", |n| {
            let terms = list(n, &|i| format!(r#"{{"key":"x{i}"}}"#));
            let spec = format!(r#""affinity":{{"nodeAffinity":[{terms}]}}"#);
            wrap("OrasCache", &cache("", &spec), Some(&cache("", &spec)))
        }),
        ("annotations of the Service of a cache", |n| {
            let keys = list(n, &|i| format!(r#""x{i}":"""#));
            wrap("OrasCache", &cache("", &format!(r#""service":{{"annotations":{{{keys}}}}}"#)), None)
        }),
        ("networks of a cache", |n| {
            let ranges = list(n, &|i| format!(r#""10.0.0.0/{i}""#));
            let spec = format!(r#""service":{{"type":"NodePort","sourceRanges":[{ranges}]}}"#);
            wrap("OrasCache", &cache("", &spec), None)
        }),
        ("namespaces of the metrics of a cache", |n| {
            let names = list(n, &|i| format!(r#""n{i}""#));
            wrap("OrasCache", &cache("", &format!(r#""metrics":{{"allowedNamespaces":[{names}]}}"#)), None)
        }),
        ("labels of the ServiceMonitor of a cache", |n| {
            let labels = list(n, &|i| format!(r#""x{i}":"""#));
            let spec = format!(r#""metrics":{{"serviceMonitor":{{"labels":{{{labels}}}}}}}"#);
            wrap("OrasCache", &cache("", &spec), None)
        }),
        ("namespaces of a cache", |n| {
            let names = list(n, &|i| format!(r#""n{i}""#));
            wrap(
                "OrasCache",
                &cache("", &format!(r#""networkPolicy":{{"allowedNamespaces":[{names}]}}"#)),
                None,
            )
        }),
        ("annotations of a Job", |n| wrap("Job", &job(&step_annotations(n), "", false), None)),
        ("annotations of a Job and its template", |n| {
            wrap("Job", &job(&inputs_among_others(n), &inputs_among_others(n), false), None)
        }),
        ("updated annotations of a Job", |n| {
            let old = job(&reversed(n), "", false);
            wrap("Job", &job(&step_annotations(n), "", false), Some(&old))
        }),
        ("updated annotations of a suspended Job", |n| {
            let old = job(&reversed(n), &reversed(n), true);
            wrap("Job", &job(&step_annotations(n), &step_annotations(n), true), Some(&old))
        }),
        ("annotations that leave a Job", |n| {
            wrap("Job", &job("", "", false), Some(&job(&step_annotations(n), &reversed(n), false)))
        }),
        ("annotations that leave a suspended Job", |n| {
            wrap("Job", &job("", "", true), Some(&job(&step_annotations(n), &reversed(n), true)))
        }),
        ("updated annotations of others", |n| {
            let old = job(&inputs_among_others(n), &inputs_among_others(n), false);
            wrap("Job", &job(&inputs_among_others(n), &inputs_among_others(n), false), Some(&old))
        }),
    ]
}

/// The name of each place, and a review of an object that is as large as it can be because of a list
/// there.
pub fn largest() -> impl Iterator<Item = (&'static str, String)> {
    places().into_iter().map(|(place, review_with)| (place, review_with(items_that_fit(review_with))))
}

/// How many items the largest object has room for.
fn items_that_fit(review_with: fn(usize) -> String) -> usize {
    let bytes_per_item = (review_with(2000).len() - review_with(1000).len()) / 1000;
    LARGEST / bytes_per_item
}

/// The name of each place, and a review of an object with almost as many values as are reviewed,
/// because of a list there.
pub fn largest_reviewed() -> impl Iterator<Item = (&'static str, String)> {
    places().into_iter().map(|(place, review_with)| {
        let values_per_item = (values(&review_with(2000)) - values(&review_with(1000))).div_ceil(1000);
        let others = values(&review_with(1));
        let reviewed = (MAX_VALUES - others) / values_per_item.max(1);
        (place, review_with(reviewed.min(items_that_fit(review_with))))
    })
}

/// How many values the object of a review has.
fn values(review: &str) -> usize {
    fn of(value: &Json<'_>) -> usize {
        match value {
            Json::Array(items) => items.iter().map(|item| 1 + of(item)).sum(),
            Json::Object(members) => members.iter().map(|(_, value)| 1 + of(value)).sum(),
            _ => 0,
        }
    }
    let tree = Json::parse(review).unwrap_or(Json::Null);
    tree.member_of("request", "object").map(of).unwrap_or_default()
}
