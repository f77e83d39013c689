//! What can go wrong with the database, in words: what happened, then what to do.
use std::error::Error;
use std::io;

use super::config::Config;

/// The error underneath, for `Error::source`.
pub type Cause = Box<dyn Error + Send + Sync>;

/// The longest text of a server that is repeated, in characters.
const LONGEST_REASON: usize = 400;

/// What could not be reached, where nobody says which.
const SERVER: &str = "PostgreSQL";

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nobody answers, or the connection broke.
    #[error("cannot reach {target}: {reason}. Check that the server runs, and the host and port")]
    Unreachable {
        /// `PostgreSQL`, and which database where that is known.
        target: String,
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The server does not let this role in: a wrong password, an unknown role, a rule of the server.
    #[error("PostgreSQL refused the login to {target}: {reason}. Check the user and the password")]
    Refused {
        /// Which database.
        target: String,
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The server has no database of that name.
    #[error("there is no such database: {target}: {reason}. Check its name, or make it with `obs-tui db create`")]
    MissingDatabase {
        /// Which database.
        target: String,
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// A table, column, function or schema is missing.
    #[error("the database lacks something: {reason}. Run `obs-tui db migrate` as its owner, or name the right schema")]
    MissingTable {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The role may not do this.
    #[error("not allowed: {reason}. Connect as a role that may")]
    Denied {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The statement was ended by its time limit or by a cancellation.
    #[error(
        "the query took too long and was stopped ({reason}). Narrow it: a shorter time range, one function, one id"
    )]
    Timeout {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// Another program holds a lock.
    #[error("locked: {reason}. Another program holds a lock, perhaps a migration: let it end, then try again")]
    Locked {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The server gave the query up for the sake of something else, as a standby does that has to replay.
    #[error(
        "the server gave the query up: {reason}. On a standby, replaying goes first: it is tried again, or r tries now"
    )]
    Conflict {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The configuration does not describe a database. The text says how to correct it.
    #[error("{reason}")]
    InvalidConfig {
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// The rows are not what was expected, or the server did not accept a value.
    #[error("unexpected data: {reason}. `obs-tui db status` tells whether the tables fit this program")]
    Data {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// A panic on the way to an answer: the driver did not expect what the server sent, or we did not.
    #[error("the answer could not be read: {reason}. That is an error in obs-tui or in the server: please report it")]
    Internal {
        /// The message of the panic.
        reason: String,
    },
    /// Anything else.
    #[error("PostgreSQL reports: {reason}. The log of the server may say more")]
    Other {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
}

impl StoreError {
    /// Names the database that an error is about.
    #[must_use]
    pub fn at(config: &Config, error: sqlx::Error) -> Self {
        classify(Some(config.to_string()), error)
    }

    /// Names the database where the error does not.
    #[cfg(feature = "tui")]
    #[must_use]
    pub(super) fn named(mut self, config: &Config) -> Self {
        if let Self::Unreachable { target, .. } | Self::Refused { target, .. } | Self::MissingDatabase { target, .. } =
            &mut self
        {
            *target = match target.as_str() {
                SERVER => format!("{SERVER} at {config}"),
                _ => config.to_string(),
            };
        }
        self
    }

    /// Whether there was no way to get a session: nobody answers, the login is refused, the database is missing.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Refused { .. } | Self::MissingDatabase { .. })
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        classify(None, error)
    }
}

fn classify(target: Option<String>, error: sqlx::Error) -> StoreError {
    let (state, reason) = match &error {
        sqlx::Error::Database(server) => (server.code().unwrap_or_default().into_owned(), plain(server.message())),
        sqlx::Error::Io(io) => (String::new(), plain(&io_reason(io))),
        other => (String::new(), plain(&other.to_string())),
    };
    let kind = match &error {
        sqlx::Error::Database(_) => kind_of_state(&state),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Kind::Unreachable,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Kind::Unreachable,
        sqlx::Error::Configuration(_) => Kind::InvalidConfig,
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_) => Kind::Data,
        _ => Kind::Other,
    };
    let source: Cause = Box::new(error);
    let target = match (&kind, target) {
        (Kind::Unreachable, Some(target)) => format!("{SERVER} at {target}"),
        (Kind::Unreachable, None) => SERVER.to_owned(),
        (_, target) => target.unwrap_or_else(|| "the database".to_owned()),
    };
    match kind {
        Kind::Unreachable => StoreError::Unreachable { target, reason, source },
        Kind::Refused => StoreError::Refused { target, reason, source },
        Kind::MissingDatabase => StoreError::MissingDatabase { target, reason, source },
        Kind::MissingTable => StoreError::MissingTable { reason, source },
        Kind::Denied => StoreError::Denied { reason, source },
        Kind::Timeout => StoreError::Timeout { reason, source },
        Kind::Locked => StoreError::Locked { reason, source },
        Kind::Conflict => StoreError::Conflict { reason, source },
        Kind::InvalidConfig => StoreError::InvalidConfig { reason },
        Kind::Data => StoreError::Data { reason, source },
        Kind::Other => StoreError::Other { reason, source },
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Unreachable,
    Refused,
    MissingDatabase,
    MissingTable,
    Denied,
    Timeout,
    Locked,
    Conflict,
    InvalidConfig,
    Data,
    Other,
}

/// By SQLSTATE: the text of the server is in the language of the server.
fn kind_of_state(state: &str) -> Kind {
    match state {
        "3D000" => Kind::MissingDatabase,
        "42P01" | "42703" | "42883" | "3F000" => Kind::MissingTable,
        "42501" | "25006" => Kind::Denied,
        "57014" | "25P03" | "25P04" => Kind::Timeout,
        "55P03" | "40P01" => Kind::Locked,
        "40001" => Kind::Conflict,
        // Shutting down, crashed, starting up, all connections taken.
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" => Kind::Unreachable,
        other => match other.get(..2) {
            Some("08") => Kind::Unreachable,
            Some("28") => Kind::Refused,
            Some("22" | "23") => Kind::Data,
            _ => Kind::Other,
        },
    }
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the connection was closed".to_owned()
        }
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        _ => error.to_string(),
    }
}

/// On one line, without control characters, not longer than is useful: the text may quote data.
fn plain(text: &str) -> String {
    let text = text.trim_end_matches(['.', '\n']);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_kinds() {
        for (state, kind) in [
            ("28P01", Kind::Refused),
            ("28000", Kind::Refused),
            ("3D000", Kind::MissingDatabase),
            ("42P01", Kind::MissingTable),
            ("25006", Kind::Denied),
            ("57014", Kind::Timeout),
            ("55P03", Kind::Locked),
            ("40001", Kind::Conflict),
            ("57P03", Kind::Unreachable),
            ("08006", Kind::Unreachable),
            ("22P05", Kind::Data),
            ("XX000", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(kind_of_state(state), kind, "{state}");
        }
    }

    #[test]
    fn a_text_of_the_server_cannot_control_the_terminal() {
        assert_eq!(plain("bad \u{1b}[31mvalue\u{7}.\n"), "bad  [31mvalue ");
        assert_eq!(plain(&"x".repeat(5000)).len(), LONGEST_REASON);
    }

    #[test]
    fn no_session_means_unreachable() {
        let closed = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = StoreError::from(sqlx::Error::Io(closed));
        assert!(error.is_unreachable());
        assert!(error.to_string().contains("nothing listens there"), "{error}");
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_unreachable());
    }
}
