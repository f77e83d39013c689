//! What is in force, and the table of keys, as a configuration file.

use std::fmt::Write;

use super::{ALLOW_HTTP, Redact, SECRET, Settings};
use crate::model::text::{clean, quote_toml};
use crate::tui::keymap::Keymap;

/// What is in force, as a file that says the same; secrets are left out. Keys only where they are not the table's.
#[must_use]
pub fn text(settings: &Settings) -> String {
    let Settings { path, exists, look, mouse, poll_every, stale_after, .. } = settings;
    let place = match path {
        Some(path) if *exists => format!("# {}\n", clean(&path.display().to_string())),
        Some(path) => format!("# {} (not there)\n", clean(&path.display().to_string())),
        None => "# no file: neither XDG_CONFIG_HOME nor HOME is set\n".to_owned(),
    };
    let mut text = format!(
        "{place}theme = \"{}\"          # auto, default, dark, light, mono\n\
         color = \"{}\"          # auto, never, 16, 256, true\n\
         {}\n\
         mouse = {mouse}\n\
         poll_seconds = {}\n\
         stale_after = \"{}s\"\n",
        look.palette,
        look.colours,
        look.ascii.map_or_else(
            || "# ascii = true           # without it the locale decides".to_owned(),
            |ascii| format!("ascii = {ascii}")
        ),
        poll_every.num_seconds(),
        stale_after.num_seconds(),
    );
    if !settings.logs.is_empty() {
        text.push_str("\n[logs]\n");
    }
    for (variable, value) in &settings.logs {
        let name = variable.strip_prefix("OBS_TUI_LOG_").unwrap_or(variable).to_lowercase();
        let shown = match *variable {
            ALLOW_HTTP => "true".to_owned(),
            secret if SECRET.contains(&secret) => quote_toml("***"),
            // What is behind the address is not used, and may be a secret that was copied with it.
            "GRAFANA_URL" | "LOKI_URL" => quote_toml(value.split(['?', '#']).next().unwrap_or_default()),
            _ => quote_toml(value),
        };
        add(&mut text, &format!("{name} = {shown}"));
    }
    let Redact { keys, allow } = &settings.redact;
    let list = |keys: &[String]| keys.iter().map(|key| quote_toml(key)).collect::<Vec<_>>().join(", ");
    add(
        &mut text,
        "\n[redact]            # keys whose values are secrets, beside those that are known; keys whose values are none",
    );
    add(&mut text, &format!("keys = [{}]\nallow = [{}]", list(keys), list(allow)));
    let changed = settings.keys.section(|action| settings.keys.is_changed(action));
    if !changed.is_empty() {
        text.push_str("\n[keys]\n");
        text.push_str(&changed);
    }
    text
}

/// All keys as the section of a file.
#[must_use]
pub fn keys(keymap: &Keymap) -> String {
    format!("[keys]\n{}", keymap.section(|_| true))
}

fn add(text: &mut String, line: &str) {
    let written = writeln!(text, "{line}");
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}
