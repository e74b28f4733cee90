//! The structural type tree (kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/
//! custom-resource-definitions/#specifying-a-structural-schema).

use regex::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// JSON type of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// The schema names no type.
    #[default]
    Any,
    /// `object`
    Object,
    /// `array`
    Array,
    /// `string`
    String,
    /// `integer`
    Integer,
    /// `number`
    Number,
    /// `boolean`
    Boolean,
}

impl Type {
    /// The type as OpenAPI writes it; empty for [`Type::Any`].
    pub fn name(self) -> &'static str {
        match self {
            Type::Any => "",
            Type::Object => "object",
            Type::Array => "array",
            Type::String => "string",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Boolean => "boolean",
        }
    }

    fn parse(name: &str) -> Option<Type> {
        [Type::Object, Type::Array, Type::String, Type::Integer, Type::Number, Type::Boolean]
            .into_iter()
            .find(|candidate| candidate.name() == name)
    }
}

/// How items of a list are identified (`x-kubernetes-list-type`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// `atomic`: the list is one value.
    #[default]
    Atomic,
    /// `set`: every item is its own key.
    Set,
    /// `map`: items are objects, and these fields are their key.
    Map(Vec<String>),
}

/// How precisely a field of a built-in kind stores a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePrecision {
    /// `Time` of meta/v1: whole seconds.
    Seconds,
    /// `MicroTime` of meta/v1: microseconds.
    Microseconds,
}

/// How a strategic merge patch treats a field (`x-kubernetes-patch-strategy`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// `merge`: the patch is merged into a list instead of replacing it.
    pub merge: bool,
    /// `retainKeys`: members that the patch does not name are dropped.
    pub retain_keys: bool,
    /// `x-kubernetes-patch-merge-key`: the field that identifies list items.
    pub merge_key: Option<String>,
}

/// One rule of `x-kubernetes-validations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The CEL expression.
    pub rule: String,
    /// The message when the rule does not hold.
    pub message: Option<String>,
    /// A CEL expression that computes the message.
    pub message_expression: Option<String>,
    /// Machine-readable reason; `FieldValueInvalid` by default.
    pub reason: Option<String>,
    /// The field to blame, relative to the field with the rule, for example `.size`.
    pub field_path: Option<String>,
    /// Evaluate a transition rule on creation too.
    pub optional_old_self: bool,
}

/// Bounds of a value.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// `minimum`, and whether it is exclusive.
    pub minimum: Option<(f64, bool)>,
    /// `maximum`, and whether it is exclusive.
    pub maximum: Option<(f64, bool)>,
    /// `multipleOf`
    pub multiple_of: Option<f64>,
    /// `minLength`, in characters.
    pub min_length: Option<u64>,
    /// `maxLength`, in characters.
    pub max_length: Option<u64>,
    /// `minItems`
    pub min_items: Option<u64>,
    /// `maxItems`
    pub max_items: Option<u64>,
    /// `minProperties`
    pub min_properties: Option<u64>,
    /// `maxProperties`
    pub max_properties: Option<u64>,
    /// `pattern`: as written, and compiled.
    pub pattern: Option<(String, Regex)>,
    /// `enum`
    pub one_of_values: Vec<Value>,
    /// `format`
    pub format: Option<String>,
}

/// Type and meaning of one value.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// JSON type.
    pub kind: Type,
    /// Named members of an object.
    pub properties: BTreeMap<String, Arc<Schema>>,
    /// All other members of an object.
    pub additional: Option<Arc<Schema>>,
    /// Items of a list.
    pub items: Option<Arc<Schema>>,
    /// Members that must be present.
    pub required: Vec<String>,
    /// The value that an absent field gets.
    pub default: Option<Value>,
    /// Whether null is a valid value.
    pub nullable: bool,
    /// `x-kubernetes-preserve-unknown-fields`
    pub preserve_unknown: bool,
    /// `x-kubernetes-embedded-resource`: the value has apiVersion, kind and metadata.
    pub embedded_resource: bool,
    /// `x-kubernetes-int-or-string`
    pub int_or_string: bool,
    /// How list items are identified.
    pub list_type: ListType,
    /// `x-kubernetes-map-type: atomic`: the object is one value.
    pub atomic_map: bool,
    /// How strategic merge patches treat the field.
    pub patch_strategy: PatchStrategy,
    /// Set for the time types of meta/v1, which only built-in kinds and `metadata` have.
    pub time: Option<TimePrecision>,
    /// Bounds of the value.
    pub bounds: Bounds,
    /// CEL rules, as written. A `Validator` compiles them.
    pub rules: Vec<Rule>,
    /// Members of `allOf`, `anyOf`, `oneOf` and `not`: value validations only.
    pub combinators: Combinators,
}

/// Validations that combine other validations.
#[derive(Clone, Debug, Default)]
pub struct Combinators {
    /// All must hold.
    pub all_of: Vec<Arc<Schema>>,
    /// At least one must hold.
    pub any_of: Vec<Arc<Schema>>,
    /// Exactly one must hold.
    pub one_of: Vec<Arc<Schema>>,
    /// Must not hold.
    pub not: Option<Arc<Schema>>,
}

/// Why an OpenAPI schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct SchemaError {
    /// Where, for example `spec.properties.image`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

impl Schema {
    /// The schema of a value about which nothing is known: it accepts everything.
    pub fn any() -> Self {
        Schema { preserve_unknown: true, ..Schema::default() }
    }

    /// Reads an OpenAPI v3 schema as CRDs contain it (`openAPIV3Schema`).
    ///
    /// # Errors
    /// When a part has the wrong type or a pattern does not compile.
    pub fn from_openapi(openapi: &Value) -> Result<Schema, SchemaError> {
        read(openapi, "", &mut |_| None)
    }

    /// Whether this schema or one below it has CEL rules.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
            || self.properties.values().any(|child| child.has_rules())
            || self.items.iter().chain(&self.additional).any(|child| child.has_rules())
    }

    /// The schema of a member: of the named property, else the one for all other members.
    pub fn member(&self, name: &str) -> Option<&Arc<Schema>> {
        self.properties.get(name).or(self.additional.as_ref())
    }
}

/// Reads one schema. `resolve` returns the schema that a `$ref` names.
pub(crate) fn read(
    openapi: &Value,
    path: &str,
    resolve: &mut dyn FnMut(&str) -> Option<Schema>,
) -> Result<Schema, SchemaError> {
    let Value::Object(map) = openapi else {
        if openapi == &Value::Bool(true) {
            return Ok(Schema::any());
        }
        return Err(SchemaError { path: path.to_owned(), problem: "a schema must be an object".to_owned() });
    };
    let mut schema = match map.get("$ref").and_then(Value::as_str) {
        Some(reference) => resolve(reference).unwrap_or_else(Schema::any),
        None => Schema::default(),
    };
    read_type(map, &mut schema);
    read_members(map, path, resolve, &mut schema)?;
    schema.bounds = read_bounds(map, path, std::mem::take(&mut schema.bounds))?;
    read_extensions(map, &mut schema);
    read_combinators(map, path, resolve, &mut schema)?;
    if let Some(default) = map.get("default") {
        schema.default = Some(default.clone());
    }
    Ok(schema)
}

fn read_type(map: &Map<String, Value>, schema: &mut Schema) {
    match map.get("type") {
        Some(Value::String(name)) => schema.kind = Type::parse(name).unwrap_or_default(),
        // JSON Schema lists "null" among the types where OpenAPI 3.0 writes `nullable`.
        Some(Value::Array(names)) => {
            for name in names.iter().filter_map(Value::as_str) {
                if name == "null" {
                    schema.nullable = true;
                } else {
                    schema.kind = Type::parse(name).unwrap_or_default();
                }
            }
        }
        _ => {}
    }
    if flag(map, "nullable") {
        schema.nullable = true;
    }
}

fn read_members(
    map: &Map<String, Value>,
    path: &str,
    resolve: &mut dyn FnMut(&str) -> Option<Schema>,
    schema: &mut Schema,
) -> Result<(), SchemaError> {
    if let Some(Value::Object(properties)) = map.get("properties") {
        for (name, property) in properties {
            let child = read(property, &join(path, &format!("properties.{name}")), resolve)?;
            schema.properties.insert(name.clone(), Arc::new(child));
        }
    }
    match map.get("additionalProperties") {
        Some(Value::Bool(false)) | None => {}
        Some(Value::Bool(true)) => schema.additional = Some(Arc::new(Schema::any())),
        Some(other) => {
            schema.additional = Some(Arc::new(read(other, &join(path, "additionalProperties"), resolve)?));
        }
    }
    if let Some(items) = map.get("items") {
        schema.items = Some(Arc::new(read(items, &join(path, "items"), resolve)?));
    }
    if let Some(Value::Array(required)) = map.get("required") {
        schema.required = required.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    Ok(())
}

fn read_bounds(map: &Map<String, Value>, path: &str, old: Bounds) -> Result<Bounds, SchemaError> {
    let whole = |name: &str| map.get(name).and_then(Value::as_u64);
    let limit = |name: &str, exclusive: &str| {
        map.get(name).and_then(Value::as_f64).map(|number| (number, flag(map, exclusive)))
    };
    let pattern = match map.get("pattern").and_then(Value::as_str) {
        None => old.pattern,
        Some(text) => {
            let regex = Regex::new(text).map_err(|error| SchemaError {
                path: join(path, "pattern"),
                problem: format!("{text:?} is not a regular expression: {error}"),
            })?;
            Some((text.to_owned(), regex))
        }
    };
    Ok(Bounds {
        minimum: limit("minimum", "exclusiveMinimum").or(old.minimum),
        maximum: limit("maximum", "exclusiveMaximum").or(old.maximum),
        multiple_of: map.get("multipleOf").and_then(Value::as_f64).or(old.multiple_of),
        min_length: whole("minLength").or(old.min_length),
        max_length: whole("maxLength").or(old.max_length),
        min_items: whole("minItems").or(old.min_items),
        max_items: whole("maxItems").or(old.max_items),
        min_properties: whole("minProperties").or(old.min_properties),
        max_properties: whole("maxProperties").or(old.max_properties),
        pattern,
        one_of_values: map.get("enum").and_then(Value::as_array).cloned().unwrap_or(old.one_of_values),
        format: map.get("format").and_then(Value::as_str).map(str::to_owned).or(old.format),
    })
}

fn read_extensions(map: &Map<String, Value>, schema: &mut Schema) {
    schema.preserve_unknown |= flag(map, "x-kubernetes-preserve-unknown-fields");
    schema.embedded_resource |= flag(map, "x-kubernetes-embedded-resource");
    schema.int_or_string |= flag(map, "x-kubernetes-int-or-string");
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    if text("x-kubernetes-map-type") == Some("atomic") {
        schema.atomic_map = true;
    }
    match text("x-kubernetes-list-type") {
        Some("set") => schema.list_type = ListType::Set,
        Some("map") => {
            let keys = map.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let keys = keys.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            schema.list_type = ListType::Map(keys);
        }
        Some(_) => schema.list_type = ListType::Atomic,
        None => {}
    }
    if let Some(strategy) = text("x-kubernetes-patch-strategy") {
        schema.patch_strategy.merge = strategy.split(',').any(|part| part == "merge");
        schema.patch_strategy.retain_keys = strategy.split(',').any(|part| part == "retainKeys");
    }
    if let Some(key) = text("x-kubernetes-patch-merge-key") {
        schema.patch_strategy.merge_key = Some(key.to_owned());
    }
    for rule in map.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| rule.get(name).and_then(Value::as_str).map(str::to_owned);
        schema.rules.push(Rule {
            rule: text("rule").unwrap_or_default(),
            message: text("message"),
            message_expression: text("messageExpression"),
            reason: text("reason"),
            field_path: text("fieldPath"),
            optional_old_self: rule.get("optionalOldSelf") == Some(&Value::Bool(true)),
        });
    }
}

fn read_combinators(
    map: &Map<String, Value>,
    path: &str,
    resolve: &mut dyn FnMut(&str) -> Option<Schema>,
    schema: &mut Schema,
) -> Result<(), SchemaError> {
    let mut list = |name: &str| -> Result<Vec<Arc<Schema>>, SchemaError> {
        let parts = map.get(name).and_then(Value::as_array);
        parts.into_iter().flatten().map(|part| read(part, &join(path, name), resolve).map(Arc::new)).collect()
    };
    let combinators = Combinators {
        all_of: list("allOf")?,
        any_of: list("anyOf")?,
        one_of: list("oneOf")?,
        not: match map.get("not") {
            Some(not) => Some(Arc::new(read(not, &join(path, "not"), resolve)?)),
            None => None,
        },
    };
    schema.combinators = combinators;
    Ok(())
}

fn flag(map: &Map<String, Value>, name: &str) -> bool {
    map.get(name) == Some(&Value::Bool(true))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
