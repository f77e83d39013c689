//! Any text in any column, on every screen: nothing but harmless characters reaches a cell, and no cell grows.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{LARGEST_CELL, draw};
use crate::model::text::clean;
use crate::tui::fixture::server::{self, Answers, Filling, serve};
use crate::tui::fixture::{PLAIN, THEME};
use crate::tui::keymap;
use crate::tui::msg::{Cmd, Copied, Msg};
use crate::tui::update::update;

/// Through all screens and most of what each can show.
const TOUR: &str = "jj<Space>jcs<Esc><Space>sSx<Enter>uzRjjwCexo<Enter><Tab>zR<Tab>d<Tab><Tab><Tab>wjj/a<Enter>nXxo<Esc><Esc>\
                    L<Enter>jlwVXA/a<Enter>&xo<Esc><Esc><Esc>4jjx<Enter>tll<Esc>!<Esc>?<Esc>1mmyYIDoF<Esc>mjm=jex<Esc>5jlx\
                    6jlx0<Esc>:b<Esc>1zRjj<Enter>R...RzFje#<Esc>+<Esc>/";

/// What may be in no copy; a list of its own, not that of [`clean`]. Line breaks are: of JSON, of a stack.
fn is_hidden(c: char) -> bool {
    c != '\n' && c.is_control()
        || matches!(u32::from(c), 0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0
            | 0xFFF0..=0xFFFB | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

fn copied(cmd: &Cmd) -> Option<&Copied> {
    match cmd {
        Cmd::Copy(copied) => Some(copied),
        _ => None,
    }
}

/// Takes the tour, and looks at every screen and at everything that is taken away on the way.
fn tour(text: &str, size: (u16, u16), tour: &str) {
    let filling = Filling::of(text);
    let answers = Answers::Filled(&filling);
    let mut app = server::shown(size, "", answers);
    for press in keymap::parse(tour) {
        let commands = update(&mut app, Msg::Key(press.event()));
        let mut asked = serve(&mut app, commands, answers);
        // What is asked for a moment later.
        let later = app.wake_at().unwrap_or(app.now);
        let commands = update(&mut app, Msg::Tick(later));
        asked.extend(serve(&mut app, commands, answers));
        for document in asked.iter().filter_map(|cmd| match cmd {
            Cmd::Export(document) | Cmd::Open(document, _) => Some(document),
            _ => None,
        }) {
            assert!(document.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}", document.name);
            let harmless = document.text.lines().all(|line| clean(line) == line);
            assert!(harmless, "{:?}: {}", app.view, document.text);
        }
        for copied in asked.iter().filter_map(copied) {
            assert!(!copied.text().contains(is_hidden), "{:?}: {copied:?}", app.view);
        }
        for theme in [THEME, PLAIN] {
            let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
            draw(&app, &theme, &mut buf);
            for cell in &buf.content {
                let symbol = cell.symbol();
                let start: String = symbol.chars().take(8).collect();
                assert!(symbol.len() <= LARGEST_CELL, "{:?}: {start:?} and {} bytes", app.view, symbol.len());
                assert_eq!(clean(symbol), symbol, "{:?}", app.view);
            }
        }
    }
}

const NASTY: &[&str] = &[
    "\0",
    "\u{1b}[2J",
    "\u{1b}]0;x\u{7}",
    "\u{9b}31m",
    "\r\n",
    "\n",
    "\t",
    "\u{8}",
    "\u{7f}",
    "\u{85}",
    "\u{ad}",
    "\u{61c}",
    "\u{200b}",
    "\u{200d}",
    "\u{202e}",
    "\u{2028}",
    "\u{2066}",
    "\u{feff}",
    "\u{fe0f}",
    "\u{fff9}",
    "\u{e0041}",
    "\u{301}",
    "e\u{301}\u{301}\u{301}",
    "日本",
    "👩\u{200d}💻",
    "🇩🇪",
    "ﷺ",
    "\u{1160}",
    "\u{115f}",
    "\u{d7b0}",
    "\u{a8e3}",
    "\\",
    "\"",
    "'",
    "{",
    "<",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{e000}",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(NASTY).prop_map(str::to_owned), ".{0,8}", any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_drawn_harmlessly(pieces in prop::collection::vec(piece(), 0..12), size in prop_oneof![
        Just((120, 36)), Just((80, 24)), Just((40, 12)), (40_u16..200, 12_u16..60)
    ]) {
        tour(&pieces.concat(), size, TOUR);
    }
}

#[test]
fn a_long_text_of_one_thing_is_drawn_harmlessly() {
    for piece in ["x", "\u{1b}[A", "\u{301}", "\u{200b}", "日", "a\n", "👩\u{200d}", "\u{202e} "] {
        let text = piece.repeat((1 << 14) / piece.len());
        tour(&text, (80, 24), "j<Enter>e<Enter><Tab>zR<Esc>L<Enter><Esc><Esc>4j");
    }
}

/// A clear, Ctrl-C and a line of a shell, the end of a bracketed paste, the clipboard, DEL, C1, bidi, zero width, fillers.
const EVIL: &str =
    "e\u{1b}[2J\u{3}\nid\n\u{1b}[201~\u{1b}]52;c;aWQ=\u{7}\u{7f}\u{9b}31m\u{202e}\u{200b}\u{3164}\u{e0041}";

/// What a name and an error become, a value of JSON, and a word of a shell.
const NAME: &str = "e·[2J· id ·[201~·]52;c;aWQ=···31m····";
const ERROR: &str = "e·[2J·\nid\n·[201~·]52;c;aWQ=···31m····";
const JSON: &str = "e\\u001b[2J\\u0003\\nid\\n\\u001b[201~\\u001b]52;c;aWQ=\\u0007\\u007f\\u009b31m\\u202e\\u200b\\u3164\\udb40\\udc41";
const WORD: &str = "--filter=$'-table:\"e\\x1b[2J\\x03\\x0aid\\x0a\\x1b[201~\\x1b]52;c;aWQ=\\x07\\x7f\\xc2\\x9b'$'31m\\xe2\\x80\\xae\\xe2\\x80\\x8b\\xe3\\x85\\xa4\\xf3\\xa0\\x81\\x81\" at:";

#[test]
fn the_bytes_of_copies_of_hostile_rows() {
    let filling = Filling { message: EVIL.replace('\n', " "), ..Filling::of(EVIL) };
    let answers = Answers::Filled(&filling);
    let (name, error) = (NAME.to_owned(), ERROR.to_owned());
    let json = |key: &str| format!("\"{key}\": \"{JSON}\"");
    let table = [
        ("list I", "jjI", name.clone(), 13),
        ("list Y", "jjY", json("source_function"), 0),
        ("list D", "jj-jjj<Enter>D", WORD.to_owned(), 0),
        ("flow y", "jj<Enter>ey", error.clone(), 11),
        ("flow I", "jj<Enter>eI", name.clone(), 13),
        ("flow Y", "jj<Enter>eY", json("error"), 0),
        ("flow y of the undetected", "jj<Enter>Gy", format!("{name}\n{name}"), 156),
        ("detail y", "jj<Enter><Enter>y", name.clone(), 13),
        ("detail Y", "jj<Enter><Enter>Y", json("source_function"), 0),
        ("payload J", "jj<Enter><Enter><Tab>zRGkkJ", JSON.to_owned(), 0),
        ("error Y", "jj<Enter>e<Enter><Tab>Y", error, 22),
        ("logs y", "jj<Enter>eLy", name.clone(), 24),
        ("logs Y", "jj<Enter>eLY", json("service").replace(": ", ":"), 0),
        ("jobs y", "5y", name.clone(), 13),
        ("failures Y", "6Y", json("name"), 0),
        ("compare y", "jjmjm=y", name, 13),
    ];
    for (what, keys, holds, replaced) in table {
        let mut app = server::shown((120, 36), "", answers);
        let asked = server::typed(&mut app, keys, answers);
        let Some(copied) = asked.iter().rev().find_map(copied) else { panic!("{what}: nothing copied: {asked:?}") };
        let told = (replaced > 0).then(|| format!("{replaced} control or invisible characters replaced"));
        assert_eq!(copied.notice().split_once("; ").map(|(_, told)| told.to_owned()), told, "{what}");
        assert!(copied.text().contains(&holds), "{what}: {holds:?} is not in {:?}", copied.text());
        assert!(!copied.text().contains(is_hidden), "{what}");
    }
}
