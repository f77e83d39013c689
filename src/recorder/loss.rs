//! What was lost, of which kind and why: loss is counted, never silent.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// What kind of record was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The start, progress or end of an invocation.
    Invocation,
    /// The start, progress or end of an event.
    Event,
    /// The start or end of a job.
    Job,
    /// A log line of a job.
    Log,
}

/// Why a record was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no usable connection in the options: nothing can ever be written.
    NotConfigured,
    /// The memory limit was reached, because the database was slow or out of reach for too long.
    BufferFull,
    /// No place in memory was free for a moment, because the system had put the threads to sleep that were using it.
    Contended,
    /// The database refused this one row or its parent, or has no table for it; or Loki refused the line.
    Refused,
    /// It was recorded after `shutdown`, or not written before the end of its time.
    ShutDown,
    /// The file of the spool that held it was removed or damaged.
    Spool,
    /// The flusher broke off while it wrote the batch: a bug.
    Internal,
}

/// Numbers of records, in the order of [`Class::ALL`].
pub(super) type ByClass = [u64; Class::ALL.len()];

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::Invocation, Self::Event, Self::Job, Self::Log];

    /// The name as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invocation => "invocation",
            Self::Event => "event",
            Self::Job => "job",
            Self::Log => "log",
        }
    }
}

impl Reason {
    /// The name as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::BufferFull => "buffer_full",
            Self::Contended => "contended",
            Self::Refused => "refused",
            Self::ShutDown => "shut_down",
            Self::Spool => "spool",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many records of a class were lost for a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// What was lost.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// How many records.
    pub records: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    records: u64,
    /// How many of them the database has been told about.
    reported: u64,
}

/// All losses so far.
#[derive(Debug, Default)]
pub(super) struct Losses(BTreeMap<(Class, Reason), Count>);

impl Losses {
    pub(super) fn add(&mut self, class: Class, reason: Reason, records: u64) {
        if records > 0 {
            self.0.entry((class, reason)).or_default().records += records;
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.0.values().map(|count| count.records).sum()
    }

    pub(super) fn list(&self) -> Vec<Loss> {
        self.0.iter().map(|(&(class, reason), count)| Loss { class, reason, records: count.records }).collect()
    }

    /// What the database has not been told about yet.
    pub(super) fn unreported(&self) -> Vec<Loss> {
        let loss = |(&(class, reason), count): (&(Class, Reason), &Count)| {
            Some(Loss { class, reason, records: count.records - count.reported }).filter(|loss| loss.records > 0)
        };
        self.0.iter().filter_map(loss).collect()
    }

    pub(super) fn reported(&mut self, losses: &[Loss]) {
        for loss in losses {
            self.0.entry((loss.class, loss.reason)).or_default().reported += loss.records;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_serialized_is_named_as_it_is_stored() {
        let reasons = [
            Reason::NotConfigured,
            Reason::BufferFull,
            Reason::Contended,
            Reason::Refused,
            Reason::ShutDown,
            Reason::Spool,
            Reason::Internal,
        ];
        for reason in reasons {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
    }

    #[test]
    fn each_loss_is_reported_once() {
        let mut losses = Losses::default();
        losses.add(Class::Job, Reason::BufferFull, 3);
        let first = losses.unreported();
        losses.add(Class::Job, Reason::BufferFull, 2);
        losses.reported(&first);
        assert_eq!(losses.unreported(), [Loss { class: Class::Job, reason: Reason::BufferFull, records: 2 }]);
        assert_eq!(losses.total(), 5);
    }
}
