//! What one informer watches: a kind, in one namespace or wherever its objects are.

use crate::object::Key;
use crate::watches::{KindIndex, Watch};

/// Longest name of a namespace (`DNS1123LabelMaxLength` of apimachinery).
const MAX_NAMESPACE: usize = 63;

/// The objects of one informer. The scopes of a controller do not overlap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    pub(crate) kind: KindIndex,
    /// `None` for all objects of the kind, whether they live in namespaces or not.
    pub(crate) namespace: Option<Box<str>>,
}

impl Scope {
    /// Whether an object of the kind with this key is in the scope.
    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| **namespace == *key.namespace)
    }

    /// Whether a primary with this key may own or read objects of the scope. A primary without a
    /// namespace may own objects in any.
    pub(crate) fn concerns(&self, primary: &Key) -> bool {
        primary.namespace.is_empty() || self.contains(primary)
    }
}

/// The scopes of all watches, by kind. Kinds without namespaces have one scope, whatever namespaces
/// are listed.
///
/// # Errors
/// With a namespace that cannot be one.
pub(crate) fn scopes(watches: &[Watch], namespaces: &[String]) -> Result<Vec<Scope>, String> {
    if let Some(wrong) = namespaces.iter().find(|namespace| !is_namespace(namespace)) {
        return Err(wrong.clone());
    }
    let mut listed: Vec<Option<Box<str>>> =
        namespaces.iter().map(|name| Some(name.as_str().into())).collect();
    listed.sort_unstable();
    listed.dedup();
    let everywhere = [None];
    let scopes = watches.iter().enumerate().flat_map(|(kind, watch)| {
        let of_kind = if watch.kind.namespaced && !listed.is_empty() { &listed[..] } else { &everywhere };
        of_kind.iter().map(move |namespace| Scope { kind, namespace: namespace.clone() })
    });
    Ok(scopes.collect())
}

/// Whether a text can be the name of a namespace (a label of RFC 1123).
fn is_namespace(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= MAX_NAMESPACE
        && text.bytes().all(is_plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::scopes;
    use crate::object::Key;
    use crate::testing::description;
    use crate::watches::{Watch, watches};

    /// `P` and `C` have namespaces, `D` has none.
    fn three_kinds() -> Vec<Watch> {
        let mut described = description(&["C", "D"], &[]);
        described.owned[1].kind.namespaced = false;
        watches(&described).expect("watches")
    }

    fn names(namespaces: &[&str]) -> Vec<String> {
        namespaces.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn without_namespaces_every_kind_is_watched_as_a_whole() {
        let all = scopes(&three_kinds(), &[]).expect("scopes");
        let found: Vec<_> = all.iter().map(|scope| (scope.kind, scope.namespace.as_deref())).collect();
        assert_eq!(found, [(0, None), (1, None), (2, None)]);
        assert!(all[1].contains(&Key::new("n", "c")) && all[2].contains(&Key::new("", "d")));
    }

    #[test]
    fn each_kind_with_namespaces_is_watched_once_in_each_namespace() {
        let all = scopes(&three_kinds(), &names(&["b", "a", "b"])).expect("scopes");
        let found: Vec<_> = all.iter().map(|scope| (scope.kind, scope.namespace.as_deref())).collect();
        assert_eq!(found, [(0, Some("a")), (0, Some("b")), (1, Some("a")), (1, Some("b")), (2, None)]);
        assert!(all[2].contains(&Key::new("a", "c")) && !all[2].contains(&Key::new("b", "c")));
        assert!(all[2].concerns(&Key::new("", "p")) && !all[2].concerns(&Key::new("b", "p")));
    }

    #[test]
    fn a_text_that_cannot_be_a_namespace_is_refused() {
        let long = "x".repeat(64);
        for wrong in ["", "A", "a/b", "-a", "a-", "a b", "..", long.as_str()] {
            assert_eq!(scopes(&three_kinds(), &names(&["ok", wrong])), Err(wrong.to_owned()));
        }
    }
}
