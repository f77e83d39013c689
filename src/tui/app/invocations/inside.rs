//! What is directly below the selected invocation, for the preview. It is asked for whenever the selected row is
//! another one, or has changed, and the preview is shown.

use crate::model::flow::{Flow, Rows};
use crate::model::invocation::{Inside, Listed};
use crate::tui::app::detail::Diff;
use crate::tui::app::{App, Load};
use crate::tui::msg::{Cmd, Failure, View};

/// What was asked for, and what came.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The row that it was asked for, as it was then.
    asked: Option<Listed>,
    load: Load<Content>,
}

/// What is below a row.
#[derive(Clone, Debug)]
pub struct Content {
    /// The invocation with its events and jobs.
    pub flow: Flow,
    /// What the event changed in its row, secrets masked.
    pub diff: Option<Diff>,
}

impl State {
    /// Awaits no answer any more; tells whether one was awaited.
    pub(super) fn abandon(&mut self) -> bool {
        let awaited = self.load.abandon();
        if awaited {
            self.asked = None;
        }
        awaited
    }

    /// What is below this row, if that is known.
    #[must_use]
    pub fn of(&self, row: &Listed) -> Option<&Content> {
        self.load.value.as_ref().filter(|_| self.is_of(row))
    }

    /// Why it is not known, if reading it failed.
    #[must_use]
    pub fn error(&self, row: &Listed) -> Option<&str> {
        self.load.error.as_deref().filter(|_| self.is_of(row))
    }

    fn is_of(&self, row: &Listed) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.invocation.id == row.invocation.id)
    }
}

/// Asks for what is below the selected row, unless that is there or on its way.
pub fn ask(app: &mut App) -> Vec<Cmd> {
    if app.view != View::Invocations || app.has_banner() || !(super::has_preview(app) || app.zoomed) {
        return Vec::new();
    }
    let Some(row) = app.invocations.selected_row() else { return Vec::new() };
    let state = &app.invocations.inside;
    if state.asked.as_ref() == Some(row) {
        return Vec::new();
    }
    let (row, same) = (row.clone(), state.is_of(row));
    let (request, invocation) = (app.next_request(), row.invocation.id);
    let state = &mut app.invocations.inside;
    state.asked = Some(row);
    state.load.request = Some(request);
    state.load.error = None;
    if !same {
        state.load.value = None;
    }
    vec![Cmd::Inside { request, invocation }]
}

/// It came, or it did not.
pub fn loaded(app: &mut App, request: u64, answer: Result<Inside, Failure>) -> Vec<Cmd> {
    let awaited = app.invocations.inside.load.take(request);
    let answer = app.heard(answer);
    let (now, stale_after, lost) = (app.server.data_time(app.now), app.settings.stale_after, app.has_banner());
    let State { asked: Some(row), load } = &mut app.invocations.inside else { return Vec::new() };
    if !awaited {
        return Vec::new();
    }
    match answer {
        Ok(Inside { events, jobs, payload }) => {
            let rows = Rows { invocations: vec![row.invocation.clone()], events, jobs, ..Rows::default() };
            let diff = payload.and_then(|payload| Diff::of(&payload, false));
            load.value = Some(Content { flow: Flow::build(rows, now, stale_after), diff });
            load.loaded_at = Some(now);
        }
        // It is asked for again when the database is back.
        Err(_) if lost => app.invocations.inside = State::default(),
        Err(error) => load.error = Some(error),
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::invocation::Page;
    use crate::tui::app::invocations::selected;
    use crate::tui::fixture::{self, PLAIN, assert_screen_at, press};
    use crate::tui::msg::Msg;
    use crate::tui::update::{start, update};

    fn asked(commands: &[Cmd]) -> Vec<(u64, uuid::Uuid)> {
        let inside = |cmd: &Cmd| match cmd {
            Cmd::Inside { request, invocation } => Some((*request, *invocation)),
            _ => None,
        };
        commands.iter().filter_map(inside).collect()
    }

    /// The list with its first rows, and what was asked for the preview.
    fn listed(size: (u16, u16)) -> (App, Vec<(u64, uuid::Uuid)>) {
        let mut app = fixture::app(size);
        start(&mut app);
        let request = app.invocations.rows.request.unwrap();
        let page = Page { rows: fixture::listed(), more: false };
        let commands = update(&mut app, Msg::Page(request, Ok(page)));
        (app, asked(&commands))
    }

    /// The failed row's events and jobs, and what changed in its row.
    fn inside() -> Inside {
        let rows = fixture::rows();
        let payload = json!({
            "table": {"schema": "public", "name": "moves"},
            "event": {"op": "UPDATE", "data": {
                "old": {"id": 123, "updated_at": "12:01", "status": "pickup started", "api_token": "s3cret-1", "sla": null},
                "new": {"id": 123, "updated_at": "12:04", "status": "pickup\u{1b}[31m successful", "api_token": "s3cret-2", "sla": 45},
            }},
        });
        let events = rows.events.into_iter().filter(|event| event.invocation_id == fixture::id(3) && event.detected);
        let jobs = rows.jobs.into_iter().filter(|job| job.invocation_id == fixture::id(3));
        Inside { events: events.collect(), jobs: jobs.collect(), payload: Some(payload) }
    }

    #[test]
    fn every_row_that_is_selected_or_changed_is_asked_for_once() {
        let (mut app, first) = listed((120, 36));
        assert_eq!(first.iter().map(|(_, id)| Some(*id)).collect::<Vec<_>>(), [selected(&app)]);
        // (keys, how many times it is asked for)
        for (keys, times) in [("j", 1), ("jk", 2), ("gg", 1), ("gg", 0), ("<Space>", 0), ("j", 0), ("<Space>", 1)] {
            let commands = press(&mut app, keys);
            assert_eq!(asked(&commands).len(), times, "{keys}: {commands:?}");
        }
        let commands = super::super::refresh(&mut app);
        let [Cmd::Changes { request, .. }] = commands[..] else { panic!("{commands:?}") };
        let mut rows = fixture::listed();
        rows[1].children.jobs_run += 1;
        let commands = update(&mut app, Msg::Changes(request, Ok(Page { rows, more: false })));
        assert_eq!(asked(&commands).len(), 1, "the selected row has changed");
    }

    #[test]
    fn nothing_is_asked_without_a_preview_or_a_database() {
        let (mut app, first) = listed((80, 24));
        assert_eq!(asked(&press(&mut app, "jjk")), []);
        assert_eq!(first, []);
        let (mut app, _) = listed((120, 36));
        let error = "cannot reach PostgreSQL".to_owned();
        app.connection = crate::tui::app::Connection::Offline { since: app.now, error, attempt: 1, retry_at: None };
        assert_eq!(asked(&press(&mut app, "j")), []);
    }

    #[test]
    fn an_answer_for_another_row_is_ignored_and_a_screen_that_is_left_gives_it_up() {
        let (mut app, first) = listed((120, 36));
        let second = asked(&press(&mut app, "j"));
        update(&mut app, Msg::Inside(first[0].0, Ok(inside())));
        let row = app.invocations.selected_row().unwrap().clone();
        assert!(app.invocations.inside.of(&row).is_none());
        update(&mut app, Msg::Inside(second[0].0, Err(Failure::other("the query took too long"))));
        assert_eq!(app.invocations.inside.error(&row), Some("the query took too long"));
        press(&mut app, "j");
        let left = press(&mut app, "<Enter>");
        assert!(left.contains(&Cmd::Leave(View::Invocations)), "{left:?}");
        assert_eq!(asked(&press(&mut app, "<Esc>")).len(), 1, "asked for again");
    }

    #[test]
    fn what_a_lost_database_did_not_answer_is_asked_for_when_it_is_back() {
        let (mut app, first) = listed((120, 36));
        let lost = update(&mut app, Msg::Inside(first[0].0, Err(Failure::unreachable("gone"))));
        assert_eq!(asked(&lost), []);
        let page = Page { rows: fixture::listed(), more: false };
        press(&mut app, "r");
        let request = app.invocations.rows.request.unwrap();
        let back = update(&mut app, Msg::Changes(request, Ok(page)));
        assert_eq!(asked(&back).len(), 1, "{back:?}");
    }

    #[test]
    fn screen_with_events_jobs_and_changes() {
        for (size, theme) in [((120, 36), fixture::THEME), ((80, 24), fixture::THEME), ((120, 36), PLAIN)] {
            let (mut app, _) = listed(size);
            let keys = if size.1 < 30 { "jj<Space>" } else { "jj" };
            let (request, _) = *asked(&press(&mut app, keys)).last().unwrap();
            update(&mut app, Msg::Inside(request, Ok(inside())));
            let name = if theme.unicode { "invocations__preview" } else { "invocations__preview-plain" };
            let drawn = fixture::screen(&app, &theme, size);
            assert!(!drawn.contains("s3cret"), "{drawn}");
            assert_screen_at(name, &app, &theme, size);
        }
    }

    #[test]
    fn screen_of_many_jobs() {
        let (mut app, _) = listed((120, 36));
        let (request, _) = *asked(&press(&mut app, "jj")).last().unwrap();
        let mut many = inside();
        many.jobs.extend((0..40).map(|n| fixture::job(200 + n, (3, 24), 3_400, &format!("resend{n:02}"), Some(20))));
        many.jobs[30].status = "failed".into();
        many.jobs[30].error = Some("late failure".into());
        update(&mut app, Msg::Inside(request, Ok(many)));
        assert_screen_at("invocations__preview-many", &app, &fixture::THEME, (120, 36));
    }
}
