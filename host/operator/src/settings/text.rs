//! Settings as people write them, and as the component takes them.

use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Which ConfigMap holds the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Why a text names no ConfigMap.
#[derive(Debug, thiserror::Error)]
#[error(
    "write the namespace and the name of a ConfigMap with a slash between them, like orascache-system/orascache-settings"
)]
pub struct SourceError;

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Source { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(SourceError),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// Settings for the component, JSON text, from what is written, YAML or JSON. The image is for settings that name none.
///
/// # Errors
/// A sentence, when the text cannot be read. Whether its contents can be used is for the component to say.
pub fn text(written: Option<&str>, agent_image: Option<&str>) -> Result<String, String> {
    let mut settings: Value = match written {
        Some(written) => serde_saphyr::from_str(written).map_err(|error| {
            let why = error.to_string();
            format!("the settings are no YAML: {}", why.lines().next().unwrap_or_default())
        })?,
        None => Value::Null,
    };
    if settings.is_null() {
        settings = Value::Object(serde_json::Map::new());
    }
    if let (Some(image), Some(members)) = (agent_image, settings.as_object_mut()) {
        let own = members.entry("agentImage").or_insert(Value::Null);
        if own.is_null() {
            *own = image.into();
        }
    }
    if settings.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(String::new());
    }
    Ok(settings.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Source, text};

    #[test]
    fn the_image_is_for_settings_that_name_none() {
        assert_eq!(text(None, None).as_deref(), Ok(""));
        assert_eq!(text(Some(""), None).as_deref(), Ok(""));
        assert_eq!(text(None, Some("a:1")).as_deref(), Ok(r#"{"agentImage":"a:1"}"#));
        assert_eq!(text(Some("agentImage: b:2"), Some("a:1")).as_deref(), Ok(r#"{"agentImage":"b:2"}"#));
        assert_eq!(text(Some("agentImage:"), Some("a:1")).as_deref(), Ok(r#"{"agentImage":"a:1"}"#));
        assert_eq!(
            text(Some("maximumStorage: 1Ti"), Some("a:1")).as_deref(),
            Ok(r#"{"agentImage":"a:1","maximumStorage":"1Ti"}"#)
        );
    }

    #[test]
    fn what_is_no_object_is_left_to_the_component() {
        assert_eq!(text(Some("[a]"), Some("a:1")).as_deref(), Ok(r#"["a"]"#));
        let error = text(Some("a: [b"), None).unwrap_err();
        assert!(error.starts_with("the settings are no YAML: ") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_source_is_a_namespace_and_a_name() {
        let source: Source = "system/settings".parse().unwrap();
        assert_eq!(source.to_string(), "system/settings");
        for wrong in ["", "settings", "/settings", "system/", "a/b/c"] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }
}
