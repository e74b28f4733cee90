//! Match conditions of admission webhooks: CEL expressions about a request.
//!
//! The variables are those of `k8s.io/apiserver/pkg/admission/plugin/cel`: `object`, `oldObject`
//! and `request` as plain JSON (map keys are not escaped, unlike in the rules of CRDs), and
//! `namespaceObject`, which is null for webhooks. There is no `authorizer`.

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use kube_cel::cel::objects::Key;
use kube_cel::cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

const VARIABLES: [&str; 4] = ["object", "oldObject", "request", "namespaceObject"];

/// A compiled condition.
#[derive(Debug)]
pub struct MatchCondition {
    expression: String,
    parsed: IdedExpr,
}

impl MatchCondition {
    /// Compiles an expression that must evaluate to a boolean.
    ///
    /// # Errors
    /// The API server's detail about the field `expression`, for example `compilation failed:
    /// ERROR: ...`.
    pub fn compile(expression: &str) -> Result<Self, String> {
        let program = Program::compile(expression).map_err(|error| format!("compilation failed: {error}"))?;
        if let Some(name) = undeclared(program.expression(), &mut Vec::new()) {
            return Err(format!(
                "compilation failed: ERROR: <input>: undeclared reference to '{name}' (in container '')"
            ));
        }
        if let Some(found) = literal_type(program.expression()) {
            return Err(format!("must evaluate to bool but got {found}"));
        }
        let mut parsed = program.expression().clone();
        index_instead_of_select(&mut parsed);
        Ok(Self { expression: expression.to_owned(), parsed })
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// A sentence about what could not be evaluated, in the form that the API server answers with.
    pub fn evaluate(&self, variables: &Variables) -> Result<bool, String> {
        let wrong = |why: String| format!("expression '{}' resulted in error: {why}", self.expression);
        match Cel::resolve(&self.parsed, &variables.0) {
            Ok(Cel::Bool(holds)) => Ok(holds),
            Ok(_) => Err(wrong("the value of the expression is not a bool".to_owned())),
            Err(ExecutionError::NoSuchKey(key)) => Err(wrong(format!("no such key: {key}"))),
            Err(ExecutionError::NoSuchOverload) => Err(wrong("no such overload".to_owned())),
            Err(other) => Err(wrong(other.to_string())),
        }
    }
}

/// The variables of conditions.
pub struct Variables(Context<'static>);

impl std::fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Variables")
    }
}

impl Variables {
    /// The variables of a request: its objects, which are null when missing, and the `request` of
    /// its AdmissionReview without UID and objects.
    pub fn new(object: Option<&Value>, old_object: Option<&Value>, request: &Value) -> Self {
        let mut context = Context::default().with_all();
        let optional = |value: Option<&Value>| value.map_or(Cel::Null, to_cel);
        context.add_variable_from_value("object", optional(object));
        context.add_variable_from_value("oldObject", optional(old_object));
        context.add_variable_from_value("request", to_cel(request));
        context.add_variable_from_value("namespaceObject", Cel::Null);
        Self(context)
    }
}

/// Converts JSON. Numbers are integers when they can be, as in Go's decoder of unstructured
/// objects.
fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cel::Int(whole),
            (None, Some(real)) => Cel::Float(real),
            (None, None) => Cel::Null,
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(members) => {
            let entry = |(name, value): (&String, &Value)| (Key::from(name.clone()), to_cel(value));
            let members: HashMap<Key, Cel> = members.iter().map(entry).collect();
            Cel::Map(members.into())
        }
    }
}

/// The first name that is neither a variable nor bound by an enclosing macro.
fn undeclared(expression: &IdedExpr, bound: &mut Vec<String>) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => {
            let known = VARIABLES.contains(&name.as_str()) || bound.contains(name) || is_type(name);
            (!known).then(|| name.clone())
        }
        Expr::Select(select) => undeclared(&select.operand, bound),
        Expr::Call(call) => {
            // The target of a namespaced function such as `sets.contains(a, b)` is not a variable.
            let target = call.target.as_deref().filter(|target| !is_namespace(target));
            target.into_iter().chain(&call.args).find_map(|part| undeclared(part, bound))
        }
        Expr::List(list) => list.elements.iter().find_map(|part| undeclared(part, bound)),
        Expr::Map(map) => map.entries.iter().find_map(|entry| undeclared_in_entry(&entry.expr, bound)),
        // No message types are declared.
        Expr::Struct(made) => Some(made.type_name.clone()),
        Expr::Comprehension(inner) => {
            let outside = [&inner.iter_range, &inner.accu_init];
            if let Some(name) = outside.into_iter().find_map(|part| undeclared(part, bound)) {
                return Some(name);
            }
            let depth = bound.len();
            bound.extend([inner.iter_var.clone(), inner.accu_var.clone()]);
            bound.extend(inner.iter_var2.clone());
            let inside = [&inner.loop_cond, &inner.loop_step, &inner.result];
            let found = inside.into_iter().find_map(|part| undeclared(part, bound));
            bound.truncate(depth);
            found
        }
        Expr::Literal(_) | Expr::Unspecified => None,
    }
}

fn undeclared_in_entry(entry: &EntryExpr, bound: &mut Vec<String>) -> Option<String> {
    match entry {
        EntryExpr::StructField(field) => undeclared(&field.value, bound),
        EntryExpr::MapEntry(entry) => {
            [&entry.key, &entry.value].into_iter().find_map(|part| undeclared(part, bound))
        }
    }
}

/// Rewrites `a.b` to `a["b"]`. The evaluator returns `false` for a field of a value without fields,
/// for example of null, where the API server reports an error.
fn index_instead_of_select(expression: &mut IdedExpr) {
    let id = expression.id;
    match &mut expression.expr {
        Expr::Select(select) => {
            index_instead_of_select(&mut select.operand);
            if !select.test {
                let operand = std::mem::take(&mut *select.operand);
                let field = LiteralValue::String(select.field.as_str().into());
                let field = IdedExpr { id, expr: Expr::Literal(field) };
                let func_name = operators::INDEX.to_owned();
                expression.expr =
                    Expr::Call(CallExpr { func_name, target: None, args: vec![operand, field] });
            }
        }
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| index_instead_of_select(target));
            call.args.iter_mut().for_each(index_instead_of_select);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(index_instead_of_select),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    index_instead_of_select(&mut entry.key);
                    index_instead_of_select(&mut entry.value);
                }
            }
        }
        Expr::Comprehension(inner) => {
            index_instead_of_select(&mut inner.iter_range);
            index_instead_of_select(&mut inner.accu_init);
            index_instead_of_select(&mut inner.loop_cond);
            index_instead_of_select(&mut inner.loop_step);
            index_instead_of_select(&mut inner.result);
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}

/// Whether the name is that of a type. Types are values, as in `type(object) == map`.
fn is_type(name: &str) -> bool {
    matches!(name, "bool" | "int" | "uint" | "double" | "string" | "bytes" | "list" | "map" | "null_type")
}

fn is_namespace(target: &IdedExpr) -> bool {
    matches!(&target.expr, Expr::Ident(name) if
        matches!(name.as_str(), "sets" | "math" | "format" | "base64" | "optional" | "strings" | "ip" | "cidr"))
}

/// The type of an expression that is a literal of another type than bool.
fn literal_type(expression: &IdedExpr) -> Option<&'static str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(_)) => Some("string"),
        Expr::Literal(LiteralValue::Int(_)) => Some("int"),
        Expr::Literal(LiteralValue::UInt(_)) => Some("uint"),
        Expr::Literal(LiteralValue::Double(_)) => Some("double"),
        Expr::Literal(LiteralValue::Bytes(_)) => Some("bytes"),
        Expr::Literal(LiteralValue::Null) => Some("null_type"),
        Expr::List(_) => Some("list(dyn)"),
        Expr::Map(_) => Some("map(dyn, dyn)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{MatchCondition, Variables};
    use serde_json::{Value, json};

    const ANNOTATED: &str = "has(object.metadata.annotations) && object.metadata.annotations.exists(key, \
                        key.startsWith('cache.example.com/'))";

    fn evaluate(expression: &str, object: Value, old: Value) -> Result<bool, String> {
        let some = |value: &Value| !value.is_null();
        let request = json!({
            "operation": "CREATE", "namespace": "default", "name": "p", "dryRun": false,
            "userInfo": {"username": "system:admin", "groups": ["system:masters"]},
        });
        let object = Some(object).filter(some);
        let old = Some(old).filter(some);
        let variables = Variables::new(object.as_ref(), old.as_ref(), &request);
        MatchCondition::compile(expression).expect(expression).evaluate(&variables)
    }

    #[test]
    fn keys_of_annotations_are_not_escaped() {
        let pod = |annotations: Value| json!({"metadata": {"annotations": annotations}});
        let annotated = json!({"cache.example.com/input": "x"});
        assert_eq!(evaluate(ANNOTATED, pod(annotated), Value::Null), Ok(true));
        assert_eq!(evaluate(ANNOTATED, pod(json!({"other.io/x": "y"})), Value::Null), Ok(false));
        assert_eq!(evaluate(ANNOTATED, json!({"metadata": {}}), Value::Null), Ok(false));
        let by_key =
            "'other.io/x' in object.metadata.annotations && object.metadata.annotations['other.io/x'] == 'y'";
        assert_eq!(evaluate(by_key, pod(json!({"other.io/x": "y"})), Value::Null), Ok(true));
    }

    #[test]
    fn objects_are_compared_deeply() {
        let spec = |value: Value| json!({"spec": {"a": [1, {"b": value}]}, "metadata": {}});
        assert_eq!(evaluate("object.spec != oldObject.spec", spec(1.into()), spec(1.into())), Ok(false));
        assert_eq!(evaluate("object.spec != oldObject.spec", spec(1.into()), spec(2.into())), Ok(true));
        assert_eq!(evaluate("object.spec.a[0] > 0", spec(1.into()), Value::Null), Ok(true));
        assert_eq!(
            evaluate("!has(object.metadata.deletionTimestamp)", spec(1.into()), Value::Null),
            Ok(true)
        );
    }

    #[test]
    fn a_missing_object_is_null() {
        let object = json!({"spec": {"a": 1}});
        for (expression, expected) in [
            ("request.operation == 'CREATE'", true),
            ("request.operation in ['UPDATE', 'DELETE']", false),
            ("oldObject == null", true),
            ("object != null", true),
            ("oldObject == null || object.spec != oldObject.spec", true),
            ("oldObject != null && object.spec != oldObject.spec", false),
            ("oldObject == null ? has(object.spec) : object.spec != oldObject.spec", true),
            ("request.operation == 'DELETE' ? oldObject.spec.a == 1 : object.spec.a == 1", true),
            ("object.spec != oldObject.spec || request.operation == 'CREATE'", true),
            (
                "request.userInfo.username == 'system:admin' && 'system:masters' in request.userInfo.groups",
                true,
            ),
            ("!has(request.subResource)", true),
            ("namespaceObject == null", true),
        ] {
            assert_eq!(evaluate(expression, object.clone(), Value::Null), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn evaluation_errors_are_reported() {
        let error =
            evaluate("object.spec.b == 1", json!({"spec": {}}), Value::Null).expect_err("no such key");
        assert_eq!(error, "expression 'object.spec.b == 1' resulted in error: no such key: b");
        assert!(evaluate("object.spec != oldObject.spec", json!({"spec": {}}), Value::Null).is_err());
        assert!(evaluate("object.kind.name == 'a'", json!({"kind": "Pod"}), Value::Null).is_err());
        assert!(evaluate("object.spec", json!({"spec": {}}), Value::Null).is_err());
    }

    #[test]
    fn expressions_that_do_not_compile_are_refused() {
        for (expression, detail) in [
            ("object.", "compilation failed: ERROR: <input>:1:"),
            ("objekt.spec == 1", "undeclared reference to 'objekt'"),
            ("object.list.exists(item, thing == 1)", "undeclared reference to 'thing'"),
            ("authorizer.group('').check('x').allowed()", "undeclared reference to 'authorizer'"),
            ("Pod{name: 'a'} == object", "undeclared reference to 'Pod'"),
            ("'text'", "must evaluate to bool but got string"),
        ] {
            let refused = MatchCondition::compile(expression).expect_err(expression);
            assert!(refused.contains(detail), "{expression}: {refused}");
        }
        for fine in ["object.list.all(item, item.a.exists(inner, inner == item.b))", "type(object) == map"] {
            assert!(MatchCondition::compile(fine).is_ok(), "{fine}");
        }
    }
}
