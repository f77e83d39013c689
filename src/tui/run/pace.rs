//! How often frames are drawn: at once for input, ten times a second at the most for what answers bring.

use std::time::Duration;

/// Time between two frames that answers alone cause, at the least.
const APART: Duration = Duration::from_millis(100);
/// That time on the slowest of lines.
const FARTHEST: Duration = Duration::from_secs(2);
/// Writing may take one part of so many: where the terminal does not take a frame at once, there are fewer.
const SHARE: u32 = 4;

/// Why a frame is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Answers came.
    Answers,
    /// A person did something, or time went on.
    Input,
}

/// When the last frame that answers alone caused was drawn, and what a frame is wanted for now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    wanted: Option<Cause>,
    last: Option<Duration>,
    apart: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { wanted: None, last: None, apart: APART }
    }
}

impl Pace {
    /// A frame is wanted.
    pub(super) fn want(&mut self, cause: Cause) {
        self.wanted = self.wanted.max(Some(cause));
    }

    /// How long to wait before the frame that is wanted is drawn; nothing when none is. `now` is time since any fixed
    /// point.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let due = match self.wanted? {
            Cause::Input => Duration::ZERO,
            Cause::Answers => self.last.map_or(Duration::ZERO, |last| last + self.apart),
        };
        Some(due.saturating_sub(now))
    }

    /// Time between two frames that answers alone cause, as the terminal takes them.
    pub(super) fn apart(&self) -> Duration {
        self.apart
    }

    /// Writing a frame took so long. A line that was slow is trusted again step by step.
    pub(super) fn wrote(&mut self, took: Duration) {
        self.apart = (took.saturating_mul(SHARE)).max(self.apart / 2).clamp(APART, FARTHEST);
    }

    /// The frame was drawn. What input causes does not count: the answer to a key is seen as soon as it comes.
    pub(super) fn drawn(&mut self, now: Duration) {
        if self.wanted.take() == Some(Cause::Answers) {
            self.last = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a second in which something comes at these milliseconds: when each was drawn.
    fn frames(mut comes: impl FnMut(u64) -> Option<Cause>) -> Vec<u64> {
        let (mut pace, mut frames) = (Pace::default(), Vec::new());
        for millisecond in 0..1_000 {
            if let Some(cause) = comes(millisecond) {
                pace.want(cause);
            }
            let now = Duration::from_millis(millisecond);
            if pace.wait(now) == Some(Duration::ZERO) {
                pace.drawn(now);
                frames.push(millisecond);
            }
        }
        frames
    }

    #[test]
    fn a_burst_of_answers_is_drawn_ten_times_a_second() {
        let drawn = frames(|_| Some(Cause::Answers));
        assert_eq!(drawn, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    }

    #[test]
    fn keys_are_seen_at_once_and_so_is_their_answer() {
        let drawn = frames(|at| match at {
            250 | 251 => Some(Cause::Input),
            _ => (at % 2 == 0).then_some(Cause::Answers),
        });
        assert_eq!(drawn.len(), 12);
        assert!(drawn.contains(&250) && drawn.contains(&251), "{drawn:?}");
        let answered = frames(|at| match at {
            700 => Some(Cause::Input),
            703 => Some(Cause::Answers),
            _ => None,
        });
        assert_eq!(answered, [700, 703]);
    }

    #[test]
    fn a_slow_line_gets_fewer_frames_until_it_is_quick_again() {
        let mut pace = Pace::default();
        let table =
            [(1, 100), (60, 240), (300, 1_200), (9_000, 2_000), (0, 1_000), (0, 500), (0, 250), (0, 125), (0, 100)];
        for (took, apart) in table {
            pace.wrote(Duration::from_millis(took));
            assert_eq!(pace.apart().as_millis(), apart, "{took}");
        }
        pace.wrote(Duration::from_millis(300));
        pace.want(Cause::Answers);
        pace.drawn(Duration::ZERO);
        pace.want(Cause::Answers);
        assert_eq!(pace.wait(Duration::from_millis(200)), Some(Duration::from_millis(1_000)));
        pace.want(Cause::Input);
        assert_eq!(pace.wait(Duration::from_millis(200)), Some(Duration::ZERO), "a person does not wait");
    }

    #[test]
    fn a_frame_that_waits_is_drawn_when_its_time_comes_and_nothing_is_drawn_for_nothing() {
        let drawn = frames(|at| (at == 10 || at == 20).then_some(Cause::Answers));
        assert_eq!(drawn, [10, 110]);
        assert_eq!(Pace::default().wait(Duration::from_secs(7)), None);
        assert_eq!(frames(|_| None), [0; 0]);
    }
}
