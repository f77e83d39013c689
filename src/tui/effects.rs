//! Does what the state asks for, each request in a task of its own, and sends the answers back as messages.

mod files;
pub(super) mod kept;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, JoinSet};

use super::app::live::Hint;
use super::app::messages::SLOW;
use super::msg::{Cmd, Failure, Msg, View};
use crate::clock::Clock;
use crate::logs::{Level, LogError, LogLine, LogPage, LogQuery, LokiClient, Origin};
use crate::model::invocation::{JobLog, Page};
use crate::model::time;
use crate::store::answer::caught;
use crate::store::config::Secret;
use crate::store::error::StoreError;
use crate::store::read::{PageQuery, Reader, Seed};

/// Waiting time after the first failed attempt, at the most.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Waiting time after many failed attempts, at the most.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Waiting time at the least.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// The shortest time between two hints that something was written.
const HINTS_APART: Duration = Duration::from_millis(250);
/// The longest such time: so often rows are looked for in any case.
const HINTS_FAR_APART: Duration = Duration::from_secs(2);
/// A look for changes may take this part of the time at the most, so that many explorers do not keep a server busy.
const LOOKING: u32 = 8;

/// How long the selection must rest before its preview is read.
const REST: Duration = Duration::from_millis(120);

/// Requests of which only the newest is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Class {
    Page,
    Older,
    Inside,
    Values,
    Count,
    Known,
    Losses,
    Cascade,
    Row,
    Hourly,
    Failures,
    JobStats,
    Compare,
    Loki,
    TableLogs,
    Listen,
}

impl Class {
    /// What a screen asks for.
    fn of(view: View) -> &'static [Self] {
        match view {
            View::Invocations => &[Self::Page, Self::Older, Self::Inside, Self::Values, Self::Count],
            View::Flow => &[Self::Cascade],
            View::Logs => &[Self::Loki, Self::TableLogs],
            View::Charts => &[Self::Hourly],
            View::Jobs => &[Self::JobStats],
            View::Failures => &[Self::Failures],
            View::Compare => &[Self::Compare],
            View::Detail => &[Self::Row],
        }
    }
}

impl Class {
    /// What is asked for, in words.
    fn what(self) -> &'static str {
        match self {
            Self::Page => "the newest rows",
            Self::Older => "older rows",
            Self::Inside => "the preview",
            Self::Values => "values of payloads",
            Self::Count => "counting",
            Self::Known => "names for the filter",
            Self::Losses => "losses of recorders",
            Self::Cascade => "the cascade",
            Self::Row => "the row",
            Self::Hourly => "the charts",
            Self::Loki => "log lines",
            Self::TableLogs => "log lines of the table",
            Self::Failures => "failures",
            Self::JobStats => "jobs by name",
            Self::Compare => "two cascades",
            Self::Listen => "listening",
        }
    }
}

/// What executes requests.
#[derive(Debug)]
pub struct Effects {
    reader: Reader,
    logs: Result<Arc<LokiClient>, LogError>,
    stale_after: TimeDelta,
    clock: Clock,
    answers: UnboundedSender<Msg>,
    tasks: JoinSet<()>,
    newest: HashMap<Class, AbortHandle>,
    /// Milliseconds that the last look for changes took.
    look: Arc<AtomicU32>,
}

impl Effects {
    /// Executes requests on this database and log server, and sends the answers to `answers`.
    #[must_use]
    pub fn new(
        reader: Reader,
        logs: Result<LokiClient, LogError>,
        stale_after: TimeDelta,
        clock: Clock,
        answers: UnboundedSender<Msg>,
    ) -> Self {
        let logs = logs.map(Arc::new);
        Self {
            reader,
            logs,
            stale_after,
            clock,
            answers,
            tasks: JoinSet::new(),
            newest: HashMap::new(),
            look: Arc::default(),
        }
    }

    /// Begins to execute a request. A request of the same kind that is on its way is given up, on the server too. What
    /// concerns the terminal is not done here.
    pub fn run(&mut self, cmd: Cmd) {
        // Ended tasks leave the set; a panic in one of them has been told by the panic hook already.
        while self.tasks.try_join_next().is_some() {}
        let (reader, now, stale_after) = (self.reader.clone(), self.clock.now(), self.stale_after);
        let answers = self.answers.clone();
        match cmd {
            Cmd::Page { request, filter, older_than, limit } => {
                let class = if older_than.is_some() { Class::Older } else { Class::Page };
                let query = PageQuery { older_than, filter, limit, since: None };
                if class == Class::Page {
                    self.look_for_losses(query.searched_since(now), now);
                }
                self.ask(class, async move {
                    // The loop that receives it may have ended.
                    let found = |found| drop(answers.send(Msg::Found(request, found)));
                    let page = answer(reader.search(&query, now, stale_after, found)).await;
                    Msg::Page(request, told(&reader, &answers, page))
                });
            }
            Cmd::Known { request, since } => {
                self.ask(Class::Known, async move { Msg::Known(request, answer(reader.known(since)).await) });
            }
            Cmd::Count { request, filter } => self.ask(Class::Count, async move {
                let query = PageQuery { filter, ..PageQuery::default() };
                Msg::Count(request, answer(reader.count(&query, now, stale_after)).await)
            }),
            Cmd::Changes { request, filter, since, unfinished, limit } => {
                let (look, clock) = (Arc::clone(&self.look), self.clock.clone());
                self.ask(Class::Page, async move {
                    let query = PageQuery { filter, limit, ..PageQuery::default() };
                    let began = clock.elapsed();
                    let changes = answer(reader.changes(&query, since, &unfinished, now, stale_after)).await;
                    let took = clock.elapsed().saturating_sub(began);
                    look.store(u32::try_from(took.as_millis()).unwrap_or(u32::MAX), Ordering::Relaxed);
                    Msg::Changes(request, told(&reader, &answers, changes))
                });
            }
            Cmd::Listen => {
                let (look, clock) = (Arc::clone(&self.look), self.clock.clone());
                self.begin(Class::Listen, async move {
                    let hint = listen(&reader, &look, &clock, &answers).await;
                    // The loop that receives it may have ended.
                    let _ = answers.send(Msg::Hint(hint));
                });
            }
            Cmd::Unlisten => self.give_up(&[Class::Listen]),
            Cmd::Inside { request, invocation } => self.ask(Class::Inside, async move {
                tokio::time::sleep(REST).await;
                Msg::Inside(request, answer(reader.inside(invocation)).await)
            }),
            Cmd::Values { request, ids, path } => self.ask(Class::Values, async move {
                tokio::time::sleep(REST).await;
                Msg::Values(request, answer(reader.payload_values(&ids, &path)).await)
            }),
            Cmd::Cascade { request, invocation } => self.ask(Class::Cascade, async move {
                let rows = answer(reader.cascade(Seed::invocation(invocation))).await;
                Msg::Cascade(request, rows.map(|rows| Some(rows).filter(|rows| !rows.invocations.is_empty())))
            }),
            Cmd::Row { request, kind, id } => {
                self.ask(Class::Row, async move { Msg::Row(request, answer(reader.row(kind, id)).await) });
            }
            Cmd::Hourly { request, from, to, step } => self.ask(Class::Hourly, async move {
                // The loop that receives it may have ended.
                let told = |so_far| drop(answers.send(Msg::HourlySoFar(request, so_far)));
                Msg::Hourly(request, answer(reader.count_hours(from, to, step, now, told)).await)
            }),
            Cmd::Compare { request, left, right } => self.ask(Class::Compare, async move {
                // One after the other: what else is asked gets its turn between them.
                let both = async {
                    let left = reader.cascade(Seed::invocation(left)).await?;
                    Ok((left, reader.cascade(Seed::invocation(right)).await?))
                };
                Msg::Compared(request, answer(both).await)
            }),
            Cmd::Failures { request, from, to } => self
                .ask(Class::Failures, async move { Msg::Failures(request, answer(reader.failures(from, to)).await) }),
            Cmd::JobStats { request, from, to } => self
                .ask(Class::JobStats, async move { Msg::JobStats(request, answer(reader.job_stats(from, to)).await) }),
            Cmd::Logs { request, query, jobs } => {
                if let Some(query) = query {
                    let logs = self.logs.clone();
                    self.ask(Class::Loki, async move {
                        let page = async {
                            Ok::<_, StoreError>(match logs {
                                Ok(logs) => logs.fetch(&query).await,
                                Err(error) => Err(error),
                            })
                        };
                        let page = match caught(page).await {
                            Ok(page) => page,
                            Err(panic) => Err(LogError::Malformed(panic.to_string())),
                        };
                        Msg::Logs(request, page)
                    });
                }
                if !jobs.is_empty() {
                    let clock = self.clock.clone();
                    self.ask(Class::TableLogs, async move {
                        let start = clock.elapsed();
                        let lines = answer(reader.job_logs(&jobs)).await;
                        let took = clock.elapsed().saturating_sub(start);
                        Msg::TableLogs(request, lines.map(|(lines, complete)| table_page(lines, complete, took)))
                    });
                }
            }
            Cmd::Retry { attempt } => {
                // They are of before the outage.
                reader.forget_connections();
                let wait = TimeDelta::from_std(wait(attempt, fastrand::f64())).unwrap_or_default();
                // The loop that receives it may have ended.
                let _ = self.answers.send(Msg::RetryAt(now.checked_add_signed(wait).unwrap_or(now)));
            }
            Cmd::Login(password) => reader.use_password(Secret::new(password.reveal())),
            Cmd::Leave(view) => self.give_up(Class::of(view)),
            Cmd::LeavePrompt => self.give_up(&[Class::Known]),
            Cmd::ReadViews(file) => self.do_files(move || Msg::Views(kept::views(&file))),
            Cmd::SaveView { file, view, replace } => self.do_files(move || {
                let answer = kept::save(&file, &view, replace);
                Msg::ViewSaved(view, answer)
            }),
            Cmd::DeleteView { file, name } => self.do_files(move || Msg::Views(kept::delete(&file, &name))),
            Cmd::Export(document) => {
                self.do_files(move || {
                    let folder = std::env::current_dir().unwrap_or_else(|_| ".".into());
                    Msg::Told(files::export(&folder, &document))
                });
            }
            Cmd::Copy(_) | Cmd::CopyLink(_) | Cmd::Open(..) | Cmd::EditKeys(_) => {}
            Cmd::Performance | Cmd::Redraw | Cmd::Suspend => {}
        }
    }

    /// Does what may wait for a disk.
    fn do_files(&mut self, work: impl FnOnce() -> Msg + Send + 'static) {
        let answers = self.answers.clone();
        self.tasks.spawn_blocking(move || {
            // The loop that receives it may have ended.
            let _ = answers.send(work());
        });
    }

    /// The link to log lines in Grafana.
    ///
    /// # Errors
    /// There is no Grafana: in words.
    pub fn link(&self, query: &LogQuery) -> Result<String, String> {
        let link = self.logs.as_ref().map_err(ToString::to_string)?.explore_url(query);
        link.ok_or_else(|| "no link: set GRAFANA_URL and GRAFANA_DATASOURCE_UID".to_owned())
    }

    fn give_up(&mut self, classes: &[Class]) {
        for task in classes.iter().filter_map(|class| self.newest.remove(class)) {
            // Its connection is closed with it, which ends the query on the server.
            task.abort();
        }
    }

    /// Reads what recorders lost since then; where the list has no bound, in the last day.
    fn look_for_losses(&mut self, since: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        let reader = self.reader.clone();
        let from = since.unwrap_or_else(|| time::plus(now, -TimeDelta::days(1)));
        // The clock of the server may be ahead of ours.
        let to = time::plus(now, TimeDelta::days(1));
        let range = format!("the time since {}", time::utc(from, "%Y-%m-%d %H:%MZ"));
        self.ask(Class::Losses, async move { Msg::Losses(range, answer(reader.losses(from, to)).await) });
    }

    fn ask(&mut self, class: Class, work: impl Future<Output = Msg> + Send + 'static) {
        let answers = self.answers.clone();
        let clock = self.clock.clone();
        self.begin(class, async move {
            let start = clock.elapsed();
            let answer = work.await;
            let took = clock.elapsed().saturating_sub(start);
            // The loop that receives them may have ended.
            let _ = answers.send(answer);
            if took >= SLOW {
                let _ = answers.send(Msg::Slow(class.what(), took));
            }
        });
    }

    fn begin(&mut self, class: Class, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(work);
        if let Some(older) = self.newest.insert(class, task) {
            older.abort();
        }
    }
}

/// Every request of the store passes here: a panic in it is an error of what asked.
async fn answer<T>(request: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
    caught(request).await.map_err(failure)
}

fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Unreachable { .. } => Failure::unreachable(error.to_string()),
        StoreError::Refused { .. } => Failure::refused(error.to_string()),
        StoreError::MissingDatabase { .. } => Failure::absent(error.to_string()),
        _ => Failure::other(error.to_string()),
    }
}

/// Hints at what is written, not too often, until there is no more to be heard: gives why.
async fn listen(reader: &Reader, look: &AtomicU32, clock: &Clock, answers: &UnboundedSender<Msg>) -> Hint {
    let mut listener = match reader.listen().await {
        Ok(listener) => listener,
        Err(error) => return Hint::Refused(error.to_string()),
    };
    while listener.heard().await {
        if answers.send(Msg::Hint(Hint::Written(clock.now()))).is_err() {
            break;
        }
        let look = Duration::from_millis(look.load(Ordering::Relaxed).into());
        tokio::time::sleep(look.saturating_mul(LOOKING).clamp(HINTS_APART, HINTS_FAR_APART)).await;
    }
    Hint::Lost
}

/// Tells first what the server is that has answered.
fn told(reader: &Reader, answers: &UnboundedSender<Msg>, page: Result<Page, Failure>) -> Result<Page, Failure> {
    if page.is_ok() {
        // The loop that receives it may have ended.
        let _ = answers.send(Msg::Server(reader.server()));
    }
    page
}

/// How long to wait after so many failed attempts; `chance` is from 0 to 1, so that many explorers do not come back at
/// once.
fn wait(attempt: u32, chance: f64) -> Duration {
    let most = FIRST_WAIT.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(LONGEST_WAIT);
    most.mul_f64(chance.clamp(0.0, 1.0)).max(SHORTEST_WAIT)
}

/// Lines of the table `job_logs` as those of a log server.
#[must_use]
pub fn table_page(lines: Vec<JobLog>, complete: bool, took: Duration) -> LogPage {
    let line = |line: JobLog| LogLine {
        at_ns: time::nanoseconds(line.created_at),
        level: Level::parse(&line.level),
        message: line.message,
        service: line.source.unwrap_or_default(),
        fields: line.data,
        origin: Origin::Table,
    };
    LogPage {
        lines: lines.into_iter().map(line).collect(),
        complete,
        query: "job_logs".to_owned(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_to_a_limit_and_is_spread() {
        let longest: Vec<u128> = (1..=8).map(|attempt| wait(attempt, 1.0).as_millis()).collect();
        assert_eq!(longest, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
        assert_eq!(wait(6, 0.5).as_millis(), 7_500);
        assert_eq!((wait(1, 0.0), wait(u32::MAX, 1.0)), (SHORTEST_WAIT, LONGEST_WAIT));
    }

    #[test]
    fn what_failed_decides_what_happens_next() {
        let refused = StoreError::Refused { target: "db".into(), reason: "password".into(), source: "x".into() };
        let absent = StoreError::MissingDatabase { target: "db".into(), reason: "none".into(), source: "x".into() };
        let gone = StoreError::Unreachable { target: "db".into(), reason: "gone".into(), source: "x".into() };
        let slow = StoreError::Timeout { reason: "5 s".into(), source: "x".into() };
        let kinds = [refused, absent, gone, slow].map(|error| failure(error).kind);
        use crate::tui::msg::FailureKind::{Other, Refused, Unreachable};
        assert_eq!(kinds, [Refused { login: true }, Refused { login: false }, Unreachable, Other]);
    }

    #[test]
    fn lines_of_the_table_say_where_they_come_from() {
        let line = JobLog {
            created_at: chrono::DateTime::from_timestamp(1, 5).unwrap(),
            job_execution_id: uuid::Uuid::nil(),
            level: "warn".into(),
            message: "slow".into(),
            data: serde_json::json!({"ms": 7}),
            source: Some("notify".into()),
        };
        let page = table_page(vec![line], true, Duration::from_millis(3));
        let line = &page.lines[0];
        assert_eq!((line.at_ns, line.level, line.origin), (1_000_000_005, Level::Warn, Origin::Table));
        assert_eq!((line.service.as_str(), page.took_ms, page.complete), ("notify", 3, true));
    }
}
