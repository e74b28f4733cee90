//! What only the kinds of CustomResourceDefinitions have.

use fake_kube_apimachinery::validation::Validator;

/// The parts of a custom kind that come from its definition.
#[derive(Debug)]
pub struct Custom {
    /// `additionalPrinterColumns`.
    pub columns: Vec<PrinterColumn>,
    /// The paths of the scale subresource.
    pub scale: Option<ScalePaths>,
    /// The warning that every answer about a deprecated version carries.
    pub deprecation: Option<String>,
    /// Whether the definition is being deleted. Then no objects can be created.
    pub terminating: bool,
    /// Fields that field selectors may name, besides name and namespace.
    pub selectable_fields: Vec<String>,
    /// The schema of `openAPIV3Schema` with its compiled rules.
    pub validator: Validator,
}

/// One entry of `additionalPrinterColumns`: a column of `kubectl get`.
#[derive(Clone, Debug)]
pub struct PrinterColumn {
    /// The heading.
    pub name: String,
    /// The JSON type, or `date`.
    pub type_: String,
    /// The OpenAPI format, for example `int32`.
    pub format: String,
    /// What the column shows.
    pub description: String,
    /// 0 for columns that are always shown; others are shown by `-o wide`.
    pub priority: i64,
    /// The JSONPath of the value.
    pub json_path: String,
}

/// Where the scale subresource finds its values, as dotted paths.
#[derive(Clone, Debug)]
pub struct ScalePaths {
    /// `specReplicasPath`, for example `.spec.replicas`.
    pub spec_replicas: String,
    /// `statusReplicasPath`, for example `.status.replicas`.
    pub status_replicas: String,
    /// `labelSelectorPath`: a label selector in its string form.
    pub label_selector: Option<String>,
}
