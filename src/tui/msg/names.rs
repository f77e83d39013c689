//! The names of actions, and the list of all.

use super::Action;
#[cfg(test)]
use super::View;

impl Action {
    /// Its name in the configuration file, such as `next_failure` or `show_flow`.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars().filter(char::is_ascii_alphanumeric) {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }
}

#[cfg(test)]
impl Action {
    /// Every action that a key can have.
    pub const ALL: &'static [Self] = &[
        Self::Down,
        Self::Up,
        Self::First,
        Self::Last,
        Self::HalfDown,
        Self::HalfUp,
        Self::PageDown,
        Self::PageUp,
        Self::Left,
        Self::Right,
        Self::FoldToggle,
        Self::FoldAll,
        Self::UnfoldAll,
        Self::NextSibling,
        Self::PreviousSibling,
        Self::Origin,
        Self::Open,
        Self::Back,
        Self::PreviousView,
        Self::Show(View::Invocations),
        Self::Show(View::Flow),
        Self::Show(View::Logs),
        Self::Show(View::Charts),
        Self::Show(View::Jobs),
        Self::Show(View::Failures),
        Self::NextPane,
        Self::PreviousPane,
        Self::Zoom,
        Self::Preview,
        Self::PreviewPlace,
        Self::NextFailure,
        Self::PreviousFailure,
        Self::Undetected,
        Self::Follow,
        Self::Pause,
        Self::Refresh,
        Self::Wrap,
        Self::Reveal,
        Self::Diff,
        Self::Fingerprint,
        Self::CopyValue,
        Self::CopyRow,
        Self::CopyCorrelation,
        Self::CopyCommand,
        Self::CopyPath,
        Self::CopyLink,
        Self::Pager,
        Self::Editor,
        Self::Export,
        Self::Logs,
        Self::LogScope,
        Self::LogLevel,
        Self::TimeRange,
        Self::Earlier,
        Self::Later,
        Self::TimeZone,
        Self::FilterBy,
        Self::FilterOut,
        Self::OnlyThis,
        Self::Find,
        Self::NextHit,
        Self::PreviousHit,
        Self::OnlyHits,
        Self::NextWarning,
        Self::PreviousWarning,
        Self::FoldHealthy,
        Self::CriticalPath,
        Self::Replay,
        Self::ReplayBack,
        Self::ReplayForward,
        Self::ReplayPlay,
        Self::ZoomOut,
        Self::ZoomIn,
        Self::Views,
        Self::SaveView,
        Self::Palette,
        Self::Messages,
        Self::Metric,
        Self::Help,
        Self::Mark,
        Self::ClearMarks,
        Self::SortColumn,
        Self::SortReverse,
        Self::Columns,
        Self::Login,
        Self::Compare,
        Self::Redraw,
        Self::Suspend,
        Self::Quit,
        Self::QuitNow,
    ];
}
