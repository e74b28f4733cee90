//! Content negotiation: the shape of the answer that the client asks for with `Accept`.

/// The shape of objects in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The objects themselves.
    Plain,
    /// A meta/v1 `Table`.
    Table,
    /// meta/v1 `PartialObjectMetadata` (or its list).
    Metadata,
}

/// The shape of discovery documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// One document per group.
    Legacy,
    /// All groups at once, apidiscovery.k8s.io/v2.
    V2,
    /// All groups at once, apidiscovery.k8s.io/v2beta1.
    V2Beta1,
}

struct MediaType<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl MediaType<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn is_json(&self) -> bool {
        matches!(self.name, "application/json" | "application/*" | "*/*")
    }
}

fn media_types(accept: &str) -> impl Iterator<Item = MediaType<'_>> {
    accept.split(',').map(|one| {
        let mut parts = one.split(';').map(str::trim);
        MediaType {
            name: parts.next().unwrap_or_default(),
            parameters: parts.filter_map(|parameter| parameter.split_once('=')).collect(),
        }
    })
}

/// The first shape of `Accept` that the server has. Protobuf is skipped, because clients that ask
/// for it accept JSON too.
///
/// `None` when the client accepts nothing that the server has (406).
pub fn shape(accept: Option<&str>) -> Option<Shape> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Some(Shape::Plain) };
    let mut only_protobuf = true;
    for media in media_types(accept) {
        if media.is_json() {
            match (media.parameter("as"), media.parameter("g")) {
                (None, _) => return Some(Shape::Plain),
                (Some("Table"), Some("meta.k8s.io")) => return Some(Shape::Table),
                (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io")) => {
                    return Some(Shape::Metadata);
                }
                _ => {}
            }
        }
        only_protobuf &= media.name.contains("protobuf");
    }
    // A client that accepts only protobuf gets JSON and can tell by the content type.
    (only_protobuf || accept.contains("yaml")).then_some(Shape::Plain)
}

/// The shape of discovery documents that the client asks for.
pub fn discovery(accept: Option<&str>) -> Discovery {
    for media in media_types(accept.unwrap_or_default()) {
        if media.is_json() {
            match (media.parameter("g"), media.parameter("v")) {
                (Some("apidiscovery.k8s.io"), Some("v2")) => return Discovery::V2,
                (Some("apidiscovery.k8s.io"), Some("v2beta1")) => return Discovery::V2Beta1,
                (None, _) => return Discovery::Legacy,
                _ => {}
            }
        }
    }
    Discovery::Legacy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_acceptable_shape_wins() {
        assert_eq!(shape(None), Some(Shape::Plain));
        assert_eq!(shape(Some("application/vnd.kubernetes.protobuf,application/json")), Some(Shape::Plain));
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(shape(Some(kubectl)), Some(Shape::Table));
        let metadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
                        application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
        assert_eq!(shape(Some(metadata)), Some(Shape::Metadata));
        assert_eq!(shape(Some("text/html")), None);
    }

    #[test]
    fn discovery_is_aggregated_on_request() {
        let kubectl = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(discovery(Some(kubectl)), Discovery::V2);
        assert_eq!(discovery(Some("application/json")), Discovery::Legacy);
        assert_eq!(discovery(None), Discovery::Legacy);
    }
}
