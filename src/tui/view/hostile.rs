//! Any text in any column, on every screen: nothing but harmless characters reaches a cell, and no cell grows.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{LARGEST_CELL, draw};
use crate::model::text::clean;
use crate::tui::fixture::server::{self, Answers, Filling, serve};
use crate::tui::fixture::{PLAIN, THEME};
use crate::tui::keymap;
use crate::tui::msg::{Cmd, Msg};
use crate::tui::update::update;

/// Through all screens and most of what each can show.
const TOUR: &str = "jj<Space>jcs<Esc><Space>sSx<Enter>uzRjjwCexo<Enter><Tab>zR<Tab>d<Tab><Tab><Tab>wjj/a<Enter>nXxo<Esc><Esc>\
                    L<Enter>jlwVXA/a<Enter>&xo<Esc><Esc><Esc>4jjx<Enter>tll<Esc>!<Esc>?<Esc>1mmyYIDoF<Esc>mjm=jex<Esc>5jlx\
                    6jlx0<Esc>:b<Esc>1zRjj<Enter>R...RzFje#<Esc>+<Esc>/";

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
