//! Two frames → the fewest bytes that change a terminal which shows the first one into the second.
//!
//! What becomes blank is erased, not written; short ways to the next change are written over, not jumped; blanks have no
//! look of their own. No sequence is younger than the VT220.

mod look;

use std::ops::Range;

use ratatui::buffer::{Buffer, Cell, CellWidth};

use look::Look;

/// From so many cells on erasing is shorter than writing blanks: it takes a sequence, and mostly a jump behind it.
const ERASED_FROM: u16 = 9;
/// The same where the rest of the row is blank.
const REST_ERASED_FROM: u16 = 4;
/// Rows that are gone down by line feeds at the most.
const MOST_LINE_FEEDS: u16 = 4;

/// Appends what changes one frame into another one of the same size. Text before and after it is plain.
pub(super) fn encode(shown: &Buffer, drawn: &Buffer, bytes: &mut Vec<u8>) {
    let mut pen = Pen { drawn, bytes, look: Look::PLAIN, row: None, column: None };
    let mut done = (0, 0..0);
    for (x, y, cell) in shown.diff_iter(drawn) {
        if done.0 == y && done.1.contains(&x) {
            continue;
        }
        if is_blank(cell)
            && let Some(columns) = pen.erase(shown, x, y)
        {
            done = (y, columns);
            continue;
        }
        pen.write(x, y, cell);
        // How the other half of a wide character looks that was written over depends on the terminal.
        let last = x + cell.cell_width().max(1) - 1;
        if shown[(last, y)].cell_width() > cell.cell_width().max(1) - (last - x) && last + 1 < drawn.area.right() {
            pen.write(last + 1, y, &drawn[(last + 1, y)]);
        }
    }
    pen.look_as(Look::PLAIN);
}

/// Whether nothing is seen of a cell.
fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && Look::of(cell).is_plain_on_blanks()
}

/// Writes, and knows where the cursor stands and how text looks.
struct Pen<'a> {
    drawn: &'a Buffer,
    bytes: &'a mut Vec<u8>,
    look: Look,
    row: Option<u16>,
    /// Behind a wide character it depends on the terminal.
    column: Option<u16>,
}

impl Pen<'_> {
    fn write(&mut self, x: u16, y: u16, cell: &Cell) {
        self.go_to(x, y);
        if !is_blank(cell) {
            self.look_as(Look::of(cell));
        } else if !self.look.is_plain_on_blanks() {
            self.look_as(Look::PLAIN);
        }
        self.bytes.extend_from_slice(cell.symbol().as_bytes());
        self.column = (cell.cell_width() == 1).then_some(x + 1);
    }

    /// Erases the blanks from here on where that is shorter than to write them. Gives the columns that need nothing more.
    fn erase(&mut self, shown: &Buffer, x: u16, y: u16) -> Option<Range<u16>> {
        let width = self.drawn.area.width;
        let end = (x..width).find(|&x| !is_blank(&self.drawn[(x, y)])).unwrap_or(width);
        let seen = (x..end).rev().find(|&x| !is_blank(&shown[(x, y)]));
        let seen_end = seen.map_or(x, |x| (x + shown[(x, y)].cell_width().max(1)).min(end));
        let (sequence, columns) = match seen_end - x {
            // Only the colour of text that is not there has changed; or a wide character before it leaves its ground.
            0 => return (x == 0 || shown[(x - 1, y)].cell_width() < 2).then_some(x..end),
            REST_ERASED_FROM.. if end == width => ("\x1b[K".to_owned(), x..end),
            count @ ERASED_FROM.. => (format!("\x1b[{count}X"), x..seen_end),
            _ => return None,
        };
        self.go_to(x, y);
        if !self.look.is_plain_on_blanks() {
            self.look_as(Look::PLAIN);
        }
        self.bytes.extend_from_slice(sequence.as_bytes());
        Some(columns)
    }

    fn look_as(&mut self, look: Look) {
        self.look.change_to(look, self.bytes);
        self.look = look;
    }

    /// Takes the shortest way.
    fn go_to(&mut self, x: u16, y: u16) {
        if (self.row, self.column) == (Some(y), Some(x)) {
            return;
        }
        let mut way = match x {
            0 => format!("\x1b[{}H", y + 1),
            _ => format!("\x1b[{};{}H", y + 1, x + 1),
        };
        let mut or = |other: String| {
            if other.len() < way.len() {
                way = other;
            }
        };
        match (self.row, self.column) {
            (Some(row), Some(column)) if row == y && column < x => or(self.forward(column, x, y)),
            (Some(row), _) if (row..=row.saturating_add(MOST_LINE_FEEDS)).contains(&y) => {
                or(format!("\r{}{}", "\n".repeat(usize::from(y - row)), self.forward(0, x, y)));
            }
            _ => {}
        }
        self.bytes.extend_from_slice(way.as_bytes());
        (self.row, self.column) = (Some(y), Some(x));
    }

    /// From one column to another one of the same row: over text that stays as it is, where that is short.
    fn forward(&self, from: u16, to: u16, y: u16) -> String {
        let jump = match to - from {
            0 => String::new(),
            1 => "\x1b[C".to_owned(),
            columns => format!("\x1b[{columns}C"),
        };
        let cells = (from..to).map(|x| &self.drawn[(x, y)]);
        let stays = |cell: &Cell| {
            let blank = is_blank(cell) && self.look.is_plain_on_blanks();
            cell.symbol().len() == 1 && (blank || Look::of(cell) == self.look)
        };
        if usize::from(to - from) < jump.len() && cells.clone().all(stays) {
            cells.map(Cell::symbol).collect()
        } else {
            jump
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Modifier, Style};

    use super::*;

    /// A terminal of the size of a frame, blank.
    fn terminal(frame: &Buffer) -> vt100::Parser {
        vt100::Parser::new(frame.area.height, frame.area.width, 0)
    }

    /// What is seen of each cell: its text, and the colours and modifiers that are seen on it.
    fn seen(terminal: &vt100::Parser) -> Vec<String> {
        let (rows, columns) = terminal.screen().size();
        let cells = (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y)));
        cells
            .map(|(x, y)| {
                let cell = terminal.screen().cell(y, x).unwrap();
                let ground = format!("{:?} {} {}", cell.bgcolor(), cell.underline(), cell.inverse());
                match cell.contents().trim() {
                    "" => ground,
                    text => format!("{text} {:?} {} {} {ground}", cell.fgcolor(), cell.bold(), cell.italic()),
                }
            })
            .collect()
    }

    /// What is seen of a frame that is written cell by cell.
    fn written(frame: &Buffer) -> Vec<String> {
        let mut terminal = terminal(frame);
        for (x, y, cell) in Buffer::empty(frame.area).diff_iter(frame) {
            terminal.process(format!("\x1b[m\x1b[{};{}H", y + 1, x + 1).as_bytes());
            let mut look = Vec::new();
            Look::PLAIN.change_to(Look::of(cell), &mut look);
            terminal.process(&look);
            terminal.process(cell.symbol().as_bytes());
        }
        seen(&terminal)
    }

    fn changed(before: &Buffer, after: &Buffer) -> String {
        let mut bytes = Vec::new();
        encode(before, after, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn frame(lines: &[&str]) -> Buffer {
        let mut frame = Buffer::empty(Rect::new(0, 0, 60, 4));
        for (y, line) in (0..).zip(lines) {
            frame.set_string(0, y, line, Style::new());
        }
        frame
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
        let mut terminal = terminal(&buf);
        terminal.process(changed(&Buffer::empty(buf.area), &buf).as_bytes());
        let screen = terminal.screen();
        assert_eq!(screen.contents(), "plain  reddim\n   日本x\nbackturned");
        let at = |x, y| {
            let cell = screen.cell(y, x).unwrap();
            let modifiers = [cell.bold(), cell.italic(), cell.underline(), cell.inverse()];
            (cell.fgcolor(), cell.bgcolor(), modifiers)
        };
        let (idx, rgb, none) = (vt100::Color::Idx, vt100::Color::Rgb, vt100::Color::Default);
        assert_eq!(at(0, 0), (none, none, [false; 4]));
        assert_eq!(at(7, 0), (idx(1), none, [true, false, false, false]));
        assert_eq!(at(10, 0), (idx(8), none, [false; 4]), "bold ends with its text");
        assert_eq!(at(3, 1), (idx(208), none, [false; 4]));
        assert_eq!(at(0, 2), (rgb(1, 2, 3), idx(4), [false; 4]));
        assert_eq!(at(4, 2), (none, none, [false, false, true, true]));
        assert_eq!(at(19, 2), (none, none, [false; 4]));
    }

    #[test]
    fn sixteen_colours_need_no_more_than_sixteen() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 1));
        buf.set_string(0, 0, "a", Style::new().fg(Color::Green));
        buf.set_string(1, 0, "b", Style::new().fg(Color::LightRed).bg(Color::Black));
        let written = changed(&Buffer::empty(buf.area), &buf);
        assert_eq!(written, "\u{1b}[1H\u{1b}[32ma\u{1b}[91;40mb\u{1b}[m");
    }

    #[test]
    fn the_shortest_way_is_taken() {
        for (before, after, bytes) in [
            (vec!["a b c"], vec!["x b y"], "\x1b[1Hx b y"),
            (vec!["a         c"], vec!["x         y"], "\x1b[1Hx\x1b[9Cy"),
            (vec!["a日b"], vec!["x日y"], "\x1b[1Hx\x1b[2Cy"),
            (vec!["a", "b", "", "c"], vec!["x", "y", "", "z"], "\x1b[1Hx\r\ny\r\n\nz"),
            (vec!["", "  a long text"], vec!["", "  short"], "\x1b[2;3Hshort\x1b[K"),
            (vec!["a text that goes  end"], vec!["                  end"], "\x1b[1H\x1b[16X"),
            (vec!["日本", "a"], vec!["本日", "b"], "\x1b[1H本\r\x1b[2C日\r\nb"),
            (vec!["same"], vec!["same"], ""),
        ] {
            assert_eq!(changed(&frame(&before), &frame(&after)), bytes, "{before:?} to {after:?}");
        }
    }

    #[test]
    fn blanks_have_no_colour() {
        let (mut before, mut after) = (frame(&["a  b"]), frame(&["a  b"]));
        before.set_string(1, 0, "  ", Style::new().fg(Color::Red));
        after.set_string(0, 1, "a b", Style::new().fg(Color::Red));
        after[(1, 1)].set_fg(Color::Reset);
        assert_eq!(changed(&before, &after), "\x1b[2H\x1b[31ma b\x1b[m");
    }

    /// Pieces of text anywhere on a small screen.
    fn frames() -> impl Strategy<Value = Buffer> {
        let texts =
            ["a", "word", " ", "                    ", "日本", "━━━━", "e\u{301}x", "two words", "0123456789abcdef"];
        let colours = [Color::Reset, Color::Reset, Color::Red, Color::DarkGray, Color::Rgb(1, 2, 3)];
        let modifiers = [Modifier::empty(), Modifier::BOLD, Modifier::REVERSED, Modifier::UNDERLINED];
        let piece = (
            (0..24_u16, 0..6_u16),
            prop::sample::select(texts.to_vec()),
            prop::sample::select(colours.to_vec()),
            prop::sample::select(colours.to_vec()),
            prop::sample::select(modifiers.to_vec()),
        );
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| {
            let mut frame = Buffer::empty(Rect::new(0, 0, 24, 6));
            for ((x, y), text, colour, ground, modifier) in pieces {
                frame.set_string(x, y, text, Style::new().fg(colour).bg(ground).add_modifier(modifier));
            }
            // Nothing stands in the second half of a wide character.
            for at in 1..frame.content.len() {
                if frame.content[at - 1].cell_width() == 2 {
                    frame.content[at].reset();
                }
            }
            frame
        })
    }

    proptest! {
        #[test]
        fn any_frame_follows_any_other(frames in proptest::collection::vec(frames(), 1..5)) {
            let mut terminal = terminal(&frames[0]);
            let mut before = Buffer::empty(frames[0].area);
            for after in frames {
                terminal.process(changed(&before, &after).as_bytes());
                prop_assert_eq!(seen(&terminal), written(&after), "{:?} to {:?}", before, after);
                before = after;
            }
        }
    }
}
