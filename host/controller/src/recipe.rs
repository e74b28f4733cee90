//! Secret values that the host makes: random bytes, accounts, certificates.
//!
//! A guest cannot make them itself: it is a pure function, and what it decides is recorded.

mod certificate;
mod credentials;
mod rotation;

use orascache_contract::{FailureReason, Generated, RandomKey, Recipe};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use rotation::{Changes, rotate};

/// Most random bytes of one key.
const MAX_RANDOM_BYTES: u32 = 4_096;
/// Longest key of a Secret (validation of `data` in the API server).
const MAX_KEY: usize = 253;

/// Keys of a Secret with their values. They are secret, and never logged.
pub(crate) type Values = BTreeMap<String, String>;

/// Why a recipe was not followed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) reason: FailureReason,
    /// A sentence.
    pub(crate) message: String,
}

/// A recipe that does not say what to make.
fn invalid(message: impl Into<String>) -> Unfit {
    Unfit { reason: FailureReason::Invalid, message: message.into() }
}

/// A recipe that asks for more than a guest may have.
fn not_permitted(message: impl Into<String>) -> Unfit {
    Unfit { reason: FailureReason::NotPermitted, message: message.into() }
}

/// What the host itself could not do.
fn failed(what: &str, error: impl std::fmt::Display) -> Unfit {
    let reason = FailureReason::Other("InternalError".to_owned());
    Unfit { reason, message: format!("{what}: {error}.") }
}

/// Makes the values of a Secret. Hashing takes milliseconds, so that this runs on a thread for
/// blocking work.
///
/// # Errors
/// When the recipe cannot be followed.
pub(crate) async fn follow(generated: &Generated, secret: &Value) -> Result<Values, Unfit> {
    check_keys(&generated.recipe)?;
    if let Some(key) = keys(&generated.recipe).into_iter().find(|key| has_value(secret, key)) {
        return Err(invalid(format!(
            "The Secret has a value for the key {key:?} already: leave it out, or name another key."
        )));
    }
    make_elsewhere(generated.recipe.clone()).await
}

async fn make_elsewhere(recipe: Recipe) -> Result<Values, Unfit> {
    match tokio::task::spawn_blocking(move || make(&recipe)).await {
        Ok(made) => made,
        Err(error) => Err(failed("The values could not be made", error)),
    }
}

fn make(recipe: &Recipe) -> Result<Values, Unfit> {
    match recipe {
        Recipe::Random(random) => random_key(random),
        Recipe::Credentials(credentials) => credentials::make(credentials),
        Recipe::Certificate(certificate) => certificate::make(certificate),
    }
}

/// Refuses keys that are no keys, or that are listed twice.
fn check_keys(recipe: &Recipe) -> Result<(), Unfit> {
    let mut seen = BTreeSet::new();
    for key in keys(recipe) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(is_plain) || matches!(key, "." | "..") {
            return Err(invalid(format!(
                "{key:?} is no key of a Secret: use letters, digits, '-', '_' and '.', at most {MAX_KEY}."
            )));
        }
        if !seen.insert(key) {
            return Err(invalid(format!("The key {key:?} is to hold two values: name each key once.")));
        }
    }
    Ok(())
}

/// Whether a Secret has a value for one of the keys that a recipe fills in.
pub(crate) fn has_values(recipe: &Recipe, secret: &Value) -> bool {
    keys(recipe).into_iter().any(|key| has_value(secret, key))
}

fn has_value(secret: &Value, key: &str) -> bool {
    let has = |member: &str| secret.get(member).and_then(|data| data.get(key)).is_some();
    has("data") || has("stringData")
}

/// The keys that a recipe fills in.
fn keys(recipe: &Recipe) -> Vec<&str> {
    match recipe {
        Recipe::Random(random) => vec![&random.key],
        Recipe::Credentials(credentials) => {
            let passwords = credentials.accounts.iter().map(|account| account.password_key.as_str());
            passwords.chain([credentials.htpasswd_key.as_str()]).collect()
        }
        Recipe::Certificate(_) => certificate::KEYS.to_vec(),
    }
}

fn random_key(random: &RandomKey) -> Result<Values, Unfit> {
    match random.bytes {
        0 => Err(invalid(format!("The key {:?} is to have 0 random bytes: ask for some.", random.key))),
        bytes if bytes > MAX_RANDOM_BYTES => Err(not_permitted(format!(
            "The key {:?} is to have {bytes} random bytes: ask for at most {MAX_RANDOM_BYTES}.",
            random.key
        ))),
        bytes => {
            let text = random_text(usize::try_from(bytes).unwrap_or_default())?;
            Ok(Values::from([(random.key.clone(), text)]))
        }
    }
}

/// Hexadecimal digits of so many bytes from the operating system's generator.
fn random_text(bytes: usize) -> Result<String, Unfit> {
    let mut random = vec![0; bytes];
    OsRng
        .try_fill_bytes(&mut random)
        .map_err(|error| failed("The operating system gave no random bytes", error))?;
    Ok(hex::encode(random))
}

#[cfg(test)]
mod tests {
    use super::{Unfit, Values, follow};
    use orascache_contract::{
        Account, Certificate, Credentials, FailureReason, Generated, RandomKey, Recipe,
    };
    use serde_json::{Value, json};

    async fn follow_with(recipe: Recipe, secret: Value) -> Result<Values, Unfit> {
        follow(&Generated { secret: String::new(), recipe }, &secret).await
    }

    fn random(key: &str, bytes: u32) -> Recipe {
        Recipe::Random(RandomKey { key: key.to_owned(), bytes })
    }

    fn credentials(accounts: &[(&str, &str)], htpasswd_key: &str) -> Recipe {
        let accounts = accounts.iter().map(|(username, key)| Account {
            username: (*username).to_owned(),
            password_key: (*key).to_owned(),
        });
        Recipe::Credentials(Credentials {
            accounts: accounts.collect(),
            htpasswd_key: htpasswd_key.to_owned(),
        })
    }

    fn certificate(names: &[&str], days: u32) -> Recipe {
        let dns_names = names.iter().map(|&name| name.to_owned()).collect();
        Recipe::Certificate(Certificate { dns_names, days })
    }

    #[tokio::test]
    async fn random_bytes_are_hexadecimal_and_differ() {
        let one = follow_with(random("k", 16), json!({})).await.expect("values");
        let other = follow_with(random("k", 16), json!({})).await.expect("values");
        assert_eq!(one["k"].len(), 32);
        assert!(one["k"].bytes().all(|byte| byte.is_ascii_hexdigit()) && one["k"] != other["k"]);
        let largest = follow_with(random("k", 4_096), json!({})).await.expect("values");
        assert_eq!(largest["k"].len(), 8_192);
    }

    #[tokio::test]
    async fn accounts_get_passwords_that_match_their_htpasswd_lines() {
        let values = follow_with(credentials(&[("push", "p1"), ("pull", "p2")], "htpasswd"), json!({}))
            .await
            .expect("values");
        assert_ne!(values["p1"], values["p2"]);
        let lines: Vec<&str> = values["htpasswd"].lines().collect();
        assert_eq!(lines.len(), 2);
        for (line, (username, key)) in lines.iter().zip([("push", "p1"), ("pull", "p2")]) {
            let (name, hash) = line.split_once(':').expect("a colon");
            assert_eq!(name, username);
            assert!(hash.starts_with("$2y$"), "the prefix that htpasswd writes: {hash}");
            assert!(bcrypt::verify(&values[key], hash).expect("a hash"));
            assert!(!bcrypt::verify("another", hash).expect("a hash"));
        }
    }

    #[tokio::test]
    async fn recipes_with_bad_values_fail_with_a_sentence() {
        use FailureReason::{Invalid, NotPermitted};
        let long = "x".repeat(300);
        let names: Vec<String> = (0..65).map(|number| format!("n{number}.svc")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for (recipe, reason, says) in [
            (random("k", 0), Invalid, "0 random bytes"),
            (random("k", 4_097), NotPermitted, "at most 4096"),
            (random("", 1), Invalid, "no key"),
            (random("a/b", 1), Invalid, "no key"),
            (random(&long, 1), Invalid, "no key"),
            (random("..", 1), Invalid, "no key"),
            (random("taken", 1), Invalid, "already"),
            (random("text", 1), Invalid, "already"),
            (credentials(&[], "h"), Invalid, "no account"),
            (credentials(&[("a", "p"), ("b", "p")], "h"), Invalid, "two values"),
            (credentials(&[("a", "h")], "h"), Invalid, "two values"),
            (credentials(&[("a", "p"), ("a", "q")], "h"), Invalid, "twice"),
            (credentials(&[("a:b", "p")], "h"), Invalid, "a:b"),
            (credentials(&[("a\nb", "p")], "h"), Invalid, "a\\nb"),
            (credentials(&[("", "p")], "h"), Invalid, "\"\""),
            (credentials(&[("#a", "p")], "h"), Invalid, "#a"),
            (certificate(&[], 1), Invalid, "no DNS name"),
            (certificate(&["a b"], 1), Invalid, "a b"),
            (certificate(&["a..b"], 1), Invalid, "a..b"),
            (certificate(&["-a"], 1), Invalid, "-a"),
            (certificate(&[long.as_str()], 1), Invalid, "no DNS name"),
            (certificate(&["a.svc"], 0), Invalid, "0 days"),
            (certificate(&["a.svc"], 3_651), NotPermitted, "3650"),
            (certificate(&names, 1), NotPermitted, "64"),
        ] {
            let secret = json!({"data": {"taken": "eA=="}, "stringData": {"text": "x"}});
            let unfit = follow_with(recipe.clone(), secret).await.expect_err("no values");
            assert_eq!(unfit.reason, reason, "{recipe:?}");
            assert!(unfit.message.contains(says) && unfit.message.ends_with('.'), "{}", unfit.message);
        }
        let accounts: Vec<(String, String)> =
            (0..17).map(|number| (format!("u{number}"), format!("p{number}"))).collect();
        let accounts: Vec<(&str, &str)> =
            accounts.iter().map(|(user, key)| (user.as_str(), key.as_str())).collect();
        let unfit = follow_with(credentials(&accounts, "h"), json!({})).await.expect_err("no values");
        assert_eq!(unfit.reason, NotPermitted);
    }
}
