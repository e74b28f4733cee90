//! Names the ConfigMap with the settings.

use std::fmt;
use std::str::FromStr;

/// The ConfigMap with the settings.
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

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn a_source_is_a_namespace_and_a_name() {
        let source: Source = "system/settings".parse().expect("a source");
        assert_eq!(source.to_string(), "system/settings");
        for wrong in ["", "settings", "/settings", "system/", "a/b/c"] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }
}
