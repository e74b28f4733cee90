//! `GET pods/NAME/log`: checks the options, chooses the container, and finds its log.

use fake_kube_apimachinery::status::{ApiError, Cause, ResourceName};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::query::Query;
use super::reply::{Content, Reply};
use crate::cluster::Cluster;
use crate::logs::{self, LogOptions, OutputStream};

/// Answers with the log of a container of a pod.
///
/// # Errors
/// 422 for options that are out of range or contradict each other; 400 when the container does not
/// exist, has not started, or is run by nobody here.
pub fn answer(cluster: &Cluster, pod: &Value, query: &Query) -> Result<Reply, ApiError> {
    let options = options(query)?;
    let container = container(pod, query.get("container"))?;
    let text = |path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let previous = query.flag("previous");
    if text("/spec/nodeName").is_empty() && !previous {
        // The pod is on no node, so that there is nobody to ask.
        return Ok(plain_text(Content::Bytes(Default::default())));
    }
    match cluster.logs.find(text("/metadata/uid"), &container, previous) {
        Some(log) => Ok(plain_text(Content::Stream(logs::read(log, options, cluster.stop.clone())))),
        None => Err(ApiError::bad_request(missing(pod, &container, previous))),
    }
}

fn plain_text(content: Content) -> Reply {
    Reply { content_type: "text/plain", content, ..Reply::bytes(StatusCode::OK, "") }
}

/// Why there is no log, in the kubelet's words.
fn missing(pod: &Value, container: &str, previous: bool) -> String {
    let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if previous {
        return format!("previous terminated container {container:?} in pod {name:?} not found");
    }
    let statuses = ["initContainerStatuses", "containerStatuses"];
    let statuses = statuses.iter().filter_map(|list| pod.get("status")?.get(list)?.as_array()).flatten();
    let state = statuses
        .filter(|status| status.get("name").and_then(Value::as_str) == Some(container))
        .find_map(|status| status.get("state"));
    let waiting = state.and_then(|state| state.get("waiting"));
    match (state, waiting) {
        (Some(_), None) => {
            format!("container {container:?} in pod {name:?} is not run here, so that it has no log")
        }
        (_, waiting) => {
            let reason = waiting.and_then(|waiting| waiting.get("reason")).and_then(Value::as_str);
            let reason = reason.unwrap_or("ContainerCreating");
            format!("container {container:?} in pod {name:?} is waiting to start: {reason}")
        }
    }
}

/// The name of the container: the one that was asked for, or the only one.
fn container(pod: &Value, asked: Option<&str>) -> Result<String, ApiError> {
    let names = |list: &str| -> Vec<&str> {
        let containers = pod.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array);
        containers.into_iter().flatten().filter_map(|one| one.get("name")?.as_str()).collect()
    };
    let pod_name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let (main, init) = (names("containers"), names("initContainers"));
    match (asked, main.as_slice()) {
        (Some(asked), _) if main.contains(&asked) || init.contains(&asked) => Ok(asked.to_owned()),
        (Some(asked), _) => {
            Err(ApiError::bad_request(format!("container {asked} is not valid for pod {pod_name}")))
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, many) => {
            let mut message = format!(
                "a container name must be specified for pod {pod_name}, choose one of: [{}]",
                many.join(" ")
            );
            if !init.is_empty() {
                message += &format!(" or one of the init containers: [{}]", init.join(" "));
            }
            Err(ApiError::bad_request(message))
        }
    }
}

fn options(query: &Query) -> Result<LogOptions, ApiError> {
    let mut causes = Vec::new();
    let mut number = |name: &str, least: i64| -> Result<Option<u64>, ApiError> {
        let Some(text) = query.get(name) else { return Ok(None) };
        let number: i64 = text.parse().map_err(|_| {
            ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
        })?;
        if number < least {
            let least = if least == 0 { "greater than or equal to 0" } else { "greater than 0" };
            causes.push(Cause::invalid(name, &json!(number), &format!("must be {least}")));
        }
        Ok(u64::try_from(number).ok())
    };
    let tail = number("tailLines", 0)?;
    let limit = number("limitBytes", 1)?;
    let seconds = number("sinceSeconds", 1)?;
    let since_time = match query.get("sinceTime") {
        None => None,
        Some(text) => Some(text.parse::<Timestamp>().map_err(|error| {
            ApiError::bad_request(format!("sinceTime {text:?} is no time of RFC 3339: {error}"))
        })?),
    };
    if seconds.is_some() && since_time.is_some() {
        let detail = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        causes.push(Cause::forbidden("", detail));
    }
    let stream = match query.get("stream") {
        None | Some("All") => None,
        Some("Stdout") => Some(OutputStream::Stdout),
        Some("Stderr") => Some(OutputStream::Stderr),
        Some(other) => {
            let detail = "supported values: \"All\", \"Stderr\", \"Stdout\"";
            causes.push(Cause::invalid("stream", &json!(other), detail));
            None
        }
    };
    if !causes.is_empty() {
        return Err(ApiError::invalid(ResourceName { group: "", resource: "PodLogOptions" }, "", &causes));
    }
    let ago = |seconds: u64| {
        let ago = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::MIN)
    };
    Ok(LogOptions {
        follow: query.flag("follow"),
        tail,
        since: since_time.or(seconds.map(ago)),
        timestamps: query.flag("timestamps"),
        limit,
        stream,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{container, missing, options};
    use crate::http::query::Query;

    #[test]
    fn the_only_container_needs_no_name() {
        let one = json!({"metadata": {"name": "p"}, "spec": {
            "initContainers": [{"name": "i"}], "containers": [{"name": "a"}],
        }});
        assert_eq!(container(&one, None).unwrap(), "a");
        assert_eq!(container(&one, Some("i")).unwrap(), "i");
        let unknown = container(&one, Some("x")).unwrap_err().message;
        assert_eq!(unknown, "container x is not valid for pod p");
        let two = json!({"metadata": {"name": "p"}, "spec": {
            "initContainers": [{"name": "i"}], "containers": [{"name": "a"}, {"name": "b"}],
        }});
        assert_eq!(
            container(&two, None).unwrap_err().message,
            "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]"
        );
    }

    #[test]
    fn a_missing_log_is_explained() {
        let pod = |state: serde_json::Value| json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [{"name": "c", "state": state}]}});
        let waiting = pod(json!({"waiting": {"reason": "PodInitializing"}}));
        let expected = "container \"c\" in pod \"p\" is waiting to start: PodInitializing";
        assert_eq!(missing(&waiting, "c", false), expected);
        let running = pod(json!({"running": {}}));
        assert!(missing(&running, "c", false).contains("is not run here"));
        let expected = "previous terminated container \"c\" in pod \"p\" not found";
        assert_eq!(missing(&running, "c", true), expected);
    }

    #[test]
    fn options_out_of_range_are_refused() {
        for (query, wanted) in [
            ("tailLines=-1", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
            ("limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
            ("sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z", "at most one of"),
            ("tailLines=x", "invalid syntax"),
            ("sinceTime=yesterday", "is no time of RFC 3339"),
            ("stream=Stdin", "supported values"),
        ] {
            let error = options(&Query::parse(query)).unwrap_err();
            assert!(error.message.contains(wanted), "{query}: {}", error.message);
        }
        let options = options(&Query::parse("follow=true&tailLines=5&timestamps=1")).unwrap();
        assert_eq!((options.follow, options.tail, options.timestamps), (true, Some(5), true));
    }
}
