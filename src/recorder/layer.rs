//! Events of `tracing` inside a job become log lines of that job.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::recorder::context::{JobContext, current};
use crate::recorder::failure;
use crate::recorder::log::MESSAGE_BYTES;

/// A layer for `tracing_subscriber` that turns events inside a job into log lines of that job: level, message, fields
/// as JSON, and the target as the source.
///
/// - An event belongs to the job that polls or has entered the code which logs it; else to the job in which its span
///   was made. So tasks keep their job if they are made by [`recorder::spawn`](crate::recorder::spawn), or carry a
///   span: `tokio::spawn(work.in_current_span())`.
/// - Events and spans above `level` are ignored, by this layer alone; `LevelFilter::INFO` is a good choice. Events
///   outside of a job are ignored, as are those of sqlx and of the recorder, at every level.
/// - It needs no recorder: a job knows its own, and where that one's lines go.
///
/// ```
/// use tracing::level_filters::LevelFilter;
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let subscriber = tracing_subscriber::registry().with(obs_tui::recorder::log_layer(LevelFilter::INFO));
/// # let _ = subscriber; // tracing::subscriber::set_global_default(subscriber)
/// ```
#[must_use = "a layer does nothing before it is added to a subscriber"]
pub fn log_layer<S>(level: LevelFilter) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let wanted = move |metadata: &Metadata<'_>| *metadata.level() <= level && !is_excluded(metadata.target());
    JobLogs.with_filter(FilterFn::new(wanted).with_max_level_hint(level))
}

/// Whether a target is sqlx's or the recorder's own.
fn is_excluded(target: &str) -> bool {
    ["sqlx", "obs_tui::recorder", "obs_tui::store"].iter().any(|own| {
        let rest = target.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with(['_', '-']))
    })
}

thread_local! {
    /// Whether this thread is writing a line: values may log while they are formatted.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

struct JobLogs;

/// The job in which a span was made.
struct SpanJob(JobContext);

impl<S> Layer<S> for JobLogs
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(job) = job(attributes.is_contextual(), span.parent()) {
            span.extensions_mut().insert(SpanJob(job));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if BUSY.with(|busy| busy.replace(true)) {
            return;
        }
        if let Some(job) = job(event.is_contextual(), context.event_span(event))
            && job.captures_logs()
        {
            // A value may panic while it is formatted: its line is lost, the host is not.
            let _ = catch_unwind(AssertUnwindSafe(|| write(&job, event)));
        }
        BUSY.with(|busy| busy.set(false));
    }
}

/// The job of the thread, or the one of a span; the other way round where the span was named explicitly.
fn job<'a, S: LookupSpan<'a>>(contextual: bool, span: Option<SpanRef<'a, S>>) -> Option<JobContext> {
    let of_span = || span.and_then(|span| span.extensions().get::<SpanJob>().map(|SpanJob(job)| job.clone()));
    if contextual { current().or_else(of_span) } else { of_span().or_else(current) }
}

fn write(job: &JobContext, event: &Event<'_>) {
    let mut line = Fields::default();
    event.record(&mut line);
    // Events of the `log` crate bring their target as a field.
    let source = line.log_target.as_deref().unwrap_or(event.metadata().target());
    if is_excluded(source) {
        return;
    }
    let fields = (!line.fields.is_empty()).then(|| job.recorder().json(&line.fields));
    job.write_line(*event.metadata().level(), line.message, fields, source);
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    log_target: Option<String>,
    fields: Map<String, Value>,
}

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.set(field, value.into());
    }

    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", value) => self.message = value.to_string(),
            ("log.target", Value::String(text)) => self.log_target = Some(text),
            (name, _) if name.starts_with("log.") => {}
            (name, value) => {
                self.fields.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = Capped(String::new());
        // It ends with an error where the text is cut.
        let _ = write!(text, "{value:?}");
        self.insert(field, text.0);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert(field, failure::line(&failure::chain(value.to_string(), value.source())));
    }
}

/// Text that ends the formatting of a huge value.
struct Capped(String);

impl fmt::Write for Capped {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let kept = part.floor_char_boundary((MESSAGE_BYTES + 1).saturating_sub(self.0.len()));
        self.0.push_str(part.get(..kept).unwrap_or_default());
        if kept == part.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_targets_are_excluded() {
        let excluded =
            ["sqlx", concat!("sqlx", "::query"), "sqlx_core::pool", "obs_tui::recorder::flush", "obs_tui::store"];
        let kept = ["sqlxx", "app::sqlx", "obs_tui::cli::demo", "obs_tui", "obs_tui::recorders"];
        assert!(excluded.into_iter().all(is_excluded));
        assert!(!kept.into_iter().any(is_excluded));
    }

    #[test]
    fn huge_values_are_cut_while_they_are_formatted() {
        let mut text = Capped(String::new());
        assert!(write!(text, "{:?}", "é".repeat(MESSAGE_BYTES)).is_err());
        assert!(text.0.len() <= MESSAGE_BYTES + 1 && text.0.len() > MESSAGE_BYTES - 4, "{}", text.0.len());
    }
}
