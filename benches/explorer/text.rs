//! Making text from data safe for a terminal: a name, which is done for each cell of a list, and a megabyte.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use obs_tui::model::text::clean;

const LENGTHS: [usize; 2] = [24, 1 << 20];

fn repeated(part: &str, length: usize) -> String {
    part.chars().cycle().take(length).collect()
}

fn bench(bencher: Bencher<'_, '_>, text: &str) {
    bencher.counter(BytesCount::of_str(text)).bench(|| clean(black_box(text)));
}

/// Nothing to replace.
#[divan::bench(args = LENGTHS)]
fn clean_ascii(bencher: Bencher<'_, '_>, length: usize) {
    bench(bencher, &repeated("move.pickup.successful ", length));
}

/// Nothing to replace, several bytes a character.
#[divan::bench(args = LENGTHS)]
fn clean_unicode(bencher: Bencher<'_, '_>, length: usize) {
    bench(bencher, &repeated("Müller · 日本 ✓ ", length));
}

/// Something to replace everywhere.
#[divan::bench(args = LENGTHS)]
fn clean_hostile(bencher: Bencher<'_, '_>, length: usize) {
    bench(bencher, &repeated("a\u{1b}[2J\u{202e}b\n", length));
}
