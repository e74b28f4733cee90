//! Converts WAVE to the notation of [`answers`]. WAVE is the notation of values in the command line
//! of wasmtime (github.com/bytecodealliance/wasm-tools/tree/main/crates/wasm-wave).

use super::answers;
use serde_json::{Value, json};
use wasm_wave::ast::{Node, NodeType};
use wasm_wave::parser::ParserError;
use wasm_wave::untyped::UntypedValue;

/// Reads a printed value.
pub fn parsed(text: &str) -> Value {
    let value = UntypedValue::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    answers::uniform(to_json(value.node(), text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

fn to_json(node: &Node, text: &str) -> Result<Value, ParserError> {
    let optional = |payload: Option<&Node>| payload.map_or(Ok(Value::Null), |payload| to_json(payload, text));
    Ok(match node.ty() {
        NodeType::BoolTrue | NodeType::BoolFalse => json!(node.as_bool()?),
        NodeType::Number => json!(node.as_number::<u64>(text)?),
        NodeType::Char => json!(node.as_char(text)?),
        NodeType::String | NodeType::MultilineString => json!(node.as_str(text)?),
        NodeType::Label => json!(node.as_enum(text)?),
        NodeType::Tuple => node.as_tuple()?.map(|item| to_json(item, text)).collect::<Result<_, _>>()?,
        NodeType::List => node.as_list()?.map(|item| to_json(item, text)).collect::<Result<_, _>>()?,
        NodeType::Record => {
            let member = |(name, value): (&str, &Node)| Ok((name.to_owned(), to_json(value, text)?));
            Value::Object(node.as_record(text)?.map(member).collect::<Result<_, ParserError>>()?)
        }
        NodeType::VariantWithPayload => {
            let (case, payload) = node.as_variant(text)?;
            json!({case: optional(payload)?})
        }
        NodeType::OptionSome | NodeType::OptionNone => optional(node.as_option()?)?,
        NodeType::ResultOk | NodeType::ResultErr => match node.as_result()? {
            Ok(payload) => json!({"ok": optional(payload)?}),
            Err(payload) => json!({"err": optional(payload)?}),
        },
        NodeType::Flags => node.as_flags(text)?.collect(),
    })
}
