//! Text into the clipboard of the terminal (OSC 52), also over SSH and through tmux and screen.

use crossterm::clipboard::CopyToClipboard;
use crossterm::queue;

use super::terminal::Terminal;
use crate::model::text::bytes;
use crate::tui::msg::Copied;

/// The longest text, in bytes: terminals drop longer ones without a word.
const LONGEST: usize = 100_000;
/// Bytes that screen passes on at once.
const PIECE: usize = 240;

/// What stands between the explorer and the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// Nothing.
    Nothing,
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

impl Between {
    /// From the variables that tmux and screen set.
    pub(super) fn from_env(get: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name| get(name).is_some_and(|value| !value.is_empty());
        match (is_set("TMUX"), is_set("STY")) {
            (true, _) => Self::Tmux,
            (false, true) => Self::Screen,
            (false, false) => Self::Nothing,
        }
    }
}

/// Puts text into the clipboard. Gives what to say about it.
///
/// # Errors
/// The text is too long, or the terminal is gone: in words.
pub(super) fn copy(terminal: &Terminal, copied: &Copied, between: Between) -> Result<String, String> {
    let (text, what) = (copied.text(), copied.what());
    if text.len() > LONGEST {
        let size = bytes(text.len());
        return Err(format!("{what} not copied: {size} is more than terminals take; x writes it to a file"));
    }
    let told = terminal.write(&sequence(text, between));
    told.map(|()| copied.notice()).map_err(|error| format!("{what} not copied: {error}"))
}

/// The sequence for the clipboard. tmux takes it for itself if it is configured so, and passes the wrapped one on if it
/// may; screen passes on pieces of limited length, in which no other end than BEL may stand.
fn sequence(text: &str, between: Between) -> Vec<u8> {
    let mut plain = Vec::new();
    // Writing to memory does not fail.
    let _ = queue!(plain, CopyToClipboard::to_clipboard_from(text));
    match between {
        Between::Nothing => plain,
        Between::Tmux => {
            let doubled: Vec<u8> =
                plain.iter().flat_map(|&byte| std::iter::repeat_n(byte, 1 + usize::from(byte == 0x1b))).collect();
            [&plain[..], b"\x1bPtmux;", &doubled, b"\x1b\\"].concat()
        }
        Between::Screen => {
            let unended = plain.strip_suffix(b"\x1b\\").unwrap_or(&plain);
            let ended = [unended, b"\x07"].concat();
            ended.chunks(PIECE).flat_map(|piece| [&b"\x1bP"[..], piece, b"\x1b\\"].concat()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::msg::Form;

    #[test]
    fn text_goes_to_the_clipboard_through_tmux_and_screen_too() {
        assert_eq!(sequence("hi", Between::Nothing), b"\x1b]52;c;aGk=\x1b\\");
        let wrapped = b"\x1b]52;c;aGk=\x1b\\\x1bPtmux;\x1b\x1b]52;c;aGk=\x1b\x1b\\\x1b\\";
        assert_eq!(sequence("hi", Between::Tmux), wrapped);
        assert_eq!(sequence("hi", Between::Screen), b"\x1bP\x1b]52;c;aGk=\x07\x1b\\");
        let long = String::from_utf8(sequence(&"x".repeat(3_000), Between::Screen)).unwrap();
        let pieces: Vec<&str> = long.split_terminator("\u{1b}\\").collect();
        assert!(
            pieces.len() > 10 && pieces.iter().all(|piece| piece.starts_with("\u{1b}P") && piece.len() <= PIECE + 2)
        );
        let joined: String = pieces.iter().map(|piece| &piece[2..]).collect();
        assert_eq!(
            joined.trim_end_matches('\u{7}').as_bytes(),
            &sequence(&"x".repeat(3_000), Between::Nothing)[..joined.len() - 1]
        );
    }

    #[test]
    fn what_is_between_is_told_by_the_environment() {
        for (set, between) in [("TMUX", Between::Tmux), ("STY", Between::Screen), ("TERM", Between::Nothing)] {
            assert_eq!(Between::from_env(|name| (name == set).then(|| "x".to_owned())), between);
        }
    }

    #[test]
    fn too_much_text_is_refused_in_words() {
        let terminal = Terminal::closed();
        let copied = Copied::new(Form::Json, &"x".repeat(LONGEST + 1), "row as JSON");
        let refused = copy(&terminal, &copied, Between::Nothing).unwrap_err();
        assert!(refused.starts_with("row as JSON not copied: 100.0 kB") && refused.ends_with("to a file"), "{refused}");
    }
}
