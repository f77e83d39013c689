//! Lines that command an editor: modelines of vim and of those that read them, too, and the local variables of Emacs. An
//! editor looks for them anywhere in what it opens, and what is opened holds data.

use std::borrow::Cow;

/// Words that begin a modeline when a colon follows.
const WORDS: [&str; 6] = ["vi", "vim", "Vim", "ex", "kak", "kate"];
/// What begins the list of Emacs when a colon follows.
const LIST: &str = "local variables";

/// The text with every such line broken by something that is seen: `vim·:`, in JSON `vim\u003a`, which says the same.
/// Blank lines around the text would not do: how many lines are looked at is a setting, and Emacs skips them.
pub(super) fn disarmed<'a>(text: &'a str, extension: &str) -> Cow<'a, str> {
    let mut breaks: Vec<usize> = colons(text).chain(emacs(text)).collect();
    if breaks.is_empty() {
        return Cow::Borrowed(text);
    }
    breaks.sort_unstable();
    breaks.dedup();
    let mut disarmed = String::with_capacity(text.len() + 8 * breaks.len());
    let mut done = 0;
    for at in breaks {
        disarmed.push_str(&text[done..at]);
        done = at;
        if extension == "json" {
            // What is broken is ASCII, and stands within a text.
            disarmed.push_str(&format!("\\u{:04x}", text.as_bytes()[at]));
            done += 1;
        } else {
            disarmed.push('·');
        }
    }
    disarmed.push_str(&text[done..]);
    Cow::Owned(disarmed)
}

/// Where the colons of modelines are: `vim:`, and with a version `vim<703:`.
fn colons(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices(':').map(|(at, _)| at).filter(|&at| {
        let before = text[..at].trim_end_matches(|c: char| c.is_ascii_digit());
        let before = before.strip_suffix(['<', '=', '>']).unwrap_or(before);
        let is_begin = |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        WORDS.iter().any(|word| before.strip_suffix(word).is_some_and(is_begin))
    })
}

/// Where the marks of Emacs end: `-*-`, and `Local Variables:` in any case.
fn emacs(text: &str) -> impl Iterator<Item = usize> {
    let stars = text.match_indices("*-").filter(|(at, _)| text[..*at].ends_with('-')).map(|(at, _)| at + 1);
    let is_list = |at: usize| {
        let start = at.checked_sub(LIST.len());
        start.and_then(|start| text.get(start..at)).is_some_and(|words| words.eq_ignore_ascii_case(LIST))
    };
    stars.chain(text.match_indices(':').map(|(at, _)| at).filter(move |&at| is_list(at)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn no_line_commands_an_editor() {
        for (text, disarmed_text) in [
            ("vim: set shell=x:", "vim·: set shell=x:"),
            ("a\n# vim:set ft=x\n", "a\n# vim·:set ft=x\n"),
            (" vi: x  ex: y Vim>703: z vim=800:", " vi·: x  ex·: y Vim>703·: z vim=800·:"),
            ("-*- mode: x -*-*-", "-*·- mode: x -*·-*·-"),
            ("Local Variables:\neval: x\nEND:", "Local Variables·:\neval: x\nEND:"),
            ("/* LOCAL variables: */", "/* LOCAL variables·: */"),
            ("kate: x", "kate·: x"),
            ("12:04:30 previ: index: 5 flex:1 vim", "12:04:30 previ: index: 5 flex:1 vim"),
        ] {
            assert_eq!(disarmed(text, "txt"), disarmed_text);
        }
    }

    #[test]
    fn json_says_the_same() {
        let value =
            json!({"vim: set x": " vim: set shell=x: -*- eval: x -*-", "Local Variables:": ["ex:", "\\vim: \\"]});
        for text in [format!("{value:#}"), value.to_string()] {
            let disarmed = disarmed(&text, "json");
            assert_eq!(serde_json::from_str::<Value>(&disarmed).unwrap(), value);
            for begin in ["vim:", "ex:", "-*-", "Variables:"] {
                assert!(!disarmed.contains(begin), "{begin} in {disarmed}");
            }
        }
    }
}
