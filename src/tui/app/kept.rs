//! What is kept in files: saved views, and how the last session ended. Text here; reading and writing are effects.
//!
//! ```toml
//! [[view]]
//! name = "failed moves"
//! filter = "st:failed fn:moves at:1h"
//! columns = ["time", "status", "function", "duration"]
//! sort = "-duration"
//! ```
//!
//! A file of views is edited, not written anew: order, comments and everything else in it stay as a person left them.

use serde::Deserialize;

use super::columns::{Column, Sort, State as Columns};
use crate::model::text::quote_toml;

/// How the list is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The filter, as it would be typed, with its range of time.
    pub filter: String,
    /// The shown columns, from left to right; all where there is none.
    pub columns: Vec<Column>,
    /// What the loaded rows are sorted by.
    pub sort: Option<Sort>,
    /// The path of the payload column; empty where there is none.
    pub payload: String,
}

/// A look with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The name.
    pub name: String,
    /// What it shows.
    pub look: Look,
}

/// What a session leaves to the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Which database was explored, as the header names it: its filter is for that one only.
    pub database: String,
    /// How the list was looked at.
    pub look: Look,
    /// The saved view that this was, or was made from.
    pub view: Option<String>,
    /// Whether times were shown in local time.
    pub local_time: bool,
    /// Whether lists said how long ago something was.
    pub ages: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ViewsFile {
    #[serde(default)]
    view: Vec<ViewEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ViewEntry {
    name: String,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    columns: Vec<String>,
    sort: Option<String>,
    #[serde(default)]
    payload: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SessionFile {
    database: String,
    filter: String,
    columns: Vec<String>,
    sort: Option<String>,
    payload: String,
    view: Option<String>,
    local_time: bool,
    ages: bool,
}

/// Reads a file of views.
///
/// # Errors
/// What is wrong with it, with the line, in words.
pub fn views(text: &str) -> Result<Vec<View>, String> {
    let file: ViewsFile = toml::from_str(text).map_err(|error| {
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
        format!("line {}: {}", before.matches('\n').count() + 1, error.message())
    })?;
    let mut views = Vec::<View>::new();
    for entry in file.view {
        let look = look(entry.filter, &entry.columns, entry.sort.as_deref(), entry.payload)
            .map_err(|error| format!("view `{}`: {error}", entry.name))?;
        if views.iter().any(|view| view.name == entry.name) {
            return Err(format!("there are two views `{}`", entry.name));
        }
        views.push(View { name: entry.name, look });
    }
    Ok(views)
}

fn look(filter: String, columns: &[String], sort: Option<&str>, payload: String) -> Result<Look, String> {
    let named = |name: &str| Column::named(name).ok_or_else(|| format!("there is no column `{name}`"));
    let columns = columns.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?;
    let sort = sort.map(|sort| match sort.strip_prefix('-') {
        Some(name) => named(name).map(|column| Sort { column, reverse: true }),
        None => named(sort).map(|column| Sort { column, reverse: false }),
    });
    Ok(Look { filter, columns, sort: sort.transpose()?, payload })
}

/// The text of a file of views with this view in it: in the place of the one of its name, else at the end.
///
/// # Errors
/// The file cannot be read, or would not hold afterwards what it is to hold: in words. Nothing is to be written then.
pub fn with_view(text: &str, view: &View) -> Result<String, String> {
    let mut wanted = views(text)?;
    let entry = entry(view);
    let edited = match wanted.iter().position(|other| other.name == view.name) {
        Some(at) => {
            wanted[at] = view.clone();
            let block = blocks(text).nth(at).unwrap_or(text.len()..text.len());
            format!("{}{entry}{}", &text[..block.start], &text[block.end..])
        }
        None => {
            wanted.push(view.clone());
            let gap = match text {
                "" => HEAD,
                text if text.ends_with('\n') => "\n",
                _ => "\n\n",
            };
            format!("{text}{gap}{entry}")
        }
    };
    checked(edited, &wanted)
}

/// The text of a file of views without the view of this name.
///
/// # Errors
/// As [`with_view`].
pub fn without_view(text: &str, name: &str) -> Result<String, String> {
    let mut wanted = views(text)?;
    let Some(at) = wanted.iter().position(|other| other.name == name) else {
        return Err(format!("there is no view `{name}` any more"));
    };
    wanted.remove(at);
    let block = blocks(text).nth(at).unwrap_or(text.len()..text.len());
    let rest = text[block.end..].strip_prefix('\n').unwrap_or(&text[block.end..]);
    checked(format!("{}{rest}", &text[..block.start]), &wanted)
}

/// What a new file begins with.
const HEAD: &str = "# Saved views of obs-tui: F lists them, C-s saves the present one. May be edited and shared.\n\n";

fn checked(edited: String, wanted: &[View]) -> Result<String, String> {
    match views(&edited) {
        Ok(found) if found == wanted => Ok(edited),
        _ => Err("its form is unusual, so it is left to be edited by hand".to_owned()),
    }
}

/// Where each `[[view]]` stands in a text: from its head to the last line that is neither empty nor a comment.
fn blocks(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let is_head = |line: &str| line.trim_start().starts_with('[');
    let mut blocks = Vec::<std::ops::Range<usize>>::new();
    let (mut at, mut inside) = (0, false);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let trimmed = line.trim();
        if is_head(line) {
            inside = trimmed.starts_with("[[view]]");
            if inside {
                blocks.push(at..end);
            }
        } else if !trimmed.is_empty()
            && !trimmed.starts_with('#')
            && let Some(block) = blocks.last_mut().filter(|_| inside)
        {
            block.end = end;
        }
        at = end;
    }
    blocks.into_iter()
}

fn entry(view: &View) -> String {
    format!("[[view]]\nname = {}\n{}", quote_toml(&view.name), fields(&view.look))
}

/// The fields of a look, those that say something.
fn fields(look: &Look) -> String {
    let mut text = String::new();
    if !look.filter.is_empty() {
        text.push_str(&format!("filter = {}\n", quote_toml(&look.filter)));
    }
    if !look.columns.is_empty() {
        let names: Vec<String> = look.columns.iter().map(|column| quote_toml(column.name())).collect();
        text.push_str(&format!("columns = [{}]\n", names.join(", ")));
    }
    if !look.payload.is_empty() {
        text.push_str(&format!("payload = {}\n", quote_toml(&look.payload)));
    }
    if let Some(Sort { column, reverse }) = look.sort {
        let turned = if reverse { "-" } else { "" };
        text.push_str(&format!("sort = \"{turned}{}\"\n", column.name()));
    }
    text
}

/// Reads what a session left. What cannot be understood counts as nothing: the last session is a convenience.
#[must_use]
pub fn session(text: &str) -> Session {
    let file: SessionFile = toml::from_str(text).unwrap_or_default();
    let SessionFile { database, filter, columns, sort, payload, view, local_time, ages } = file;
    let look = look(filter, &columns, sort.as_deref(), payload);
    let view = view.filter(|_| look.is_ok());
    Session { database, look: look.unwrap_or_default(), view, local_time, ages }
}

/// The text of a session's file.
#[must_use]
pub fn session_text(session: &Session) -> String {
    let view = session.view.as_ref().map_or_else(String::new, |view| format!("view = {}\n", quote_toml(view)));
    let ages = if session.ages { "ages = true\n" } else { "" };
    let database = match &*session.database {
        "" => String::new(),
        database => format!("database = {}\n", quote_toml(database)),
    };
    format!("{database}{}{view}local_time = {}\n{ages}", fields(&session.look), session.local_time)
}

/// The shown columns as they are kept: none where they are those of the beginning.
#[must_use]
pub fn columns(columns: &Columns) -> Vec<Column> {
    let shown: Vec<Column> = columns.shown().collect();
    let usual = Column::ALL.into_iter().filter(|column| column.is_usual());
    if shown.iter().copied().eq(usual) { Vec::new() } else { shown }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;

    const FILE: &str = r#"# Ours, shared by the team.

[[view]]
name = "failed moves"   # the usual one
filter = "st:failed fn:moves at:1h"

# Slow ones, looked at on Mondays.
[[view]]
name = "slow"
filter = 'dur:>5s'
columns = [
  "time", "duration",
]
sort = "-duration"
"#;

    fn view(name: &str, filter: &str) -> View {
        View { name: name.to_owned(), look: Look { filter: filter.to_owned(), ..Look::default() } }
    }

    #[test]
    fn a_file_is_read() {
        let slow = Look {
            filter: "dur:>5s".to_owned(),
            columns: vec![Column::Time, Column::Duration],
            sort: Some(Sort { column: Column::Duration, reverse: true }),
            payload: String::new(),
        };
        let expected = [view("failed moves", "st:failed fn:moves at:1h"), View { name: "slow".to_owned(), look: slow }];
        assert_eq!(views(FILE).unwrap(), expected);
        assert_eq!(views("").unwrap(), []);
    }

    #[test]
    fn what_a_person_wrote_into_the_file_stays() {
        let with = with_view(FILE, &view("failed moves", "st:stuck")).unwrap();
        assert!(
            with.starts_with(
                "# Ours, shared by the team.\n\n[[view]]\nname = \"failed moves\"\nfilter = \"st:stuck\"\n\n# Slow ones"
            ),
            "{with}"
        );
        assert!(with.ends_with(FILE.split_once("# Slow").unwrap().1));
        let added = with_view(FILE, &view("new", "")).unwrap();
        assert_eq!(added, format!("{FILE}\n[[view]]\nname = \"new\"\n"));
        let less = without_view(FILE, "failed moves").unwrap();
        assert!(less.starts_with("# Ours, shared by the team.\n\n# Slow ones"), "{less}");
        assert_eq!(views(&less).unwrap().len(), 1);
        assert!(with_view("", &view("a", "")).unwrap().starts_with("# Saved views"));
    }

    #[test]
    fn a_damaged_file_is_told_and_never_edited() {
        for (text, told) in [
            ("[[view]]\nname = \"a\"\nfilter = st", "line 3: "),
            ("\n[[view]]\nfilter = \"x\"", "line 2: missing field `name`"),
            ("[[view]]\nname = \"a\"\nsorted = \"x\"", "line 3: unknown field `sorted`"),
            ("[[view]]\nname = \"a\"\ncolumns = [\"colour\"]", "view `a`: there is no column `colour`"),
            ("[[view]]\nname = \"a\"\nsort = \"-x\"", "view `a`: there is no column `x`"),
            ("[[view]]\nname = \"a\"\n[[view]]\nname = \"a\"", "there are two views `a`"),
            ("<<<<<<< HEAD\n", "line 1: "),
        ] {
            let error = views(text).unwrap_err();
            assert!(error.starts_with(told), "{text:?}: {error}");
            assert_eq!(with_view(text, &view("b", "")), Err(error.clone()));
            assert_eq!(without_view(text, "a"), Err(error));
        }
        // A head inside of a text is no head.
        let hidden = "[[view]]\nname = \"a\"\nfilter = '''\n[[view]]\n'''\n[[view]]\nname = \"b\"\n";
        assert_eq!(
            with_view(hidden, &view("b", "x")).unwrap_err(),
            "its form is unusual, so it is left to be edited by hand"
        );
        assert!(without_view(FILE, "gone").unwrap_err().contains("no view `gone`"));
    }

    #[test]
    fn a_session_that_cannot_be_understood_is_none() {
        for text in
            ["", "filter = 7", "\u{0}\u{1}", "columns = [\"colour\"]\nview = \"x\"", "[[[", "local_time = \"yes\""]
        {
            assert_eq!(session(text), Session::default(), "{text:?}");
        }
        assert!(session("filter = \"st:ok\"\nof_the_future = 1\nlocal_time = true").local_time);
    }

    fn looks() -> impl Strategy<Value = Look> {
        let sorts = option::of(
            (select(&Column::ALL[..]), any::<bool>()).prop_map(|(column, reverse)| Sort { column, reverse }),
        );
        let columns = subsequence(Column::ALL.to_vec(), 0..9);
        (any::<String>(), columns, sorts, any::<String>()).prop_map(|(filter, columns, sort, payload)| Look {
            filter,
            columns,
            sort,
            payload,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            all in vec((any::<String>(), looks()), 0..6),
            removed in any::<prop::sample::Index>(),
            local_time: bool,
            ages: bool,
        ) {
            let (mut text, mut expected) = (String::new(), Vec::<View>::new());
            for (name, look) in all {
                let session = Session { database: name.clone(), look: look.clone(), view: Some(name.clone()), local_time, ages };
                prop_assert_eq!(super::session(&session_text(&session)), session);
                let view = View { name, look };
                text = with_view(&text, &view).unwrap();
                match expected.iter_mut().find(|other| other.name == view.name) {
                    Some(other) => *other = view,
                    None => expected.push(view),
                }
                prop_assert_eq!(&views(&text).unwrap(), &expected);
            }
            if !expected.is_empty() {
                let gone = expected.remove(removed.index(expected.len()));
                text = without_view(&text, &gone.name).unwrap();
                prop_assert_eq!(views(&text).unwrap(), expected);
            }
        }
    }
}
