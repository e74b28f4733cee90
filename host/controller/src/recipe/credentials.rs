//! Accounts with random passwords, and the htpasswd file by which a registry checks them.

use super::{Unfit, Values, failed, invalid, not_permitted, random_text};
use orascache_contract::Credentials;
use std::collections::BTreeSet;

/// Most accounts of one Secret: every one costs a hash.
const MAX_ACCOUNTS: usize = 16;
/// Longest user name in bytes, as Apache's htpasswd has it.
const MAX_USERNAME: usize = 255;
/// 192 random bits, 48 digits: bcrypt ignores what comes after 72 bytes.
const PASSWORD_BYTES: usize = 24;
/// Apache's htpasswd has the same default. Registries compute the hash for every request, and a
/// password of 192 random bits cannot be guessed at any cost.
const COST: u32 = 5;

/// A password for each account, and the htpasswd file.
pub(super) fn make(credentials: &Credentials) -> Result<Values, Unfit> {
    let accounts = &credentials.accounts;
    if accounts.is_empty() {
        return Err(invalid("The credentials have no account: name at least one."));
    }
    if accounts.len() > MAX_ACCOUNTS {
        return Err(not_permitted(format!(
            "The credentials have {} accounts: name at most {MAX_ACCOUNTS}.",
            accounts.len()
        )));
    }
    let mut usernames = BTreeSet::new();
    for account in accounts {
        let username = account.username.as_str();
        if !is_username(username) {
            return Err(invalid(format!(
                "{username:?} cannot be a user name in an htpasswd file: use 1 to {MAX_USERNAME} bytes \
                 without colons, spaces and control characters, and no '#' at the beginning."
            )));
        }
        if !usernames.insert(username) {
            return Err(invalid(format!("The account {username:?} is listed twice: name each once.")));
        }
    }
    let (mut values, mut file) = (Values::new(), String::new());
    for account in accounts {
        let password = random_text(PASSWORD_BYTES)?;
        let hash = bcrypt::hash_with_result(&password, COST)
            .map_err(|error| failed("A password could not be hashed", error))?
            // The prefix that Apache's htpasswd writes; it means the same as $2b$.
            .format_for_version(bcrypt::Version::TwoY);
        file.push_str(&format!("{}:{hash}\n", account.username));
        values.insert(account.password_key.clone(), password);
    }
    values.insert(credentials.htpasswd_key.clone(), file);
    Ok(values)
}

/// Whether a line of an htpasswd file can begin with it. Lines with a `#` in front are comments.
fn is_username(text: &str) -> bool {
    let is_plain =
        |character: char| character != ':' && !character.is_whitespace() && !character.is_control();
    !text.is_empty() && text.len() <= MAX_USERNAME && !text.starts_with('#') && text.chars().all(is_plain)
}
