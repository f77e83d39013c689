//! Holds the source tree to the rules of ARCHITECTURE.md: who may import whom, how long a file may be, and that each
//! says what it is for.

use std::path::{Path, PathBuf};

/// Lines a source file may have.
const MOST_LINES: usize = 500;

/// Which layers a layer may import; a layer is a folder or file below `src`. Layers that are not listed may import anything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("files", &[]),
    ("model", &["clock"]),
    ("store", &["clock", "files", "model"]),
    ("recorder", &["clock", "files", "model", "store"]),
    ("logs", &["clock", "model"]),
    ("postgres", &["clock", "store"]),
    ("tui/effects", &["clock", "files", "logs", "model", "store", "tui"]),
    ("tui/run", &["clock", "logs", "model", "store", "tui"]),
    ("tui", &["logs", "model", "tui"]),
];

/// Packages that only these files may use.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("sqlx", &["store", "recorder/flush"]),
    ("reqwest", &["logs/loki", "recorder/loki/push"]),
    ("regex", &["model/filter/pattern", "tui/app/find"]),
    ("ratatui", &["tui"]),
    ("clap", &["cli", "main"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its place below `src` without `.rs`, and its text without comments.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().with_extension("").to_string_lossy().replace('\\', "/");
        (name, std::fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

fn is_below(name: &str, layer: &str) -> bool {
    name == layer || name.strip_prefix(layer).is_some_and(|rest| rest.starts_with('/'))
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The layers named after `crate::` on these lines.
fn imports(text: &str) -> Vec<String> {
    let mut layers = Vec::new();
    for line in code(text) {
        for rest in line.split("crate::").skip(1) {
            let word = |part: &str| part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
            match rest.strip_prefix('{') {
                Some(list) => layers.extend(list.split(',').map(|part| word(part.trim_start()))),
                None => layers.push(word(rest)),
            }
        }
    }
    layers
}

#[test]
fn layers_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let Some((layer, allowed)) = MAY_IMPORT.iter().find(|(layer, _)| is_below(&name, layer)) else { continue };
        let own = layer.split('/').next().unwrap();
        for import in imports(&text) {
            if import != own && !import.is_empty() && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{name} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn packages_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (name, text) in files() {
        for (package, places) in ONLY_IN {
            let used = code(&text).any(|line| line.contains(&format!("{package}::")));
            if used && name != "tidy" && !places.iter().any(|place| is_below(&name, place)) {
                wrong.push(format!("{name} uses {package}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let lines = text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{name} has {lines} lines, more than {MOST_LINES}"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{name} does not begin with a //! line"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
