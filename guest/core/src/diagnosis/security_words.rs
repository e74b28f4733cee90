//! What words of others must not bring into a status.

use super::words::quoted;

#[test]
fn credentials_are_hidden() {
    for (text, wanted) in [
        (r#"Get "https://user:pa@ss@lab.example/v2/": EOF"#, r#"Get "https://***@lab.example/v2/": EOF"#),
        (
            r#"Head "https://b.s3.example/x?X-Amz-Signature=abc&y=1": 403"#,
            r#"Head "https://b.s3.example/x?***": 403"#,
        ),
        ("from=http://a:b@c,to=http://d:e@f/g", "from=http://***@c,to=http://***@f/g"),
        ("REGISTRY_HTTP_SECRET=abc next", "REGISTRY_HTTP_SECRET=*** next"),
        (r#"{"password":"hunter2"}"#, r#"{"password":***"#),
        ("password: hunter2 is wrong", "password: *** is wrong"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("authorization: Basic dXNlcg==", "authorization: Basic ***"),
        ("access_key= AKIA", "access_key= ***"),
        ("token=abc", "token=***"),
    ] {
        assert_eq!(quoted(text), wanted);
    }
}

#[test]
fn nothing_hides_or_turns_the_text_around_it() {
    for odd in ['\u{1b}', '\u{0}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\r', '\n'] {
        assert_eq!(quoted(&format!("a{odd}b")), "a b", "{odd:?}");
    }
}

#[test]
fn a_text_of_any_length_becomes_short() {
    for text in [
        "x".repeat(1 << 20),
        "http://".repeat(100_000),
        "token=".repeat(100_000),
        "\u{1f4a9} ".repeat(100_000),
    ] {
        assert!(quoted(&text).len() < 500);
    }
}
