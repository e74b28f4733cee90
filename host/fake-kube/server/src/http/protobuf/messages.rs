//! The messages and their field numbers, parsed from `messages.txt`.

use std::collections::HashMap;
use std::sync::OnceLock;

/// How often a field occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Single,
    Repeated,
    /// A map with texts as keys.
    Map,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Bool,
    Integer,
    Double,
    Bytes,
    Message(&'static str),
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) number: u64,
    pub(super) shape: Shape,
    pub(super) type_: Type,
}

const TABLE: &str = include_str!("messages.txt");

/// The fields of a message.
pub(super) fn find(name: &str) -> Option<&'static [Field]> {
    static MESSAGES: OnceLock<HashMap<&'static str, Vec<Field>>> = OnceLock::new();
    let messages = MESSAGES.get_or_init(|| TABLE.lines().filter_map(parse).collect());
    messages.get(name).map(Vec::as_slice)
}

fn parse(line: &'static str) -> Option<(&'static str, Vec<Field>)> {
    let mut words = line.split(' ');
    let name = words.next().filter(|name| !name.starts_with('#'))?;
    Some((name, words.filter_map(field).collect()))
}

fn field(word: &'static str) -> Option<Field> {
    let (name, rest) = word.split_once('=')?;
    let (number, type_) = rest.split_once(':')?;
    let (shape, type_) = if let Some(item) = type_.strip_prefix("[]") {
        (Shape::Repeated, item)
    } else if let Some(value) = type_.strip_prefix("{}") {
        (Shape::Map, value)
    } else {
        (Shape::Single, type_)
    };
    let type_ = match type_ {
        "s" => Type::Text,
        "b" => Type::Bool,
        "i" => Type::Integer,
        "d" => Type::Double,
        "y" => Type::Bytes,
        message => Type::Message(message),
    };
    Some(Field { name, number: number.parse().ok()?, shape, type_ })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_table_is_parsed() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let (_, fields) = parse(line).unwrap();
            let words = line.split(' ').skip(1).filter(|word| !word.is_empty()).count();
            assert_eq!(fields.len(), words, "{line}");
        }
    }
}
