//! The loop around the state: keys, answers, signals and time come in, frames go out.
//!
//! The first frame is drawn before anything is read from network or disk. Then everything that waits is taken in before
//! one frame is drawn, and only what changed is written, at once; ten times a second at the most while nobody types.

mod clipboard;
mod encode;
mod guest;
mod input;
mod keyboard;
mod modelines;
mod pace;
mod programs;
mod screen;
mod signals;
mod terminal;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::app::views::{restore, session, welcome};
use super::app::{App, Settings};
use super::effects::{Effects, kept};
use super::msg::{Cmd, Copied, Form, Msg};
use super::theme::Theme;
use super::update::{start, update};
use crate::clock::Clock;
use crate::logs::{ConfigError, LokiClient};
use crate::store::read::Reader;
use clipboard::Between;
use guest::Guest;
use input::Heard;
use keyboard::Keyboard;
use pace::{Cause, Pace};
use screen::Screen;
use signals::{Caught, Signals};
use terminal::Terminal;

/// How the explorer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was left.
    Left,
    /// This signal ended it; a terminal that is gone counts as SIGHUP.
    Signal(u8),
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub ended: Ended,
    /// Why the session was not kept for the next one, if it was not.
    pub not_kept: Option<String>,
}

/// Why the explorer could not run, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The terminal cannot be used.
    #[error("the explorer cannot use this terminal: {0}. In pipes and scripts use `obs-tui ls` or `obs-tui show`")]
    Terminal(#[from] io::Error),
    /// A part of the program panicked; its message stands above.
    #[error("the explorer ended because of an error in itself, told above; please report it")]
    Panicked,
}

/// SIGHUP.
const HANGUP: Ended = Ended::Signal(1);

/// Asks for the background (OSC 11), and then what every terminal answers: without that answer nobody would know when
/// to stop waiting for the other.
const ASK: &[u8] = b"\x1b]11;?\x1b\\\x1b[c";
/// How long the answer may take; then the terminal gives none.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// How long the end of the explorer waits for an answer that the shell would take for keys.
const LAST_WAIT: Duration = Duration::from_millis(200);
/// Messages that are taken in before a frame at the most.
const MOST_AT_ONCE: usize = 1_000;

/// How the explorer looks and listens.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Colours and characters.
    pub theme: Theme,
    /// Whether the mouse is used.
    pub mouse: bool,
}

/// What came in.
enum Input {
    Heard(Vec<Heard>),
    Answer(Msg),
    Caught(Caught),
    Wake,
    Gone,
    Panic,
}

/// Runs the explorer until it is left. The terminal is given back however it ends, also when the future is dropped.
///
/// # Errors
/// When there is no terminal, or after a panic in any thread.
pub async fn run(
    reader: Reader,
    logs: Result<LokiClient, ConfigError>,
    settings: Settings,
    Options { theme, mouse }: Options,
) -> Result<End, RunError> {
    let clock = Clock::system();
    let get = |name: &str| std::env::var(name).ok();
    let signals = Signals::new()?;
    let keyboard = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let terminal = Terminal::take(mouse)?;
    let session_file = settings.files.session.clone();
    let mut app = App::new(settings, clock.now(), terminal.size()?);
    let mut commands = match session_file.as_deref().and_then(kept::session) {
        Some(session) => restore(&mut app, session),
        None => welcome(&mut app),
    };
    for text in std::mem::take(&mut app.settings.warnings) {
        app.complain(text);
    }
    let mut screen = Screen::new();
    let mut frame = screen.draw(&app, &theme);
    // The console of Linux has no such question.
    let asks = theme.wants_background() && get("TERM").is_some_and(|term| term != "linux");
    if asks {
        frame.extend_from_slice(ASK);
    }
    if terminal.write(&frame).is_err() {
        return Ok(End { ended: HANGUP, not_kept: None });
    }

    let keyboard = Keyboard::start(keyboard, asks)?;
    let (answer_sender, answers) = unbounded_channel();
    let stale_after = app.settings.stale_after;
    let effects = Effects::new(reader, logs.map_err(Into::into), stale_after, clock.clone(), answer_sender);
    commands.extend(start(&mut app));
    let asked = asks.then(|| clock.elapsed());
    let (between, pace, guest) = (Between::from_env(get), Pace::default(), None);
    let mut running = Running { app, theme, terminal, screen, effects, clock, between, pace, guest, asked };
    running.execute(commands);
    let mut incoming = Incoming { keyboard, answers, signals };
    let ended = running.until_the_end(&mut incoming).await;
    // A session that cannot be kept is no reason to end otherwise.
    let not_kept = session_file.and_then(|file| {
        let error = kept::keep_session(&file, &session(&running.app)).err()?;
        Some(format!("the session was not kept: nothing written to {}: {error}", file.display()))
    });
    if ended.as_ref().is_ok_and(|ended| *ended == Ended::Left) {
        running.hear_the_answer(&mut incoming.keyboard).await;
    }
    ended.map(|ended| End { ended, not_kept })
}

struct Running {
    app: App,
    theme: Theme,
    terminal: Terminal,
    screen: Screen,
    effects: Effects,
    clock: Clock,
    between: Between,
    pace: Pace,
    /// What another program is to show next.
    guest: Option<Guest>,
    /// When the terminal was asked for its background, until it answered.
    asked: Option<Duration>,
}

struct Incoming {
    keyboard: Keyboard,
    answers: UnboundedReceiver<Msg>,
    signals: Signals,
}

impl Running {
    async fn until_the_end(&mut self, incoming: &mut Incoming) -> Result<Ended, RunError> {
        self.pace.want(Cause::Input);
        loop {
            // A terminal that cannot be written to is gone.
            if self.draw_if_due().is_err() {
                return Ok(HANGUP);
            }
            let mut input = self.wait(incoming).await;
            for _ in 0..MOST_AT_ONCE {
                match input {
                    Input::Answer(_) => self.pace.want(Cause::Answers),
                    // Perhaps for a frame that waits already: that is no cause of another one.
                    Input::Wake => {}
                    _ => self.pace.want(Cause::Input),
                }
                match input {
                    Input::Heard(heard) => self.hear(heard),
                    Input::Answer(msg) => self.answered(msg),
                    Input::Wake => self.tick_if_due(),
                    Input::Gone => return Ok(HANGUP),
                    Input::Panic => return Err(RunError::Panicked),
                    Input::Caught(Caught::End(number)) => return Ok(Ended::Signal(number)),
                    Input::Caught(Caught::Resized) => self.resized()?,
                    Input::Caught(Caught::Suspended) => self.suspend(),
                    Input::Caught(Caught::Continued) => self.go_on()?,
                }
                if self.app.quit {
                    return Ok(Ended::Left);
                }
                input = match (incoming.keyboard.heard.try_recv(), incoming.answers.is_empty()) {
                    (Ok(heard), _) => Input::Heard(heard),
                    (Err(_), true) => break,
                    (Err(_), false) => match incoming.answers.try_recv() {
                        Ok(msg) => Input::Answer(msg),
                        Err(_) => break,
                    },
                };
            }
            if let Some(guest) = self.guest.take()
                && let Some(ended) = self.be_host(incoming, &guest).await?
            {
                return Ok(ended);
            }
        }
    }

    /// Sleeps until something comes in, or a frame is due: keys before anything else.
    async fn wait(&self, incoming: &mut Incoming) -> Input {
        let tick = self.app.wake_at().map(|at| (at - self.clock.now()).to_std().unwrap_or_default());
        let frame = self.pace.wait(self.clock.elapsed());
        let until = tick.into_iter().chain(frame).min();
        let wake = async {
            match until {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = terminal::PANIC.notified() => Input::Panic,
            heard = incoming.keyboard.heard.recv() => heard.map_or(Input::Gone, Input::Heard),
            caught = incoming.signals.next() => Input::Caught(caught),
            Some(msg) = incoming.answers.recv() => Input::Answer(msg),
            () = wake => Input::Wake,
        }
    }

    fn draw_if_due(&mut self) -> io::Result<()> {
        let now = self.clock.elapsed();
        if self.pace.wait(now) != Some(Duration::ZERO) {
            return Ok(());
        }
        self.pace.drawn(now);
        let bytes = self.screen.draw(&self.app, &self.theme);
        let drawn = self.clock.elapsed();
        let written = self.terminal.write(&bytes);
        let took = self.clock.elapsed().saturating_sub(drawn);
        // The next frame tells it, where somebody looks.
        self.app.traffic.add(bytes.len(), drawn.saturating_sub(now), took);
        self.pace.wrote(took);
        written
    }

    /// Tells the state how late it is.
    fn tick(&mut self) {
        let commands = update(&mut self.app, Msg::Tick(self.clock.now()));
        self.execute(commands);
    }

    /// The loop woke for the state, or for a frame only.
    fn tick_if_due(&mut self) {
        if self.app.wake_at().is_some_and(|at| at <= self.clock.now()) {
            self.pace.want(Cause::Input);
            self.tick();
        }
    }

    /// Tells the state how late it is, if it does not know roughly. Knowing it exactly would move the clock and all that
    /// grows with every key and every answer.
    fn tick_if_late(&mut self) {
        if self.clock.now() - self.app.now > self.app.settings.poll_every {
            self.tick();
        }
    }

    fn answered(&mut self, msg: Msg) {
        self.tick_if_late();
        let commands = update(&mut self.app, msg);
        self.execute(commands);
    }

    fn hear(&mut self, heard: Vec<Heard>) {
        self.tick_if_late();
        for heard in heard {
            let msg = match heard {
                Heard::Key(key) => Msg::Key(key),
                Heard::Mouse(mouse) => Msg::Mouse(mouse),
                Heard::Paste(text) => Msg::Paste(text),
                Heard::Background { light } => {
                    self.theme = self.theme.on_background(light);
                    continue;
                }
                Heard::Answered => {
                    self.asked = None;
                    continue;
                }
            };
            let commands = update(&mut self.app, msg);
            self.execute(commands);
        }
    }

    /// Waits for what the terminal still has to answer: after the end the shell would take it for keys.
    async fn hear_the_answer(&mut self, keyboard: &mut Keyboard) {
        let owed = self.asked.is_some_and(|asked| self.clock.elapsed().saturating_sub(asked) < ANSWERS_WITHIN);
        let answer = async {
            while let Some(heard) = keyboard.heard.recv().await {
                if heard.contains(&Heard::Answered) {
                    break;
                }
            }
        };
        if owed {
            // Whether it came or not, this is the end.
            let _ = tokio::time::timeout(LAST_WAIT, answer).await;
        }
    }

    fn execute(&mut self, commands: Vec<Cmd>) {
        for command in commands {
            match command {
                Cmd::Redraw => self.screen.forget(),
                // The whole job stops, as the shell expects; our part of it is `suspend`.
                Cmd::Suspend => {
                    if let Err(error) = kill_current_process_group(Signal::TSTP) {
                        self.app.complain(format!("cannot stop: {error}"));
                    }
                }
                Cmd::Copy(copied) => {
                    let told = clipboard::copy(&self.terminal, &copied, self.between);
                    update(&mut self.app, Msg::Told(told));
                }
                Cmd::CopyLink(query) => {
                    let link = self.effects.link(&query);
                    let copied = link.map(|link| Copied::new(Form::Value, &link, "link to Grafana"));
                    let told = copied.and_then(|copied| clipboard::copy(&self.terminal, &copied, self.between));
                    update(&mut self.app, Msg::Told(told));
                }
                Cmd::Open(document, program) => self.guest = Some(Guest::Text(document, program)),
                Cmd::EditKeys(file) => self.guest = Some(Guest::Keys(file)),
                Cmd::Performance => {
                    let told = Msg::Performance(programs::memory(), self.pace.apart());
                    update(&mut self.app, told);
                }
                command => self.effects.run(command),
            }
        }
    }

    fn resized(&mut self) -> Result<(), RunError> {
        let (columns, rows) = self.terminal.size()?;
        let commands = update(&mut self.app, Msg::Resize(columns, rows));
        self.execute(commands);
        Ok(())
    }

    /// Gives the terminal back and stops until SIGCONT.
    fn suspend(&mut self) {
        self.terminal.give_back();
        if let Err(error) = kill_process(getpid(), Signal::STOP) {
            self.app.complain(format!("cannot stop: {error}"));
        }
    }

    /// Takes the terminal again, and draws everything: what it shows and how large it is may have changed.
    fn go_on(&mut self) -> Result<(), RunError> {
        self.terminal.take_again()?;
        self.screen.forget();
        self.tick();
        self.resized()
    }
}
