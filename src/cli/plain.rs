//! `obs-tui --plain`: the explorer in lines, for screen readers and for terminals that can do nothing else. One question
//! at a time, answered in order; no cursor movement, no colour, and words in place of marks.

mod told;

use std::io::{BufRead, Write};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::CliError;
use crate::clock::Clock;
use crate::model::flow::{Flow, Fold, Kind, Line};
use crate::model::invocation::{Key, Listed};
use crate::model::losses::Losses;
use crate::model::status::Effective;
use crate::model::text::{at_least, clean, duration, plural};
use crate::model::time;
use crate::store::error::StoreError;
use crate::store::read::{PageQuery, Reader, Seed};
use crate::tui::plain::{TRUNCATED, elapsed, notes, summary};
use crate::tui::theme::Theme;
use told::{Told, Topic};

/// Rows that are read out at once.
const PAGE: usize = 20;
/// How far back losses of recorders are listed above the rows.
const LOSSES: TimeDelta = TimeDelta::hours(24);

const HELP: &str = "In the list: a number opens its cascade; n older rows, r the newest rows again.
In a cascade: a number tells all that is shown of its line, d all that is recorded of it; f the next failure,
r read again, b back.
Everywhere: failures, jobs or hours tell of the last 24 hours, a number opens the cascade of its line, b goes back;
? this help, q leave.";

/// Asks for commands and answers them until the input ends.
///
/// # Errors
/// When the first rows cannot be read, or the output cannot be written.
pub async fn run(
    reader: &Reader,
    stale_after: TimeDelta,
    input: impl BufRead,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let mut plain = Plain {
        reader,
        stale_after,
        clock: Clock::system(),
        rows: Vec::new(),
        more: false,
        losses: None,
        told: None,
        open: None,
    };
    plain.read(None).await?;
    plain.list(out)?;
    writeln!(out, "? tells what can be typed.")?;
    prompt(out)?;
    for line in input.lines() {
        let answered = match line?.trim() {
            "" => Ok(()),
            "q" => break,
            "?" => writeln!(out, "{HELP}").map_err(CliError::from),
            command => plain.obey(command, out).await,
        };
        match answered {
            // The next command may do better.
            Err(CliError::Store(error)) => writeln!(out, "{error}")?,
            answered => answered?,
        }
        prompt(out)?;
    }
    Ok(())
}

fn prompt(out: &mut impl Write) -> Result<(), CliError> {
    out.write_all(b"> ")?;
    Ok(out.flush()?)
}

struct Plain<'a> {
    reader: &'a Reader,
    stale_after: TimeDelta,
    clock: Clock,
    rows: Vec<Listed>,
    more: bool,
    /// What recorders lost lately, or why that could not be read; `None` before it was asked for.
    losses: Option<Result<Losses, String>>,
    /// What was told last of a range of time, while it is shown or waits behind the cascade.
    told: Option<(Topic, Told)>,
    open: Option<Open>,
}

/// The cascade that is open.
struct Open {
    seed: Seed,
    flow: Flow,
    lines: Vec<Line>,
    at: Option<usize>,
}

impl Plain<'_> {
    /// The time that the rows tell of.
    fn now(&self) -> DateTime<Utc> {
        self.reader.data_time(self.clock.now())
    }

    async fn obey(&mut self, command: &str, out: &mut impl Write) -> Result<(), CliError> {
        if let Some(topic) = Topic::named(command) {
            return self.tell(topic, out).await;
        }
        let now = self.now();
        match (command, self.open.as_mut()) {
            ("r", None) if let Some((topic, _)) = self.told => self.tell(topic, out).await,
            ("b", None) if self.told.take().is_some() => self.list(out),
            ("r", None) => {
                self.read(None).await?;
                self.list(out)
            }
            ("n", None) if self.told.is_some() => Ok(writeln!(out, "That is all. b goes back to the list.")?),
            ("n", None) if !self.more => Ok(writeln!(out, "There are no older rows.")?),
            ("n", None) => {
                let last = self.rows.last().map(|row| Key::from(&row.invocation));
                self.read(last).await?;
                self.list(out)
            }
            ("b", Some(_)) => {
                self.open = None;
                match &self.told {
                    Some((_, told)) => write_lines(&told.lines, out),
                    None => self.list(out),
                }
            }
            ("d", Some(open)) => {
                let row = open.selected();
                match self.reader.row(row.0, row.1).await? {
                    Some(row) => write_lines(&told::row(row), out),
                    None => Ok(writeln!(out, "It is no longer in the database.")?),
                }
            }
            ("r", Some(open)) => {
                let seed = open.seed.clone();
                self.open(seed, out).await
            }
            ("f", Some(open)) => open.next_failure(now, out),
            (number, open) => match (number.parse::<usize>().ok().and_then(|n| n.checked_sub(1)), open) {
                (Some(at), Some(open)) if at < open.lines.len() => open.tell(at, now, out),
                (Some(at), None) => {
                    let invocation = match &self.told {
                        Some((_, told)) => told.opens.get(at).copied(),
                        None => self.rows.get(at).map(|row| row.invocation.id),
                    };
                    match invocation {
                        Some(id) => self.open(Seed::invocation(id), out).await,
                        None => Ok(writeln!(out, "There is no line {number}.")?),
                    }
                }
                (Some(_), Some(_)) => Ok(writeln!(out, "There is no line {number}.")?),
                (None, _) => Ok(writeln!(out, "`{}` is no command here. ? tells what can be typed.", clean(number))?),
            },
        }
    }

    async fn tell(&mut self, topic: Topic, out: &mut impl Write) -> Result<(), CliError> {
        let told = topic.read(self.reader, self.clock.now()).await?;
        self.open = None;
        write_lines(&told.lines, out)?;
        self.told = Some((topic, told));
        Ok(())
    }

    async fn read(&mut self, older_than: Option<Key>) -> Result<(), StoreError> {
        let query = PageQuery { older_than, limit: PAGE, ..PageQuery::default() };
        let page = self.reader.page(&query, self.clock.now(), self.stale_after).await?;
        (self.rows, self.more) = (page.rows, page.more);
        let now = self.clock.now();
        let losses = self.reader.losses(time::plus(now, -LOSSES), time::plus(now, TimeDelta::days(1))).await;
        self.losses = Some(losses.map_err(|error| error.to_string()));
        Ok(())
    }

    fn list(&self, out: &mut impl Write) -> Result<(), CliError> {
        let now = self.now();
        match &self.losses {
            None => {}
            Some(Err(error)) => writeln!(out, "Recorder losses: not read: {}", clean(error))?,
            Some(Ok(losses)) if losses.records() == Some(0) => {}
            Some(Ok(losses)) => write_lines(&losses.lines("the last 24 hours"), out)?,
        }
        if self.rows.is_empty() {
            return Ok(writeln!(out, "No invocation was recorded.")?);
        }
        writeln!(out, "{}, newest first.", plural(self.rows.len() as u64, "invocation"))?;
        for (number, row) in (1..).zip(&self.rows) {
            writeln!(out, "{number}. {}", self.row(row, now))?;
        }
        if self.more {
            writeln!(out, "There are older ones: n.")?;
        }
        Ok(())
    }

    /// `FAIL, event-detector-moves, UPDATE moves, 12:04:29 UTC, 2 of 14 events detected, 3 jobs, 1 failed, 1.80s`.
    fn row(&self, row: &Listed, now: DateTime<Utc>) -> String {
        let (invocation, children, jobs) = (&row.invocation, &row.children, row.jobs(now, self.stale_after));
        let mut parts = vec![
            Theme::word(row.verdict(now, self.stale_after).effective).to_owned(),
            clean(&invocation.source_function).into_owned(),
            clean(&invocation.trigger()).into_owned(),
            time::utc(invocation.created_at, "%Y-%m-%d %H:%M:%S UTC").to_string(),
            format!(
                "{} of {}{} detected",
                children.events_detected,
                at_least(children.more_events),
                plural(children.events_checked, "event")
            ),
            format!("{}{}", at_least(children.more_jobs), plural(children.jobs_run, "job")),
        ];
        for (count, word) in [(jobs.failed, "failed"), (jobs.running, "running"), (jobs.stuck, "stuck")] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        parts.extend(row.duration_ms(now).map(duration));
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
    }

    async fn open(&mut self, seed: Seed, out: &mut impl Write) -> Result<(), CliError> {
        let rows = self.reader.cascade(seed.clone()).await?;
        let now = self.now();
        let flow = Flow::build(rows, now, self.stale_after);
        if flow.nodes.is_empty() {
            return Ok(writeln!(out, "It is no longer in the database.")?);
        }
        let lines = flow.lines(&Fold::default());
        writeln!(out, "Cascade {}.", summary(&flow))?;
        if flow.truncated {
            writeln!(out, "{TRUNCATED}")?;
        }
        if let Some(told) = flow.unsearched() {
            writeln!(out, "{told}")?;
        }
        let open = Open { seed, flow, lines, at: None };
        for at in 0..open.lines.len() {
            let indent = " ".repeat(2 * open.lines[at].depth);
            writeln!(out, "{indent}{}. {}", at + 1, open.line(at, now))?;
        }
        self.open = Some(open);
        Ok(())
    }
}

fn write_lines(lines: &[String], out: &mut impl Write) -> Result<(), CliError> {
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

impl Open {
    /// The row of the line that was told last, or of the first one.
    fn selected(&self) -> (Kind, Uuid) {
        let node = &self.flow.nodes[self.lines[self.at.unwrap_or(0)].node];
        (node.kind, node.id)
    }

    /// `job sendNotification, FAIL, 912ms`.
    fn line(&self, at: usize, now: DateTime<Utc>) -> String {
        let line = &self.lines[at];
        let node = &self.flow.nodes[line.node];
        if line.undetected > 0 {
            return format!("{} not detected", plural(line.undetected as u64, "event"));
        }
        let mut parts =
            vec![format!("{} {}", told::kind(node.kind), clean(&node.name)), clean(&node.trigger).into_owned()];
        parts.push(Theme::word(node.effective).to_owned());
        parts.push(elapsed(node, now));
        if node.back_reference {
            parts.push("loops back".to_owned());
        }
        parts.extend(notes(node));
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
    }

    /// All that is known of a line, error and all.
    fn tell(&mut self, at: usize, now: DateTime<Utc>, out: &mut impl Write) -> Result<(), CliError> {
        self.at = Some(at);
        writeln!(out, "{}. {}", at + 1, self.line(at, now))?;
        let line = &self.lines[at];
        let node = &self.flow.nodes[line.node];
        if line.undetected > 0 {
            for event in node.children.iter().map(|&child| &self.flow.nodes[child]).filter(|node| node.is_undetected())
            {
                writeln!(out, "  {}", clean(&event.name))?;
            }
            return Ok(());
        }
        writeln!(out, "  id {}", node.id)?;
        writeln!(out, "  started {}", time::utc(node.started_at, "%Y-%m-%d %H:%M:%S%.3f UTC"))?;
        for text in node.error.as_deref().unwrap_or_default().lines() {
            writeln!(out, "  {}", clean(text))?;
        }
        Ok(())
    }

    fn next_failure(&mut self, now: DateTime<Utc>, out: &mut impl Write) -> Result<(), CliError> {
        let failed = |&at: &usize| {
            let line = &self.lines[at];
            line.undetected == 0 && self.flow.nodes[line.node].effective == Effective::Failed
        };
        let from = self.at.map_or(0, |at| at + 1);
        match (from..self.lines.len()).chain(0..from).find(failed) {
            Some(at) => self.tell(at, now, out),
            None => Ok(writeln!(out, "Nothing failed in this cascade.")?),
        }
    }
}
