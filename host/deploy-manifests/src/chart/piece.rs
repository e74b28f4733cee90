//! Templates of Helm in typed objects.
//!
//! A field of an object has a marker, a string with a template in it. Where the object is written as
//! YAML, [`template`] puts the template in place of the marker. So the chart follows the typed
//! objects, and the values of the chart appear where a person would have written them.

use crate::error::ManifestError;
use crate::manifests::yaml::document;
use serde_json::Value;
use std::fmt::Write;

const START: &str = "helm-";
const END: &str = "-mleh";

/// The column of the line, for `nindent` in [`line`].
pub(super) const COLUMN: &str = "COLUMN";
/// The column of what belongs to a member in this line.
pub(super) const DEEPER: &str = "COLUMN+2";

/// The text that an expression has. A whole value is quoted, since a text may look like a number.
pub(super) fn text(expression: &str) -> String {
    marker('t', expression)
}

/// A number, or anything else that is written as it is.
pub(super) fn bare(expression: &str) -> String {
    marker('n', expression)
}

/// The member with the text of an expression; no member where the text is empty.
pub(super) fn optional_text(expression: &str) -> String {
    marker('s', expression)
}

/// The member with the value of an expression; no member where the value is empty.
pub(super) fn optional(expression: &str) -> String {
    marker('o', expression)
}

/// The member with the value of an expression.
pub(super) fn value(expression: &str) -> String {
    marker('v', expression)
}

/// Lines in place of the whole line of the marker: of an item of a list, or of a member of an object
/// whose name counts for its place alone.
pub(super) fn line(text: &str) -> String {
    marker('l', text)
}

/// The kind is the last character: names of namespaces, in which markers occur, begin with a letter.
fn marker(kind: char, text: &str) -> String {
    let mut marker = format!("{START}{kind}");
    for byte in text.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(marker, "{byte:02x}");
    }
    marker + END
}

/// Splits a text at its first marker: what is before, kind and template, what is behind.
fn split(text: &str) -> Option<(&str, char, String, &str)> {
    let (before, rest) = text.split_once(START)?;
    let (inside, after) = rest.split_once(END)?;
    let mut characters = inside.chars();
    let kind = characters.next()?;
    let digits = characters.as_str().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes = digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
    Some((before, kind, String::from_utf8(bytes).ok()?, after))
}

/// A template: its kind, and its text.
type Piece = (char, String);

/// An object as YAML, with the templates in place of their markers.
pub(super) fn template(object: &Value) -> Result<String, ManifestError> {
    let mut pieces = Vec::new();
    let mut object = object.clone();
    shorten(&mut object, &mut pieces);
    let yaml = document("", &object)?;
    let mut out = String::with_capacity(yaml.len());
    for line in yaml.lines() {
        // What looks like a template is text.
        let line = line.replace("{{", "{{ \"{{\" }}");
        match numbered(&line, &pieces) {
            Some((before, piece, "")) if before.ends_with(' ') => whole(before, piece, &mut out),
            _ => embedded(&line, &pieces, &mut out),
        }
    }
    Ok(out)
}

/// Numbers the markers in all texts: long texts would be written over several lines.
fn shorten(value: &mut Value, pieces: &mut Vec<Piece>) {
    match value {
        Value::String(text) => {
            let mut short = String::new();
            while let Some((before, kind, template, after)) = split(text) {
                let _ = write!(short, "{before}{START}{}{END}", pieces.len());
                let rest = after.to_owned();
                pieces.push((kind, template));
                *text = rest;
            }
            short.push_str(text);
            *text = short;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, pieces)),
        Value::Object(members) => members.values_mut().for_each(|member| shorten(member, pieces)),
        _ => {}
    }
}

/// Splits a line at its first numbered marker.
fn numbered<'a>(line: &'a str, pieces: &'a [Piece]) -> Option<(&'a str, &'a Piece, &'a str)> {
    let (before, rest) = line.split_once(START)?;
    let (number, after) = rest.split_once(END)?;
    Some((before, pieces.get(number.parse::<usize>().ok()?)?, after))
}

/// A line whose value is a marker.
fn whole(before: &str, (kind, template): &Piece, out: &mut String) {
    let dashes = |text: &str| text.len() - text.trim_start_matches([' ', '-']).len();
    let column = dashes(before);
    let member = before.trim_end();
    // Writing to a String cannot fail.
    let _ = match kind {
        't' => writeln!(out, "{before}{{{{ {template} | quote }}}}"),
        'n' => writeln!(out, "{before}{{{{ {template} }}}}"),
        's' => {
            writeln!(out, "{{{{- with {template} }}}}\n{before}{{{{ . | quote }}}}\n{{{{- end }}}}")
        }
        'v' => {
            writeln!(out, "{member}\n{{{{- toYaml {template} | nindent {} }}}}", column + 2)
        }
        'o' => writeln!(
            out,
            "{{{{- with {template} }}}}\n{member}\n{{{{- toYaml . | nindent {} }}}}\n{{{{- end }}}}",
            column + 2
        ),
        _ => {
            // A list of values has no column of its own behind the dash.
            let column = before.len() - before.trim_start_matches(' ').len();
            for part in template.lines() {
                let indent = if part.starts_with("{{-") { 0 } else { column };
                let part = part.replace(DEEPER, &(column + 2).to_string());
                let part = part.replace(COLUMN, &column.to_string());
                let _ = writeln!(out, "{:indent$}{part}", "");
            }
            Ok(())
        }
    };
}

/// A line with markers within other text.
fn embedded<'a>(mut line: &'a str, pieces: &'a [Piece], out: &mut String) {
    while let Some((before, (_, text), after)) = numbered(line, pieces) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{before}{{{{ {text} }}}}");
        line = after;
    }
    out.push_str(line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{bare, line, optional, optional_text, template, text, value};
    use serde_json::json;

    #[test]
    fn markers_become_templates_at_their_place() {
        let object = json!({
            "braces": "{{ x }}",
            "inside": format!("a/{}:b", text(".X")),
            "items": ["first", line("{{- if .C }}"), text(".Y"), line("{{- end }}"), {"key": value(".L")}],
            "labels": {"a": "b", "more": line("{{- include \"l\" $ | nindent COLUMN }}\nc: d")},
            "name": text(".N"),
            "number": bare(".R"),
            "perhaps": optional(".P"),
            "word": optional_text(".Words.that.are.so.long.that.they.would.be.written.over.several.lines.otherwise"),
        });
        let wanted = r#"braces: "{{ "{{" }} x }}"
inside: a/{{ .X }}:b
items:
- first
{{- if .C }}
- {{ .Y | quote }}
{{- end }}
- key:
{{- toYaml .L | nindent 4 }}
labels:
  a: b
{{- include "l" $ | nindent 2 }}
  c: d
name: {{ .N | quote }}
number: {{ .R }}
{{- with .P }}
perhaps:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Words.that.are.so.long.that.they.would.be.written.over.several.lines.otherwise }}
word: {{ . | quote }}
{{- end }}
"#;
        assert_eq!(template(&object).unwrap(), wanted);
    }
}
