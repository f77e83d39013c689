//! No text makes it slow: the time is proportional to the length, and deep nesting overflows nothing.

use crate::clock::Clock;
use crate::model::redact::Masker;

/// Pieces that could make a careless reading look at the same bytes again and again.
const PIECES: &[&str] = &[
    "{",
    "[",
    "{\"",
    "[\"",
    "{\"a\":",
    "[{\"value\":1,\"name\":\"token\",\"c\":",
    "{\"value\":[",
    "\"",
    "\\",
    "\\\"",
    "token:",
    "token=",
    "token: '",
    "token=\\\"",
    "token:\\",
    "password=a,",
    "://",
    "://a:b",
    "://a:@",
    "%3A",
    "%253A",
    "%",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "--token ",
    "<token>",
    "token>",
    ">",
    "eyJ",
    "eyJaaaaaaaaaa.",
    "eyJ-",
    "sk-",
    "sk-a",
    "AKIA",
    "tok-",
    "Bearer ",
    "Bearer a/",
    "Digest a=",
    "password '",
    "4",
    "4-",
    "4111 ",
    "DE89",
    "a ",
    " ",
    "cookie: a=b; ",
    "=",
    ":",
    "\n",
    "é",
    "\\u005c",
    "\\u0022",
    "{\"a\":\"\\u005c\"}",
    "authorization",
    "[\"authorization\",",
    "--",
    "- -",
    "token=a(",
    "token='''",
    "-----BEGIN PRIVATE KEY-----\"",
    "---- BEGIN ",
    "authorization: a ",
    "authorization: a b=",
];

fn seconds(text: &str) -> f64 {
    let clock = Clock::system();
    let began = clock.elapsed();
    assert!(Masker::default().text(text).0.len() <= 8 * text.len() + 100);
    clock.elapsed().saturating_sub(began).as_secs_f64()
}

#[test]
fn the_time_is_proportional_to_the_length() {
    for piece in PIECES {
        let text = piece.repeat(200_000 / piece.len());
        let seconds = seconds(&text);
        // Usually a hundredth of it: what looks at all of the rest again and again takes minutes.
        assert!(seconds < 5.0, "{piece:?}: {seconds} s");
    }
}

#[test]
fn json_within_json_at_any_depth_hides_its_secrets() {
    let mut text = "{\"token\":\"s3cret\"}".to_owned();
    for depth in 0..17 {
        let shown = Masker::default().text(&text).0;
        assert!(!shown.contains("s3cret"), "{depth}");
        text = serde_json::json!({ "a": text }).to_string();
    }
    // Each level costs five letters only, so there are a hundred thousand of them.
    let escaped = format!("{{\"a\":\"\\{}\"token\\\":\\\"s3cret\"}}", "u005c".repeat(100_000));
    assert!(!Masker::default().text(&escaped).0.contains("s3cret"));
    for deep in ["[".repeat(300_000) + "\"password=s3cret", "{\"a\":".repeat(300_000) + "{\"token\":\"s3cret\"}"] {
        assert!(!Masker::default().text(&deep).0.contains("s3cret"));
    }
}
