//! What is masked and what is not, told without the rules: secrets that are planted in every form, and texts that look like some.

mod forms;
pub(crate) mod planted;
mod speed;

use std::io::Read;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MASK, Masker};
use planted::FORMS;

fn masked(text: &str) -> String {
    Masker::default().text(text).0.into_owned()
}

#[test]
fn no_planted_secret_is_seen_in_a_text() {
    let mut seen = Vec::new();
    for form in FORMS {
        let text = form.with_secret();
        let shown = masked(&text);
        if shown.contains(&form.secret()) || !shown.contains(MASK) {
            seen.push(format!("{text}\n    {shown}"));
        }
        assert_eq!(masked(&shown), shown, "twice is as once: {text}");
    }
    assert!(seen.is_empty(), "{} of {} are visible:\n{}", seen.len(), FORMS.len(), seen.join("\n"));
}

#[test]
fn no_planted_secret_is_seen_wherever_the_text_stands() {
    for form in FORMS {
        let (text, secret) = (form.with_secret(), form.secret());
        let within =
            |depth: usize| (0..depth).fold(text.clone(), |text, _| json!({ "note": text, "n": 1 }).to_string());
        let mut places = vec![
            format!("2026-11-20 12:00:01 INFO server {text}"),
            format!("first line\n{text}\nlast line"),
            format!("failed (tried {text})"),
            within(1),
            within(2),
            within(3),
            within(7),
            json!({ "list": [1, text.as_str()], "n": 1 }).to_string(),
            json!({ text.as_str(): 1 }).to_string(),
            serde_json::to_string_pretty(&json!([{ "a": { "b": text.as_str() } }])).unwrap_or_default(),
            format!("refused: {} (401)", json!({ "body": text.as_str() })),
        ];
        // Writers that leave nothing but ASCII letters in clear.
        places.push(
            json!({ "note": text.as_str() })
                .to_string()
                .replace('&', "\\u0026")
                .replace('/', "\\/")
                .replace('=', "\\u003d"),
        );
        for place in places {
            let shown = masked(&place);
            assert!(!shown.contains(&secret), "{place}\n{shown}");
            if let Ok(mut value) = serde_json::from_str::<Value>(&place) {
                let shown: Value =
                    serde_json::from_str(&shown).unwrap_or_else(|error| panic!("no JSON any more, {error}: {shown}"));
                Masker::default().mask(&mut value);
                assert_eq!(value, shown, "both readings say the same");
            }
        }
    }
}

#[test]
fn what_stands_around_a_secret_stays() {
    let token = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", "dozjgNryP4J3jVmNHl0w5N"].join(".");
    for (text, expected) in [
        ("postgres://app:hunter2@db:5432/x?sslmode=require", "postgres://app:******@db:5432/x?sslmode=require"),
        ("postgres://app:p/a@s?s@db/x", "postgres://app:******@s?s@db/x"),
        ("GET https://h/p?a=1&token=abc&b=2 401", "GET https://h/p?a=1&token=******&b=2 401"),
        (
            "https://b.s3.amazonaws.com/k?X-Amz-Date=20261120&X-Amz-Signature=ab12&x=1",
            "https://b.s3.amazonaws.com/k?X-Amz-Date=20261120&X-Amz-Signature=******&x=1",
        ),
        ("login failed: password=hunter2, user=x", "login failed: password=******, user=x"),
        ("host=db user=app password='a b' dbname=x", "host=db user=app password='******' dbname=x"),
        ("Server=db;Uid=app;Pwd=a,b;Database=x;", "Server=db;Uid=app;Pwd=******;Database=x;"),
        ("Authorization: Bearer abc.def next", "Authorization: ****** next"),
        ("sent Bearer abc123def, got 401", "sent Bearer ******, got 401"),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: ******\nHost: x"),
        ("curl -H 'X-Api-Key: abc' https://h", "curl -H 'X-Api-Key: ******' https://h"),
        ("mysql --user app --password hunter2 db", "mysql --user app --password ****** db"),
        ("it failed (token=abc)", "it failed (token=******)"),
        ("{ user: 'x', token: 'abc', n: 1 }", "{ user: 'x', token: '******', n: 1 }"),
        (r#"Req { token: "a\"b", n: 1 }"#, r#"Req { token: "******", n: 1 }"#),
        (r#"body="{\"password\":\"x\\\"y\",\"n\":1}" done"#, r#"body="{\"password\":\"******\",\"n\":1}" done"#),
        (
            r#"{ "n": 1.00, "Api-Key" : "k\"}", "x":12345678901234567890123}"#,
            r#"{ "n": 1.00, "Api-Key" : "******", "x":12345678901234567890123}"#,
        ),
        (
            r#"{"t\u006fken":7, "cookie": null,"password":[1,2] }"#,
            r#"{"t\u006fken":"******", "cookie": null,"password":"******" }"#,
        ),
        (r#"{"name":"password","value":"x","n":1}"#, r#"{"name":"password","value":"******","n":1}"#),
        (r#"[{"value":{"a":1},"key":"api_key"},{"value":2}]"#, r#"[{"value":"******","key":"api_key"},{"value":2}]"#),
        (r#"[["authorization","x"],["accept","y"]]"#, r#"[["authorization","******"],["accept","y"]]"#),
        (r#"["Host","h","Cookie","a=b","Accept","c"]"#, r#"["Host","h","Cookie","******","Accept","c"]"#),
        (r#"["psql","--password","x","-h","db"]"#, r#"["psql","--password","******","-h","db"]"#),
        (r#"refused: {"authorization": "Bearer s3cret"} (401)"#, r#"refused: {"authorization": "******"} (401)"#),
        (r#"{"n":1,"token":"s3cr"#, r#"{"n":1,"token":"******""#),
        (r#"{"token":{"a":["s3"#, r#"{"token":"******""#),
        (r#"{"raw":"{\"token\":\"s3cr"#, r#"{"raw":"{\"token\":\"******\""#),
        (r#"{"raw":"{\"token\":\"s3cr\u00"#, r#"{"raw":"{\"token\":\"******\""#),
        (r#"{"token":"#, r#"{"token":"#),
        (r#"s3cr","token":"abc","n":1}"#, r#"s3cr","token":"******","n":1}"#),
        ("<Password>abc</Password><n>1</n>", "<Password>******</Password><n>1</n>"),
        ("next=https%3A%2F%2Fapp%3Ahunter2%40h%2Fp&x=1", "next=https%3A%2F%2Fapp%3A******%40h%2Fp&x=1"),
        (&format!("got {token}."), "got ******."),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nafter", "******\nafter"),
        (
            "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        ),
        ("paid with 4111 1111 1111 1111 on 2026-11-20", "paid with ****** on 2026-11-20"),
        ("to DE89 3704 0044 0532 0130 00, thanks", "to ******, thanks"),
    ] {
        assert_eq!(masked(text), expected);
    }
    let counted = r#"{"token":1,"a":["{\"password\":2}"],"cookie":null,"b":"pwd=x token=y"}"#;
    assert_eq!(Masker::default().text(counted).1, 4);
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "a token: none",
        "Unexpected token: <",
        "Invalid token: expired",
        "password: required",
        "password: null",
        "authorized: true",
        r#"{"authorized":true,"password":null,"token":"","tokens":[],"hasPassword":false,"max_tokens":4096,"token_count":7}"#,
        r#"{"session_variables":{"x-hasura-role":"admin"},"shipping":"x","author":"y","passenger":"z","token_type":"bearer"}"#,
        "550e8400-e29b-41d4-a716-446655440000",
        "moves.550e8400-e29b-41d4-a716-446655440000",
        "driver@company.com",
        "user@example.com|550e8400-e29b-41d4-a716-446655440000|b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "token:refresh",
        "auth:login",
        "session:created",
        "auth.session.create",
        "auth::token::verify",
        "session::Session::start",
        "at pass (auth.js:12:7)",
        "tests: pass: 12, fail: 3",
        "pass=3 fail=0",
        "https://example.com:8080/a@b?page=2&email=a@b.com",
        "http://[::1]:80/a@b",
        "postgres://app@db/x",
        "ssh://git@github.com/a/b",
        "ssh://git@github.com:22/a/b",
        "postgres://user:password@host:5432/database",
        "2026-11-20T12:04:29.455+00:00",
        "1732104269455",
        "1732104269455123456",
        "12345678901234567",
        "4111 items in 1111 boxes",
        "6fd3e2a1b4c5d6e7f8091a2b3c4d5e6f70819203",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "eyJhIjoxLCJiIjoyLCJjIjozfQ==",
        "SGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ",
        "sk-learn",
        "npm_config_registry=x",
        "basic information about 8 things",
        "bearer of news",
        "Bearer token is missing",
        "Bearer authentication",
        "Basic Authentication",
        "token = $1",
        "if (token == null)",
        "token !== other",
        "password: ******",
        "const f = token => 1",
        r#"{"required":["email","password"],"headers":["Authorization","Content-Type"]}"#,
        "C:\\passes\\x",
        "spinner: on; compass: north",
        "SELECT pin_location FROM cards WHERE card_type = 'x'",
        "error: wrong pass",
        "GB12 is the code",
        "tel +49 30 1234567890123",
        "a 50% off; b=1%3",
        "100%25",
        "x%3Dy",
        "key: value",
        "the secretary: Ms. X",
        "cookies and sessions",
    ] {
        assert_eq!(masked(text), text);
    }
}

/// 330,198 values of 1,500 invocations that an independent writer made, none of which is a secret.
#[test]
fn nothing_of_foreign_data_is_masked() {
    let (mut values, mut wrong) = (0, Vec::new());
    for table in ["invocations", "event_executions", "job_executions"] {
        let file =
            std::fs::File::open(format!("{}/tests/data/foreign/{table}.csv.gz", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        // In quotes, quotes are doubled.
        for (n, part) in text.replace("\"\"", "\u{1}").split('"').enumerate() {
            let quoted = n % 2 == 1;
            let fields: Vec<&str> = if quoted { vec![part] } else { part.split([',', '\n']).collect() };
            for value in fields.into_iter().filter(|value| !value.is_empty()) {
                let value = value.replace('\u{1}', "\"");
                values += 1;
                let (masked, secrets) = Masker::default().text(&value);
                if secrets > 0 {
                    wrong.push(format!("{value}\n  {masked}"));
                }
            }
        }
    }
    assert_eq!((values, wrong), (330_198 + 58, Vec::<String>::new()), "with the names of the columns");
}

#[test]
fn more_keys_fewer_keys_and_none() {
    let masker = Masker::new(["tan", "kennwort"], ["access-token"]);
    let text = r#"{"smsTan":"1","mein_Kennwort":"2","accessToken":"3","token":"4","standard":"5"}"#;
    assert_eq!(
        masker.text(text).0,
        r#"{"smsTan":"******","mein_Kennwort":"******","accessToken":"3","token":"******","standard":"5"}"#
    );
    assert_eq!(Masker::off().text("password=x").0, "password=x");
    let mut value = json!({"password": "x"});
    assert_eq!((Masker::off().mask(&mut value), value), (0, json!({"password": "x"})));
}

/// JSON in which the marked text is a secret wherever it stands, and nothing else is one.
fn planted() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "accessToken",
        "set-cookie",
        "db_password",
        "PIN",
        "pwd",
        "X-Api-Key",
        "t\u{e9}ken secret",
    ]);
    let value = prop_oneof![
        Just(json!("◊◊")),
        Just(json!(["◊", {"a": "◊"}])),
        Just(json!({"a": {"b": ["◊"]}})),
        Just(json!("{\"a\":\"◊\"}")),
        Just(json!("with \"quotes\" ◊ and \\ in it"))
    ];
    let secret = prop_oneof![
        (key.clone(), value.clone()).prop_map(|(key, value)| json!({ "kept": "♥", key: value })),
        (key.clone(), value.clone()).prop_map(|(key, value)| json!({ "kept": "♥", "value": value, "name": key })),
        (key, value).prop_map(|(key, value)| json!([[key, value], ["kept", "♥"]])),
        prop::sample::select(FORMS).prop_map(|form| json!(form.with_secret())),
    ];
    let leaf = prop_oneof![
        4 => secret, 1 => Just(Value::Null), 1 => any::<bool>().prop_map(Value::from), 1 => any::<i32>().prop_map(Value::from),
        1 => "[a-z ,\\\\\"{}\\[\\]]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[xyz]{0,4}", inner.clone()), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            inner.clone().prop_map(|value| Value::from(value.to_string())),
            inner.prop_map(|value| Value::from(format!("failed: {value}, later"))),
        ]
    })
}

proptest! {
    #[test]
    fn both_readings_hide_what_is_planted_and_keep_the_rest(value in planted()) {
        let kept = value.to_string().matches('♥').count();
        let mut read = value.clone();
        Masker::default().mask(&mut read);
        let seen = |text: &str| text.contains('◊') || FORMS.iter().any(|form| text.contains(&form.secret()));
        prop_assert!(!seen(&read.to_string()), "{}", read);
        prop_assert_eq!(read.to_string().matches('♥').count(), kept);
        for text in [value.to_string(), format!("{value:#}")] {
            let shown = masked(&text);
            prop_assert!(!seen(&shown), "{}\n{}", text, shown);
            prop_assert_eq!(shown.matches('♥').count(), kept, "{}\n{}", text, shown);
            prop_assert!(serde_json::from_str::<Value>(&shown).is_ok(), "{}", shown);
        }
    }

    #[test]
    fn nothing_makes_it_panic(text in "([\\\\\"'{}:=, \n%@/<>;&\u{e9}\\[\\]-]|token|password|Bearer |eyJ|://|%3[aA]|-----BEGIN |AKIA|[a-z0-9]){0,60}") {
        let _ = masked(&text);
        for value in [json!({ text.as_str(): [text.as_str()] }), json!(text.as_str())] {
            let json = masked(&value.to_string());
            prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "JSON stays JSON: {}", json);
        }
        let _ = Masker::default().mask(&mut Value::from(text));
    }
}
