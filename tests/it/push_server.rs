//! A server on loopback that takes pushed lines as Loki does: it checks the request, answers 204 or what it was told.
#![expect(clippy::unwrap_used, reason = "a test ends where its server fails")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What the server does with a request, instead of taking it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// A status line with these headers.
    Status(&'static str, &'static str),
    /// No answer at all.
    Silence,
}

/// Labels, nanoseconds, line.
pub(crate) type Line = (Value, i64, Value);

#[derive(Default)]
struct State {
    replies: VecDeque<Reply>,
    /// Of every request.
    headers: Vec<BTreeMap<String, String>>,
    lines: Vec<Line>,
}

pub(crate) struct PushServer {
    url: String,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

impl Drop for PushServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PushServer {
    /// The first requests are answered like this, all others are taken.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { replies: replies.into_iter().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state, task: task.abort_handle() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The lines that were taken.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.state.lock().unwrap().lines.clone()
    }

    /// The headers of every request, names in lower case.
    pub(crate) fn requests(&self) -> Vec<BTreeMap<String, String>> {
        self.state.lock().unwrap().headers.clone()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = read(&mut stream, &mut buffer).await {
        let mut lines = head.lines();
        let request = lines.next().unwrap().to_owned();
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let reply = {
            let mut state = state.lock().unwrap();
            state.headers.push(headers);
            state.replies.pop_front()
        };
        let answer = match reply {
            Some(Reply::Silence) => std::future::pending().await,
            Some(Reply::Status(status, headers)) => {
                format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 6\r\n\r\nreason")
            }
            None if request != "POST /loki/api/v1/push HTTP/1.1" => {
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into()
            }
            None => match accept(&body) {
                // As Loki: an unacceptable line is refused, the others of the request are taken.
                Ok((good, bad)) => {
                    let mut state = state.lock().unwrap();
                    for line in good {
                        if !state.lines.contains(&line) {
                            state.lines.push(line);
                        }
                    }
                    let status = if bad { "400 Bad Request" } else { "204 No Content" };
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
                }
                Err(problem) => {
                    format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{problem}", problem.len())
                }
            },
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The lines of a body, and whether there are some that are too old.
fn accept(body: &[u8]) -> Result<(Vec<Line>, bool), String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let (mut good, mut bad) = (Vec::new(), false);
    for stream in body["streams"].as_array().ok_or("no streams")? {
        let labels = stream["stream"].as_object().ok_or("no labels")?;
        if labels.is_empty() || labels.values().any(|value| !value.is_string()) {
            return Err("labels are texts".to_owned());
        }
        for value in stream["values"].as_array().ok_or("no values")? {
            let at = value[0].as_str().and_then(|at| at.parse().ok()).ok_or("no nanoseconds")?;
            let line = value[1].as_str().ok_or("no line")?;
            if line.contains("too old") {
                bad = true;
            } else {
                good.push((
                    stream["stream"].clone(),
                    at,
                    serde_json::from_str(line).map_err(|error| error.to_string())?,
                ));
            }
        }
    }
    Ok((good, bad))
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..at]).into_owned();
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let end = at + 4 + length.unwrap_or(0_usize);
            if buffer.len() >= end {
                let body = buffer[at + 4..end].to_vec();
                buffer.drain(..end);
                return Some((head, body));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
