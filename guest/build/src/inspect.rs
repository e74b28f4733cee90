//! What a component or a core module imports and holds, read from its bytes.

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

/// Whether the bytes start like a core module.
pub fn is_module(bytes: &[u8]) -> bool {
    Parser::is_core_wasm(bytes)
}

/// Module and name of everything that a core module imports.
///
/// # Errors
/// When the bytes are not well-formed WebAssembly.
pub fn module_imports(bytes: &[u8]) -> Result<Vec<(String, String)>, BinaryReaderError> {
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                imports.push((import.module.to_owned(), import.name.to_owned()));
            }
        }
    }
    Ok(imports)
}

/// The contents of a custom section, where there is one of that name.
///
/// # Errors
/// When the bytes are not well-formed WebAssembly.
pub fn custom_section<'a>(bytes: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, BinaryReaderError> {
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::CustomSection(section) = payload?
            && section.name() == name
        {
            return Ok(Some(section.data()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{custom_section, imports, is_component, is_module, module_imports};

    #[test]
    fn a_core_module_is_not_a_component() {
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

    /// A module written by hand (core specification, 5.5): a type, an import `a`.`b` of that type,
    /// a custom section `note`.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x07\x01\x01a\x01b\0\0\0\x07\x04notehi";

    #[test]
    fn imports_and_sections_of_a_module_are_read() {
        assert!(is_module(MODULE) && !is_component(MODULE));
        assert_eq!(module_imports(MODULE).expect("a module"), [("a".to_owned(), "b".to_owned())]);
        assert_eq!(custom_section(MODULE, "note").expect("a module"), Some(&b"hi"[..]));
        assert_eq!(custom_section(MODULE, "other").expect("a module"), None);
        assert!(module_imports(b"garbage").is_err() && custom_section(b"garbage", "note").is_err());
    }
}
