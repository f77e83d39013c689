//! Notices of a recorder: one for each change of what it can do, to `tracing` and to the host.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Stats;
use super::loss::Loss;

/// The most changes of health that are sent within this time; a further one waits until it is over.
const CHANGES: usize = 6;
const CHANGES_WITHIN: Duration = Duration::from_secs(60);
/// The least time between two notices of counts.
pub(super) const NUMBERS_EVERY: Duration = Duration::from_secs(10);

/// A change in what a recorder can do. Notices are rare: one for each change, at most six changes a minute, and losses
/// every ten seconds at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "notice")]
#[non_exhaustive]
pub enum Notice {
    /// The first records are in the database.
    Connected,
    /// Records cannot be written. They wait in memory or in the spool, and each attempt is repeated.
    CannotWrite {
        /// Why, and what to do. It names no password.
        reason: String,
    },
    /// Records are written again.
    Recovered,
    /// Records were lost since the last notice of this kind.
    Lost {
        /// Which, why and how many.
        losses: Vec<Loss>,
        /// The last failure, if there was any.
        last_error: Option<String>,
    },
    /// The database refused rows since the last notice of this kind. They are in the quarantine.
    Quarantined {
        /// How many records.
        records: u64,
        /// The last failure, if there was any.
        last_error: Option<String>,
    },
    /// For the first time texts were stored in another form: too long for an index and cut, or with characters replaced
    /// that the database cannot hold. [`Stats::altered`] counts them.
    Altered {
        /// How many texts so far.
        texts: u64,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |f: &mut fmt::Formatter<'_>, error: &Option<String>| match error {
            Some(error) => write!(f, "; last error: {error}"),
            None => Ok(()),
        };
        match self {
            Self::Connected => f.write_str("the recorder writes to the database"),
            Self::CannotWrite { reason } => write!(f, "the recorder cannot write: {reason}"),
            Self::Recovered => f.write_str("the recorder writes again"),
            Self::Lost { losses, last_error } => {
                f.write_str("the recorder lost records: ")?;
                for (at, Loss { class, reason, records }) in losses.iter().enumerate() {
                    write!(f, "{}{records} {class} ({reason})", if at == 0 { "" } else { ", " })?;
                }
                because(f, last_error)
            }
            Self::Quarantined { records, last_error } => {
                write!(f, "the database refused {records} records, which are in the quarantine")?;
                because(f, last_error)
            }
            Self::Altered { texts } => {
                write!(f, "{texts} texts were cut, or had characters replaced, to fit the database")
            }
        }
    }
}

/// What a host does with a [`Notice`].
///
/// It is called on the recorder's own thread, so what it does holds up the writing of records; where there is no such
/// thread, because no database is configured, on that of the caller. It may panic. It must not wait for the recorder:
/// [`flush`](crate::Recorder::flush) and [`shutdown`](crate::Recorder::shutdown) wait in vain there.
#[derive(Clone, Default)]
pub struct OnNotice(Option<Arc<Receiver>>);

type Receiver = dyn Fn(&Notice) + Send + Sync;

impl OnNotice {
    /// Calls this function with each notice.
    ///
    /// ```
    /// use obs_tui::recorder::{Notice, OnNotice, Options};
    ///
    /// let on_notice = OnNotice::call(|notice| match notice {
    ///     Notice::CannotWrite { reason } => eprintln!("not recorded for now: {reason}"),
    ///     Notice::Lost { losses, .. } => eprintln!("lost: {losses:?}"),
    ///     _ => {}
    /// });
    /// let options = Options { on_notice, ..Options::from_url("postgresql://app@db/observability") };
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn call(function: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(function)))
    }

    /// Sends a notice to `tracing`, under the target `obs_tui::recorder`, which the recorder's own layer ignores, then to
    /// the host.
    pub(super) fn send(&self, notice: &Notice) {
        let tracing = || match notice {
            Notice::Connected | Notice::Recovered => tracing::info!(target: "obs_tui::recorder", "{notice}"),
            Notice::CannotWrite { .. } | Notice::Altered { .. } => {
                tracing::warn!(target: "obs_tui::recorder", "{notice}");
            }
            Notice::Lost { .. } | Notice::Quarantined { .. } => {
                tracing::error!(target: "obs_tui::recorder", "{notice}");
            }
        };
        // Both run code of the host, whose panics are its own.
        let _ = catch_unwind(AssertUnwindSafe(tracing));
        if let Some(call) = &self.0 {
            let _ = catch_unwind(AssertUnwindSafe(|| call(notice)));
        }
    }
}

impl fmt::Debug for OnNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "OnNotice(…)" } else { "OnNotice" })
    }
}

/// Whether records get into the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing has been tried yet.
    #[default]
    Unknown,
    Writing,
    Failing(String),
}

/// What has been sent so far, and so what is to be sent next.
#[derive(Debug, Default)]
pub(super) struct Notifier {
    health: Health,
    changes: VecDeque<Duration>,
    losses: Vec<Loss>,
    quarantined: u64,
    altered: bool,
    numbers_at: Option<Duration>,
}

impl Notifier {
    /// Returns the notices that are due, and when to ask again if one has to wait. None waits at the `end`.
    pub(super) fn due(
        &mut self,
        health: &Health,
        stats: &Stats,
        now: Duration,
        end: bool,
    ) -> (Vec<Notice>, Option<Duration>) {
        let (mut news, mut later) = (Vec::new(), None);
        if *health != self.health && *health != Health::Unknown {
            self.changes.pop_front_if(|at| *at + CHANGES_WITHIN <= now);
            match self.changes.front() {
                Some(first) if self.changes.len() >= CHANGES && !end => later = Some(*first + CHANGES_WITHIN),
                _ => {
                    self.changes.push_back(now);
                    news.push(match (&self.health, health) {
                        (_, Health::Failing(reason)) => Notice::CannotWrite { reason: reason.clone() },
                        (Health::Failing(_), _) => Notice::Recovered,
                        _ => Notice::Connected,
                    });
                    self.health = health.clone();
                }
            }
        }
        let losses = self.lost(&stats.losses);
        let quarantined = stats.quarantined - self.quarantined;
        if losses.is_empty() && quarantined == 0 && (self.altered || stats.altered == 0) {
            return (news, later);
        }
        if let Some(at) = self.numbers_at.map(|at| at + NUMBERS_EVERY).filter(|at| now < *at && !end) {
            return (news, Some(later.map_or(at, |later: Duration| later.min(at))));
        }
        self.numbers_at = Some(now);
        let last_error = &stats.last_error;
        if !losses.is_empty() {
            news.push(Notice::Lost { losses, last_error: last_error.clone() });
            self.losses.clone_from(&stats.losses);
        }
        if quarantined > 0 {
            news.push(Notice::Quarantined { records: quarantined, last_error: last_error.clone() });
            self.quarantined = stats.quarantined;
        }
        if !self.altered && stats.altered > 0 {
            news.push(Notice::Altered { texts: stats.altered });
            self.altered = true;
        }
        (news, later)
    }

    /// No counts are sent before this time.
    pub(super) fn quiet_until(&self) -> Duration {
        self.numbers_at.map_or(Duration::ZERO, |at| at + NUMBERS_EVERY)
    }

    /// The losses that have not been sent.
    fn lost(&self, losses: &[Loss]) -> Vec<Loss> {
        let notified =
            |loss: &Loss| self.losses.iter().find(|known| (known.class, known.reason) == (loss.class, loss.reason));
        let more =
            |loss: &Loss| Loss { records: loss.records - notified(loss).map_or(0, |known| known.records), ..*loss };
        losses.iter().map(more).filter(|loss| loss.records > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::loss::{Class, Reason};

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn failing(reason: &str) -> Health {
        Health::Failing(reason.to_owned())
    }

    fn loss(records: u64) -> Loss {
        Loss { class: Class::Job, reason: Reason::BufferFull, records }
    }

    #[test]
    fn each_change_is_sent_once() {
        let (mut notifier, stats) = (Notifier::default(), Stats::default());
        let cannot = |reason: &str| Notice::CannotWrite { reason: reason.to_owned() };
        for (health, expected) in [
            (Health::Unknown, None),
            (failing("away"), Some(cannot("away"))),
            (failing("away"), None),
            (failing("password"), Some(cannot("password"))),
            (Health::Writing, Some(Notice::Recovered)),
            (Health::Writing, None),
            (failing("away"), Some(cannot("away"))),
        ] {
            assert_eq!(
                notifier.due(&health, &stats, at(1), false),
                (expected.into_iter().collect(), None),
                "{health:?}"
            );
        }
        assert_eq!(Notifier::default().due(&Health::Writing, &stats, at(1), false).0, [Notice::Connected]);
    }

    #[test]
    fn a_flapping_server_sends_a_bounded_number_of_notices() {
        let (mut notifier, stats) = (Notifier::default(), Stats::default());
        let health = |n: u64| if n.is_multiple_of(2) { failing("away") } else { Health::Writing };
        for n in 0..6 {
            assert_eq!(notifier.due(&health(n), &stats, at(n), false).0.len(), 1);
        }
        assert_eq!(notifier.due(&health(6), &stats, at(6), false), (vec![], Some(at(60))));
        // Back to what was sent: there is nothing new.
        assert_eq!(notifier.due(&health(7), &stats, at(7), false), (vec![], None));
        assert_eq!(notifier.due(&health(8), &stats, at(59), false), (vec![], Some(at(60))));
        assert_eq!(notifier.due(&health(8), &stats, at(60), false).0.len(), 1);
        assert_eq!(notifier.due(&health(9), &stats, at(60), false), (vec![], Some(at(61))));
        assert_eq!(notifier.due(&health(9), &stats, at(60), true).0, [Notice::Recovered]);
    }

    #[test]
    fn losses_are_sent_as_they_grow_and_not_too_often() {
        let mut notifier = Notifier::default();
        let lost = |records| Notice::Lost { losses: vec![loss(records)], last_error: Some("full".into()) };
        let stats = |records, quarantined| Stats {
            losses: Vec::from_iter((records > 0).then(|| loss(records))),
            quarantined,
            last_error: Some("full".into()),
            ..Stats::default()
        };
        let unknown = &Health::Unknown;
        assert_eq!(notifier.due(unknown, &stats(0, 0), at(1), false), (vec![], None));
        assert_eq!(notifier.due(unknown, &stats(3, 0), at(2), false), (vec![lost(3)], None));
        assert_eq!(notifier.due(unknown, &stats(4, 0), at(3), false), (vec![], Some(at(12))));
        let refused = Notice::Quarantined { records: 2, last_error: Some("full".into()) };
        assert_eq!(notifier.due(unknown, &stats(9, 2), at(12), false), (vec![lost(6), refused], None));
        assert_eq!(notifier.due(unknown, &stats(9, 2), at(13), false), (vec![], None));
        assert_eq!(notifier.due(unknown, &stats(10, 2), at(13), true), (vec![lost(1)], None));
    }

    #[test]
    fn altered_texts_are_sent_once() {
        let mut notifier = Notifier::default();
        let stats = |altered| Stats { altered, ..Stats::default() };
        assert_eq!(notifier.due(&Health::Unknown, &stats(2), at(1), false).0, [Notice::Altered { texts: 2 }]);
        assert_eq!(notifier.due(&Health::Unknown, &stats(9), at(99), false), (vec![], None));
    }

    #[test]
    fn notices_are_sentences_and_panics_stay_where_they_are() {
        let notice = Notice::Lost { losses: vec![loss(2), loss(3)], last_error: Some("no server".into()) };
        let text = "the recorder lost records: 2 job (buffer_full), 3 job (buffer_full); last error: no server";
        assert_eq!(notice.to_string(), text);
        let json = serde_json::to_value(&notice).unwrap();
        let counted = serde_json::json!({ "class": "job", "reason": "buffer_full", "records": 2 });
        assert_eq!((&json["notice"], &json["losses"][0]), (&"lost".into(), &counted));
        OnNotice::call(|_| panic!("on purpose")).send(&notice);
        assert_eq!(format!("{:?}", OnNotice::default()), "OnNotice");
    }
}
