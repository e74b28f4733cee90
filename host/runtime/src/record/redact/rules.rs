//! What is left out of every record, as data. The table in `docs/replay.md` says the same in words,
//! and a test compares the two.

/// Members, annotations, labels, variables and parameters whose name contains one of these hold a
/// secret. Case does not matter, and neither do separators: `apikey` stands for `API-Key` too.
pub const NAME_PARTS: &[&str] = &[
    "accesskey",
    "apikey",
    "authorization",
    "connectionstring",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "token",
];

/// As [`NAME_PARTS`], but only as a whole word of a name, or with an `s` at its end: `pin` is a
/// word of `doorPin` and of `door-pin`, and none of `mapping`.
pub const NAME_WORDS: &[&str] = &["auth", "dsn", "pin", "pwd", "salt"];

/// Which inputs a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Inputs of reconciles and of reviews.
    Everywhere,
    /// Only inputs of reviews. What a guest itself wrote into its objects stays in reconciles,
    /// since the guest compares it.
    Reviews,
}

/// A member of objects under which all texts are left out, whatever they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The member that has it as a member; `None` for any.
    pub parent: Option<&'static str>,
    /// Its name.
    pub name: &'static str,
    /// Where this counts.
    pub scope: Scope,
}

const fn field(parent: &'static str, name: &'static str) -> Field {
    Field { parent: Some(parent), name, scope: Scope::Everywhere }
}

const fn in_reviews(name: &'static str) -> Field {
    Field { parent: None, name, scope: Scope::Reviews }
}

/// Fields of Kubernetes that hold secrets or persons under any name: `UserInfo` of
/// authentication.k8s.io/v1, volume sources of core/v1, and the content of ConfigMaps and Secrets.
pub const FIELDS: &[Field] = &[
    Field { parent: None, name: "userInfo", scope: Scope::Everywhere },
    field("csi", "volumeAttributes"),
    field("flexVolume", "options"),
    field("rbd", "keyring"),
    field("rbd", "secretRef"),
    field("rbd", "user"),
    field("cephfs", "secretFile"),
    field("cephfs", "secretRef"),
    field("cephfs", "user"),
    field("iscsi", "initiatorName"),
    field("iscsi", "secretRef"),
    in_reviews("data"),
    in_reviews("stringData"),
    in_reviews("binaryData"),
];

/// Lists of objects with `name` and `value` whose values are left out, whatever the name: `EnvVar`
/// and `HTTPHeader` of core/v1.
pub const VALUE_LISTS: &[(&str, Scope)] = &[("env", Scope::Reviews), ("httpHeaders", Scope::Everywhere)];

/// The content of Secrets (core/v1), in whatever input.
pub const SECRET_CONTENT: &[&str] = &["data", "stringData", "binaryData"];

/// Members whose text names a Secret, by the conventions of Kubernetes.
pub const REFERENCE_NAMES: &[&str] = &["secretName", "secretNamespace"];

/// An object with no other members than these, and with the first, second or third one, refers to
/// something: `SecretKeySelector`, `SecretVolumeSource`, `ObjectReference` and so on of core/v1.
/// References stay.
pub const REFERENCE_MEMBERS: &[&str] = &[
    "name",
    "secretName",
    "path",
    "apiGroup",
    "apiVersion",
    "audience",
    "defaultMode",
    "expirationSeconds",
    "items",
    "key",
    "kind",
    "namespace",
    "optional",
    "resourceVersion",
    "uid",
];
/// So many of [`REFERENCE_MEMBERS`] say what is referred to.
const NAMING_MEMBERS: usize = 3;

/// Whether a name says that its value is secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let compact: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    NAME_PARTS.iter().any(|part| compact.contains(part))
        || words(name).any(|word| {
            let word = word.to_ascii_lowercase();
            NAME_WORDS.contains(&word.as_str())
                || word.strip_suffix('s').is_some_and(|word| NAME_WORDS.contains(&word))
        })
}

/// The words of a name: `door-pin`, `doorPin` and `DOORPin` have two.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphabetic()).flat_map(|run| {
        let bytes = run.as_bytes();
        let upper = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
        let lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
        let starts = move |at: &usize| upper(*at) && (lower(at - 1) || lower(at + 1));
        let ends: Vec<usize> = (1..run.len()).filter(starts).chain([run.len()]).collect();
        let mut start = 0;
        ends.into_iter().filter_map(move |end| run.get(std::mem::replace(&mut start, end)..end))
    })
}

/// Whether all texts under a member are left out.
pub(super) fn is_secret_field(parent: &str, name: &str, is_review: bool) -> bool {
    FIELDS.iter().any(|field| {
        field.name == name && field.parent.is_none_or(|named| named == parent) && field.scope.has(is_review)
    })
}

/// Whether all values of a list are left out.
pub(super) fn is_value_list(name: &str, is_review: bool) -> bool {
    VALUE_LISTS.iter().any(|(list, scope)| *list == name && scope.has(is_review))
}

/// Whether an object with these members refers to something.
pub(super) fn is_reference<'m>(mut members: impl Iterator<Item = &'m String> + Clone) -> bool {
    let naming = REFERENCE_MEMBERS.iter().take(NAMING_MEMBERS);
    members.clone().any(|member| naming.clone().any(|name| *name == member.as_str()))
        && members.all(|member| REFERENCE_MEMBERS.contains(&member.as_str()))
}

impl Scope {
    fn has(self, is_review: bool) -> bool {
        is_review || self == Self::Everywhere
    }
}

#[cfg(test)]
mod tests {
    use super::{NAME_PARTS, NAME_WORDS, is_secret_name, words};

    #[test]
    fn each_name_counts_in_every_spelling() {
        for part in NAME_PARTS {
            let (front, back) = part.split_at(part.len() / 2);
            for name in [
                (*part).to_owned(),
                part.to_ascii_uppercase(),
                format!("example.org/db-{part}-2"),
                format!("my{part}s"),
                format!("{front}_{back}"),
                format!("{front}-{}", back.to_ascii_uppercase()),
            ] {
                assert!(is_secret_name(&name), "{name}");
            }
        }
        for word in NAME_WORDS {
            let capital = format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]);
            for name in [
                (*word).to_owned(),
                format!("{word}s"),
                word.to_ascii_uppercase(),
                format!("example.org/door_{word}"),
                format!("door{capital}"),
                format!("DOOR{capital}Code"),
                format!("{word}2"),
            ] {
                assert!(is_secret_name(&name), "{name}");
            }
            assert!(!is_secret_name(&format!("x{word}")), "{word} within a word");
        }
    }

    #[test]
    fn ordinary_names_are_no_secrets() {
        for name in [
            "",
            "mapping",
            "typing",
            "spinner",
            "author",
            "name",
            "key",
            "topologyKey",
            "accessModes",
            "image",
            "basalt",
            "matchLabelKeys",
            "example.org/ordinary",
            "keys",
            "s",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
        assert_eq!(words("HTTPPin-codeB").collect::<Vec<_>>(), ["HTTP", "Pin", "code", "B"]);
    }
}
