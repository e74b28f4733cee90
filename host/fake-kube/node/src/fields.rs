//! Fields of the pod that containers can ask for (the downward API).

use fake_kube::apimachinery::quantity::Quantity;
use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};
use kube::ResourceExt;
use std::collections::BTreeMap;

/// What this machine has, where a container has no limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub cores: u64,
    /// In bytes.
    pub memory: u64,
}

impl Machine {
    /// This machine.
    pub(crate) fn detect() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let table = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kilobytes = table.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kilobytes = kilobytes.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Machine { cores, memory: kilobytes.unwrap_or(0) * 1024 }
    }
}

/// The value of a field, such as `metadata.labels['app']` or `status.podIP`.
///
/// # Errors
/// A sentence, when containers cannot ask for this field.
pub(crate) fn field(pod: &Pod, path: &str) -> Result<String, String> {
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    let address = || "127.0.0.1".to_owned();
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let values = match map {
            "metadata.labels" => pod.labels(),
            "metadata.annotations" => pod.annotations(),
            _ => return Err(unknown(path)),
        };
        return Ok(text(values.get(key)));
    }
    Ok(match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "metadata.labels" => lines(pod.labels()),
        "metadata.annotations" => lines(pod.annotations()),
        "spec.nodeName" => text(spec.and_then(|spec| spec.node_name.as_ref())),
        "spec.serviceAccountName" => {
            let name = spec.and_then(|spec| spec.service_account_name.clone());
            name.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned())
        }
        "status.hostIP" | "status.hostIPs" => address(),
        "status.podIP" | "status.podIPs" => {
            status.and_then(|status| status.pod_ip.clone()).unwrap_or_else(address)
        }
        _ => return Err(unknown(path)),
    })
}

fn unknown(path: &str) -> String {
    format!("the field {path:?} is none that a container can ask for")
}

/// Labels or annotations as a file has them: sorted, with quoted values.
fn lines(map: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
    lines.join("\n")
}

/// The value of a resource of a container, such as `limits.cpu`, in units of the divisor, rounded
/// up.
///
/// # Errors
/// A sentence, when there is no such resource.
pub(crate) fn resource(
    container: &Container,
    selector: &ResourceFieldSelector,
    machine: Machine,
) -> Result<String, String> {
    let wrong = || {
        format!(
            "the resource {:?} is none that a container can ask for: write limits or requests, a dot, and cpu, memory or ephemeral-storage",
            selector.resource
        )
    };
    let (kind, name) = selector.resource.split_once('.').ok_or_else(wrong)?;
    let resources = container.resources.as_ref();
    let declared = match kind {
        "limits" => resources.and_then(|resources| resources.limits.as_ref()),
        "requests" => resources.and_then(|resources| resources.requests.as_ref()),
        _ => return Err(wrong()),
    };
    let allocatable = match name {
        "cpu" => machine.cores.to_string(),
        "memory" => machine.memory.to_string(),
        "ephemeral-storage" => "0".to_owned(),
        _ if name.starts_with("hugepages-") => "0".to_owned(),
        _ => return Err(wrong()),
    };
    // Without a limit it is what the node has, and without a request it is nothing.
    let default = if kind == "limits" { allocatable } else { "0".to_owned() };
    let declared = declared.and_then(|declared| declared.get(name)).map_or(default, |found| found.0.clone());
    let divisor = selector.divisor.as_ref().map(|divisor| divisor.0.as_str()).unwrap_or_default();
    let divisor = Quantity::parse(divisor).map(|divisor| divisor.nanos()).filter(|nanos| *nanos > 0);
    let divisor = divisor.unwrap_or(1_000_000_000);
    let amount = Quantity::parse(&declared).map(|amount| amount.nanos()).ok_or_else(wrong)?;
    Ok(((amount + divisor - 1) / divisor).to_string())
}

#[cfg(test)]
mod tests {
    use super::{Machine, field, resource};
    use serde_json::json;

    #[test]
    fn fields_of_the_pod_are_found() {
        let pod = serde_json::from_value(json!({
            "metadata": {
                "name": "p", "namespace": "n", "uid": "u",
                "labels": {"app": "a", "tier": "t"}, "annotations": {"note": "two\n\"lines\""},
            },
            "spec": {"containers": [], "nodeName": "dev-node"},
        }))
        .expect("a pod");
        for (path, wanted) in [
            ("metadata.name", "p"),
            ("metadata.namespace", "n"),
            ("metadata.uid", "u"),
            ("metadata.labels['tier']", "t"),
            ("metadata.labels['none']", ""),
            ("metadata.labels", "app=\"a\"\ntier=\"t\""),
            ("metadata.annotations", r#"note="two\n\"lines\"""#),
            ("spec.nodeName", "dev-node"),
            ("spec.serviceAccountName", "default"),
            ("status.podIP", "127.0.0.1"),
        ] {
            assert_eq!(field(&pod, path).as_deref(), Ok(wanted), "{path}");
        }
        assert!(field(&pod, "spec.containers").unwrap_err().contains("spec.containers"));
        assert!(field(&pod, "spec.x['y']").is_err());
    }

    #[test]
    fn resources_are_rounded_up_in_units_of_the_divisor() {
        let container = serde_json::from_value(json!({"name": "c", "resources": {
            "limits": {"cpu": "1500m"}, "requests": {"memory": "1Gi"},
        }}))
        .expect("a container");
        let machine = Machine { cores: 4, memory: 1000 };
        let read = |name: &str, divisor: &str| {
            let selector = serde_json::from_value(json!({"resource": name, "divisor": divisor}));
            resource(&container, &selector.expect("a selector"), machine)
        };
        assert_eq!(read("limits.cpu", "0").as_deref(), Ok("2"));
        assert_eq!(read("limits.cpu", "1m").as_deref(), Ok("1500"));
        assert_eq!(read("requests.memory", "1Mi").as_deref(), Ok("1024"));
        assert_eq!(read("limits.memory", "1").as_deref(), Ok("1000"), "the machine's");
        assert_eq!(read("requests.cpu", "1").as_deref(), Ok("0"));
        assert!(read("limits", "1").is_err() && read("limits.disk", "1").is_err());
    }
}
