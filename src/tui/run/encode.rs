//! Changed cells → the bytes that show them.
//!
//! Shorter than crossterm's, which names both colours whenever one of them changes, and always in the form for 256
//! colours, which terminals with 16 do not understand.

use std::io::Write;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier, Style};

/// Modifiers and the number that turns each of them on.
const MODIFIERS: [(Modifier, u8); 5] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::REVERSED, 7),
];

/// Appends what shows these cells, each with its column and row, in any order. Text before and after it is plain.
pub(super) fn encode<'a>(cells: impl IntoIterator<Item = (u16, u16, &'a Cell)>, bytes: &mut Vec<u8>) {
    let plain = Look::default();
    let (mut look, mut cursor) = (plain, None);
    for (x, y, cell) in cells {
        go_to((x, y), cursor, bytes);
        let wanted = Look::of(cell);
        look.change_to(wanted, bytes);
        look = wanted;
        bytes.extend_from_slice(cell.symbol().as_bytes());
        // Where the cursor stands after a wide character depends on the terminal.
        let narrow = cell.symbol().len() == 1 || unicode_width::UnicodeWidthStr::width(cell.symbol()) == 1;
        cursor = narrow.then_some((x + 1, y));
    }
    look.change_to(plain, bytes);
}

fn go_to((x, y): (u16, u16), cursor: Option<(u16, u16)>, bytes: &mut Vec<u8>) {
    let written = match cursor {
        Some(at) if at == (x, y) => Ok(()),
        Some((from, row)) if row == y && from < x => match x - from {
            1 => write!(bytes, "\x1b[C"),
            columns => write!(bytes, "\x1b[{columns}C"),
        },
        _ if x == 0 => write!(bytes, "\x1b[{}H", y + 1),
        _ => write!(bytes, "\x1b[{};{}H", y + 1, x + 1),
    };
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// How a cell looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    text: Color,
    ground: Color,
    modifiers: Modifier,
}

impl Default for Look {
    fn default() -> Self {
        Self { text: Color::Reset, ground: Color::Reset, modifiers: Modifier::empty() }
    }
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let Style { add_modifier, .. } = cell.style();
        Self { text: cell.fg, ground: cell.bg, modifiers: add_modifier }
    }

    fn change_to(self, wanted: Self, bytes: &mut Vec<u8>) {
        if self == wanted {
            return;
        }
        let mut codes: Vec<String> = Vec::new();
        let mut from = self;
        // Turning off one modifier costs as much as turning off everything.
        if !wanted.modifiers.contains(self.modifiers) || wanted == Self::default() {
            from = Self::default();
            if wanted != from {
                codes.push("0".to_owned());
            }
        }
        let added = wanted.modifiers.difference(from.modifiers);
        codes.extend(
            MODIFIERS.iter().filter(|(modifier, _)| added.contains(*modifier)).map(|(_, code)| code.to_string()),
        );
        if wanted.text != from.text {
            codes.push(code(wanted.text, 30));
        }
        if wanted.ground != from.ground {
            codes.push(code(wanted.ground, 40));
        }
        bytes.extend_from_slice(b"\x1b[");
        bytes.extend_from_slice(codes.join(";").as_bytes());
        bytes.push(b'm');
    }
}

/// The numbers of a colour; `base` is 30 for text and 40 for the ground.
fn code(colour: Color, base: u8) -> String {
    let named = |n: u8| (base + n).to_string();
    let bright = |n: u8| (base + 60 + n).to_string();
    match colour {
        Color::Reset => named(9),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(n) => format!("{};5;{n}", base + 8),
        Color::Rgb(red, green, blue) => format!("{};2;{red};{green};{blue}", base + 8),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use super::*;

    /// What a terminal shows after a frame: each cell's text, colours and modifiers.
    fn shown(buf: &Buffer) -> (String, Vec<(vt100::Color, vt100::Color, [bool; 4])>) {
        let (columns, rows) = (buf.area.width, buf.area.height);
        let blank = Buffer::empty(buf.area);
        let mut bytes = Vec::new();
        encode(blank.diff(buf), &mut bytes);
        let mut parser = vt100::Parser::new(rows, columns, 0);
        parser.process(&bytes);
        let screen = parser.screen();
        let looks = (0..rows)
            .flat_map(|y| (0..columns).map(move |x| (x, y)))
            .map(|(x, y)| {
                let cell = screen.cell(y, x).unwrap();
                let modifiers = [cell.bold(), cell.italic(), cell.underline(), cell.inverse()];
                (cell.fgcolor(), cell.bgcolor(), modifiers)
            })
            .collect();
        (screen.contents(), looks)
    }

    #[test]
    fn a_terminal_shows_what_was_drawn() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 3));
        buf.set_string(0, 0, "plain", Style::new());
        buf.set_string(7, 0, "red", Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        buf.set_string(10, 0, "dim", Style::new().fg(Color::DarkGray));
        buf.set_string(3, 1, "日本x", Style::new().fg(Color::Indexed(208)));
        buf.set_string(0, 2, "back", Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Blue));
        buf.set_string(4, 2, "turned", Style::new().add_modifier(Modifier::REVERSED | Modifier::UNDERLINED));
        let (text, looks) = shown(&buf);
        assert_eq!(text, "plain  reddim\n   日本x\nbackturned");
        let at = |x: usize, y: usize| looks[y * 20 + x];
        let (idx, rgb, none) = (vt100::Color::Idx, vt100::Color::Rgb, vt100::Color::Default);
        assert_eq!(at(0, 0), (none, none, [false; 4]));
        assert_eq!(at(7, 0), (idx(1), none, [true, false, false, false]));
        assert_eq!(at(10, 0), (idx(8), none, [false; 4]), "bold ends with its text");
        assert_eq!(at(7, 1), (idx(208), none, [false; 4]));
        assert_eq!(at(0, 2), (rgb(1, 2, 3), idx(4), [false; 4]));
        assert_eq!(at(4, 2), (none, none, [false, false, true, true]));
        assert_eq!(at(19, 2), (none, none, [false; 4]));
    }

    #[test]
    fn sixteen_colours_need_no_more_than_sixteen() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 1));
        buf.set_string(0, 0, "a", Style::new().fg(Color::Green));
        buf.set_string(1, 0, "b", Style::new().fg(Color::LightRed).bg(Color::Black));
        let mut bytes = Vec::new();
        encode(Buffer::empty(buf.area).diff(&buf), &mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), "\u{1b}[1H\u{1b}[32ma\u{1b}[91;40mb\u{1b}[m");
    }
}
