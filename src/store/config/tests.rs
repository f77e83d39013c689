//! Tests of reading and writing database URLs.
use proptest::prelude::*;

use super::*;

fn refused(url: &str) -> String {
    Config::from_url(url).unwrap_err().to_string()
}

#[test]
fn a_full_url_is_read() {
    let config =
        Config::from_url("postgresql://me%40home:p%2Fw@db.example.com:6543/my%20db?sslmode=require&schema=obs")
            .unwrap();
    assert_eq!((config.host.as_str(), config.port, config.database.as_str()), ("db.example.com", 6543, "my db"));
    assert_eq!((config.user.as_str(), config.schema.as_str()), ("me@home", "obs"));
    assert_eq!(config.password.as_ref().map(Secret::reveal), Some("p/w"));
    assert_eq!(config.to_string(), "me@home@db.example.com:6543/my db");
    assert_eq!(Config::from_url(&config.url()).unwrap(), config);
}

#[test]
fn what_is_left_out_has_a_default() {
    let config = Config::from_url("postgres://me@").unwrap();
    assert_eq!(config.to_string(), "me@localhost:5432/event_detector_observability");
    assert_eq!((config.schema.as_str(), config.password), ("public", None));
}

#[test]
fn sockets_and_ipv6_are_read() {
    let socket = Config::from_url("postgres://me@/db?host=/var/run/pg&port=5433").unwrap();
    assert_eq!((socket.host.as_str(), socket.port), ("/var/run/pg", 5433));
    assert_eq!(Config::from_url("postgres://me@%2Fvar%2Frun%2Fpg:5433/db").unwrap(), socket);
    assert_eq!(socket.reader_options().get_socket().map(|path| path.display().to_string()), Some("/var/run/pg".into()));
    let ipv6 = Config::from_url("postgres://me@[::1]:5433/db").unwrap();
    assert_eq!((ipv6.host.as_str(), ipv6.port, ipv6.to_string().as_str()), ("::1", 5433, "me@[::1]:5433/db"));
    assert_eq!(Config::from_url(&ipv6.url()).unwrap(), ipv6);
}

#[test]
fn a_password_is_never_shown() {
    let config = Config::from_url("postgres://me:hush@h/db").unwrap();
    let shown = format!("{config:?} {config} {:?}", Config::from_url("postgres://me:hush@h:x/db").unwrap_err());
    assert!(!shown.contains("hush"), "{shown}");
    assert!(config.url().contains("hush"));
}

#[test]
fn wrong_urls_are_explained() {
    assert!(refused("mysql://me@h/db").contains("begins with postgres://"));
    assert!(refused("postgres://h/db").contains("names no user"));
    assert!(refused("postgres://me@h:99999/db").contains("port"));
    assert!(refused("postgres://me@h,g/db").contains("several hosts"));
    assert!(refused("postgres://me:50%off@h/db").contains("%25"));
    assert!(refused("postgres://me@h/db?options=-c%20x").contains("`options`"));
    assert!(refused("postgres://me@h/db?sslmode=sometimes").contains("verify-full"));
    assert!(refused("postgres://me@h/db?schema=").contains("schema"));
    // Which of two would count, no two programs agree on.
    for twice in [
        "sslmode=require&sslmode=disable",
        "ssl=true&sslmode=disable",
        "sslmode=require&ssl=false",
        "sslcert=a&sslcert=b",
    ] {
        let told = refused(&format!("postgres://me@h/db?{twice}"));
        assert!(told.contains("twice, or both ssl and sslmode; remove one"), "{told}");
    }
}

#[test]
fn that_a_session_is_encrypted_is_said_where_it_is_known() {
    for (host, mode, says_server, said) in [
        ("db.example.com", "require", Some(false), Some(true)),
        ("db.example.com", "disable", Some(true), Some(false)),
        ("db.example.com", "prefer", Some(true), None),
        ("db.example.com", "prefer", Some(false), Some(false)),
        ("db.example.com", "prefer", None, None),
        ("127.0.0.1", "require", Some(true), None),
    ] {
        let config = Config::from_url(&format!("postgres://me@{host}/db?sslmode={mode}")).unwrap();
        assert_eq!(config.is_encrypted(says_server), said, "{host} {mode} {says_server:?}");
    }
}

#[test]
fn words_of_other_clients_for_tls_are_understood() {
    for (url, mode) in [("ssl=true", "require"), ("sslmode=no-verify", "require"), ("ssl=false", "disable")] {
        let config = Config::from_url(&format!("postgres://me@h/db?{url}")).unwrap();
        assert!(config.url().ends_with(&format!("?sslmode={mode}")), "{}", config.url());
    }
}

#[test]
fn variables_are_read() {
    let read = |pairs: &[(&str, &str)]| {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(key, value)| (format!("OBSERVABILITY_DB_{key}"), (*value).to_owned())).collect();
        Config::from_variables(|name| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
    };
    assert_eq!(read(&[]).unwrap(), None);
    let parts = [("HOST", "h"), ("PORT", "1"), ("NAME", "n"), ("USER", "u"), ("PASSWORD", "a/b"), ("SCHEMA", "s")];
    let config = read(&parts).unwrap().unwrap();
    assert_eq!((config.to_string().as_str(), config.schema.as_str()), ("u@h:1/n", "s"));
    assert_eq!(config.password.as_ref().map(Secret::reveal), Some("a/b"));
    let url = read(&[("URL", "postgres://u@h/n"), ("SCHEMA", "s"), ("HOST", "other")]).unwrap().unwrap();
    assert_eq!((url.host.as_str(), url.schema.as_str()), ("h", "s"));
    assert!(read(&[("HOST", "h")]).unwrap_err().to_string().contains("OBSERVABILITY_DB_USER"));
}

#[test]
fn a_reader_only_reads_and_does_not_wait() {
    let config = Config::from_url("postgres://me:x@h/db?schema=my%20%22schema").unwrap();
    let options = config.reader_options().get_options().unwrap_or_default().to_owned();
    for setting in ["default_transaction_read_only=on", "statement_timeout=5s", "lock_timeout=2s"] {
        assert!(options.contains(setting), "{options}");
    }
    // Nobody but PostgreSQL itself makes what a name without a schema stands for.
    assert!(options.contains("search_path=pg_catalog,pg_temp "), "{options}");
}

proptest! {
    #[test]
    fn any_text_survives_the_url(user in "[^\0]{1,8}", word in "[^\0]{0,8}", database in "[^\0]{1,8}", schema in "[^\0]{1,8}") {
        let config = Config::local(5432, &database, &user, Secret::new(word)).with_schema(&schema);
        prop_assert_eq!(Config::from_url(&config.url()).unwrap(), config);
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = Config::from_url(&text);
        let _ = Config::from_url(&format!("postgres://{text}"));
    }
}
