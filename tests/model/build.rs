//! Copies the parts of the recorder that threads share, with the locks and atomics of loom.

use std::path::Path;
use std::{env, fs};

fn main() {
    for name in ["arena", "counts"] {
        let path = format!("../../src/recorder/{name}.rs");
        println!("cargo::rerun-if-changed={path}");
        let source = fs::read_to_string(&path).unwrap();
        let (code, _tests) = source.split_once("#[cfg(test)]").unwrap_or((&source, ""));
        // Few rounds are as good as many, and documentation of a file cannot be included.
        let code =
            code.replace("use std::sync::", "use crate::sync::").replace("ROUNDS: usize = 64", "ROUNDS: usize = 2");
        let lines: Vec<&str> = code.lines().filter(|line| !line.starts_with("//!")).collect();
        fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join(format!("{name}.rs")), lines.join("\n")).unwrap();
    }
}
