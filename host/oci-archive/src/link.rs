//! Targets that symbolic links of a layer may have.

use crate::MAX_ENTRY_NAME;

/// Checks the target of a symbolic link that is `depth` directories below the directory of the
/// layer. `Err` has the reason why it is refused, as the end of a sentence.
///
/// `..` is accepted at the beginning only. Behind a name its meaning is not known, since that name
/// may be a link itself (with `a -> b/c`, `a/..` is `b`). With `..` at the beginning only, each
/// link stays inside, whatever the others are.
pub(crate) fn check(target: &[u8], depth: usize) -> Result<(), &'static str> {
    if target.is_empty() {
        return Err("it leads nowhere");
    }
    if target.len() >= MAX_ENTRY_NAME {
        return Err("its target is longer than the 4095 bytes that a path can have");
    }
    if target.contains(&0) {
        return Err("its target contains a NUL byte");
    }
    if target.starts_with(b"/") {
        return Err("its target is an absolute path; write it relative to the link");
    }
    let mut ups = 0;
    let mut named = false;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if named => {
                return Err("its target has `..` behind a name; write all `..` at the beginning");
            }
            b".." => ups += 1,
            _ => named = true,
        }
    }
    if ups > depth {
        return Err("its target lies outside of the directory that is the layer");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_within_the_layer_are_accepted() {
        for (target, depth) in [
            ("a", 0),
            ("./a/b", 0),
            (".", 0),
            ("..", 1),
            ("../a", 1),
            ("../../a/b", 2),
            ("./.././../x", 2),
            ("...", 0),
            ("missing", 0),
        ] {
            assert_eq!(check(target.as_bytes(), depth), Ok(()), "{target} at {depth}");
        }
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        for (target, depth) in [
            ("", 0),
            ("/", 3),
            ("/etc/passwd", 3),
            ("..", 0),
            ("../../x", 1),
            ("a/../b", 0),
            ("a/..", 5),
            ("a\0b", 0),
            (&*"x".repeat(4096), 0),
        ] {
            assert!(check(target.as_bytes(), depth).is_err(), "{target} at {depth}");
        }
    }
}
