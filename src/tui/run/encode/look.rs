//! How a cell looks, and the shortest change from one look to another.
//!
//! Shorter than crossterm's, which names both colours whenever one of them changes, and always in the form for 256
//! colours, which terminals with 16 do not understand.

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// Modifiers and the number that turns each of them on.
const MODIFIERS: [(Modifier, u8); 5] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::REVERSED, 7),
];
/// Those that are seen where there is no text.
const SEEN_ON_BLANKS: Modifier = Modifier::UNDERLINED.union(Modifier::REVERSED);

/// How a cell looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    text: Color,
    ground: Color,
    modifiers: Modifier,
}

impl Look {
    /// As the terminal is by itself.
    pub(super) const PLAIN: Self = Self { text: Color::Reset, ground: Color::Reset, modifiers: Modifier::empty() };

    /// That of a cell.
    pub(super) fn of(cell: &Cell) -> Self {
        Self { text: cell.fg, ground: cell.bg, modifiers: cell.modifier }
    }

    /// Whether nothing of it is seen where there is no text.
    pub(super) fn is_plain_on_blanks(self) -> bool {
        self.ground == Color::Reset && !self.modifiers.intersects(SEEN_ON_BLANKS)
    }

    /// Appends what changes it into another one.
    pub(super) fn change_to(self, wanted: Self, bytes: &mut Vec<u8>) {
        if self == wanted {
            return;
        }
        let mut from = self;
        let mut codes: Vec<String> = Vec::new();
        // Turning off one modifier costs as much as turning off everything.
        if !wanted.modifiers.contains(self.modifiers) || wanted == Self::PLAIN {
            from = Self::PLAIN;
            if wanted != from {
                // No number is 0.
                codes.push(String::new());
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
