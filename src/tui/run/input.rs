//! Bytes from the terminal → keys, the mouse, and what the terminal answers when it is asked.
//!
//! Not an event stream of crossterm: that never ends when its terminal is gone, and takes the Esc that begins the bytes
//! of an arrow key for the key Esc when a slow line delivers them apart.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::msg::Mouse;

/// The longest answer of a terminal that is waited for, in bytes.
const LONGEST_ANSWER: usize = 256;

/// What stands before and behind pasted text.
const PASTE: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";
/// The longest text whose end is waited for, in bytes.
const LONGEST_PASTE: usize = 1 << 20;

/// What the terminal said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse.
    Mouse(Mouse),
    /// Text was pasted.
    Paste(String),
    /// Its background, when it was asked for: whether it is light.
    Background {
        /// Whether dark text is read well on it.
        light: bool,
    },
    /// It answered the question that every terminal answers: what was asked before has been answered, or never will be.
    Answered,
}

/// What the next bytes are.
enum Next {
    Heard(Heard, usize),
    Skip(usize),
    Unfinished,
}

/// Whether these bytes begin an answer of the terminal, which no person types.
fn begins_answer(bytes: &[u8]) -> bool {
    matches!(bytes, [0x1b, b']', b'0'..=b'9', ..])
}

/// Whether these bytes begin something that no person types key by key, whose rest may take its time.
pub(super) fn is_long(bytes: &[u8]) -> bool {
    begins_answer(bytes) || bytes.starts_with(PASTE)
}

/// What some bytes say, and how many of them are used; the rest is the beginning of a sequence. `complete` says that
/// nothing follows: then no byte is left.
pub(super) fn parse(bytes: &[u8], complete: bool) -> (Vec<Heard>, usize) {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match next(&bytes[at..]) {
            Next::Heard(heard, length) => {
                all.push(heard);
                at += length;
            }
            Next::Skip(length) => at += length,
            // The rest of an answer, or of what was pasted, was lost: none of it is a key.
            Next::Unfinished if complete && is_long(&bytes[at..]) => at = bytes.len(),
            Next::Unfinished if complete && bytes[at] == 0x1b => {
                // A sequence that never ends was no sequence.
                all.push(Heard::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
                at += 1;
            }
            Next::Unfinished if complete => at += 1,
            Next::Unfinished => break,
        }
    }
    (all, at)
}

fn key(code: KeyCode, length: usize) -> Next {
    Next::Heard(Heard::Key(KeyEvent::new(code, KeyModifiers::NONE)), length)
}

fn next(bytes: &[u8]) -> Next {
    match bytes {
        [] | [0x1b] | [0x1b, b'O' | b']'] => Next::Unfinished,
        [0x1b, b'[', ..] if bytes.starts_with(PASTE) => paste(bytes),
        [0x1b, b'[', rest @ ..] => control_sequence(rest),
        [0x1b, b']', b'0'..=b'9', ..] => answer(bytes),
        [0x1b, b'O', b'M', ..] => key(KeyCode::Enter, 3),
        [0x1b, b'O', last, ..] => match cursor_key(*last) {
            Some(code) => key(code, 3),
            None => Next::Skip(3),
        },
        [0x1b, ..] => key(KeyCode::Esc, 1),
        [b'\r' | b'\n', ..] => key(KeyCode::Enter, 1),
        [b'\t', ..] => key(KeyCode::Tab, 1),
        [0x08 | 0x7f, ..] => key(KeyCode::Backspace, 1),
        [letter @ 0x01..=0x1a, ..] => {
            let code = KeyCode::Char((letter + b'a' - 1).into());
            Next::Heard(Heard::Key(KeyEvent::new(code, KeyModifiers::CONTROL)), 1)
        }
        [0x00..0x20, ..] => Next::Skip(1),
        [first, ..] => character(bytes, *first),
    }
}

fn character(bytes: &[u8], first: u8) -> Next {
    let length = match first {
        0x00..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return Next::Skip(1),
    };
    let Some(bytes) = bytes.get(..length) else { return Next::Unfinished };
    match std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next()) {
        Some(c) => key(KeyCode::Char(c), length),
        None => Next::Skip(1),
    }
}

fn paste(bytes: &[u8]) -> Next {
    let text = &bytes[PASTE.len()..];
    match text.windows(PASTE_ENDS.len()).position(|end| end == PASTE_ENDS) {
        Some(end) => {
            let pasted = String::from_utf8_lossy(&text[..end]).into_owned();
            Next::Heard(Heard::Paste(pasted), PASTE.len() + end + PASTE_ENDS.len())
        }
        None if text.len() < LONGEST_PASTE => Next::Unfinished,
        None => Next::Skip(bytes.len()),
    }
}

/// `ESC ] number ; text`, ended by BEL or by `ESC \`.
fn answer(bytes: &[u8]) -> Next {
    let searched = &bytes[2..bytes.len().min(LONGEST_ANSWER)];
    let Some(end) = searched.iter().position(|byte| matches!(byte, 0x07 | 0x1b)) else {
        return if bytes.len() < LONGEST_ANSWER { Next::Unfinished } else { Next::Skip(LONGEST_ANSWER) };
    };
    let length = match (searched[end], bytes.get(end + 3)) {
        (0x07, _) => end + 3,
        (_, Some(b'\\')) => end + 4,
        // Broken off by another sequence.
        (_, Some(_)) => return Next::Skip(end + 2),
        (_, None) => return Next::Unfinished,
    };
    match std::str::from_utf8(&searched[..end]).ok().and_then(is_light) {
        Some(light) => Next::Heard(Heard::Background { light }, length),
        None => Next::Skip(length),
    }
}

/// Whether the colour of `11;rgb:RRRR/GGGG/BBBB` is a light one; each part has one to four hexadecimal digits.
fn is_light(text: &str) -> Option<bool> {
    let colour = text.strip_prefix("11;rgb:").or_else(|| text.strip_prefix("11;rgba:"))?;
    let mut parts = colour.split('/').map(|part| {
        let most = 16_u32.pow(u32::try_from(part.len()).ok().filter(|digits| (1..=4).contains(digits))?) - 1;
        Some(f64::from(u32::from_str_radix(part, 16).ok()?) / f64::from(most))
    });
    let mut part = || parts.next().flatten();
    Some(0.299 * part()? + 0.587 * part()? + 0.114 * part()? > 0.5)
}

/// What follows `ESC [`.
fn control_sequence(rest: &[u8]) -> Next {
    let Some(end) = rest.iter().position(|byte| !(0x20..0x40).contains(byte)) else { return Next::Unfinished };
    let (parameters, last) = (&rest[..end], rest[end]);
    let length = end + 3;
    match (last, parameters) {
        // Function keys of the Linux console: one more letter.
        (b'[', _) if rest.len() > end + 1 => return Next::Skip(length + 1),
        // The mouse of old terminals: three more bytes.
        (b'M', []) if rest.len() > end + 3 => return Next::Skip(length + 3),
        (b'[', _) | (b'M', []) => return Next::Unfinished,
        (b'M', [b'<', report @ ..]) => {
            return mouse(report).map_or(Next::Skip(length), |mouse| Next::Heard(Heard::Mouse(mouse), length));
        }
        (b'c', [b'?', ..]) => return Next::Heard(Heard::Answered, length),
        _ => {}
    }
    let code = match (last, parameters.split(|byte| *byte == b';').next().unwrap_or_default()) {
        (b'Z', _) => Some(KeyCode::BackTab),
        (b'~', b"1" | b"7") => Some(KeyCode::Home),
        (b'~', b"4" | b"8") => Some(KeyCode::End),
        (b'~', b"3") => Some(KeyCode::Delete),
        (b'~', b"5") => Some(KeyCode::PageUp),
        (b'~', b"6") => Some(KeyCode::PageDown),
        (letter, _) => cursor_key(letter),
    };
    match code {
        Some(code) => key(code, length),
        None => Next::Skip(length),
    }
}

/// `button;column;row` of a press; columns and rows are counted from 1.
fn mouse(report: &[u8]) -> Option<Mouse> {
    let mut numbers = std::str::from_utf8(report).ok()?.split(';').map(|number| number.parse::<u16>().ok());
    let (button, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    match button {
        0 => Some(Mouse::Click { column: column.checked_sub(1)?, row: row.checked_sub(1)? }),
        64 => Some(Mouse::WheelUp),
        65 => Some(Mouse::WheelDown),
        _ => None,
    }
}

fn cursor_key(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::{Press, parse as keys};

    fn presses(bytes: &[u8], complete: bool) -> (Vec<Press>, usize) {
        let (all, used) = parse(bytes, complete);
        let key = |heard| if let Heard::Key(key) = heard { Some(Press::from(key)) } else { None };
        (all.into_iter().filter_map(key).collect(), used)
    }

    #[test]
    fn bytes_of_terminals_are_read_as_keys() {
        for (bytes, notation) in [
            (&b"jG?"[..], "jG?"),
            (b"\x1b[A\x1b[B\x1b[C\x1b[D", "<Up><Down><Right><Left>"),
            (b"\x1bOA\x1bOB\x1bOH\x1bOF", "<Up><Down><Home><End>"),
            (b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~", "<Home><End><Home><End><Home><End>"),
            (b"\x1b[5~\x1b[6~\x1b[Z\t", "<PgUp><PgDn><S-Tab><Tab>"),
            (b"\x1b[1;2A", "<Up>"),
            (b"\r\n\x7f\x08", "<Enter><Enter><BS><BS>"),
            (b"\x03\x04\x1a", "C-cC-dC-z"),
            (b"\x1bj\x1b\x1b", "<Esc>j<Esc><Esc>"),
            (b"\x1b[I\x1b[<0;3;4M\x1b[?62;22ck", "k"),
            (b"\x1b[[Aj\x00\x1c", "j"),
            ("é日".as_bytes(), "é日"),
            (b"\xff\x80j\xe6", "j"),
            (b"\x1b[", "<Esc>["),
            (b"\x1bO", "<Esc>O"),
            (b"\x1b]", "<Esc>]"),
            (b"\x1b]j", "<Esc>]j"),
            (b"\x1b[M !!j", "j"),
        ] {
            assert_eq!(presses(bytes, true).0, keys(notation), "{bytes:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_sequence_waits_for_its_rest() {
        for bytes in [&b"\x1b"[..], b"\x1b[", b"\x1b[1;5", b"\x1bO", b"\xe6\x97", b"\x1b[[", b"\x1b]", b"\x1b[M !"] {
            assert_eq!(parse(bytes, false), (Vec::new(), 0), "{bytes:?}");
        }
        assert_eq!(presses(b"jk\x1b[", false), (keys("jk"), 2));
    }

    #[test]
    fn the_background_is_read_however_its_answer_is_cut() {
        let answers = [
            (&b"\x1b]11;rgb:ffff/ffff/dddd\x1b\\"[..], Some(true)),
            (b"\x1b]11;rgb:1c1c/1c1c/1c1c\x07", Some(false)),
            (b"\x1b]11;rgb:f/f/e\x07", Some(true)),
            (b"\x1b]11;rgba:00/20/40/ff\x1b\\", Some(false)),
            (b"\x1b]11;rgb:zz/00/00\x07", None),
            (b"\x1b]11;rgb:00000/0/0\x07", None),
            (b"\x1b]4;1;rgb:ffff/0/0\x07", None),
            (b"\x1b]52;c;aGVsbG8=\x07", None),
        ];
        for (bytes, light) in answers {
            let expected: Vec<Heard> = light.map(|light| Heard::Background { light }).into_iter().collect();
            for cut in 0..=bytes.len() {
                let (mut all, used) = parse(&bytes[..cut], false);
                let rest = [&bytes[used..], b"j"].concat();
                all.extend(parse(&rest, false).0);
                let key = Heard::Key(KeyEvent::new(KeyCode::Char('j'), KeyModifiers::NONE));
                assert_eq!(all, [&expected[..], &[key]].concat(), "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn no_part_of_an_answer_is_ever_a_key() {
        let answer = b"\x1b]11;rgb:ffff/ffff/dddd\x1b\\";
        for cut in 3..answer.len() {
            assert_eq!(parse(&answer[..cut], true), (Vec::new(), cut), "{cut}");
        }
        let endless = [&b"\x1b]11;"[..], &[b'x'; 400]].concat();
        assert_eq!(parse(&endless[..LONGEST_ANSWER], false), (Vec::new(), LONGEST_ANSWER));
        assert_eq!(parse(b"\x1b]11;rgb:\x1b[?62c", true).0, [Heard::Answered], "broken off by another answer");
    }

    #[test]
    fn pasted_text_is_no_key_however_it_is_cut() {
        let bytes = "\x1b[200~q\x1b[A\r\nzwei Wörter\x1b[201~j".as_bytes();
        let key = Heard::Key(KeyEvent::new(KeyCode::Char('j'), KeyModifiers::NONE));
        let expected = [Heard::Paste("q\x1b[A\r\nzwei Wörter".to_owned()), key];
        for cut in 0..bytes.len() {
            let (mut all, used) = parse(&bytes[..cut], false);
            all.extend(parse(&bytes[used..], false).0);
            assert_eq!(all, expected, "cut at {cut}");
        }
        assert_eq!(parse(b"\x1b[200~qq", false), (Vec::new(), 0));
        assert_eq!(parse(b"\x1b[200~qq", true), (Vec::new(), 8), "its end was lost");
        let endless = [PASTE, &vec![b'q'; LONGEST_PASTE]].concat();
        assert_eq!(parse(&endless, false), (Vec::new(), endless.len()));
    }

    #[test]
    fn the_mouse_is_read() {
        let (all, _) = parse(b"\x1b[<0;3;4M\x1b[<0;3;4m\x1b[<64;1;1M\x1b[<65;1;1M\x1b[<2;1;1M\x1b[<0;0;1M", true);
        let mice = [Mouse::Click { column: 2, row: 3 }, Mouse::WheelUp, Mouse::WheelDown];
        assert_eq!(all, mice.map(Heard::Mouse));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_to_the_end(bytes: Vec<u8>, cut in 0..64_usize) {
            let (all, used) = parse(&bytes, true);
            proptest::prop_assert!(used == bytes.len() && all.len() <= bytes.len());
            // Where the bytes are cut does not matter, as long as the rest comes in time.
            let cut = cut.min(bytes.len());
            let (mut apart, used) = parse(&bytes[..cut], false);
            apart.extend(parse(&bytes[used..], true).0);
            proptest::prop_assert_eq!(apart, all);
        }

        #[test]
        fn bytes_that_look_like_sequences_are_read_to_the_end(text in "[\x1b\\]\\[<;0-9Mc?j\x07\\\\]{0,40}", cut in 0..40_usize) {
            let bytes = text.as_bytes();
            let (all, used) = parse(bytes, true);
            proptest::prop_assert_eq!(used, bytes.len());
            let cut = cut.min(bytes.len());
            let (mut apart, used) = parse(&bytes[..cut], false);
            apart.extend(parse(&bytes[used..], true).0);
            proptest::prop_assert_eq!(apart, all);
        }
    }
}
