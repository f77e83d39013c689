//! Takes the pictures of the README: starts the demo in a terminal of its own, presses keys, and writes what is on the
//! screen as SVG.
//!
//! ```text
//! cargo build --release && cargo run --release --example picture -- target/release/obs-tui docs
//! ```
#![expect(clippy::unwrap_used, reason = "a tool of this repository that stops at the first trouble")]

#[path = "../tests/it/pty.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod pty;

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const SIZE: (u16, u16) = (120, 36);
/// Width and height of a cell, and the size of the font in it, in pixels.
const CELL: (u16, u16) = (8, 17);
const FONT: u16 = 13;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, folder] = &arguments[..] else { panic_usage() };
    let colours = [("COLORTERM", "truecolor")];
    let program = std::fs::canonicalize(program).unwrap();
    let program = program.to_str().unwrap();
    let mut terminal = pty::Terminal::start(program, &["demo", "--seed", "7", "--rate", "2"], &colours, SIZE);
    terminal.wait_for("Invocations");
    terminal.wait_until("failed rows", |screen| screen.matches("FAIL").count() > 2);
    // Enough live chains for a list that moves.
    terminal.settle(Duration::from_secs(1));
    save(&terminal, folder, "invocations");
    // The next failure with a cascade worth a picture, and the failed job in it.
    for _ in 0..20 {
        terminal.press("e\r");
        terminal.wait_for("NODE");
        terminal.wait_for(" evt ");
        let shown = terminal.screen();
        if ["inv ", "evt ", "job "].iter().map(|kind| shown.matches(kind).count()).sum::<usize>() > 9 {
            break;
        }
        terminal.press("\u{1b}");
        terminal.wait_until("the list", |screen| !screen.contains("NODE"));
    }
    terminal.press("e");
    terminal.settle(Duration::from_millis(500));
    save(&terminal, folder, "flow");
    terminal.press("d");
    terminal.settle(Duration::from_millis(500));
    save(&terminal, folder, "detail");
    terminal.press("4");
    terminal.settle(Duration::from_millis(1500));
    save(&terminal, folder, "charts");
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert!(left.is_empty(), "{status:?} left {left:?}");
}

fn panic_usage() -> ! {
    std::process::exit({
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"usage: cargo run --release --example picture -- target/release/obs-tui docs\n",
        );
        2
    })
}

fn save(terminal: &pty::Terminal, folder: &str, name: &str) {
    let path = Path::new(folder).join(format!("{name}.svg"));
    std::fs::write(path, svg(terminal.parser.screen())).unwrap();
}

/// The screen as SVG: one text element for each run of cells that look the same.
fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (columns * CELL.0 + 16, rows * CELL.1 + 16);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"{FONT}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#16181d\"/>\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let look = look(screen, row, column);
            let start = column;
            let mut text = String::new();
            while column < columns && self::look(screen, row, column) == look {
                let contents = screen.cell(row, column).map_or(" ", |cell| cell.contents());
                text.push_str(if contents.is_empty() { " " } else { contents });
                column += 1;
            }
            run(&mut svg, (row, start, column), &text, &look);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn run(svg: &mut String, (row, start, end): (u16, u16, u16), text: &str, (fore, back, bold): &(String, String, bool)) {
    let (x, y) = (8 + start * CELL.0, 8 + row * CELL.1);
    let width = (end - start) * CELL.0;
    if back != BACKGROUND {
        writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{back}\"/>", CELL.1).unwrap();
    }
    if text.trim().is_empty() {
        return;
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let weight = if *bold { " font-weight=\"bold\"" } else { "" };
    writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" fill=\"{fore}\"{weight} xml:space=\"preserve\" textLength=\"{width}\">{text}</text>",
        y + 13
    )
    .unwrap();
}

const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d5d8de";

/// Colours of the text and behind it, and whether it is bold.
fn look(screen: &vt100::Screen, row: u16, column: u16) -> (String, String, bool) {
    let Some(cell) = screen.cell(row, column) else { return (FOREGROUND.into(), BACKGROUND.into(), false) };
    let (fore, back) = (colour(cell.fgcolor(), FOREGROUND), colour(cell.bgcolor(), BACKGROUND));
    if cell.inverse() { (back, fore, cell.bold()) } else { (fore, back, cell.bold()) }
}

fn colour(colour: vt100::Color, default: &str) -> String {
    const BASIC: [&str; 16] = [
        "#2b2e36", "#e0606a", "#7fbf7a", "#d9b45b", "#6aa6e8", "#b98ae0", "#5fc1c9", "#d5d8de", "#7b808c", "#f0808a",
        "#9fd79a", "#f0d080", "#8abef8", "#d0aaf0", "#80d8e0", "#ffffff",
    ];
    match colour {
        vt100::Color::Default => default.to_owned(),
        vt100::Color::Idx(index) => BASIC.get(usize::from(index)).map_or_else(
            || {
                let level = |n: u8| if n == 0 { 0 } else { 55 + u16::from(n) * 40 };
                match index {
                    232.. => format!("rgb({0},{0},{0})", 8 + u16::from(index - 232) * 10),
                    _ => {
                        let cube = index - 16;
                        format!("rgb({},{},{})", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
                    }
                }
            },
            |&basic| basic.to_owned(),
        ),
        vt100::Color::Rgb(red, green, blue) => format!("rgb({red},{green},{blue})"),
    }
}
