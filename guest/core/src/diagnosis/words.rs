//! Words of programs and nodes, made fit for conditions and events: one line, bounded, and without
//! credentials.

/// How many characters are quoted. Of a longer text the beginning and the end are kept: a program
/// says what is wrong at either.
const LONGEST: usize = 480;
/// What stands for hidden text.
const HIDDEN: &str = "***";

/// Names whose value is hidden where it follows after `=` or `:` without a space.
const SECRET_NAMES: [&str; 6] = ["secret", "token", "credential", "authorization", "signature", "passphrase"];
/// Names whose value is hidden also where a space comes before it.
const PASSWORD_NAMES: [&str; 6] = ["password", "passwd", "accesskey", "access_key", "apikey", "api_key"];

/// The text as one line. Control characters and characters that change the direction of text become
/// spaces. Users and queries of URLs are hidden, and so are values that are called a password, a
/// secret or a token.
pub(crate) fn quoted(text: &str) -> String {
    let plain: String =
        text.chars().map(|character| if is_odd(character) { ' ' } else { character }).collect();
    let mut line = String::with_capacity(plain.len());
    let mut hide_next = false;
    for word in plain.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        if hide_next {
            line.push_str(HIDDEN);
            hide_next = is_scheme(word);
            continue;
        }
        hide_next = is_scheme(word) || announces_password(word);
        push_redacted(&mut line, word);
    }
    shortened(line)
}

/// Control characters, characters without width, and those that change the direction of text.
fn is_odd(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a word is an authentication scheme of HTTP, which credentials follow.
fn is_scheme(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', '[', ':']);
    word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic")
}

/// Whether a word ends as in `password: hunter2`.
fn announces_password(word: &str) -> bool {
    let Some(name) = word.strip_suffix([':', '=']) else { return false };
    let name = name.to_ascii_lowercase();
    PASSWORD_NAMES.iter().any(|wanted| name.contains(wanted))
}

fn push_redacted(line: &mut String, word: &str) {
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("://") {
        push_without_values(line, before);
        line.push_str("://");
        let end = after.find(['"', '\'', '<', '>', ',', ')', ']', '}']).unwrap_or(after.len());
        let (url, behind) = after.split_at(end);
        push_url(line, url);
        rest = behind;
    }
    push_without_values(line, rest);
}

/// A URL without its scheme, its user and its query.
fn push_url(line: &mut String, url: &str) {
    let (url, has_query) = match url.split_once(['?', '#']) {
        Some((url, _)) => (url, true),
        None => (url, false),
    };
    let (authority, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            line.push_str(HIDDEN);
            line.push('@');
            line.push_str(host);
        }
        None => line.push_str(authority),
    }
    line.push_str(path);
    if has_query {
        line.push('?');
        line.push_str(HIDDEN);
    }
}

/// A part of a word, without the value behind a name that says that it is secret.
fn push_without_values(line: &mut String, word: &str) {
    let lower = word.to_ascii_lowercase();
    let value = SECRET_NAMES.iter().chain(&PASSWORD_NAMES).filter_map(|name| {
        let behind = lower.find(name)? + name.len();
        let separator = behind + lower.get(behind..)?.find(['=', ':'])?;
        // Quotes may be around the name and around the value.
        let value = separator + 1;
        (value < word.len()).then_some(value)
    });
    match value.min().and_then(|start| word.get(..start)) {
        Some(kept) => {
            line.push_str(kept);
            line.push_str(HIDDEN);
        }
        None => line.push_str(word),
    }
}

/// The beginning and the end of a text that is too long.
fn shortened(line: String) -> String {
    if line.len() <= LONGEST {
        return line;
    }
    let head = line.get(..line.floor_char_boundary(LONGEST / 2)).unwrap_or_default();
    let tail = line.get(line.ceil_char_boundary(line.len() - LONGEST / 2)..).unwrap_or_default();
    format!("{head} ... {tail}")
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, quoted};

    #[test]
    fn words_become_one_line_without_control_characters() {
        assert_eq!(quoted("  fatal:\r\n\tno\u{1b}[31m \u{202e}disk\u{0} "), "fatal: no [31m disk");
        assert_eq!(quoted(""), "");
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let text = format!("begin {} end", "\u{e4}".repeat(5_000));
        let short = quoted(&text);
        assert!(short.starts_with("begin ") && short.ends_with(" end") && short.contains(" ... "), "{short}");
        assert!(short.len() <= LONGEST + 5);
    }

    #[test]
    fn words_about_access_stay_readable() {
        for text in [
            "pull access denied, repository does not exist or may require authorization: server message: denied",
            "failed to fetch anonymous token: unexpected status from GET request to https://auth.docker.io/token: 403",
            r#"secret "mysecret" not found"#,
            "couldn't find key http-secret in Secret lab/mysecret",
        ] {
            assert_eq!(quoted(text), text);
        }
    }
}
