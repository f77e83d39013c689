//! Tests of the outline: known values, and any JSON at all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::redact;
use super::{Content, Folds, Mark, Outline, Place, plain_text};

/// The lines as text: indentation, key, short value.
fn shown(outline: &Outline, folds: &Folds) -> Vec<String> {
    let lines = outline.lines(folds);
    (lines.iter().map(|&at| &outline.entries()[at]))
        .map(|entry| {
            let key = match &entry.place {
                Place::Root => String::new(),
                Place::Key(key) => format!("{key} "),
                Place::Item(item) => format!("[{item}] "),
            };
            format!("{}{key}{}", " ".repeat(entry.depth), entry.short(40))
        })
        .collect()
}

#[test]
fn a_value_is_laid_out_in_its_own_order() {
    let value =
        json!({"op": "UPDATE", "data": {"old": null, "new": {"id": 1, "stops": [{"a": true}, 2.5]}}, "list": []});
    let outline = Outline::build(&value, false);
    assert_eq!(
        shown(&outline, &Folds::default()),
        [
            "{3 keys}",
            " op \"UPDATE\"",
            " data {2 keys}",
            "  old null",
            "  new {2 keys}",
            "   id 1",
            "   stops [2 items]",
            "    [0] {1 key}",
            "    [1] 2.5",
            " list [0 items]",
        ],
        "containers below the third level are closed"
    );
    assert_eq!(shown(&outline, &Folds::all_closed()).len(), 4);
    assert_eq!(outline.path(8), ".data.new.stops[0].a");
    assert_eq!(outline.path(0), ".");
    assert_eq!(outline.value(0), value);
    assert_eq!((outline.value(1), outline.value(8)), ("UPDATE".into(), true.into()));
    assert_eq!(outline.bytes, value.to_string().len());
}

#[test]
fn folds_are_kept_by_path() {
    let before = Outline::build(&json!({"a": {"x": 1}, "b": {"y": 2}}), false);
    let mut folds = Folds::default();
    folds.toggle(&before.entries()[3]);
    assert_eq!(shown(&before, &folds), ["{2 keys}", " a {1 key}", "  x 1", " b {1 key}"]);
    let after = Outline::build(&json!({"new": 0, "a": {"x": 1}, "b": {"y": 2, "z": 3}}), false);
    assert_eq!(shown(&after, &folds), ["{3 keys}", " new 0", " a {1 key}", "  x 1", " b {2 keys}"]);
    folds.toggle(&after.entries()[4]);
    assert_eq!(shown(&after, &folds).len(), 7);
}

#[test]
fn large_containers_are_closed_at_first() {
    let outline = Outline::build(&json!({"many": vec![0; 201], "few": vec![0; 200]}), false);
    assert_eq!(outline.lines(&Folds::default()).len(), 3 + 200);
}

#[test]
fn what_writers_leave_in_the_place_of_values_is_told() {
    let value = json!({
        "raw": {"_raw_string": "not json"},
        "wrapped": {"_raw_string": "{\"a\": 1}", "_column": "result"},
        "cut": {"_truncated": true, "size": 9},
        "cut too": {"__truncated": true},
        "loop": "[Circular]",
        "lost": {"serialization_error": "BigInt"},
        "date": {"_type": "Function"},
    });
    let outline = Outline::build(&value, false);
    let marks: Vec<_> = outline.entries().iter().filter_map(|entry| entry.mark).collect();
    use Mark::{Circular, Placeholder, RawText, Truncated, Unserializable};
    assert_eq!(marks, [RawText, RawText, Truncated, Truncated, Circular, Unserializable, Placeholder]);
    let lines = shown(&outline, &Folds::all_open());
    assert_eq!(lines[1..4], [" raw \"not json\"", " wrapped {1 key}", "  a 1"]);
    assert!(lines.contains(&" loop [Circular]".to_owned()));
    assert_eq!(outline.path(7), ".\"cut too\"");
}

#[test]
fn wrapped_texts_are_unwrapped() {
    assert_eq!(plain_text("Error: x\n  at y", false), ("Error: x\n  at y".to_owned(), 0));
    assert_eq!(plain_text(r#"{"_raw_string": "Error: x"}"#, false).0, "Error: x");
    let of_a_column = r#"{"_raw_string": "Error: x", "_column": "error_stack"}"#;
    assert_eq!(plain_text(of_a_column, false).0, "Error: x");
    let other = r#"{"_raw_string": "Error: x", "code": 7}"#;
    assert_eq!(plain_text(other, false).0, other, "what holds more is shown whole");
    let hiding = r#"{"_raw_string": "", "_column": "what else it says"}"#;
    assert_eq!(plain_text(hiding, false).0, hiding, "that is no column");
    let secret = r#"{"code": 1, "token": "t0p"}"#;
    assert_eq!(plain_text(secret, false), (r#"{"code": 1, "token": "******"}"#.to_owned(), 1));
    assert_eq!(plain_text(secret, true), (secret.to_owned(), 1));
}

#[test]
fn secrets_are_masked_and_counted() {
    let value =
        json!({"headers": {"authorization": "Bearer s3cret", "cookie": null}, "text": "{\"api_key\":\"s3cret\"}"});
    let masked = Outline::build(&value, false);
    assert_eq!(masked.secrets, 2);
    assert!(!format!("{masked:?}").contains("s3cret"));
    let revealed = Outline::build(&value, true);
    assert_eq!((revealed.secrets, revealed.value(0)), (2, value));
    assert_eq!(masked.entries()[2].content, Content::Masked);
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[a-z]{0,6}",
        Just("_raw_string".to_owned()),
        Just("_column".to_owned()),
        Just("Auth-Token".to_owned())
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("{\"password\": \"s3cret-value\", \"n\": 1}")),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.len() <= 63
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

/// What a writer wrapped, unwrapped, as the outline does.
fn unwrapped(value: &Value) -> Value {
    match value {
        Value::Object(map)
            if map.get("_raw_string").is_some_and(Value::is_string)
                && map.iter().all(|(key, value)| key == "_raw_string" || key == "_column" && is_name(value)) =>
        {
            let text = map["_raw_string"].as_str().unwrap();
            match serde_json::from_str::<Value>(text) {
                Ok(inner) if inner.is_object() || inner.is_array() => match &inner {
                    Value::Array(items) => items.iter().map(unwrapped).collect(),
                    Value::Object(map) => {
                        Value::Object(map.iter().map(|(key, value)| (key.clone(), unwrapped(value))).collect())
                    }
                    _ => inner,
                },
                _ => Value::from(text),
            }
        }
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), unwrapped(value))).collect()),
        Value::Array(items) => items.iter().map(unwrapped).collect(),
        _ => value.clone(),
    }
}

proptest! {
    #[test]
    fn every_leaf_is_shown_when_unfolded(value in any_json()) {
        let outline = Outline::build(&value, true);
        let lines = outline.lines(&Folds::all_open());
        prop_assert_eq!(lines.len(), outline.entries().len());
        prop_assert_eq!(outline.value(0), unwrapped(&value));
    }

    #[test]
    fn folding_anything_loses_only_what_is_inside(value in any_json(), folded: Vec<prop::sample::Index>) {
        let outline = Outline::build(&value, false);
        let mut folds = Folds::default();
        for index in folded {
            folds.toggle(&outline.entries()[index.index(outline.entries().len())]);
        }
        let lines = outline.lines(&folds);
        for (at, entry) in outline.entries().iter().enumerate() {
            let mut above = entry.parent;
            let mut hidden = false;
            while let Some(parent) = above {
                hidden |= !folds.is_open(&outline.entries()[parent]);
                above = outline.entries()[parent].parent;
            }
            prop_assert_eq!(lines.binary_search(&at).is_err(), hidden);
            prop_assert!(entry.short(20).chars().count() < 60 && !outline.path(at).is_empty() && !entry.kind().is_empty());
        }
    }

    #[test]
    fn nothing_masked_leaks(value in any_json(), secret in "[A-Z]{12}") {
        let value = json!({"payload": value, "Set-Cookie": secret.clone(), "x": [{"my_token": {"deep": [secret.clone()]}}]});
        let outline = Outline::build(&value, false);
        let everything = format!("{outline:?} {}", outline.value(0));
        prop_assert!(!everything.contains(&secret) && !everything.contains("s3cret-value"));
        let mut masked = value.clone();
        let count = redact::mask(&mut masked);
        prop_assert_eq!(outline.secrets, count);
        prop_assert_eq!(Outline::build(&value, true).secrets, count);
        prop_assert_eq!(outline.value(0), unwrapped(&masked));
    }
}
