//! Reads settings as people write them, and has the component check them.

use deploy_manifests::names::SETTINGS_KEY;
use k8s_openapi::api::core::v1::ConfigMap;
use orascache_contract::GuestError;
use orascache_runtime::Guest;
use serde_json::{Map, Value};
use std::str::FromStr;
use std::time::Duration;

/// Setting of the image that carries the agent, which the command line may give.
const AGENT_IMAGE: &str = "agentImage";
/// Setting of scheduling gates, which need an operator that removes them.
const GATES: &str = "gates";
/// How long to wait before asking a guest again that is too busy to answer.
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// A setting for where the ConfigMap does not have it: a name and a text. The host does not know what
/// it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultSetting {
    /// The member's name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Why a text is no default setting.
#[derive(Debug, thiserror::Error)]
#[error(
    "write a setting and its text with an equals sign between them, like operatorNamespace=orascache-system"
)]
pub struct DefaultSettingError;

impl FromStr for DefaultSetting {
    type Err = DefaultSettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(DefaultSettingError),
        }
    }
}

/// How settings are read: under which key they stand, and what replaces those that are missing.
#[derive(Clone, Debug)]
pub struct SettingsReader {
    key: &'static str,
    defaults: Map<String, Value>,
    /// Whether the setting [`GATES`] counts.
    gates: bool,
}

impl SettingsReader {
    /// The image is for settings that name none.
    pub fn new(agent_image: Option<&str>) -> Self {
        let defaults = agent_image.map(|image| (AGENT_IMAGE.to_owned(), image.into())).into_iter().collect();
        Self { key: SETTINGS_KEY, defaults, gates: true }
    }

    /// The same for a process that removes no scheduling gates: no pod gets one, whatever the
    /// settings say.
    #[must_use]
    pub fn without_gates(self) -> Self {
        Self { gates: false, ..self }
    }

    /// The same with further settings for where there are none.
    #[must_use]
    pub fn with_defaults(mut self, defaults: &[DefaultSetting]) -> Self {
        let given = defaults.iter().map(|default| (default.name.clone(), default.value.as_str().into()));
        self.defaults.extend(given);
        self
    }

    /// Settings for the component, JSON text, from their ConfigMap, or the defaults without one.
    ///
    /// # Errors
    /// A sentence, when the component does not accept them.
    pub async fn read(&self, guest: &Guest, map: Option<&ConfigMap>) -> Result<String, String> {
        let settings = self.text(self.written(map)?)?;
        loop {
            match guest.check_settings(&settings).await {
                Ok(()) => return Ok(settings),
                Err(GuestError::Busy(_)) => tokio::time::sleep(BUSY_PAUSE).await,
                Err(error) => return Err(sentence(error)),
            }
        }
    }

    /// As [`Self::read`], of a ConfigMap. Blocks the thread.
    ///
    /// # Errors
    /// A sentence, when the component does not accept them.
    pub fn read_map(&self, guest: &Guest, map: &ConfigMap) -> Result<String, String> {
        self.check(guest, self.written(Some(map))?)
    }

    /// As [`Self::read`], of settings in a file: the settings themselves, or a manifest of their
    /// ConfigMap, beside which other objects may stand. Blocks the thread.
    ///
    /// # Errors
    /// A sentence, when the component does not accept them.
    pub fn read_text(&self, guest: &Guest, written: Option<&str>) -> Result<String, String> {
        match written.and_then(|written| self.map_in(written)) {
            Some(map) => self.read_map(guest, &map),
            None => self.check(guest, written),
        }
    }

    fn check(&self, guest: &Guest, written: Option<&str>) -> Result<String, String> {
        let settings = self.text(written)?;
        guest.blocking().check_settings(&settings).map_err(sentence)?;
        Ok(settings)
    }

    /// The ConfigMap in a manifest: the one with settings in it, or else the first one.
    fn map_in(&self, manifest: &str) -> Option<ConfigMap> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).ok()?;
        let maps = documents.into_iter().filter(|document| {
            document.get("kind").is_some_and(|kind| kind == "ConfigMap")
                && document.get("apiVersion").is_some()
        });
        let mut maps: Vec<ConfigMap> = maps.filter_map(|map| serde_json::from_value(map).ok()).collect();
        let has_settings =
            |map: &ConfigMap| map.data.as_ref().is_some_and(|data| data.contains_key(self.key));
        let position = maps.iter().position(has_settings).unwrap_or(0);
        (position < maps.len()).then(|| maps.swap_remove(position))
    }

    fn written<'m>(&self, map: Option<&'m ConfigMap>) -> Result<Option<&'m str>, String> {
        let Some(map) = map else { return Ok(None) };
        let written = map.data.as_ref().and_then(|data| data.get(self.key));
        written.map(|written| Some(written.as_str())).ok_or_else(|| {
            let key = self.key;
            format!("data.{key} is missing: write the settings there, or delete the ConfigMap")
        })
    }

    /// JSON text from YAML or JSON, with the defaults filled in. Empty for no settings at all.
    fn text(&self, written: Option<&str>) -> Result<String, String> {
        let mut settings: Value = match written {
            Some(written) => serde_saphyr::from_str(written).map_err(|error| {
                let why = error.to_string();
                format!("the settings are not YAML: {}", why.lines().next().unwrap_or_default())
            })?,
            None => Value::Null,
        };
        if settings.is_null() {
            settings = Value::Object(Map::new());
        }
        // Anything but an object is for the component to refuse.
        if let Some(members) = settings.as_object_mut() {
            if !self.gates && members.remove(GATES) == Some(Value::Bool(true)) {
                tracing::warn!(
                    "the setting {GATES} has no effect, since this operator removes no gates: install \
                     manifests/gates, or start it with --gates"
                );
            }
            for (name, default) in &self.defaults {
                let member = members.entry(name).or_insert(Value::Null);
                if member.is_null() {
                    member.clone_from(default);
                }
            }
        }
        if settings.as_object().is_some_and(Map::is_empty) {
            return Ok(String::new());
        }
        Ok(settings.to_string())
    }
}

/// What the component says of settings, without words around it.
fn sentence(error: GuestError) -> String {
    match error {
        GuestError::InvalidInput(sentence) => sentence,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{DefaultSetting, SettingsReader};

    fn text(written: Option<&str>, agent_image: Option<&str>) -> Result<String, String> {
        SettingsReader::new(agent_image).text(written)
    }

    #[test]
    fn defaults_are_for_settings_that_name_none() {
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
    fn further_defaults_are_for_settings_that_name_none_too() {
        let default: DefaultSetting = "operatorNamespace=ops=1".parse().expect("a default");
        assert_eq!((default.name.as_str(), default.value.as_str()), ("operatorNamespace", "ops=1"));
        let reader = SettingsReader::new(Some("a:1")).with_defaults(&[default]);
        let written = |text| reader.text(text);
        assert_eq!(written(None).as_deref(), Ok(r#"{"agentImage":"a:1","operatorNamespace":"ops=1"}"#));
        assert_eq!(
            written(Some("operatorNamespace: mine")).as_deref(),
            Ok(r#"{"agentImage":"a:1","operatorNamespace":"mine"}"#)
        );
        for wrong in ["", "a", "=b", "a="] {
            let error = wrong.parse::<DefaultSetting>().expect_err(wrong).to_string();
            assert!(error.contains("equals sign"), "{error}");
        }
    }

    #[test]
    fn settings_are_found_in_the_manifest_of_their_config_map() {
        let reader = SettingsReader::new(None);
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: orascache-settings}\ndata:\n  settings.yaml: |\n    maximumStorage: 1Ti\n";
        let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n";
        for manifest in [map.to_owned(), format!("{other}---\n{map}"), format!("{map}---\n{other}")] {
            let found = reader.map_in(&manifest).expect("a ConfigMap");
            assert_eq!(reader.written(Some(&found)), Ok(Some("maximumStorage: 1Ti\n")), "{manifest}");
        }
        let error = reader.written(reader.map_in(other).as_ref()).unwrap_err();
        assert!(error.starts_with("data.settings.yaml is missing"), "{error}");
        assert!(reader.map_in("maximumStorage: 1Ti").is_none());
        assert!(reader.map_in("kind: ConfigMap").is_none(), "the component refuses this member");
    }

    #[test]
    fn no_pod_gets_a_gate_that_nobody_removes() {
        let read = |written: &str| SettingsReader::new(None).without_gates().text(Some(written));
        assert_eq!(read("gates: true").as_deref(), Ok(""));
        assert_eq!(read("{gates: true, clusterDomain: a}").as_deref(), Ok(r#"{"clusterDomain":"a"}"#));
        assert_eq!(text(Some("gates: true"), None).as_deref(), Ok(r#"{"gates":true}"#));
    }

    #[test]
    fn anything_but_an_object_is_left_to_the_component() {
        assert_eq!(text(Some("[a]"), Some("a:1")).as_deref(), Ok(r#"["a"]"#));
        let error = text(Some("a: [b"), None).unwrap_err();
        assert!(error.starts_with("the settings are not YAML: ") && !error.contains('\n'), "{error}");
    }
}
