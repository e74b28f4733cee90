//! What a component imports, read from its bytes.

use wasmparser::{BinaryReaderError, Encoding, Parser, Payload};

/// Whether the bytes start like a component (component-model binary format, layer 1).
pub fn is_component(bytes: &[u8]) -> bool {
    Parser::is_component(bytes)
}

/// Names of everything that the outermost component imports.
///
/// # Errors
/// When the bytes are not well-formed WebAssembly.
pub fn imports(bytes: &[u8]) -> Result<Vec<String>, BinaryReaderError> {
    let mut imports = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding, .. } => {
                depth += 1;
                debug_assert!(depth > 1 || encoding == Encoding::Component);
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(imports)
}

#[cfg(test)]
mod tests {
    use super::{imports, is_component};

    #[test]
    fn a_core_module_is_no_component() {
        assert!(!is_component(b"\0asm\x01\0\0\0"));
        assert!(is_component(b"\0asm\x0d\0\x01\0"));
    }

    #[test]
    fn an_empty_component_imports_nothing() {
        assert!(imports(b"\0asm\x0d\0\x01\0").is_ok_and(|imports| imports.is_empty()));
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(imports(b"garbage").is_err());
    }
}
