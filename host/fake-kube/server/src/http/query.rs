//! Query parameters and the options in them.

use fake_kube_apimachinery::status::{ApiError, Cause, ResourceName};

/// The decoded query string.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

/// `fieldValidation`: what to do about unknown and duplicate fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them with a warning.
    Warn,
    /// Refuse the request.
    Strict,
}

impl Query {
    /// Decodes a query string.
    pub fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Adds a selector to a parameter. Several selectors are joined by commas, so that all must
    /// match.
    pub fn add(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, given)) if !given.is_empty() => *given = format!("{given},{value}"),
            _ => self.0.insert(0, (name.to_owned(), value.to_owned())),
        }
    }

    /// The first value of a parameter, when it is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A boolean parameter, which is true when it is present and neither `false` nor `0`.
    pub fn flag(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
    }

    /// A boolean parameter; `None` when it is absent.
    pub fn flag_if_given(&self, name: &str) -> Option<bool> {
        self.raw(name).map(|_| self.flag(name))
    }

    /// A numeric parameter; `None` when it is absent.
    ///
    /// # Errors
    /// 400 when it is not a number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
    }

    /// Whether the request is a dry run (`dryRun=All`). `options` is the kind of the options, for
    /// errors.
    ///
    /// # Errors
    /// 422 for another value than `All`.
    pub fn dry_run(&self, options: &'static str) -> Result<bool, ApiError> {
        match self.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(invalid_option(
                options,
                "dryRun",
                &format!("Unsupported value: {:?}: supported values: \"All\"", [other]),
            )),
        }
    }

    /// `fieldValidation`, by default `Warn`. `options` is the kind of the options, for errors.
    ///
    /// # Errors
    /// 422 for an unknown value.
    pub fn field_validation(&self, options: &'static str) -> Result<FieldValidation, ApiError> {
        match self.get("fieldValidation") {
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => Err(invalid_option(
                options,
                "fieldValidation",
                &format!(
                    "Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                ),
            )),
        }
    }
}

fn invalid_option(options: &'static str, field: &str, message: &str) -> ApiError {
    let cause =
        Cause { reason: "FieldValueNotSupported", message: message.to_owned(), field: field.to_owned() };
    ApiError::invalid(ResourceName { group: "meta.k8s.io", resource: options }, "", &[cause])
}
