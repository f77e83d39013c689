//! What recorders reported as lost, in words.

use chrono::{DateTime, Utc};

use super::text::{clean, plural};
use super::time;

/// What is known about losses in a range of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Losses {
    /// There is no table `recorder_losses`: whether records were lost is not known.
    NoTable,
    /// This role may not read the table, or it belongs to a role that is not trusted: not known either.
    NotReadable,
    /// What was reported; empty when nothing was.
    Reported {
        /// By class and reason, most records first.
        kinds: Vec<Loss>,
        /// Whether there are more reports or kinds than were read.
        truncated: bool,
    },
}

/// Records of one class that were lost for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What was lost, as the recorder named it.
    pub class: String,
    /// Why.
    pub reason: String,
    /// How many records.
    pub records: u64,
    /// How many recorders reported it.
    pub recorders: u64,
    /// The last report.
    pub last: DateTime<Utc>,
}

impl Losses {
    /// How many records were reported as lost; `None` where that is not known.
    #[must_use]
    pub fn records(&self) -> Option<u64> {
        match self {
            Self::NoTable | Self::NotReadable => None,
            Self::Reported { kinds, .. } => {
                Some(kinds.iter().fold(0_u64, |sum, kind| sum.saturating_add(kind.records)))
            }
        }
    }

    /// The lines that say so, without control characters; the first one alone says what there is.
    #[must_use]
    pub fn lines(&self, range: &str) -> Vec<String> {
        match self {
            Self::NoTable => {
                vec![
                    "Recorder losses: not known: there is no table recorder_losses. `obs-tui db migrate` creates it"
                        .into(),
                ]
            }
            Self::NotReadable => vec!["Recorder losses: not known: this role may not read recorder_losses".into()],
            Self::Reported { kinds, .. } if kinds.is_empty() => {
                vec![format!("Recorder losses: none reported in {range}")]
            }
            Self::Reported { kinds, truncated } => {
                let least = if *truncated { "at least " } else { "" };
                let total = plural(self.records().unwrap_or(0), "record");
                let mut lines = vec![format!("Recorder losses: {least}{total} lost in {range}: gaps in the data")];
                lines.extend(kinds.iter().map(|kind| {
                    let (class, reason) = (clean(&kind.class), clean(&kind.reason));
                    let last = time::utc(kind.last, "%Y-%m-%d %H:%M:%SZ");
                    let recorders = plural(kind.recorders, "recorder");
                    format!("  {class:<12} {reason:<14} {:>10}  {recorders}, last reported {last}", kind.records)
                }));
                if *truncated {
                    lines.push("  there are more reports than were read".into());
                }
                lines
            }
        }
    }
}
