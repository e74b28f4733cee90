//! The JSONPath of printer columns: `.a.b`, `['a.b']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`.

use serde_json::Value;

/// All values at the path. None when there are no such fields or the path is not supported.
pub fn find<'v>(path: &str, value: &'v Value) -> Vec<&'v Value> {
    let path = path.trim();
    let path = path.strip_prefix('{').and_then(|path| path.strip_suffix('}')).unwrap_or(path);
    let path = path.strip_prefix('$').unwrap_or(path);
    let mut current = vec![value];
    let mut rest = path;
    while !rest.is_empty() {
        let Some((step, after)) = next_step(rest) else { return Vec::new() };
        current = current.into_iter().flat_map(|value| step.follow(value)).collect();
        rest = after;
    }
    current
}

enum PathSegment {
    Member(String),
    Index(i64),
    All,
    Filter { path: Vec<String>, value: String, equal: bool },
}

impl PathSegment {
    fn follow<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (PathSegment::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (PathSegment::Index(index), Value::Array(items)) => {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let position = if *index < 0 { index + length } else { *index };
                usize::try_from(position).ok().and_then(|position| items.get(position)).into_iter().collect()
            }
            (PathSegment::All, Value::Array(items)) => items.iter().collect(),
            (PathSegment::All, Value::Object(members)) => members.values().collect(),
            (PathSegment::Filter { path, value: wanted, equal }, Value::Array(items)) => items
                .iter()
                .filter(|item| {
                    let found = path.iter().try_fold(*item, |place, name| place.get(name));
                    found.is_some_and(|found| {
                        let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
                        (text == *wanted) == *equal
                    })
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn next_step(path: &str) -> Option<(PathSegment, &str)> {
    if let Some(rest) = path.strip_prefix('[') {
        let end = closing_bracket(rest)?;
        let (inside, after) = rest.split_at(end);
        let after = after.strip_prefix(']')?;
        return Some((bracket(inside.trim())?, after));
    }
    let rest = path.strip_prefix('.').unwrap_or(path);
    if rest.starts_with('[') {
        return next_step(rest);
    }
    let mut name = String::new();
    let mut characters = rest.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '\\' => name.push(characters.next()?.1),
            '.' | '[' => return Some((member(name), rest.get(position..)?)),
            other => name.push(other),
        }
    }
    Some((member(name), ""))
}

fn member(name: String) -> PathSegment {
    if name == "*" { PathSegment::All } else { PathSegment::Member(name) }
}

fn closing_bracket(text: &str) -> Option<usize> {
    let mut quote = None;
    for (position, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ']') => return Some(position),
            _ => {}
        }
    }
    None
}

fn bracket(inside: &str) -> Option<PathSegment> {
    if inside == "*" {
        return Some(PathSegment::All);
    }
    if let Some(name) = unquote(inside) {
        return Some(PathSegment::Member(name.to_owned()));
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|filter| filter.strip_suffix(')')) {
        let (left, right, equal) = match (filter.split_once("=="), filter.split_once("!=")) {
            (Some((left, right)), _) => (left, right, true),
            (None, Some((left, right))) => (left, right, false),
            (None, None) => return None,
        };
        let path = left.trim().strip_prefix("@.")?.split('.').map(str::to_owned).collect();
        let right = right.trim();
        return Some(PathSegment::Filter { path, value: unquote(right).unwrap_or(right).to_owned(), equal });
    }
    inside.parse().ok().map(PathSegment::Index)
}

fn unquote(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    inner.or_else(|| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')))
}

#[cfg(test)]
mod tests {
    use super::find;
    use serde_json::json;

    #[test]
    fn paths_of_printer_columns_are_followed() {
        let object = json!({
            "spec": {"image": "i", "a.b": 1},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
        });
        for (path, found) in [
            (".spec.image", vec![json!("i")]),
            ("{.spec.image}", vec![json!("i")]),
            (".spec['a.b']", vec![json!(1)]),
            (".spec.a\\.b", vec![json!(1)]),
            (r#".status.conditions[?(@.type=="Ready")].status"#, vec![json!("True")]),
            (".status.conditions[?(@.type=='Other')].status", vec![json!("False")]),
            (".status.conditions[-1].type", vec![json!("Other")]),
            (".status.conditions[*].type", vec![json!("Ready"), json!("Other")]),
            (".status.nothing.at.all", vec![]),
            (".status[?(", vec![]),
        ] {
            assert_eq!(find(path, &object).into_iter().cloned().collect::<Vec<_>>(), found, "{path}");
        }
    }
}
