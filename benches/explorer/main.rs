//! How long the pure parts take at the sizes that the explorer must bear: `cargo bench`, or `cargo bench -- flow` for a
//! part of it.
//!
//! One program, a module per subject. Those of key handling and frames belong beside `flow` as `keys` and `frames`.

mod flow;
#[path = "../../examples/generate/rows.rs"]
#[expect(dead_code, reason = "the generator needs more of it")]
mod rows;
mod text;
#[path = "../../examples/generate/words.rs"]
#[expect(dead_code, reason = "the generator needs more of it")]
mod words;

fn main() {
    divan::main();
}
