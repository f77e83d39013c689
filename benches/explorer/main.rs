//! How long the pure parts take at the sizes that the explorer must bear: `cargo bench`, or `cargo bench -- flow` for a
//! part of it.
//!
//! One program, a module per subject: [`flow`] and [`text`] are the model, [`frames`] draws, [`keys`] is all that happens
//! between a key and the finished frame.

mod flow;
mod frames;
mod keys;
#[path = "../../examples/generate/rows.rs"]
#[expect(dead_code, reason = "the generator needs more of it")]
mod rows;
mod sample;
mod text;
#[path = "../../examples/generate/words.rs"]
#[expect(dead_code, reason = "the generator needs more of it")]
mod words;

fn main() {
    divan::main();
}
