//! Reading the fields of an object with their types. Errors name the field.

use crate::json::Json;
use orascache_contract::Error;

/// The fields of an object in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    value: &'a Json<'a>,
    /// Path of the object, for messages; empty for the document itself.
    path: &'static str,
}

impl<'a> Fields<'a> {
    pub(crate) fn root(value: &'a Json<'a>) -> Self {
        Fields { value, path: "" }
    }

    /// A member that is an object. `path` is its path, for messages.
    pub(crate) fn object(self, name: &'static str, path: &'static str) -> Result<Option<Fields<'a>>, Error> {
        match self.member(name) {
            None => Ok(None),
            Some(value @ Json::Object(_)) => Ok(Some(Fields { value, path })),
            Some(other) => Err(self.mismatch(name, "an object", other)),
        }
    }

    pub(crate) fn text(self, name: &'static str) -> Result<Option<&'a str>, Error> {
        match self.member(name) {
            None => Ok(None),
            Some(Json::Str(text)) => Ok(Some(text)),
            Some(other) => Err(self.mismatch(name, "a string", other)),
        }
    }

    pub(crate) fn required_text(self, name: &'static str) -> Result<&'a str, Error> {
        self.text(name)?.ok_or_else(|| Error::InvalidInput(format!("{} is missing", self.path_of(name))))
    }

    pub(crate) fn integer(self, name: &'static str) -> Result<Option<i64>, Error> {
        match self.member(name) {
            None => Ok(None),
            Some(Json::Int(number)) => Ok(Some(*number)),
            Some(other) => Err(self.mismatch(name, "a whole number", other)),
        }
    }

    pub(crate) fn flag(self, name: &'static str) -> Result<Option<bool>, Error> {
        match self.member(name) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.mismatch(name, "true or false", other)),
        }
    }

    pub(crate) fn texts(self, name: &'static str) -> Result<Option<Vec<&'a str>>, Error> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let Json::Array(items) = value else { return Err(self.mismatch(name, "a list of strings", value)) };
        let text =
            |item: &'a Json<'a>| item.as_str().ok_or_else(|| self.mismatch(name, "a list of strings", item));
        items.iter().map(text).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// A member of any type. Null counts as absent.
    pub(crate) fn member(self, name: &str) -> Option<&'a Json<'a>> {
        self.value.member(name)
    }

    fn mismatch(self, name: &str, wanted: &str, found: &Json<'_>) -> Error {
        Error::InvalidInput(format!("{} must be {wanted}, not {}", self.path_of(name), found.type_name()))
    }

    fn path_of(self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// Parses a document. `what` names it in the message.
pub(crate) fn parse<'a>(text: &'a str, what: &str) -> Result<Json<'a>, Error> {
    Json::parse(text).map_err(|error| Error::InvalidInput(format!("{what} cannot be read as JSON: {error}")))
}
