//! The three changes by which values of a Secret are replaced, as functions of its content.

use super::{MAX_KEY, Unfit, check_keys, invalid, keys, make_elsewhere};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orascache_contract::{Rotation, RotationStep};
use serde_json::Value;
use std::collections::BTreeMap;

/// What becomes of keys in `data` of a Secret: another value in base64, or `None` for a key that is
/// removed. The values are secret, and never logged.
pub(crate) type Changes = BTreeMap<String, Option<String>>;

/// The changes of a Secret, of which `live` is the content.
///
/// # Errors
/// When the recipe cannot be followed, or the Secret does not have what the step needs.
pub(crate) async fn rotate(rotation: &Rotation, live: &Value) -> Result<Changes, Unfit> {
    check_keys(&rotation.recipe)?;
    let keys = keys(&rotation.recipe);
    if let Some(key) = keys.iter().find(|key| next(key).len() > MAX_KEY) {
        return Err(invalid(format!("The key {key:?} is too long for one with {:?} in front.", next(""))));
    }
    if let Some(key) = rotation.joined.iter().find(|key| !keys.contains(&key.as_str())) {
        return Err(invalid(format!("The joined key {key:?} is none that the recipe fills in.")));
    }
    let is_joined = |key: &str| rotation.joined.iter().any(|joined| joined == key);
    match rotation.step {
        RotationStep::Stage => {
            let mut changes = Changes::new();
            for (key, value) in make_elsewhere(rotation.recipe.clone()).await? {
                if is_joined(&key) {
                    let both = [before(live, &key)?, value.clone().into_bytes()].concat();
                    changes.insert(key.clone(), Some(STANDARD.encode(both)));
                }
                changes.insert(next(&key), Some(STANDARD.encode(value)));
            }
            Ok(changes)
        }
        RotationStep::Switch => moved(live, keys.into_iter().filter(|key| !is_joined(key))),
        RotationStep::Finish => moved(live, keys.into_iter().filter(|key| is_joined(key))),
    }
}

/// Moves new values to their keys.
fn moved<'k>(live: &Value, keys: impl Iterator<Item = &'k str>) -> Result<Changes, Unfit> {
    let mut changes = Changes::new();
    for key in keys {
        let next = next(key);
        let value = encoded(live, &next).ok_or_else(|| {
            invalid(format!(
                "The Secret has no value for the key {next:?}: delete it to have another one made."
            ))
        })?;
        changes.insert(key.to_owned(), Some(value.to_owned()));
        changes.insert(next, None);
    }
    Ok(changes)
}

/// The lines that a key has so far; none where somebody removed it.
fn before(live: &Value, key: &str) -> Result<Vec<u8>, Unfit> {
    let Some(value) = encoded(live, key) else { return Ok(Vec::new()) };
    let mut lines = STANDARD
        .decode(value)
        .map_err(|_| invalid(format!("The value of the key {key:?} is no base64: delete the Secret.")))?;
    if lines.last().is_some_and(|last| *last != b'\n') {
        lines.push(b'\n');
    }
    Ok(lines)
}

fn encoded<'s>(secret: &'s Value, key: &str) -> Option<&'s str> {
    secret.get("data")?.get(key)?.as_str()
}

fn next(key: &str) -> String {
    format!("{}{key}", RotationStep::PREFIX)
}

#[cfg(test)]
mod tests {
    use super::{Changes, rotate};
    use crate::recipe::Unfit;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use orascache_contract::{Account, Credentials, FailureReason, Recipe, Rotation, RotationStep};
    use serde_json::{Value, json};

    fn rotation(step: RotationStep) -> Rotation {
        let account = Account { username: "b".to_owned(), password_key: "password".to_owned() };
        let recipe =
            Recipe::Credentials(Credentials { accounts: vec![account], htpasswd_key: "htpasswd".to_owned() });
        Rotation { secret: String::new(), recipe, joined: vec!["htpasswd".to_owned()], step }
    }

    /// The Secret after a step.
    async fn after(step: RotationStep, secret: &Value) -> Result<Value, Unfit> {
        let mut data = secret["data"].clone();
        let members = data.as_object_mut().expect("data");
        for (key, value) in rotate(&rotation(step), secret).await? {
            match value {
                Some(value) => members.insert(key, value.into()),
                None => members.remove(&key),
            };
        }
        Ok(json!({"data": data}))
    }

    fn plain(secret: &Value, key: &str) -> String {
        let bytes = STANDARD.decode(secret["data"][key].as_str().expect(key)).expect("base64");
        String::from_utf8(bytes).expect("text")
    }

    fn keys(secret: &Value) -> Vec<&String> {
        secret["data"].as_object().expect("data").keys().collect()
    }

    #[tokio::test]
    async fn an_account_is_added_then_used_and_then_the_former_one_is_removed() {
        let first = json!({"data": {"other": "eA==", "password": STANDARD.encode("one"),
            "htpasswd": STANDARD.encode("a:hash")}});
        let staged = after(RotationStep::Stage, &first).await.expect("a stage");
        assert_eq!(keys(&staged), ["htpasswd", "next.htpasswd", "next.password", "other", "password"]);
        assert_eq!(plain(&staged, "password"), "one");
        let (line, password) = (plain(&staged, "next.htpasswd"), plain(&staged, "next.password"));
        assert_eq!(plain(&staged, "htpasswd"), format!("a:hash\n{line}"), "the former line gets an end");
        let hash = line.strip_prefix("b:").expect("the account").trim_end();
        assert!(bcrypt::verify(&password, hash).expect("a hash"));

        let switched = after(RotationStep::Switch, &staged).await.expect("a switch");
        assert_eq!(keys(&switched), ["htpasswd", "next.htpasswd", "other", "password"]);
        assert_eq!(plain(&switched, "password"), password);
        assert_eq!(switched["data"]["htpasswd"], staged["data"]["htpasswd"]);

        let finished = after(RotationStep::Finish, &switched).await.expect("an end");
        assert_eq!(keys(&finished), ["htpasswd", "other", "password"]);
        assert_eq!((plain(&finished, "htpasswd"), plain(&finished, "password")), (line, password));
    }

    #[tokio::test]
    async fn a_secret_that_lacks_values_is_not_changed_but_for_a_file_that_is_made_anew() {
        let empty = json!({"data": {}});
        for step in [RotationStep::Switch, RotationStep::Finish] {
            let unfit = after(step, &empty).await.expect_err("no values");
            assert_eq!(unfit.reason, FailureReason::Invalid);
            assert!(unfit.message.contains("\"next."), "{}", unfit.message);
        }
        let staged = after(RotationStep::Stage, &empty).await.expect("a stage");
        assert_eq!(staged["data"]["htpasswd"], staged["data"]["next.htpasswd"]);
        let damaged = json!({"data": {"htpasswd": "?"}});
        assert!(after(RotationStep::Stage, &damaged).await.expect_err("no text").message.contains("base64"));
    }

    #[tokio::test]
    async fn keys_that_cannot_be_are_refused() {
        let of = async |change: fn(&mut Rotation)| -> Result<Changes, Unfit> {
            let mut rotation = rotation(RotationStep::Stage);
            change(&mut rotation);
            rotate(&rotation, &json!({"data": {}})).await
        };
        let unknown = of(|rotation| rotation.joined.push("x".to_owned())).await.expect_err("unknown");
        assert!(unknown.message.contains("\"x\""), "{}", unknown.message);
        let long = of(|rotation| {
            if let Recipe::Credentials(credentials) = &mut rotation.recipe {
                credentials.accounts[0].password_key = "k".repeat(250);
            }
        });
        assert!(long.await.expect_err("too long").message.contains("too long"));
    }
}
