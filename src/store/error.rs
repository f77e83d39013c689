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
/// What an error is about that names none.
const DATABASE: &str = "the database";

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nobody answers, or the connection broke.
    #[error("cannot reach {target}: {reason}")]
    Unreachable {
        /// `PostgreSQL`, and which database where that is known.
        target: String,
        /// What happened, and what to do where that is known.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The server does not let this role in: a wrong password, an unknown role, a rule of the server.
    #[error("PostgreSQL refused the login to {target}: {reason}")]
    Refused {
        /// Which database.
        target: String,
        /// What happened, and what to do where that is known.
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
    /// A table, column or schema is missing, or this role may not see it.
    #[error(
        "the database lacks something: {reason}. Check the schema and the rights of the role, or run `obs-tui db migrate` as its owner"
    )]
    MissingTable {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The role may not do this, or the server lets nobody write.
    #[error("not allowed: {reason}")]
    Denied {
        /// What happened.
        reason: String,
        /// The error underneath.
        source: Cause,
    },
    /// The statement was ended by its time limit or by a cancellation.
    #[error(
        "the server stopped the query: {reason}. If it takes too long, narrow it: a shorter time range, one function, one id"
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
        classify(Some(config), error)
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
                DATABASE => config.to_string(),
                _ => return self,
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

fn classify(config: Option<&Config>, error: sqlx::Error) -> StoreError {
    let (kind, reason) = match &error {
        sqlx::Error::Database(server) => {
            let state = server.code().unwrap_or_default();
            (kind_of_state(&state), plain(server.message()) + hint_of_state(&state))
        }
        sqlx::Error::Io(io) => (Kind::Unreachable, io_reason(config, io)),
        sqlx::Error::Tls(tls) => (Kind::Unreachable, tls_reason(&tls.to_string())),
        sqlx::Error::Protocol(text) => (Kind::Unreachable, protocol_reason(text)),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            (Kind::Unreachable, plain(&error.to_string()))
        }
        sqlx::Error::Configuration(text) => (Kind::InvalidConfig, plain(&text.to_string())),
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_) => (Kind::Data, plain(&error.to_string())),
        other => (Kind::Other, plain(&other.to_string())),
    };
    let source: Cause = Box::new(error);
    let target = match (&kind, config) {
        (Kind::Unreachable, Some(config)) => format!("{SERVER} at {config}"),
        (Kind::Unreachable, None) => SERVER.to_owned(),
        (_, config) => config.map_or_else(|| DATABASE.to_owned(), ToString::to_string),
    };
    match kind {
        Kind::Unreachable => StoreError::Unreachable { target, reason, source },
        Kind::Refused => {
            // The password that was not sent may be there.
            let ignored = config.and_then(Config::warning).map(|text| format!("; {text}")).unwrap_or_default();
            StoreError::Refused { target, reason: reason + &ignored, source }
        }
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
        "42P01" | "42703" | "3F000" => Kind::MissingTable,
        // Functions and operators that are missing are those of columns of another type: migrations change none.
        "42883" => Kind::Data,
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

/// What helps, where the state leaves no doubt; the words of the server stand before it.
fn hint_of_state(state: &str) -> &'static str {
    match state {
        "28P01" => ". Check the user and the password",
        "42501" => ". Connect as a role that may",
        _ => "",
    }
}

fn io_reason(config: Option<&Config>, error: &io::Error) -> String {
    let is_socket = config.is_some_and(|config| config.host.starts_with('/'));
    let text = plain(&error.to_string());
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there. Check that the server runs, and the host and port".to_owned()
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the connection was closed without a reason. The log of the server may say more".to_owned()
        }
        io::ErrorKind::NotFound if is_socket => {
            "there is no such socket. Check that the server runs, and the folder and port".to_owned()
        }
        io::ErrorKind::TimedOut => format!("{text}. Check the host and port"),
        _ if text.starts_with("failed to lookup address") => format!("{text}. Check the name of the host"),
        // How rustls comes out of a handshake.
        _ if text.starts_with("invalid peer certificate") => {
            format!("its certificate is not trusted ({text}). Name its authority: sslrootcert=FILE, or SSL_CERT_FILE")
        }
        _ => text,
    }
}

fn tls_reason(text: &str) -> String {
    if text == "server does not support TLS" {
        return "the server does not offer TLS, and this connection requires it, as every one to another machine does \
                unless sslmode says otherwise. To accept an unencrypted connection: sslmode=disable (or prefer) in the \
                URL, or PGSSLMODE"
            .to_owned();
    }
    format!("TLS failed: {}", plain(text))
}

fn protocol_reason(text: &str) -> String {
    match text.split_once("unexpected response from SSLRequest: ") {
        // What a server sends that cannot even start a process for the connection; sqlx drops the text.
        Some((_, "0x45")) => {
            "the server answered with an error before the session began. Its log has the text".to_owned()
        }
        Some((_, byte)) => format!("it does not answer as PostgreSQL does ({}). Check the host and port", plain(byte)),
        None => plain(text),
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
            ("42883", Kind::Data),
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
        assert!(error.to_string().contains("nothing listens there. Check that the server runs"), "{error}");
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_unreachable());
    }
    #[test]
    fn hints_name_only_causes_that_are_known() {
        let at = |url: &str, error| StoreError::at(&Config::from_url(url).unwrap(), error).to_string();
        let io = |kind: io::ErrorKind| sqlx::Error::Io(kind.into());
        let (tcp, socket) = ("postgres://me@h/db", "postgres://me@%2Ftmp/db");
        assert!(at(socket, io(io::ErrorKind::NotFound)).contains("there is no such socket. Check"));
        let missing = at(tcp, io(io::ErrorKind::NotFound));
        assert!(missing.ends_with(": entity not found"), "{missing}");
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset] {
            let closed = at(tcp, io(kind));
            assert!(closed.contains("closed without a reason") && !closed.contains("host and port"), "{closed}");
        }
        let tls = at(tcp, sqlx::Error::Tls("server does not support TLS".into()));
        assert!(tls.contains("does not offer TLS") && tls.contains("sslmode=disable (or prefer)"), "{tls}");
        let other = at(tcp, sqlx::Error::Tls("odd".into()));
        assert_eq!(other, "cannot reach PostgreSQL at me@h:5432/db: TLS failed: odd");
        let no_fork = at(tcp, sqlx::Error::Protocol("unexpected response from SSLRequest: 0x45".into()));
        assert!(no_fork.ends_with("error before the session began. Its log has the text"), "{no_fork}");
        let web = at(tcp, sqlx::Error::Protocol("unexpected response from SSLRequest: 0x48".into()));
        assert!(web.ends_with("it does not answer as PostgreSQL does (0x48). Check the host and port"), "{web}");
        assert_eq!((hint_of_state("57P03"), hint_of_state("53300"), hint_of_state("28000")), ("", "", ""));
    }
}
