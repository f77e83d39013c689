//! Colours and glyphs. Status is never told by colour alone: every status has a mark or a word, too.

mod palette;

use ratatui::style::{Modifier, Style};

use crate::model::flow::Glyphs;
use crate::model::status::Effective;

pub use palette::{Colours, Depth, Palette, Role};

/// How the screen looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Which colours.
    pub palette: Palette,
    /// How many colours the terminal shows.
    pub depth: Depth,
    /// Whether characters outside ASCII may be used.
    pub unicode: bool,
}

/// How a person wants the screen to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Which colours.
    pub palette: Palette,
    /// How many.
    pub colours: Colours,
    /// Nothing outside ASCII, or anything; without a wish the locale decides.
    pub ascii: Option<bool>,
}

/// Whether the locale, as the environment names it, has all characters.
#[must_use]
pub fn is_utf8(get: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &&str| get(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8") || cfg!(target_os = "macos")
}

impl Theme {
    /// As wanted, as far as the terminal allows. `NO_COLOR` and `TERM=dumb` turn colours off unless a number of them is
    /// asked for; a locale without UTF-8 and `TERM=dumb` turn Unicode off.
    #[must_use]
    pub fn from_env(get: impl Fn(&str) -> Option<String>, look: Look) -> Self {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_else(|| "dumb".to_owned());
        let dumb = term == "dumb";
        let shown = match (set("COLORTERM").as_deref(), &term[..]) {
            (Some("truecolor" | "24bit"), _) => Depth::True,
            (_, term) if term.ends_with("-direct") || term.ends_with("-truecolor") => Depth::True,
            (_, term) if term.contains("256color") => Depth::Indexed,
            _ => Depth::Sixteen,
        };
        let (palette, depth) = match look.colours {
            Colours::Never => (Palette::Mono, shown),
            Colours::Depth(depth) => (look.palette, depth),
            Colours::Auto if dumb || set("NO_COLOR").is_some() => (Palette::Mono, shown),
            Colours::Auto => (look.palette, shown),
        };
        Self { palette, depth, unicode: look.ascii.map_or_else(|| !dumb && is_utf8(get), |ascii| !ascii) }
    }

    /// Whether the terminal's background decides.
    #[must_use]
    pub fn wants_background(&self) -> bool {
        self.palette == Palette::Auto
    }

    /// The same on a background of which it is known whether it is light.
    #[must_use]
    pub fn on_background(self, light: bool) -> Self {
        let palette = if self.wants_background() && light { Palette::Light } else { self.palette };
        Self { palette, ..self }
    }

    /// The characters of trees and marks.
    #[must_use]
    pub fn glyphs(&self) -> &'static Glyphs {
        if self.unicode { &Glyphs::UNICODE } else { &Glyphs::ASCII }
    }

    fn colour(self, role: Role) -> Style {
        self.palette.colour(role, self.depth).map_or_else(Style::new, |colour| Style::new().fg(colour))
    }

    /// A status.
    #[must_use]
    pub fn status(&self, effective: Effective) -> Style {
        match effective {
            Effective::Ok => self.colour(Role::Ok),
            Effective::Failed => self.colour(Role::Failed).add_modifier(Modifier::BOLD),
            Effective::Stuck => self.colour(Role::Stuck).add_modifier(Modifier::BOLD),
            Effective::Running => self.colour(Role::Running),
            Effective::NotDetected => self.dim(),
        }
    }

    /// The word for a status in a list, five columns at most.
    #[must_use]
    pub fn word(effective: Effective) -> &'static str {
        match effective {
            Effective::Ok => "OK",
            Effective::Failed => "FAIL",
            Effective::Stuck => "STUCK",
            Effective::Running => "RUN",
            Effective::NotDetected => "-",
        }
    }

    /// What matters less.
    #[must_use]
    pub fn dim(&self) -> Style {
        self.colour(Role::Dim)
    }

    /// Titles and column heads.
    #[must_use]
    pub fn title(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Keys in the footer and names of fields.
    #[must_use]
    pub fn accent(&self) -> Style {
        self.colour(Role::Accent)
    }

    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> Style {
        self.status(Effective::Failed)
    }

    /// The selected line.
    #[must_use]
    pub fn selected(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A banner over the whole width.
    #[must_use]
    pub fn banner(&self) -> Style {
        self.status(Effective::Failed).add_modifier(Modifier::REVERSED)
    }

    /// A horizontal line's character.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        if self.unicode { "─" } else { "-" }
    }

    /// A vertical line's character.
    #[must_use]
    pub fn bar(&self) -> &'static str {
        if self.unicode { "│" } else { "|" }
    }

    /// What stands in front of the selected line.
    #[must_use]
    pub fn cursor(&self) -> &'static str {
        ">"
    }

    /// What stands for a cut-off end.
    #[must_use]
    pub fn ellipsis(&self) -> &'static str {
        self.glyphs().ellipsis
    }

    /// Eight heights of a bar, lowest first.
    #[must_use]
    pub fn bars(&self) -> [&'static str; 8] {
        if self.unicode {
            ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        } else {
            [".", ".", ":", ":", "-", "=", "#", "#"]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(variables: &[(&str, &str)], look: Look) -> Theme {
        let get = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Theme::from_env(get, look)
    }

    #[test]
    fn the_environment_tells_what_the_terminal_shows() {
        let any = Look::default();
        for (variables, palette, depth, unicode) in [
            (&[("TERM", "xterm"), ("LANG", "C.UTF-8")][..], Palette::Auto, Depth::Sixteen, true),
            (&[("TERM", "xterm-256color"), ("LC_ALL", "de_DE.utf8")], Palette::Auto, Depth::Indexed, true),
            (&[("TERM", "tmux-256color"), ("COLORTERM", "truecolor")], Palette::Auto, Depth::True, false),
            (&[("TERM", "xterm-direct"), ("LANG", "C")], Palette::Auto, Depth::True, false),
            (&[("TERM", "linux"), ("LANG", "C.UTF-8")], Palette::Auto, Depth::Sixteen, true),
            (
                &[("TERM", "xterm-256color"), ("NO_COLOR", "1"), ("LANG", "C.UTF-8")],
                Palette::Mono,
                Depth::Indexed,
                true,
            ),
            (&[("TERM", "xterm"), ("NO_COLOR", ""), ("LANG", "C.UTF-8")], Palette::Auto, Depth::Sixteen, true),
            (&[("TERM", "dumb"), ("LANG", "C.UTF-8")], Palette::Mono, Depth::Sixteen, false),
            (&[], Palette::Mono, Depth::Sixteen, false),
        ] {
            let unicode = unicode || cfg!(target_os = "macos") && palette != Palette::Mono;
            assert_eq!(theme(variables, any), Theme { palette, depth, unicode }, "{variables:?}");
        }
    }

    #[test]
    fn a_wish_goes_before_the_environment() {
        let xterm = [("TERM", "xterm"), ("LANG", "C.UTF-8"), ("NO_COLOR", "1")];
        let wish = |palette, colours, ascii| theme(&xterm, Look { palette, colours, ascii: Some(ascii) });
        let dark = wish(Palette::Dark, Colours::Depth(Depth::True), true);
        assert_eq!(dark, Theme { palette: Palette::Dark, depth: Depth::True, unicode: false });
        let unicode = Look { ascii: Some(false), ..Look::default() };
        assert!(theme(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "C.UTF-8")], unicode).unicode);
        assert_eq!(wish(Palette::Dark, Colours::Auto, false).palette, Palette::Mono);
        assert_eq!(wish(Palette::Dark, Colours::Never, false).palette, Palette::Mono);
    }

    #[test]
    fn only_auto_follows_the_background() {
        let on = |palette, light| Theme { palette, depth: Depth::True, unicode: true }.on_background(light).palette;
        assert_eq!(on(Palette::Auto, true), Palette::Light);
        assert_eq!(on(Palette::Auto, false), Palette::Auto);
        for palette in [Palette::Default, Palette::Dark, Palette::Mono] {
            assert_eq!(on(palette, true), palette);
        }
    }

    #[test]
    fn styles_of_every_theme() {
        let mut table = String::new();
        for palette in Palette::ALL {
            for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
                let theme = Theme { palette, depth, unicode: true };
                let mut row = |what: &str, style: Style| {
                    table.push_str(&format!(
                        "{:<8} {:<8} {what:<9} {style:?}\n",
                        palette.to_string(),
                        format!("{depth:?}")
                    ));
                };
                for effective in
                    [Effective::Ok, Effective::Failed, Effective::Stuck, Effective::Running, Effective::NotDetected]
                {
                    row(Theme::word(effective), theme.status(effective));
                }
                row("accent", theme.accent());
                row("selected", theme.selected());
                row("banner", theme.banner());
            }
        }
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("theme__styles", table));
    }
}
