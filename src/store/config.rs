//! Where the database is and who connects: from a URL or from the variables `OBSERVABILITY_DB_*`.

mod password_file;
mod tls;

use std::fmt::{self, Write as _};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::error::StoreError;
use super::sql::SEARCH_PATH;
use tls::Tls;

const DEFAULT_DATABASE: &str = "event_detector_observability";
const DEFAULT_PORT: u16 = 5432;
const DEFAULT_SCHEMA: &str = "public";
const PARAMETERS: &str = "sslmode, ssl, sslrootcert, sslcert, sslkey, schema, host, port, dbname, user, password";

/// A password: shown by [`Secret::reveal`] only, never by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The password itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How to connect. `Debug` and `Display` leave the password out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Name or address of the server; the folder of its socket if it begins with `/`.
    pub host: String,
    /// Port of the server; also part of the socket's name.
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Role to connect as.
    pub user: String,
    /// Password of the role; if `None`, `PGPASSWORD` and the password file of libpq are asked.
    pub password: Option<Secret>,
    /// Schema that holds the tables.
    pub schema: String,
    /// sslmode, sslrootcert, sslcert, sslkey, as far as given.
    tls: Vec<(&'static str, String)>,
}

impl Config {
    /// Reads `postgres://user:password@host:port/database?sslmode=…&schema=…`. Special characters are percent-encoded;
    /// a socket is `host=/folder` among the parameters, or the folder, percent-encoded, in place of the host.
    ///
    /// # Errors
    /// [`StoreError::InvalidConfig`] when the text is no such URL or has a parameter that would be ignored. The text
    /// itself is not repeated: it may hold a password.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let rest =
            url.trim().strip_prefix("postgres://").or_else(|| url.trim().strip_prefix("postgresql://")).ok_or_else(
                || invalid("a database URL begins with postgres://, as in postgres://user@host:5432/database"),
            )?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // From the right: an unencoded @ or / in a password is then still part of it.
        let (account, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, password) = account.split_once(':').map_or((account, None), |(user, word)| (user, Some(word)));
        let (host, port) = split_server(server)?;
        let mut config = Self {
            host: decode(host)?,
            port: if port.is_empty() { DEFAULT_PORT } else { parse_port(port)? },
            database: decode(database)?,
            user: decode(user)?,
            password: password.map(decode).transpose()?.map(Secret),
            schema: DEFAULT_SCHEMA.to_owned(),
            tls: Vec::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            config.set(&decode(key)?, decode(value)?)?;
        }
        config.complete()
    }

    /// Reads the variables `OBSERVABILITY_DB_URL`, or `OBSERVABILITY_DB_HOST`, `_PORT`, `_NAME`, `_USER` and `_PASSWORD`;
    /// `OBSERVABILITY_DB_SCHEMA` goes with both. `None` when none of them is set.
    ///
    /// # Errors
    /// [`StoreError::InvalidConfig`] when they are set to something else than a database.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, StoreError> {
        let get = |name: &str| lookup(&format!("OBSERVABILITY_DB_{name}")).filter(|value| !value.trim().is_empty());
        let schema = get("SCHEMA");
        if let Some(url) = get("URL") {
            let mut config = Self::from_url(&url)?;
            if let Some(schema) = schema.filter(|_| config.schema == DEFAULT_SCHEMA) {
                config.schema = schema;
            }
            return Ok(Some(config));
        }
        let (host, name, user) = (get("HOST"), get("NAME"), get("USER"));
        if host.is_none() && name.is_none() && user.is_none() {
            return Ok(None);
        }
        let config = Self {
            host: host.unwrap_or_default(),
            port: get("PORT").map_or(Ok(DEFAULT_PORT), |port| parse_port(&port))?,
            database: name.unwrap_or_default(),
            user: user.ok_or_else(|| invalid("OBSERVABILITY_DB_USER is not set; set it to the role to connect as"))?,
            password: get("PASSWORD").map(Secret),
            schema: schema.unwrap_or_else(|| DEFAULT_SCHEMA.to_owned()),
            tls: Vec::new(),
        };
        config.complete().map(Some)
    }

    /// A database on this machine, without TLS.
    #[must_use]
    pub fn local(port: u16, database: &str, user: &str, password: Secret) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
            database: database.to_owned(),
            user: user.to_owned(),
            password: Some(password),
            schema: DEFAULT_SCHEMA.to_owned(),
            tls: vec![("sslmode", "disable".to_owned())],
        }
    }

    /// The same server and database for another role.
    #[must_use]
    pub fn with_user(&self, user: &str, password: Option<Secret>) -> Self {
        Self { user: user.to_owned(), password, ..self.clone() }
    }

    /// The same server and role for another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The same database with the tables in another schema.
    #[must_use]
    pub fn with_schema(&self, schema: &str) -> Self {
        Self { schema: schema.to_owned(), ..self.clone() }
    }

    /// The URL, **with the password**: for showing it to whom it belongs, never for a log.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = self.url_of_server();
        if self.schema != DEFAULT_SCHEMA {
            let sign = if self.tls.is_empty() { '?' } else { '&' };
            let _ = write!(url, "{sign}schema={}", encode(&self.schema));
        }
        url
    }

    /// Options of a session that can only read, and that gives up instead of waiting.
    #[must_use]
    pub fn reader_options(&self) -> PgConnectOptions {
        self.options("obs-tui").options([
            ("default_transaction_read_only", "on"),
            ("statement_timeout", "5s"),
            ("lock_timeout", "2s"),
            ("idle_in_transaction_session_timeout", "30s"),
            // Compiling a plan takes longer than any query here may take.
            ("jit", "off"),
            // Without statistics, or with old ones, a few rows look like most of a table.
            ("enable_seqscan", "off"),
            // A plan for any range of time is one that reads the whole table.
            ("plan_cache_mode", "force_custom_plan"),
        ])
    }

    /// Options of a session that writes.
    #[must_use]
    pub fn writer_options(&self, application_name: &str) -> PgConnectOptions {
        self.options(application_name).options([
            ("statement_timeout", "30s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "60s"),
        ])
    }

    /// Checks the settings that a connection needs beside a server: the mode and the certificates of TLS. Whoever connects
    /// with the options of this configuration asks this first.
    ///
    /// # Errors
    /// [`StoreError::InvalidConfig`]: `PGSSLMODE` is unknown, a file is missing or is no certificate.
    pub fn check(&self) -> Result<(), StoreError> {
        Tls::resolve(&self.host, &self.tls, variable)?.check()
    }

    /// What the user should know of these settings: that the password file is ignored although a password is needed.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.password_of_file().err()
    }

    /// Whether a session is known to be encrypted, where it leaves this machine. Where the server decides, its word that
    /// it is not is believed: that it is may be said by whoever passes an unencrypted connection on.
    #[cfg(feature = "tui")]
    #[must_use]
    pub(crate) fn is_encrypted(&self, says_server: Option<bool>) -> Option<bool> {
        if crate::model::host::is_local(&self.host) {
            return None;
        }
        self.tls().encrypts().or(Some(false).filter(|_| says_server == Some(false)))
    }

    /// How sessions are protected on their way, in words.
    #[must_use]
    pub fn protection(&self) -> &'static str {
        let tls = self.tls();
        match tls.encrypts() {
            _ if self.host.starts_with('/') => "a socket of this machine",
            Some(true) if tls.verifies() => "TLS, the certificate is verified",
            Some(true) => "TLS, the certificate is not verified (sslmode=verify-full does)",
            Some(false) => "not encrypted",
            None => "TLS if the server offers it, else not encrypted",
        }
    }

    fn tls(&self) -> Tls {
        Tls::resolve(&self.host, &self.tls, variable).unwrap_or_else(|_| Tls::strict())
    }

    fn password_of_file(&self) -> Result<Option<String>, String> {
        match self.password.is_some() || variable("PGPASSWORD").is_some_and(|word| !word.is_empty()) {
            true => Ok(None),
            false => password_file::password(self, variable),
        }
    }

    fn options(&self, application_name: &str) -> PgConnectOptions {
        // Parsing a URL would have sqlx read the password file.
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .username(&self.user)
            .database(&self.database)
            .application_name(application_name)
            .options([("search_path", SEARCH_PATH), ("standard_conforming_strings", "on")]);
        if self.host.starts_with('/') {
            options = options.socket(&self.host);
        }
        if let Some(password) = &self.password {
            options = options.password(password.reveal());
        } else if let Ok(Some(password)) = self.password_of_file() {
            options = options.password(&password);
        }
        self.tls().apply(options)
    }

    fn url_of_server(&self) -> String {
        let mut url = format!("postgres://{}", encode(&self.user));
        if let Some(password) = &self.password {
            let _ = write!(url, ":{}", encode(password.reveal()));
        }
        let _ = write!(url, "@{}:{}/{}", host_in_url(&self.host), self.port, encode(&self.database));
        for (at, (key, value)) in self.tls.iter().enumerate() {
            let _ = write!(url, "{}{key}={}", if at == 0 { '?' } else { '&' }, encode(value));
        }
        url
    }

    fn set(&mut self, key: &str, value: String) -> Result<(), StoreError> {
        match key {
            "schema" => self.schema = value,
            "host" => self.host = value,
            "port" => self.port = parse_port(&value)?,
            "dbname" => self.database = value,
            "user" => self.user = value,
            "password" => self.password = Some(Secret(value)),
            "sslmode" | "ssl" | "sslrootcert" | "sslcert" | "sslkey"
                if self.tls.iter().any(|(known, _)| *known == key || key == "ssl" && *known == "sslmode") =>
            {
                return Err(invalid(&format!(
                    "the database URL says {key} twice, or both ssl and sslmode; remove one"
                )));
            }
            "sslmode" | "ssl" => self.tls.push(("sslmode", parse_sslmode("sslmode of the database URL", &value)?)),
            "sslrootcert" => self.tls.push(("sslrootcert", value)),
            "sslcert" => self.tls.push(("sslcert", value)),
            "sslkey" => self.tls.push(("sslkey", value)),
            other => {
                let text = format!("the database URL has the parameter `{other}`, which would be ignored; remove it");
                return Err(invalid(&format!("{text} (known are {PARAMETERS})")));
            }
        }
        Ok(())
    }

    fn complete(mut self) -> Result<Self, StoreError> {
        if self.user.is_empty() {
            return Err(invalid("the database URL names no user; write postgres://USER@host:5432/database"));
        }
        if self.schema.is_empty() {
            return Err(invalid("the schema is empty; leave it out for `public`"));
        }
        if self.host.contains(',') {
            return Err(invalid("the database URL names several hosts; name one"));
        }
        if [&self.host, &self.database, &self.user, &self.schema].iter().any(|text| text.contains('\0')) {
            return Err(invalid("the database URL holds a zero byte; remove %00"));
        }
        if self.host.is_empty() {
            self.host = "localhost".to_owned();
        }
        if self.database.is_empty() {
            self.database = DEFAULT_DATABASE.to_owned();
        }
        Ok(self)
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{}@{host}:{}/{}", self.user, self.port, self.database)
    }
}

pub(super) fn invalid(reason: &str) -> StoreError {
    StoreError::InvalidConfig { reason: reason.to_owned() }
}

fn split_server(server: &str) -> Result<(&str, &str), StoreError> {
    if let Some(rest) = server.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or_else(|| invalid("the address in the database URL has no `]`; write [::1]:5432"))?;
        return Ok((host, rest.strip_prefix(':').unwrap_or(rest)));
    }
    if server.contains(',') {
        return Err(invalid("the database URL names several hosts; name one"));
    }
    Ok(server.rsplit_once(':').unwrap_or((server, "")))
}

fn parse_port(text: &str) -> Result<u16, StoreError> {
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| invalid("the port of the database is not a number from 1 to 65535; correct it"))
}

/// A variable of the environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn parse_sslmode(source: &str, text: &str) -> Result<String, StoreError> {
    let mode = match text {
        "true" | "1" | "no-verify" => "require",
        "false" | "0" => "disable",
        other => other,
    };
    if mode.parse::<PgSslMode>().is_err() {
        let modes = "use disable, allow, prefer, require, verify-ca or verify-full";
        return Err(invalid(&format!("{source} is unknown; {modes}")));
    }
    Ok(mode.to_ascii_lowercase())
}

fn host_in_url(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { encode(host) }
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn decode(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits: Option<(u8, u8)> = rest.next().zip(rest.next());
        let value = digits.and_then(|(high, low)| {
            let (high, low) = (char::from(high).to_digit(16)?, char::from(low).to_digit(16)?);
            u8::try_from(high * 16 + low).ok()
        });
        bytes.push(value.ok_or_else(|| {
            invalid("a % in the database URL is not followed by two hex digits; write %25 for a percent sign")
        })?);
    }
    String::from_utf8(bytes)
        .map_err(|_| invalid("the database URL holds percent-encoded bytes that are not UTF-8; correct them"))
}

#[cfg(test)]
mod tests;
