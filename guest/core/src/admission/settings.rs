//! What an administrator decides for everybody.

use crate::contract::Error;
use crate::fields::{self, Place};
use crate::json::Json;
use crate::reference;
use orascache_api::steps::DEFAULT_AGENT_IMAGE;

/// Settings as the host hands them on, JSON text: `{"agentImage": "..."}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    /// Image that carries the agent, where a pod names none.
    pub(crate) agent_image: &'a str,
}

impl<'a> Settings<'a> {
    /// Empty text stands for the defaults.
    pub(crate) fn parse(text: &'a str) -> Result<Option<Json<'a>>, Error> {
        if text.is_empty() { Ok(None) } else { fields::parse(text, "settings").map(Some) }
    }

    pub(crate) fn read(tree: Option<&'a Json<'a>>) -> Result<Self, Error> {
        let mut settings = Settings { agent_image: DEFAULT_AGENT_IMAGE };
        let Some(tree) = tree else { return Ok(settings) };
        let Json::Object(members) = tree else {
            return Err(invalid(&["settings must be an object, not ", tree.type_name()]));
        };
        if let Some((unknown, _)) = members.iter().find(|(name, _)| name != "agentImage") {
            return Err(invalid(&["settings.", unknown, " is unknown: write agentImage, or remove it"]));
        }
        if let Some(image) = Place::root(tree).text("agentImage")? {
            if !reference::is_image(image) {
                return Err(invalid(&[
                    "settings.agentImage is \"",
                    image,
                    "\", which is not an image reference: write one like registry.example.org/name:tag",
                ]));
            }
            settings.agent_image = image;
        }
        Ok(settings)
    }
}

fn invalid(parts: &[&str]) -> Error {
    Error::InvalidInput(parts.concat())
}
