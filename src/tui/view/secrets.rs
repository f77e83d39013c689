//! Secrets wherever data may hold them: none is drawn, copied, exported or printed while nobody asks to see it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::model::flow::{Flow, Fold, Glyphs};
use crate::model::redact::MASK;
use crate::model::redact::tests::planted::{FORMS, Form, seen};
use crate::model::report;
use crate::model::status::STALE_AFTER;
use crate::tui::fixture::server::{Answers, Filling, cascade, serve, shown};
use crate::tui::fixture::{self, PLAIN, now};
use crate::tui::keymap;
use crate::tui::msg::Msg;
use crate::tui::plain::tree;
use crate::tui::update::update;

/// Stands in secrets, and nowhere else.
const MARK: char = '◊';

/// Through all screens, taking away what can be taken.
const TOUR: &str = "v<Space>jjyYDxo<Enter>eyYDxoiuC<Enter>jjyYDxo<Tab>zRyYJjyYJjyYJjyYJGyYxi<Tab>jyYjyYGyYxo<Tab>zRjyYJjyYxo\
                    <Tab>yYxo<Tab>zRyYJjyYJGyYxow<Esc>L<Enter>jyYxowV<Esc>#yYxlyYjyY<Esc><Esc>5lyYxmF<Esc>1mjm=eyY<Esc>jj\
                    <Enter><Enter><Tab>/a<Enter>nnyY<Esc>zRjjj+<Esc><Esc>!j";

/// Keys of secrets, as they are written here and there.
const KEYS: &[&str] =
    &["token", "Authorization", "set-cookie", "X-Api-Key", "db_password", "clientSecret", "private_key"];

/// A value under a key that makes it a secret.
fn secret() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        Just(json!("◊◊")),
        Just(json!(["◊", {"a": "◊"}])),
        Just(json!({"a": {"b": ["◊"]}})),
        Just(json!("{\"a\":\"◊\"}")),
        Just(json!("with \"quotes\" ◊ and \\ in it")),
    ];
    (prop::sample::select(KEYS), value, "[a-z]{0,3}").prop_map(|(key, value, other)| json!({ key: value, other: 1 }))
}

/// JSON with secrets at any depth, also within texts.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![3 => secret(), 1 => Just(Value::Null), 1 => "[a-z \"\\\\]{0,6}".prop_map(Value::from)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,4}", inner.clone()), 1..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            inner.clone().prop_map(|value| Value::from(value.to_string())),
            inner.clone().prop_map(|value| Value::from(format!("refused: {value} (401)"))),
            inner.prop_map(|value| json!({ "_raw_string": value.to_string() })),
        ]
    })
}

/// A text that holds such JSON: nothing else, among words, wrapped by a writer, or cut off.
fn text() -> impl Strategy<Value = String> {
    (value(), 0..4, any::<prop::sample::Index>()).prop_map(|(value, kind, cut)| match kind {
        0 => value.to_string(),
        1 => format!("Error: refused: {value:#}\n    at post (client.js:9)"),
        2 => json!({ "_raw_string": format!("Error: {value}") }).to_string(),
        _ => {
            let text = value.to_string();
            text[..text.floor_char_boundary(cut.index(text.len() + 1))].to_owned()
        }
    })
}

fn filling() -> impl Strategy<Value = Filling> {
    (text(), text(), value(), value(), value()).prop_map(|(error, message, old, new, other)| {
        let json = json!({
            "table": { "schema": "public", "name": "moves" }, "other": other,
            "event": { "op": "UPDATE", "data": { "old": { "id": 1, "row": old }, "new": { "id": 1, "row": new } } },
        });
        Filling { name: "moves".to_owned(), error, message, json, every_column: true }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_is_seen_or_taken_away(filling in filling(), size in prop_oneof![Just((120, 36)), Just((200, 60))]) {
        let answers = Answers::Filled(&filling);
        let mut app = shown(size, "", answers);
        for press in keymap::parse(TOUR) {
            let commands = update(&mut app, Msg::Key(press.event()));
            let asked = format!("{:?}", serve(&mut app, commands, answers));
            prop_assert!(!asked.contains(MARK), "{:?} {:?}: {}", app.view, app.detail.section, asked);
            let drawn = fixture::screen(&app, &PLAIN, size);
            prop_assert!(!drawn.contains(MARK), "{:?}:\n{}", app.view, drawn);
        }
        let flow = Flow::build(cascade(Some(&filling)), now(), STALE_AFTER);
        let mut json = Vec::new();
        report::cascade(&flow, &mut json).unwrap();
        let printed = tree(&flow, &Fold::default(), &Glyphs::ASCII, now()) + &String::from_utf8(json).unwrap();
        prop_assert!(!printed.contains(MARK), "{}", printed);
    }
}

/// Every form of a secret in every column: in names and ids one, in errors, messages and JSON several.
#[test]
fn no_planted_secret_is_seen_or_taken_away() {
    for (n, forms) in FORMS.chunks(8).enumerate() {
        let texts: Vec<String> = forms.iter().map(Form::with_secret).collect();
        let row = |other: &str| {
            let fields = texts.iter().enumerate().map(|(n, text)| (format!("f{n}"), Value::from(text.as_str())));
            let mut row: Map<String, Value> = fields.collect();
            row.extend([
                ("id".to_owned(), json!(7)),
                ("other".to_owned(), json!(other)),
                (texts[0].clone(), json!(texts)),
            ]);
            row
        };
        let json = json!({
            "table": { "schema": "public", "name": texts[0] }, "all": texts, texts[0].as_str(): 1,
            "event": { "op": texts[0], "data": { "old": { "id": 7, "f0": "before" }, "new": row("new") }, "more": row("x") },
        });
        let filling = Filling {
            name: texts[n % texts.len()].clone(),
            error: texts.join("\n"),
            message: texts.join("\n"),
            json,
            every_column: true,
        };
        let answers = Answers::Filled(&filling);
        let size = if n % 2 == 0 { (120, 36) } else { (200, 60) };
        let mut app = shown(size, "", answers);
        let mut masks = 0;
        for press in keymap::parse(TOUR) {
            let commands = update(&mut app, Msg::Key(press.event()));
            for asked in serve(&mut app, commands, answers) {
                assert_eq!(seen(&format!("{asked:?}")), None, "{:?} {:?}", app.view, app.detail.section);
            }
            let drawn = fixture::screen(&app, &PLAIN, size);
            assert_eq!(seen(&drawn), None, "{:?} {:?}:\n{drawn}", app.view, app.detail.section);
            masks += drawn.matches(MASK).count();
        }
        assert!(masks > 500, "{masks}");
        let flow = Flow::build(cascade(Some(&filling)), now(), STALE_AFTER);
        let mut json = Vec::new();
        report::cascade(&flow, &mut json).unwrap();
        let printed = tree(&flow, &Fold::default(), &Glyphs::ASCII, now()) + &String::from_utf8(json).unwrap();
        assert_eq!(seen(&printed), None);
    }
}

#[test]
fn a_secret_is_shown_where_it_is_asked_for_and_hidden_when_the_screen_is_left() {
    let filling = Filling { name: "moves".to_owned(), json: json!({"token": "◊"}), ..Filling::default() };
    let answers = Answers::Filled(&filling);
    let mut app = shown((120, 36), "jj<Enter><Enter><Tab>", answers);
    for (keys, seen) in [("", false), ("X", true), ("<Esc>", false), ("<Enter><Tab>", false), ("X", true), ("X", false)]
    {
        crate::tui::fixture::server::typed(&mut app, keys, answers);
        assert_eq!(fixture::screen(&app, &PLAIN, (120, 36)).contains(MARK), seen, "{keys}");
    }
}
