//! From a key, or an answer of the database, to the finished frame.

use divan::Bencher;
use obs_tui::model::invocation::Page;
use obs_tui::tui::app::{App, flow, invocations};
use obs_tui::tui::msg::{Cmd, Msg};
use obs_tui::tui::update::update;
use obs_tui::tui::view;

use super::sample::{self, LOADED, Shape, THEME, press};

/// Keys that lead back to where they began are pressed in turn, each followed by a frame.
fn bench(bencher: Bencher<'_, '_>, app: &mut App, keys: &[&str]) {
    let mut frame = sample::frame();
    let mut turns = keys.iter().cycle();
    bencher.bench_local(|| {
        press(app, turns.next().unwrap_or(&"j"));
        frame.reset();
        view::draw(app, &THEME, &mut frame);
    });
}

/// In a list of 50,000 rows: a line, a page, from end to end, from failure to failure.
#[divan::bench(args = [["j", "k"], ["<PgDn>", "<PgUp>"], ["G", "gg"], ["e", "E"]])]
fn list(bencher: Bencher<'_, '_>, keys: [&'static str; 2]) {
    let mut app = sample::list(LOADED);
    press(&mut app, "jj");
    bench(bencher, &mut app, &keys);
}

/// Enter on a row of the list, and back.
#[divan::bench]
fn list_open_and_back(bencher: Bencher<'_, '_>) {
    let mut app = sample::list(LOADED);
    press(&mut app, "jj");
    bench(bencher, &mut app, &["<Enter>", "<Esc>"]);
}

/// In a tree of 100,000 nodes: a line, from end to end, folding the root, from failure to failure, bars on and off.
#[divan::bench(args = [["j", "k"], ["G", "gg"], ["h", "l"], ["e", "E"], ["w", "w"], ["u", "u"], ["zM", "zR"]])]
fn flow_deep(bencher: Bencher<'_, '_>, keys: [&'static str; 2]) {
    let mut app = sample::tree(Shape::Deep);
    press(&mut app, "zRugg");
    bench(bencher, &mut app, &keys);
}

/// Finding a text in a tree of 100,000 nodes: typed, Enter, given up.
#[divan::bench]
fn flow_find(bencher: Bencher<'_, '_>) {
    let mut app = sample::tree(Shape::Deep);
    press(&mut app, "zRugg");
    bench(bencher, &mut app, &["/charge<Enter><Esc>"]);
}

/// The rows of a cascade of 100,000 nodes have come: to the first frame.
#[divan::bench(args = Shape::ALL)]
fn flow_opened(bencher: Bencher<'_, '_>, shape: Shape) {
    let rows = sample::cascade(shape);
    let first = rows.invocations.first().map(|row| row.id).unwrap_or_default();
    let list = sample::list(100);
    let opened = || {
        let mut app = list.clone();
        let request = match flow::open(&mut app, first)[..] {
            [Cmd::Cascade { request, .. }, ..] => request,
            _ => 0,
        };
        (app, request, rows.clone())
    };
    bencher.with_inputs(opened).bench_values(|(mut app, request, rows)| {
        update(&mut app, Msg::Cascade(request, Ok(Some(rows))));
        let mut frame = sample::frame();
        view::draw(&app, &THEME, &mut frame);
        (app, frame)
    });
}

/// A payload of ten megabytes: a line, from end to end, everything folded and unfolded.
#[divan::bench(args = [["j", "k"], ["G", "gg"], ["zM", "zR"]])]
fn payload(bencher: Bencher<'_, '_>, keys: [&'static str; 2]) {
    let mut app = sample::detail(10 << 20);
    press(&mut app, "<Tab>");
    bench(bencher, &mut app, &keys);
}

/// A look for changes among 50,000 rows: the request is made, and its answer brings so many new rows.
#[divan::bench(args = [0, 1, 500])]
fn changes(bencher: Bencher<'_, '_>, new: usize) {
    let rows = sample::listed(LOADED + new as u64);
    let mut app = sample::list(LOADED);
    press(&mut app, "jj");
    let older: Vec<_> = rows[new..].to_vec();
    let newest: Vec<_> = rows[..new + 60].to_vec();
    app.invocations.rows.value = Some(older);
    let changed = || (app.clone(), newest.clone());
    bencher.with_inputs(changed).bench_values(|(mut app, newest)| {
        let request = match invocations::refresh(&mut app)[..] {
            [Cmd::Changes { request, .. }, ..] => request,
            _ => 0,
        };
        update(&mut app, Msg::Changes(request, Ok(Page { rows: newest, more: false })));
        let mut frame = sample::frame();
        view::draw(&app, &THEME, &mut frame);
        (app, frame)
    });
}
