//! Why a batch was not written, and so what to do with it.

use std::fmt;

use crate::store::error::StoreError;

const QUERY_CANCELED: &str = "57014";
const INSUFFICIENT_PRIVILEGE: &str = "42501";
const UNTRANSLATABLE_CHARACTER: &str = "22P05";
const PROGRAM_LIMIT_EXCEEDED: &str = "54000";

/// A failed attempt to write a batch.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server is out of reach, busy, or not set up yet: the same batch will do later.
    Passing(String),
    /// The server answered with an error that may come from a row or may pass.
    Unclear(String),
    /// The server refuses a row of the batch, or any row: that is not known yet.
    Row(String),
    /// The same; a single row it may accept in another form: it holds a character that the database lacks, or a text that is
    /// too long for an index.
    Unfit(String),
    /// The server refuses any row: a column that is not known here must have a value, a partition is missing.
    Table(String),
    /// The time of a shutdown is over.
    OutOfTime,
    /// The attempt panicked.
    Panic,
}

impl Fault {
    pub(super) fn timed_out(doing: &str) -> Self {
        Self::Passing(format!("{doing} took too long"))
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Encode(_) => return Self::Row(error.to_string()),
            sqlx::Error::Database(error) => error.code().unwrap_or_default().into_owned(),
            _ => return Self::Passing(StoreError::from(error).to_string()),
        };
        Self::of_state(&code, StoreError::from(error).to_string())
    }
}

impl Fault {
    fn of_state(code: &str, message: String) -> Self {
        match code.get(..2).unwrap_or_default() {
            _ if matches!(code, UNTRANSLATABLE_CHARACTER | PROGRAM_LIMIT_EXCEEDED) => Self::Unfit(message),
            // A value, a constraint, a limit of the program, a policy for rows.
            "22" | "23" | "54" => Self::Row(message),
            _ if code == INSUFFICIENT_PRIVILEGE => Self::Row(message),
            _ if code == QUERY_CANCELED => Self::Unclear(message),
            // Connection, transaction, authorization, database, read-only, schema, lock, resources, shutdown, disk.
            "08" | "25" | "28" | "3D" | "3F" | "40" | "42" | "53" | "55" | "57" | "58" => Self::Passing(message),
            _ => Self::Unclear(message),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing(message) | Self::Unclear(message) => f.write_str(message),
            Self::Row(message) | Self::Unfit(message) => write!(f, "the database refuses a row: {message}"),
            Self::Table(message) => write!(f, "the database refuses every row, not only one: {message}"),
            Self::OutOfTime => f.write_str("the time of the shutdown ended before everything was written"),
            Self::Panic => f.write_str("writing a batch panicked: the batch is lost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_answers_decides_who_waits() {
        for (codes, expected) in [
            (&["22P05", "54000"][..], "unfit"),
            (&["22003", "22008", "22P02", "23502", "23503", "23514", "54001", "42501"], "row"),
            (&["57014", "P0001", "XX000", "0A000", "", "2"], "unclear"),
            (
                &[
                    "08006", "25006", "28P01", "3D000", "3F000", "40001", "40P01", "42P01", "42703", "53100", "53300",
                    "55P03", "57P01", "58030",
                ],
                "passing",
            ),
        ] {
            for code in codes {
                let found = match Fault::of_state(code, "why".to_owned()) {
                    Fault::Unfit(_) => "unfit",
                    Fault::Row(_) => "row",
                    Fault::Unclear(_) => "unclear",
                    Fault::Passing(_) => "passing",
                    other => panic!("{other:?}"),
                };
                assert_eq!(found, expected, "{code}");
            }
        }
        assert!(matches!(Fault::from(sqlx::Error::Encode("no".into())), Fault::Row(_)));
        assert!(matches!(Fault::from(sqlx::Error::WorkerCrashed), Fault::Passing(_)));
    }
}
