//! Whether and how a connection is encrypted: what the URL asks for, then the variables of libpq, then the place of the
//! server. sqlx alone would send everything in clear to a server that declines TLS, and pass over what it does not know.

use std::path::Path;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::{invalid, parse_sslmode};
use crate::files::{SETTINGS_BYTES, read_bounded};
use crate::model::host::is_local;
use crate::store::error::StoreError;

/// The certificates of the system instead of a file.
const SYSTEM: &str = "system";

/// What is in force.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    /// Never [`PgSslMode::Allow`], which sqlx takes for `disable`.
    pub(super) mode: PgSslMode,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Tls {
    /// Of the parameters of a URL and the variables `PGSSLMODE`, `PGSSLROOTCERT`, `PGSSLCERT` and `PGSSLKEY`.
    ///
    /// # Errors
    /// A mode is unknown, or less than the certificates of the system need.
    pub(super) fn resolve(
        host: &str,
        given: &[(&'static str, String)],
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, StoreError> {
        let of_url = |key: &str| given.iter().rev().find(|(known, _)| *known == key).map(|(_, value)| value.clone());
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let root_of_url = of_url("sslrootcert");
        let asked = match (of_url("sslmode"), set("PGSSLMODE")) {
            (Some(mode), _) => Some(parse_sslmode("sslmode of the database URL", &mode)?),
            (None, Some(mode)) => Some(parse_sslmode("the variable PGSSLMODE", &mode)?),
            (None, None) => None,
        };
        let needs_tls = !is_local(host) || root_of_url.is_some();
        let root = root_of_url.or_else(|| set("PGSSLROOTCERT"));
        let mode = match (asked.as_deref(), root.as_deref()) {
            // As libpq: what is on a socket stays on this machine, and no server offers TLS there.
            _ if host.starts_with('/') => PgSslMode::Disable,
            (Some("disable"), _) => PgSslMode::Disable,
            (Some("allow" | "prefer"), _) => PgSslMode::Prefer,
            (None, _) if !needs_tls => PgSslMode::Prefer,
            (None | Some("verify-full"), Some(SYSTEM)) => PgSslMode::VerifyFull,
            (Some(_), Some(SYSTEM)) => {
                return Err(invalid("sslrootcert=system needs sslmode=verify-full; set it, or name a file"));
            }
            // As libpq: a certificate that is named is also used.
            (None | Some("require"), Some(_)) | (Some("verify-ca"), _) => PgSslMode::VerifyCa,
            (None | Some("require"), None) => PgSslMode::Require,
            (Some(_), _) => PgSslMode::VerifyFull,
        };
        Ok(Self {
            mode,
            root,
            certificate: of_url("sslcert").or_else(|| set("PGSSLCERT")),
            key: of_url("sslkey").or_else(|| set("PGSSLKEY")),
        })
    }

    /// What a session is opened with when the settings cannot be used: nothing gets through unverified.
    pub(super) fn strict() -> Self {
        Self { mode: PgSslMode::VerifyFull, root: None, certificate: None, key: None }
    }

    /// Reads the files that will be needed.
    ///
    /// # Errors
    /// A file is missing, is no certificate or key, or has no counterpart.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if matches!(self.mode, PgSslMode::Disable) {
            return Ok(());
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Err(invalid("sslcert and sslkey go together; name both or none"));
        }
        let root = self.root.as_ref().filter(|root| self.verifies() && *root != SYSTEM);
        for (name, file, holds) in [
            ("sslrootcert", root, "CERTIFICATE-----"),
            ("sslcert", self.certificate.as_ref(), "CERTIFICATE-----"),
            ("sslkey", self.key.as_ref(), "PRIVATE KEY-----"),
        ] {
            let Some(file) = file else { continue };
            if file.trim_start().starts_with("-----BEGIN") {
                // Not repeated: it may be a key.
                return Err(invalid(&format!("{name} holds a certificate or key itself; name a file that does")));
            }
            let wrong = |what: &str| invalid(&format!("cannot read {name} {file}: {what}"));
            let contents = read_bounded(Path::new(file), SETTINGS_BYTES).map_err(|error| wrong(&error.to_string()))?;
            let found = contents.bytes.windows(holds.len()).any(|bytes| bytes == holds.as_bytes());
            if !found {
                return Err(wrong(&format!("it holds no PEM block `{}`", holds.trim_end_matches('-'))));
            }
        }
        Ok(())
    }

    /// Whether the certificate of the server is verified.
    pub(super) fn verifies(&self) -> bool {
        matches!(self.mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull)
    }

    /// Whether a session has TLS; `None` when it depends on the server.
    pub(super) fn encrypts(&self) -> Option<bool> {
        match self.mode {
            PgSslMode::Disable => Some(false),
            PgSslMode::Prefer | PgSslMode::Allow => None,
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => Some(true),
        }
    }

    pub(super) fn apply(&self, options: PgConnectOptions) -> PgConnectOptions {
        let mut options = options.ssl_mode(self.mode);
        options = match self.root.as_deref() {
            // The variable may name this as if it were a file.
            Some(SYSTEM) => options.ssl_root_cert_from_pem(Vec::new()),
            Some(file) => options.ssl_root_cert(file),
            None => options,
        };
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `host`, parameters of the URL, variables → the mode, or what is wrong.
    fn mode(host: &str, given: &[(&'static str, &str)], variables: &[(&str, &str)]) -> String {
        let given: Vec<(&'static str, String)> = given.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Tls::resolve(host, &given, variable).map_or_else(|error| error.to_string(), |tls| format!("{:?}", tls.mode))
    }

    #[test]
    fn tls_is_required_unless_the_server_is_local_or_the_user_says_otherwise() {
        let url = |mode| vec![("sslmode", mode)];
        let root = ("sslrootcert", "/ca.pem");
        for (host, given, variables, expected) in [
            ("localhost", vec![], vec![], "Prefer"),
            ("127.0.0.1", vec![], vec![], "Prefer"),
            ("/run/postgresql", vec![], vec![], "Disable"),
            ("/run/postgresql", url("require"), vec![], "Disable"),
            ("db.example.com", vec![], vec![], "Require"),
            ("10.0.0.1", vec![], vec![], "Require"),
            ("db.localhost", vec![], vec![], "Require"),
            ("db", url("disable"), vec![], "Disable"),
            ("db", url("prefer"), vec![], "Prefer"),
            ("db", url("allow"), vec![], "Prefer"),
            ("db", url("verify-full"), vec![], "VerifyFull"),
            ("db", vec![], vec![("PGSSLMODE", "disable")], "Disable"),
            ("db", vec![], vec![("PGSSLMODE", "")], "Require"),
            ("localhost", vec![], vec![("PGSSLMODE", "require")], "Require"),
            ("db", url("require"), vec![("PGSSLMODE", "disable")], "Require"),
            ("db", url("require"), vec![("PGSSLMODE", "nonsense")], "Require"),
            ("db", vec![("sslmode", "require"), root], vec![], "VerifyCa"),
            ("db", vec![root], vec![], "VerifyCa"),
            ("localhost", vec![root], vec![], "VerifyCa"),
            ("db", vec![("sslmode", "disable"), root], vec![], "Disable"),
            ("db", vec![], vec![("PGSSLROOTCERT", "/ca.pem")], "VerifyCa"),
            ("localhost", vec![], vec![("PGSSLROOTCERT", "/ca.pem")], "Prefer"),
            ("db", vec![("sslrootcert", "system")], vec![], "VerifyFull"),
            ("db", vec![], vec![("PGSSLROOTCERT", "system"), ("PGSSLMODE", "verify-full")], "VerifyFull"),
        ] {
            assert_eq!(mode(host, &given, &variables), expected, "{host} {given:?} {variables:?}");
        }
    }

    #[test]
    fn unknown_modes_are_refused_wherever_they_come_from() {
        let of_variable = mode("localhost", &[], &[("PGSSLMODE", "verify_full")]);
        assert!(of_variable.starts_with("the variable PGSSLMODE is unknown; use disable, "), "{of_variable}");
        let of_url = mode("localhost", &[("sslmode", "sometimes")], &[]);
        assert!(of_url.starts_with("sslmode of the database URL is unknown"), "{of_url}");
        let system = mode("db", &[("sslmode", "require"), ("sslrootcert", "system")], &[]);
        assert!(system.contains("sslmode=verify-full"), "{system}");
    }

    #[test]
    fn files_of_certificates_are_checked_where_they_are_used() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
        std::fs::write(at("key.pem"), "-----BEGIN EC PRIVATE KEY-----\n").unwrap();
        let check = |mode: PgSslMode, root: &str, certificate: Option<&str>, key: Option<&str>| {
            let tls = Tls { mode, root: Some(at(root)), certificate: certificate.map(at), key: key.map(at) };
            tls.check().map_err(|error| error.to_string())
        };
        let (full, require) = (PgSslMode::VerifyFull, PgSslMode::Require);
        assert_eq!(check(full, "ca.pem", Some("ca.pem"), Some("key.pem")), Ok(()));
        assert_eq!(check(PgSslMode::Disable, "none", Some("none"), None), Ok(()));
        assert_eq!(check(require, "none", None, None), Ok(()), "nothing is verified with it");
        let missing = check(full, "none", None, None).unwrap_err();
        assert!(missing.starts_with(&format!("cannot read sslrootcert {}: No such file", at("none"))), "{missing}");
        let directory = check(full, "", None, None).unwrap_err();
        assert!(directory.contains("it is a directory"), "{directory}");
        let swapped = check(full, "ca.pem", Some("ca.pem"), Some("ca.pem")).unwrap_err();
        assert!(swapped.ends_with("it holds no PEM block `PRIVATE KEY`"), "{swapped}");
        assert!(check(require, "ca.pem", Some("ca.pem"), None).unwrap_err().contains("go together"));
        let inline = Some("-----BEGIN PRIVATE KEY-----hush".to_owned());
        let tls = Tls { mode: require, root: None, certificate: Some(at("ca.pem")), key: inline };
        let error = tls.check().unwrap_err().to_string();
        assert!(error.starts_with("sslkey holds a certificate or key") && !error.contains("hush"), "{error}");
    }
}
