//! A terminal for the real binary: a pty, and a screen that understands what is written to it.
#![expect(clippy::disallowed_methods, clippy::panic, reason = "a test that waits must give up at some time")]

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A program in a terminal.
pub(crate) struct Terminal {
    pub(crate) parser: vt100::Parser,
    /// Every byte that the program wrote.
    pub(crate) written: Vec<u8>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    bytes: Receiver<Vec<u8>>,
    before: String,
}

impl Terminal {
    /// Starts a program in a terminal of so many columns and rows.
    pub(crate) fn start(
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        (columns, rows): (u16, u16),
    ) -> Self {
        Self::start_in(&std::env::temp_dir(), program, arguments, environment, (columns, rows))
    }

    /// Starts a program with this working directory.
    pub(crate) fn start_in(
        folder: &Path,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        (columns, rows): (u16, u16),
    ) -> Self {
        let pty = native_pty_system()
            .openpty(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 })
            .expect("a pty");
        let before = format!("{:?}", pty.master.get_termios());
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for name in [
            "NO_COLOR",
            "COLORTERM",
            "TMUX",
            "STY",
            "LC_ALL",
            "OBSERVABILITY_DB_URL",
            "GRAFANA_URL",
            "LOKI_URL",
            "PAGER",
            "EDITOR",
            "VISUAL",
            "SSH_TTY",
            "SSH_CONNECTION",
        ] {
            command.env_remove(name);
        }
        // The configuration of whoever runs the tests is not theirs.
        command.env("XDG_CONFIG_HOME", "/nonexistent");
        // No folder at all: what a session leaves would meet the next test.
        command.env("XDG_STATE_HOME", "/dev/null");
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).expect("the program starts");
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().expect("a reader");
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let writer = pty.master.take_writer().expect("a writer");
        let parser = vt100::Parser::new(rows, columns, 0);
        let (master, writer) = (Some(pty.master), Some(writer));
        Self { parser, written: Vec::new(), master, writer, child, bytes, before }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        let writer = self.writer.as_mut().expect("a terminal");
        writer.write_all(keys.as_bytes()).expect("the terminal takes keys");
        writer.flush().expect("the terminal takes keys");
    }

    /// Changes the size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.claim(columns, rows);
        self.parser.screen_mut().set_size(rows, columns);
    }

    /// Has the terminal claim a size that the test's screen does not have.
    pub(crate) fn claim(&mut self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().expect("a terminal").resize(size).expect("another size");
    }

    /// The process id of the program.
    pub(crate) fn pid(&self) -> u32 {
        self.child.process_id().expect("a process id")
    }

    /// The text on the screen.
    pub(crate) fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    /// Reads until the screen is as wanted; the screen is in the panic's message otherwise.
    pub(crate) fn wait_until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.screen()) {
            match self.bytes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => {
                    let ended = error == RecvTimeoutError::Disconnected;
                    panic!("never saw {what} (program ended: {ended}):\n{}", self.screen())
                }
            }
        }
    }

    /// Reads until this text is on the screen.
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("{text:?}"), |screen| screen.contains(text));
    }

    /// Reads until this has been written, shown or not.
    pub(crate) fn wait_for_bytes(&mut self, wanted: &str) {
        self.wait_for_bytes_again(wanted, 1);
    }

    /// Reads until this has been written so many times since the start, shown or not.
    pub(crate) fn wait_for_bytes_again(&mut self, wanted: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while String::from_utf8_lossy(&self.written).matches(wanted).count() < times {
            match self.bytes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(_) => panic!("{wanted:?} was never written:\n{}", self.screen()),
            }
        }
    }

    /// Reads what is written within this time, for a screen that may or may not change.
    pub(crate) fn settle(&mut self, quiet: Duration) {
        while let Ok(bytes) = self.bytes.recv_timeout(quiet) {
            self.take(&bytes);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.written.extend_from_slice(bytes);
    }

    /// Takes the terminal away, as a window that is closed does, and waits for the end of the program.
    pub(crate) fn hang_up(mut self) -> ExitStatus {
        self.writer = None;
        self.master = None;
        // The thread that reads holds the terminal until the program writes once more.
        self.bytes = channel().1;
        self.child.wait().expect("the program ends")
    }

    /// Waits for the end of the program and tells how it ended and what of the terminal it did not restore.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<&'static str>, Self) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(bytes) = self.bytes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.take(&bytes);
        }
        let status = self.child.wait().expect("the program ends");
        let screen = self.parser.screen();
        let modes = self.master.as_ref().map(|master| format!("{:?}", master.get_termios()));
        let mut left = Vec::new();
        for (what, is_left) in [
            ("alternate screen", screen.alternate_screen()),
            ("hidden cursor", screen.hide_cursor()),
            ("bracketed paste", screen.bracketed_paste()),
            ("mouse", screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None),
            ("terminal modes", modes.is_some_and(|modes| modes != self.before)),
        ] {
            if is_left {
                left.push(what);
            }
        }
        (status, left, self)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already unless a test failed.
        let _ = self.child.kill();
    }
}
