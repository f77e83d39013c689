//! Drawing a state into a frame of 120x36, as it is done after every key.

use divan::Bencher;
use obs_tui::tui::app::App;
use obs_tui::tui::view;

use super::sample::{self, LOADED, Shape, THEME, press};

fn bench(bencher: Bencher<'_, '_>, app: &App) {
    let mut frame = sample::frame();
    bencher.bench_local(|| {
        frame.reset();
        view::draw(app, &THEME, &mut frame);
    });
}

/// The list with its preview.
#[divan::bench]
fn list(bencher: Bencher<'_, '_>) {
    let mut app = sample::list(LOADED);
    press(&mut app, "G");
    bench(bencher, &app);
}

/// The tree, everything unfolded, at its far end, with bars and the critical path.
#[divan::bench(args = Shape::ALL)]
fn flow(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut app = sample::tree(shape);
    press(&mut app, "zRuCG");
    bench(bencher, &app);
}

/// A payload of ten megabytes, in the middle.
#[divan::bench]
fn payload(bencher: Bencher<'_, '_>) {
    let mut app = sample::detail(10 << 20);
    press(&mut app, "<Tab>GC-u");
    bench(bencher, &app);
}

/// The charts of a day.
#[divan::bench]
fn charts(bencher: Bencher<'_, '_>) {
    bench(bencher, &sample::charts());
}

/// The help.
#[divan::bench]
fn help(bencher: Bencher<'_, '_>) {
    let mut app = sample::list(100);
    press(&mut app, "?");
    bench(bencher, &app);
}

/// What a frame changes against the one before it: a line down in the list.
#[divan::bench]
fn difference(bencher: Bencher<'_, '_>) {
    let mut app = sample::list(1_000);
    let (mut before, mut after) = (sample::frame(), sample::frame());
    view::draw(&app, &THEME, &mut before);
    press(&mut app, "j");
    view::draw(&app, &THEME, &mut after);
    bencher.bench(|| before.diff(&after).len());
}
