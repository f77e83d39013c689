//! The explorer's screens with these rows, in memory: what it asks for is answered by the reader.

use obs_tui::model::invocation::JobLog;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::model::zone::Zone;
use obs_tui::store::error::StoreError;
use obs_tui::store::read::{PageQuery, Reader, Seed};
use obs_tui::tui::app::{App, Connection, Files, Settings, flow};
use obs_tui::tui::effects::table_page;
use obs_tui::tui::keymap::{Keymap, parse};
use obs_tui::tui::msg::{Cmd, Failure, Msg};
use obs_tui::tui::theme::{Depth, Palette, Theme};
use obs_tui::tui::update::{start, update};
use obs_tui::tui::view;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use uuid::Uuid;

use super::now;

const SIZE: (u16, u16) = (120, 40);

/// The answer to a request; none where it asks for something else than rows.
async fn answer(reader: &Reader, cmd: Cmd) -> Option<Msg> {
    fn told<T>(answer: Result<T, StoreError>) -> Result<T, Failure> {
        answer.map_err(|error| panic!("{error}"))
    }
    Some(match cmd {
        Cmd::Page { request, filter, older_than, limit } => {
            let query = PageQuery { older_than, filter, limit, since: None };
            Msg::Page(request, told(reader.page(&query, now(), STALE_AFTER).await))
        }
        Cmd::Changes { request, filter, since, unfinished, limit } => {
            let query = PageQuery { filter, limit, ..PageQuery::default() };
            Msg::Changes(request, told(reader.changes(&query, since, &unfinished, now(), STALE_AFTER).await))
        }
        Cmd::Count { request, filter } => {
            let query = PageQuery { filter, ..PageQuery::default() };
            Msg::Count(request, told(reader.count(&query, now(), STALE_AFTER).await))
        }
        Cmd::Inside { request, invocation } => Msg::Inside(request, told(reader.inside(invocation).await)),
        Cmd::Cascade { request, invocation } => {
            Msg::Cascade(request, told(reader.cascade(Seed::invocation(invocation)).await).map(Some))
        }
        Cmd::Row { request, kind, id } => Msg::Row(request, told(reader.row(kind, id).await)),
        Cmd::Hourly { request, from, to, step } => {
            Msg::Hourly(request, told(reader.hourly(from, to, step, now()).await))
        }
        Cmd::Failures { request, from, to } => Msg::Failures(request, told(reader.failures(from, to).await)),
        Cmd::JobStats { request, from, to } => Msg::JobStats(request, told(reader.job_stats(from, to).await)),
        Cmd::Logs { request, jobs, .. } if !jobs.is_empty() => {
            let page = told(reader.job_logs(&jobs).await);
            let page = page.map(|(lines, all): (Vec<JobLog>, bool)| table_page(lines, all, std::time::Duration::ZERO));
            Msg::TableLogs(request, page)
        }
        _ => return None,
    })
}

pub(crate) struct Explorer<'r> {
    reader: &'r Reader,
    app: App,
    theme: Theme,
    frame: Buffer,
}

impl<'r> Explorer<'r> {
    /// An explorer that shows the list.
    pub(crate) async fn start(reader: &'r Reader) -> Self {
        let settings = Settings {
            database: "db".to_owned(),
            stale_after: STALE_AFTER,
            poll_every: chrono::TimeDelta::seconds(2),
            zone: Zone::named("America/New_York").unwrap(),
            command: "obs-tui".to_owned(),
            keys: Keymap::default(),
            files: Files::default(),
            warnings: Vec::new(),
        };
        let theme = Theme { palette: Palette::Default, depth: Depth::True, unicode: true };
        let app = App { connection: Connection::Online, ..App::new(settings, now(), SIZE) };
        let frame = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
        let mut explorer = Self { reader, app, theme, frame };
        let commands = start(&mut explorer.app);
        explorer.execute(commands).await;
        explorer
    }

    /// Shows the cascade of an invocation.
    pub(crate) async fn open(&mut self, id: Uuid) {
        let commands = flow::open(&mut self.app, id);
        self.execute(commands).await;
    }

    async fn execute(&mut self, commands: Vec<Cmd>) {
        let mut commands = commands;
        while let Some(command) = commands.pop() {
            if let Some(message) = answer(self.reader, command).await {
                commands.extend(update(&mut self.app, message));
            }
        }
        self.frame.reset();
        view::draw(&self.app, &self.theme, &mut self.frame);
    }

    pub(crate) async fn press(&mut self, keys: &str) {
        for press in parse(keys) {
            let commands = update(&mut self.app, Msg::Key(press.event()));
            self.execute(commands).await;
        }
    }

    pub(crate) fn text(&self) -> String {
        self.frame.content.iter().map(|cell| cell.symbol()).collect()
    }
}

/// Draws the list with all rows, and the cascade, the details and the log lines of each.
pub(super) async fn draw_all(reader: &Reader, rows: &[(&str, Uuid)]) {
    let mut explorer = Explorer::start(reader).await;
    assert!(explorer.text().contains("infinity"), "{}", explorer.text());
    explorer.press("<Space>").await;
    // Page after page, in the three forms of time.
    for keys in ["T", "T", "T"] {
        explorer.press("gg").await;
        explorer.press(keys).await;
        for _ in 0..rows.len() / 20 {
            explorer.press("<PgDn>").await;
        }
    }
    for screen in ["4", "m", "m", "m", "}", "{", "5", "<Tab>", "6", "<Tab>", "1", "r"] {
        explorer.press(screen).await;
    }
    for (what, id) in rows {
        explorer.open(*id).await;
        assert!(!explorer.text().contains("not read"), "{what}: {}", explorer.text());
        explorer.press("zRuC}R,.<Esc>").await;
        for node in ["0", "j", "j"] {
            explorer.press(node).await;
            explorer.press("<Enter><Tab><Tab><Tab><Tab><Tab>d<Esc>").await;
        }
        explorer.press("L<Esc>1").await;
    }
}
