//! `obs-tui show`: one cascade, as a tree or as JSON.

use std::io::Write;

use chrono::{DateTime, Utc};

use super::CliError;
use super::args::Show;
use super::config::Settings;
use crate::model::flow::{Flow, Fold};
use crate::model::report;
use crate::model::text::clean;
use crate::store::read::{Reader, looked_for};
use crate::tui::plain::tree;
use crate::tui::theme::Theme;

/// Prints the cascade.
///
/// # Errors
/// When the id names nothing, when the database fails, or when the output cannot be written.
pub async fn run(
    reader: &Reader,
    show: &Show,
    settings: &Settings,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let id = show.id.trim();
    let nothing = || {
        let id = clean(id);
        CliError::Nothing(format!("`{id}`: nothing {}; `obs-tui ls --all` lists what is", looked_for(&id)))
    };
    let seed = reader.find(id, now).await?.ok_or_else(nothing)?;
    let rows = reader.cascade(seed).await?;
    if rows.invocations.is_empty() {
        return Err(nothing());
    }
    let (rows, now) = match show.at {
        Some(at) => (rows.as_of(at), at),
        None => (rows, reader.data_time(now)),
    };
    let flow = Flow::build(rows, now, settings.stale_after);
    if flow.nodes.is_empty() {
        return Err(CliError::Nothing(format!("nothing of this cascade had begun at {}", now.to_rfc3339())));
    }
    if show.json {
        report::cascade(&flow, out)?;
        writeln!(out)?;
    } else {
        let theme = Theme::from_env(|name| std::env::var(name).ok(), settings.look);
        let fold = Fold { show_undetected: show.undetected, ..Fold::default() };
        out.write_all(tree(&flow, &fold, theme.glyphs(), now).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}
