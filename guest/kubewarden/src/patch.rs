//! Applies the JSON patches (RFC 6902) that the core writes: `add`, `replace` and `remove`.

use crate::document::{Node, index};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Operation<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

/// The document after the patch, JSON text. Everything that the patch does not name is the same text as before.
///
/// # Errors
/// When the patch is not a JSON Patch, has other operations than `add`, `replace` and `remove`, or does not fit the document.
pub fn apply(document: &str, patch: &str) -> Result<String, String> {
    let operations: Vec<Operation<'_>> =
        serde_json::from_str(patch).map_err(|error| format!("the patch cannot be read: {error}"))?;
    let mut root = Node::Raw(document);
    for operation in &operations {
        step(&mut root, operation).ok_or_else(|| {
            format!("the patch does not fit the object: {} {}", operation.op, operation.path)
        })?;
    }
    let mut text = String::with_capacity(document.len() + patch.len());
    root.write(&mut text);
    Ok(text)
}

/// `None` where the operation does not fit.
fn step<'a>(root: &mut Node<'a>, operation: &Operation<'a>) -> Option<()> {
    let value = || operation.value.map(|value| Node::Raw(value.get()));
    let Some((parent, last)) = operation.path.rsplit_once('/') else {
        // The whole document.
        if !operation.path.is_empty() || !matches!(operation.op.as_ref(), "add" | "replace") {
            return None;
        }
        *root = value()?;
        return Some(());
    };
    let mut node = root;
    let mut tokens = parent.split('/');
    // A pointer starts with a slash, so that the text before the first one is empty.
    if tokens.next() != Some("") {
        return None;
    }
    for token in tokens {
        node = node.child(&unescaped(token))?;
    }
    let last = unescaped(last);
    match (operation.op.as_ref(), node.opened()) {
        ("add", Node::Object(members)) => match members.iter_mut().find(|(name, _)| *name == last) {
            Some((_, old)) => *old = value()?,
            None => members.push((last.into_owned(), value()?)),
        },
        ("add", Node::Array(items)) => {
            let at = if last == "-" { items.len() } else { index(&last)? };
            if at > items.len() {
                return None;
            }
            items.insert(at, value()?);
        }
        ("replace", node) => *node.child(&last)? = value()?,
        ("remove", Node::Object(members)) => {
            let at = members.iter().position(|(name, _)| *name == last)?;
            members.remove(at);
        }
        ("remove", Node::Array(items)) => {
            let at = index(&last).filter(|at| *at < items.len())?;
            items.remove(at);
        }
        _ => return None,
    }
    Some(())
}

/// A reference token without its escapes (RFC 6901, section 4).
fn unescaped(token: &str) -> Cow<'_, str> {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~").into() } else { token.into() }
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn everything_that_a_patch_does_not_name_stays_as_it_was_written() {
        let document =
            r#"{ "b" : 1.50 , "a" : [ 1e400, 18446744073709551616,{"deep":  null} ], "\u0063": "\u00e9" }"#;
        let patched =
            apply(document, r#"[{"op":"add","path":"/a/1","value":{"x": 2}},{"op":"remove","path":"/c"}]"#);
        assert_eq!(
            patched.as_deref(),
            Ok(r#"{"b":1.50,"a":[1e400,{"x": 2},18446744073709551616,{"deep":  null}]}"#)
        );
    }

    /// Examples of RFC 6902, appendix A, with the operations that are supported here.
    #[test]
    fn the_examples_of_the_standard_are_applied() {
        for (document, patch, wanted) in [
            (
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/baz","value":"qux"}]"#,
                r#"{"foo":"bar","baz":"qux"}"#,
            ),
            (
                r#"{"foo":["bar","baz"]}"#,
                r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
                r#"{"foo":["bar","qux","baz"]}"#,
            ),
            (r#"{"baz":"qux","foo":"bar"}"#, r#"[{"op":"remove","path":"/baz"}]"#, r#"{"foo":"bar"}"#),
            (r#"{"foo":["a","b","c"]}"#, r#"[{"op":"remove","path":"/foo/1"}]"#, r#"{"foo":["a","c"]}"#),
            (
                r#"{"baz":"qux","foo":"bar"}"#,
                r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
                r#"{"baz":"boo","foo":"bar"}"#,
            ),
            (
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
                r#"{"foo":"bar","child":{"grandchild":{}}}"#,
            ),
            (
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#,
                r#"{"foo":"bar","baz":"qux"}"#,
            ),
            (
                r#"{"foo":["bar"]}"#,
                r#"[{"op":"add","path":"/foo/-","value":["abc"]}]"#,
                r#"{"foo":["bar",["abc"]]}"#,
            ),
            (r#"{"/":9,"~1":10}"#, r#"[{"op":"replace","path":"/~01","value":1}]"#, r#"{"/":9,"~1":1}"#),
            (r#"{"/":9}"#, r#"[{"op":"add","path":"/~1","value":{}}]"#, r#"{"/":{}}"#),
            (r#"{"foo":null}"#, r#"[{"op":"replace","path":"","value":[]}]"#, "[]"),
        ] {
            assert_eq!(apply(document, patch).as_deref(), Ok(wanted), "{patch}");
        }
    }

    #[test]
    fn patches_that_do_not_fit_are_refused() {
        for patch in [
            r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#,
            r#"[{"op":"add","path":"/list/3","value":1}]"#,
            r#"[{"op":"add","path":"/list/01","value":1}]"#,
            r#"[{"op":"replace","path":"/none","value":1}]"#,
            r#"[{"op":"replace","path":"/list/2","value":1}]"#,
            r#"[{"op":"remove","path":"/none"}]"#,
            r#"[{"op":"remove","path":""}]"#,
            r#"[{"op":"remove","path":"/list/2"}]"#,
            r#"[{"op":"add","path":"/foo/x","value":1}]"#,
            r#"[{"op":"add","path":"foo","value":1}]"#,
            r#"[{"op":"add","path":"/foo"}]"#,
            r#"[{"op":"copy","from":"/foo","path":"/bar"}]"#,
            "{}",
        ] {
            assert!(apply(r#"{"foo":"bar","list":[1,2]}"#, patch).is_err(), "{patch}");
        }
    }
}
