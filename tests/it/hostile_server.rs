//! A server that breaks in the middle: between the explorer or a command and the real PostgreSQL stands a program that
//! answers the list as it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use obs_tui::store::config::Config;
use sqlx::Executor;

use crate::cli::{binary, command};
use crate::common;
use crate::pty::Terminal;

/// How the list is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// By PostgreSQL.
    Honest,
    /// With a description of parameters that ends too early.
    Malformed,
    /// With the head of a message of 2 GB, and then as much as is taken.
    Endless,
    /// With notices without end.
    Notices,
}

const ALL: [Answer; 4] = [Answer::Honest, Answer::Malformed, Answer::Endless, Answer::Notices];
/// What the request for the list holds.
const LIST: &[u8] = b"with i as materialized";

struct Proxy {
    config: Config,
    answer: Arc<AtomicU8>,
}

impl Proxy {
    fn start(server: &Config, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = server.url().replace(&format!(":{}/", server.port), &format!(":{port}/"));
        let config = Config::from_url(&url).unwrap();
        assert_eq!(config.port, port);
        let proxy = Self { config, answer: Arc::default() };
        proxy.set(answer);
        let (answer, server) = (proxy.answer.clone(), (server.host.clone(), server.port));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect((server.0.as_str(), server.1)).unwrap();
                std::thread::spawn({
                    let answer = answer.clone();
                    move || forward(client, server, &answer)
                });
            }
        });
        proxy
    }

    fn set(&self, answer: Answer) {
        self.answer.store(ALL.iter().position(|other| *other == answer).unwrap() as u8, Ordering::SeqCst);
    }
}

/// Until one of both hangs up.
fn forward(mut client: TcpStream, mut server: TcpStream, answer: &AtomicU8) {
    let (mut to_client, mut from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        // Either may be gone already.
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let (mut buffer, mut listed) = ([0; 65_536], false);
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let asked = &buffer[..count];
        listed |= asked.windows(LIST.len()).any(|window| window == LIST);
        let answer = ALL[usize::from(answer.load(Ordering::SeqCst))];
        let is_first = asked.windows(LIST.len()).any(|window| window == LIST);
        // A statement that is known to the server is asked for without its text.
        if answer != Answer::Honest && (is_first || listed && answer == Answer::Endless) {
            lie(&mut client, answer);
            let _ = client.shutdown(Shutdown::Both);
        } else if server.write_all(asked).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// Answers in another way than PostgreSQL; an error means that nobody listens any more.
fn lie(client: &mut TcpStream, answer: Answer) {
    let _ = client.write_all(&message(b'1', b""));
    match answer {
        Answer::Honest => {}
        Answer::Malformed => drop(client.write_all(&message(b't', &[0, 9]))),
        Answer::Endless => {
            let zeros = vec![0; 1 << 20];
            let mut written = client.write_all(&[b'T', 0x7f, 0xff, 0xff, 0xff]);
            while written.is_ok() {
                written = client.write_all(&zeros);
            }
        }
        Answer::Notices => {
            let notices = message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0").repeat(10_000);
            while client.write_all(&notices).is_ok() {}
        }
    }
}

/// The greatest amount of memory that a program has used, as long as it can be asked.
fn peak(child: &mut Child) -> usize {
    let mut peak = 0;
    let status = format!("/proc/{}/status", child.id());
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) * 1024);
        std::thread::yield_now();
    }
    peak
}

#[tokio::test]
async fn a_command_ends_with_an_error_and_little_memory_whatever_the_server_sends() {
    let db = common::database("hostile_command").await;
    common::load_foreign(&db).await;
    for (answer, code, text) in [
        (Answer::Honest, 0, ""),
        (Answer::Malformed, 2, "the answer could not be read"),
        (Answer::Endless, 4, "more than 256 MB for one answer"),
        (Answer::Notices, 4, "no answer within 10 s"),
    ] {
        let proxy = Proxy::start(&db.readonly, answer);
        let mut child = command(&proxy.config.url(), &["ls", "--all"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let peak = peak(&mut child);
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.contains(text)), (Some(code), true), "{answer:?}: {error}");
        assert!(!error.contains("panicked") && error.lines().count() <= 1, "{error}");
        println!("{answer:?}: {} MB at the most, {error}", peak >> 20);
        assert!(peak < 700 << 20, "{answer:?}: {peak} bytes");
    }
}

#[tokio::test]
async fn the_explorer_goes_on_after_an_answer_that_makes_the_driver_panic() {
    let db = common::database("hostile_explorer").await;
    common::load_foreign(&db).await;
    let proxy = Proxy::start(&db.readonly, Answer::Honest);
    let mut terminal = Terminal::start(&binary(), &[], &[("OBSERVABILITY_DB_URL", &proxy.config.url())], (120, 36));
    terminal.wait_for("event-handlers");
    for answer in [Answer::Malformed, Answer::Endless] {
        proxy.set(answer);
        terminal.press("r");
        terminal.wait_until("what happened", |screen| {
            screen.contains("could not be read") || screen.contains("256 MB") || screen.contains("offline")
        });
        assert!(terminal.screen().contains("event-handlers"), "the rows stay:\n{}", terminal.screen());
        proxy.set(Answer::Honest);
        let mut session = common::session(&db.superuser).await;
        let name = format!("after-{answer:?}");
        let sql = format!(
            "insert into invocations (id, source_function, source_event_payload, status) \
             values (gen_random_uuid(), '{name}', '{{}}', 'completed')"
        );
        session.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        terminal.press("r");
        terminal.wait_for(&name);
    }
    assert!(!String::from_utf8_lossy(&terminal.written).contains("panicked"));
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}
