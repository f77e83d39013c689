//! The mouse does what keys do: the wheel moves, a click selects a line or goes to a screen.

use super::{act_anywhere, show};
use crate::tui::app::{App, compare, detail, flow, groups, invocations, logs};
use crate::tui::msg::{Action, Cmd, Mouse, View};
use crate::tui::view::frame;

/// Lines that a notch of the wheel passes.
const NOTCH: usize = 3;

/// What the mouse does.
pub(super) fn act(app: &mut App, mouse: Mouse) -> Vec<Cmd> {
    app.pending = None;
    app.note = None;
    app.asked_to_quit = false;
    match mouse {
        Mouse::WheelUp => turn(app, Action::Up),
        Mouse::WheelDown => turn(app, Action::Down),
        Mouse::Click { column, row } => click(app, column, row),
    }
}

fn turn(app: &mut App, action: Action) -> Vec<Cmd> {
    (0..NOTCH).flat_map(|_| act_anywhere(app, action, false)).collect()
}

fn click(app: &mut App, column: u16, row: u16) -> Vec<Cmd> {
    if let Some(view) = frame::tab_at(app, column, row) {
        app.help = None;
        app.overlay = None;
        return show(app, view);
    }
    let above = if app.is_tall() { 2 } else { 1 } + u16::from(app.has_banner());
    let Some(row) = row.checked_sub(above).filter(|&row| row < app.body_rows() && !app.is_covered()) else {
        return Vec::new();
    };
    match app.view {
        View::Invocations => invocations::click(app, usize::from(row)),
        View::Flow => flow::click(app, usize::from(row)),
        View::Detail => detail::click(app, usize::from(row)),
        View::Logs => logs::click(app, usize::from(row)),
        View::Jobs | View::Failures => groups::click(app, usize::from(row)),
        View::Compare => compare::click(app, usize::from(row)),
        View::Charts => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::invocation::Page;
    use crate::tui::app::flow::tests::opened;
    use crate::tui::fixture::{self, PLAIN, press};
    use crate::tui::msg::Msg;
    use crate::tui::update::{start, update};

    /// The row of the screen on which the cursor stands.
    fn marked(app: &App) -> usize {
        let screen = fixture::screen(app, &PLAIN, app.size);
        screen.lines().position(|line| line.starts_with('>')).unwrap_or_else(|| panic!("no cursor:\n{screen}"))
    }

    /// Clicks on each row of the screen: the cursor goes there, or stays. A line may reach so many rows below its cursor.
    fn click_everywhere(app: &App, below: usize) -> usize {
        let mut moved = 0;
        for row in 0..app.size.1 {
            let mut clicked = app.clone();
            update(&mut clicked, Msg::Mouse(Mouse::Click { column: 60, row }));
            if clicked.view != app.view {
                continue;
            }
            let (before, after) = (marked(app), marked(&clicked));
            let hit = (after..=after + below).contains(&usize::from(row));
            assert!(hit || after == before, "row {row}: from {before} to {after}");
            moved += usize::from(after != before);
        }
        moved
    }

    fn list(size: (u16, u16)) -> App {
        let mut app = fixture::app(size);
        let [Cmd::Page { request, .. }] = start(&mut app)[..] else { panic!("no request") };
        update(&mut app, Msg::Page(request, Ok(Page { rows: fixture::listed(), more: false })));
        app
    }

    #[test]
    fn a_click_selects_the_line_under_it() {
        for size in [(80, 24), (120, 36), (40, 12)] {
            let mut app = list(size);
            press(&mut app, "jj");
            assert!(click_everywhere(&app, 0) >= 4, "{size:?}");
            let mut app = opened(fixture::rows());
            update(&mut app, Msg::Resize(size.0, size.1));
            press(&mut app, "jj");
            assert!(click_everywhere(&app, 0) >= 4, "{size:?}");
            press(&mut app, "e");
            let commands = press(&mut app, "L");
            let Some(Cmd::Logs { request, .. }) = commands.last() else { panic!("{commands:?}") };
            update(&mut app, Msg::Logs(*request, Ok(fixture::log_page())));
            assert!(click_everywhere(&app, 0) >= 2, "{size:?}");
            press(&mut app, "w<Enter>");
            assert!(click_everywhere(&app, 4) >= 1, "{size:?}");
        }
    }

    #[test]
    fn a_click_on_a_tab_goes_there() {
        let mut app = list((120, 36));
        let screen = fixture::screen(&app, &PLAIN, app.size);
        let column = screen.lines().nth(1).unwrap().find("4 Charts").unwrap();
        let column = u16::try_from(column).unwrap();
        update(&mut app, Msg::Mouse(Mouse::Click { column, row: 1 }));
        assert_eq!(app.view, View::Charts);
        update(&mut app, Msg::Mouse(Mouse::Click { column: 2, row: 1 }));
        assert_eq!(app.view, View::Invocations);
    }

    #[test]
    fn the_wheel_moves_by_three_lines() {
        let mut app = list((120, 36));
        update(&mut app, Msg::Mouse(Mouse::WheelDown));
        assert_eq!(app.invocations.selected_index(), 3);
        update(&mut app, Msg::Mouse(Mouse::WheelUp));
        assert_eq!(app.invocations.selected_index(), 0);
        let mut app = list((80, 24));
        press(&mut app, "?");
        update(&mut app, Msg::Mouse(Mouse::WheelDown));
        assert_eq!((app.help, app.invocations.selected_index()), (Some(3), 0));
        update(&mut app, Msg::Mouse(Mouse::Click { column: 3, row: 7 }));
        assert_eq!(app.invocations.selected_index(), 0, "the list is behind the help");
    }
}
