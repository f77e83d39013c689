//! Cascades of 100,000 nodes: rows → tree → lines.

use divan::{Bencher, black_box};
use obs_tui::model::flow::{Critical, Flow, Fold, Glyphs, Line, Overview, Times};
use obs_tui::model::report;
use obs_tui::model::status::STALE_AFTER;

use super::sample::{Shape, cascade, now};

/// Lines of a screen.
const SCREEN: usize = 60;

fn tree(shape: Shape) -> Flow {
    Flow::build(cascade(shape), now(), STALE_AFTER)
}

/// Everything open, the most that can be shown.
fn open() -> Fold {
    Fold { show_undetected: true, ..Fold::default() }
}

/// Rows → tree.
#[divan::bench(args = Shape::ALL)]
fn build(bencher: Bencher<'_, '_>, shape: Shape) {
    let rows = cascade(shape);
    bencher.with_inputs(|| rows.clone()).bench_values(|rows| Flow::build(rows, now(), STALE_AFTER));
}

/// Tree → all lines, undetected events folded as they are at first.
#[divan::bench(args = Shape::ALL)]
fn lines(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    bencher.bench(|| flow.lines(black_box(&Fold::default())));
}

/// Tree → all lines, everything shown.
#[divan::bench(args = Shape::ALL)]
fn lines_all_open(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    bencher.bench(|| flow.lines(black_box(&open())));
}

/// The texts of the lines on one screen, at the far end of the tree.
#[divan::bench(args = Shape::ALL)]
fn screen_of_labels(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    let lines = flow.lines(&open());
    let text = |line: &Line| line.guides(&lines, &Glyphs::UNICODE) + &line.label(&flow, &Glyphs::UNICODE);
    bencher.bench(|| lines.iter().rev().take(SCREEN).map(text).collect::<Vec<_>>());
}

/// A row → its node.
#[divan::bench(args = Shape::ALL)]
fn find(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    let last = flow.nodes.last().map(|node| node.id).unwrap_or_default();
    bencher.bench(|| flow.find(black_box(last)));
}

/// Tree → self and total times and the critical path.
#[divan::bench(args = Shape::ALL)]
fn times_and_path(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    let overview = Overview::of(&flow);
    bencher.bench(|| {
        let times = Times::of(&flow, &overview, now());
        Critical::of(&flow, &overview, &times, now())
    });
}

/// Tree → the JSON of `obs-tui show --json`.
#[divan::bench(args = Shape::ALL)]
fn report_json(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    bencher.bench(|| report::cascade(&flow, &mut std::io::sink()));
}
