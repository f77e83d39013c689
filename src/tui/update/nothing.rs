//! Why a key changed nothing: no key is silent, except those that move when the end is reached.

use crate::tui::app::cursor::Cursor;
use crate::tui::app::{App, groups};
use crate::tui::msg::{Action, Cmd, View};

/// Where a screen is: its cursor and its lines. Folding and stepping change one of them, or nothing.
pub(super) type Place = (usize, usize, usize);

/// Where the screen is.
pub(super) fn place(app: &App) -> Place {
    match app.view {
        View::Flow => (app.flow.cursor.at, app.flow.lines.len(), 0),
        View::Detail => {
            let pane = app.detail.pane();
            let lines = pane.and_then(|pane| pane.content.as_ref()).map_or(0, |content| content.len());
            (pane.map_or(0, |pane| pane.cursor.at), lines, app.detail.section as usize)
        }
        View::Logs => (app.logs.selected, app.logs.open.len(), 0),
        View::Jobs | View::Failures => groups::of(app, app.view)
            .map_or((0, 0, 0), |state| (state.cursor.at, state.run.at, usize::from(state.in_runs))),
        View::Invocations | View::Charts | View::Compare => (0, 0, 0),
    }
}

/// Says why an action did nothing on its screen, if it did not.
pub(super) fn tell(app: &mut App, action: Action, before: Place, commands: &[Cmd]) {
    let moves = Cursor::default().act(action, 0, 0);
    if moves || !commands.is_empty() || app.note.is_some() || place(app) != before {
        return;
    }
    if let Some(why) = why(app, action) {
        app.say(why);
    }
}

fn why(app: &App, action: Action) -> Option<&'static str> {
    use Action::{
        CopyCorrelation, CopyPath, CopyRow, CopyValue, FoldAll, FoldHealthy, FoldToggle, Left, NextPane, NextSibling,
        Open, PreviousPane, PreviousSibling, Right, Undetected, UnfoldAll,
    };
    if !shows_anything(app) {
        return Some("nothing is shown here yet");
    }
    Some(match (app.view, action) {
        (View::Jobs | View::Failures, Left | Right | NextPane | PreviousPane) => "the keys are there already",
        (View::Flow, NextSibling | PreviousSibling) => "no sibling that way",
        (View::Logs, Left | Right) => "no fields to show or hide here",
        (
            View::Flow | View::Detail,
            Left | Right | Open | FoldToggle | FoldAll | UnfoldAll | FoldHealthy | NextSibling | PreviousSibling,
        ) => "nothing more to fold or unfold here",
        (View::Detail, Undetected) => "nothing is left out in this section",
        (View::Detail, CopyCorrelation) => "this row carries no correlation id",
        (View::Detail, CopyPath) => "no JSON value is selected",
        (View::Detail, CopyValue | CopyRow) => "nothing to copy in this section",
        _ => return None,
    })
}

/// Whether the screen has anything to act on.
fn shows_anything(app: &App) -> bool {
    match app.view {
        View::Invocations => !app.invocations.rows().is_empty(),
        View::Flow => app.flow.flow.value.is_some(),
        View::Detail => app.detail.row.value.is_some(),
        View::Logs => !app.logs.lines.is_empty(),
        View::Charts => !app.charts.functions.is_empty(),
        View::Jobs | View::Failures => groups::of(app, app.view).is_some_and(|state| !state.rows().is_empty()),
        View::Compare => app.compare.compared.value.is_some(),
    }
}
