//! `$(VAR)` in commands and variables.

/// Replaces `$(VAR)` by the value of a variable, and `$$` by a dollar sign. References to variables
/// that do not exist stay as they are (core/v1 `Container.command`).
pub(crate) fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        rest = match (after.strip_prefix('$'), reference) {
            (Some(behind), _) => {
                expanded.push('$');
                behind
            }
            (None, Some((name, behind))) => {
                expanded.push_str(&variable(name).unwrap_or_else(|| format!("$({name})")));
                behind
            }
            (None, None) => {
                expanded.push('$');
                after
            }
        };
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn references_are_replaced_and_dollars_unescaped() {
        let variable = |name: &str| (name == "A").then(|| "$(B)".to_owned());
        for (text, wanted) in [
            ("$(A)", "$(B)"),
            ("x$(A)y$(A)", "x$(B)y$(B)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$$(B)"),
            ("$(UNKNOWN) $A ${A} $", "$(UNKNOWN) $A ${A} $"),
            ("$(A", "$(A"),
            ("$$", "$"),
            ("", ""),
        ] {
            assert_eq!(expand(text, variable), wanted, "{text}");
        }
    }
}
