//! Holds the source tree to the rules of ARCHITECTURE.md: who may import whom, how long a file may be, and that each
//! says what it is for.

use std::path::{Path, PathBuf};

/// Lines a source file may have.
const MOST_LINES: usize = 500;

/// Which layers a layer may import; a layer is a folder or file below `src`. Layers that are not listed may import anything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("files", &["clock"]),
    ("model", &["clock"]),
    ("store", &["clock", "files", "model"]),
    ("recorder", &["clock", "files", "model", "store"]),
    ("logs", &["clock", "model"]),
    ("postgres", &["clock", "files", "store"]),
    ("tui/effects", &["clock", "files", "logs", "model", "store", "tui"]),
    ("tui/run", &["clock", "files", "logs", "model", "store", "tui"]),
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

/// What creates files and folders, or programs. Only these files may, outside of tests, so that permissions, links and the
/// environment are seen to in one place each.
const CREATE: &[(&str, &[&str])] = &[
    ("File::create", &[]),
    ("OpenOptions::", &["files"]),
    ("fs::write(", &[]),
    ("fs::copy(", &[]),
    ("create_dir", &[]),
    ("DirBuilder::", &["files"]),
    ("chown(", &["files", "postgres/folder"]),
    ("Command::new(", &["postgres/account", "tui/run/programs"]),
    ("tempfile::", &[]),
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

/// The modules that a file declares for tests only, by their places.
fn test_modules(name: &str, text: &str) -> Vec<String> {
    let folder = match name {
        "lib" | "main" => String::new(),
        name => format!("{name}/"),
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = |n: usize| {
        let line = lines[n + 1..].iter().find(|line| !line.starts_with("#["))?;
        let module = line.rsplit_once("mod ").map(|(_, module)| module)?.strip_suffix(';')?;
        Some(format!("{folder}{module}"))
    };
    (0..lines.len()).filter(|&n| lines[n] == "#[cfg(test)]").filter_map(declared).collect()
}

/// A file without the tests that stand in it.
fn without_tests(text: &str) -> String {
    let Some((before, rest)) = text.split_once("\nmod tests {\n") else { return text.to_owned() };
    let attributes = before.lines().rev().take_while(|line| line.starts_with("#["));
    assert!(attributes.into_iter().any(|line| line.contains("test")), "a module of tests is for tests only");
    let (_, behind) = rest.split_once("\n}\n").unwrap();
    format!("{before}\n{behind}")
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

#[test]
fn files_and_programs_are_made_in_one_place() {
    let (files, mut wrong) = (files(), Vec::new());
    let of_tests: Vec<String> = files.iter().flat_map(|(name, text)| test_modules(name, text)).collect();
    assert!(of_tests.contains(&"tidy".to_owned()) && of_tests.contains(&"recorder/spool/tests".to_owned()));
    for (name, text) in files.iter().filter(|(name, _)| !of_tests.iter().any(|module| is_below(name, module))) {
        let text = without_tests(text);
        for (call, places) in CREATE {
            if code(&text).any(|line| line.contains(call)) && !places.iter().any(|place| is_below(name, place)) {
                wrong.push(format!("{name} uses {call}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        without_tests("a\n#[cfg(test)]\nmod tests {\n    b\n}\nc\n"),
        "a\n#[cfg(test)]\nc\n",
        "what stands behind them counts"
    );
}

/// Names of variables that hold secrets: in the source, and in the list of those that no other program gets.
#[cfg(feature = "tui")]
#[test]
fn variables_with_secrets_are_listed() {
    use crate::model::environment::SECRETS;
    let mut found = 0;
    for (name, text) in files() {
        for word in code(&text).flat_map(|line| line.split('"')) {
            let is_name = word.contains('_') && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            if is_name && (word.ends_with("PASSWORD") || word.ends_with("TOKEN")) {
                found += 1;
                assert!(SECRETS.contains(&word), "{name}: {word}");
            }
        }
    }
    assert!(found > SECRETS.len() - 4, "{found}");
    // Names that are put together.
    for role in ["DB", "ADMIN", "APP", "READONLY"] {
        assert!(SECRETS.contains(&&*format!("OBSERVABILITY_{role}_PASSWORD")));
    }
    for name in ["GRAFANA_TOKEN", "LOKI_PASSWORD"] {
        assert!(SECRETS.contains(&name) && SECRETS.contains(&&*format!("OBS_TUI_{name}")));
    }
}
