//! Connections with TLS: to a PostgreSQL and to a log server with certificates of an authority made here.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use obs_tui::logs::{LogError, LogQuery, LogsConfig, LokiClient};
use obs_tui::postgres::{Cluster, Options};
use obs_tui::recorder::{self, Recorder};
use obs_tui::store::admin::{self, Passwords};
use obs_tui::store::config::Config;
use obs_tui::store::error::StoreError;
use obs_tui::store::read::Reader;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// An authority, and what it signed for the name `localhost`.
struct Certificates {
    authority: String,
    server: rcgen::Certificate,
    key: KeyPair,
}

fn certificates() -> Certificates {
    let mut params = CertificateParams::new(vec!["authority".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    Certificates { authority: authority.pem(), server, key }
}

/// The same database with other parameters, at this host.
fn at(config: &Config, host: &str, parameters: &str) -> Config {
    let url = config.url();
    let (server, _) = url.split_once('?').unwrap();
    Config::from_url(&format!("{}?{parameters}", server.replace("127.0.0.1", host))).unwrap()
}

async fn turn_tls_on(superuser: &Config, certificates: &Certificates) {
    let mut session = PgConnection::connect_with(&superuser.writer_options("test")).await.unwrap();
    for (file, pem) in [("server.crt", certificates.server.pem()), ("server.key", certificates.key.serialize_pem())] {
        // The server writes them itself: they must be its own, and its alone.
        let lines: Vec<String> = pem.lines().map(|line| format!("('{line}')")).collect();
        let copy = format!("COPY (VALUES {}) TO PROGRAM 'umask 077; cat > {file}'", lines.join(","));
        session.execute(AssertSqlSafe(copy)).await.unwrap();
    }
    session.execute("ALTER SYSTEM SET ssl = on").await.unwrap();
    session.execute("SELECT pg_reload_conf()").await.unwrap();
    // New sessions are let in by the postmaster, which reads its configuration in its own time.
    let require = at(superuser, "127.0.0.1", "sslmode=require");
    while let Err(error) = PgConnection::connect_with(&require.writer_options("test")).await {
        assert!(error.to_string().contains("does not support TLS"), "{error}");
        std::thread::yield_now();
    }
}

async fn is_encrypted(config: &Config) -> Result<bool, String> {
    let reader = Reader::new(config.clone());
    let capabilities = reader.capabilities().await.map_err(|error| error.to_string())?;
    reader.close().await;
    Ok(capabilities.server.tls.unwrap())
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    path
}

#[tokio::test]
async fn modes_do_what_they_say_and_errors_say_what_to_do() {
    let cluster = Cluster::start(&Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let superuser = cluster.superuser();
    let roles = admin::create_database(&superuser, "tls", &Passwords::default()).await.unwrap();
    admin::migrate(&roles.admin).await.unwrap();
    let with = |parameters: &str| at(&roles.readonly, "127.0.0.1", parameters);
    let named = |parameters: &str| at(&roles.readonly, "localhost", parameters);

    let error = admin::status(&with("sslmode=require")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("the server does not offer TLS") && text.contains("sslmode=disable (or prefer)"), "{text}");
    assert!(!text.contains("host and port"), "{text}");
    assert_eq!(is_encrypted(&with("sslmode=prefer")).await, Ok(false));
    let recorder = Recorder::new(recorder::Options::new(at(&roles.app, "127.0.0.1", "sslmode=require")));
    recorder.invocation("f").start().finish();
    recorder.flush(std::time::Duration::ZERO);
    while recorder.stats().last_error.is_none() {
        tokio::task::yield_now().await;
    }
    let reported = recorder.stats().last_error.unwrap();
    assert!(reported.contains("the server does not offer TLS") && reported.contains("sslmode=disable"), "{reported}");
    let _ = recorder.shutdown(std::time::Duration::ZERO);

    let certificates = certificates();
    turn_tls_on(&superuser, &certificates).await;
    let folder = tempfile::tempdir().unwrap();
    let root = written(folder.path(), "root.pem", &certificates.authority);
    let root = format!("sslrootcert={}", root.display());
    let other = written(folder.path(), "other.pem", &self::certificates().authority);
    let other = format!("sslrootcert={}", other.display());
    for (config, encrypted) in [
        (with("sslmode=disable"), false),
        (with("sslmode=allow"), true),
        (with("sslmode=prefer"), true),
        (with("sslmode=require"), true),
        (with(""), true),
        (with(&root), true),
        (with(&format!("sslmode=require&{root}")), true),
        (with(&format!("sslmode=verify-ca&{root}")), true),
        (named(&format!("sslmode=verify-full&{root}")), true),
    ] {
        assert_eq!(is_encrypted(&config).await, Ok(encrypted), "{config:?}");
    }
    for config in [
        with(&format!("sslmode=verify-full&{root}")),
        with("sslmode=verify-ca"),
        with(&format!("sslmode=require&{other}")),
        with(&other),
    ] {
        let error = is_encrypted(&config).await.unwrap_err();
        assert!(error.contains("its certificate is not trusted") && error.contains("sslrootcert=FILE"), "{error}");
    }
    let missing = is_encrypted(&with("sslmode=verify-ca&sslrootcert=/nowhere.pem")).await.unwrap_err();
    assert_eq!(missing, "cannot read sslrootcert /nowhere.pem: No such file or directory (os error 2)");
    cluster.stop();
}

/// Answers every handshake with this certificate until the process ends.
fn https_server(certificates: Certificates) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(certificates.key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificates.server.der().clone()], key)
        .unwrap();
    let (listener, config) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(config));
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            // The client leaves in the middle of it.
            let _ = stream.flush();
        }
    });
    port
}

#[tokio::test]
async fn a_log_server_whose_certificate_is_not_trusted_is_not_offline() {
    let port = https_server(certificates());
    let config = LogsConfig::grafana(&format!("https://localhost:{port}"), Some("hunter2"), "uid").unwrap();
    let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let query = LogQuery::around("a", None, start, start + TimeDelta::seconds(1));
    let error = LokiClient::new(config).fetch(&query).await.unwrap_err();
    assert!(matches!(error, LogError::Untrusted(_)) && !error.is_transient(), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("certificate not trusted: Grafana https://localhost:{port}: ")), "{text}");
    assert!(text.contains("UnknownIssuer") && text.contains("SSL_CERT_FILE"), "{text}");
}
