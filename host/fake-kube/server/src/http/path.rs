//! Parses the paths of resources.

/// The path of a resource, of one of its objects, or of a subresource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourcePath {
    /// API group, empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// The namespace, for namespaced requests.
    pub namespace: Option<String>,
    /// The plural resource name.
    pub resource: String,
    /// The object's name.
    pub name: Option<String>,
    /// For example `status`.
    pub subresource: Option<String>,
}

impl ResourcePath {
    /// Parses `/api/v1/...` and `/apis/GROUP/VERSION/...`. `None` for every other path.
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let (group, version) = match parts.next()? {
            "api" => ("", parts.next()?),
            "apis" => (parts.next()?, parts.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some(*namespace), rest.to_vec()),
            _ => (None, rest),
        };
        let (resource, name, subresource) = match rest.as_slice() {
            [resource] => (*resource, None, None),
            [resource, name] => (*resource, Some(*name), None),
            [resource, name, subresource] => (*resource, Some(*name), Some(*subresource)),
            _ => return None,
        };
        if resource.is_empty() || name == Some("") {
            return None;
        }
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace: namespace.map(str::to_owned),
            resource: resource.to_owned(),
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ResourcePath;

    fn show(path: &str) -> String {
        ResourcePath::parse(path).map_or("none".into(), |p| {
            let text = |part: Option<String>| part.unwrap_or_else(|| "-".into());
            format!(
                "{}/{} {} {} {} {}",
                p.group,
                p.version,
                text(p.namespace),
                p.resource,
                text(p.name),
                text(p.subresource)
            )
        })
    }

    #[test]
    fn paths_are_parsed() {
        assert_eq!(show("/api/v1/namespaces"), "/v1 - namespaces - -");
        assert_eq!(show("/api/v1/namespaces/x"), "/v1 - namespaces x -");
        assert_eq!(show("/api/v1/namespaces/x/finalize"), "/v1 - namespaces x finalize");
        assert_eq!(show("/api/v1/namespaces/x/pods"), "/v1 x pods - -");
        assert_eq!(show("/apis/apps/v1/namespaces/x/statefulsets/s/scale"), "apps/v1 x statefulsets s scale");
        assert_eq!(show("/apis/a.b/v1/caches"), "a.b/v1 - caches - -");
        assert_eq!(show("/apis/apps/v1"), "none");
        assert_eq!(show("/healthz"), "none");
    }
}
