//! `obs-tui`: arguments → command → exit code.

use std::process::ExitCode;

use clap::Parser;
use obs_tui::cli::{self, args::Args};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        // Help, version, or what is wrong with the arguments.
        Err(answer) => {
            return match answer.print() {
                Ok(()) => ExitCode::from(if answer.use_stderr() { cli::Exit::Usage } else { cli::Exit::Ok }.code()),
                Err(error) => ExitCode::from(cli::unwritten(error).code()),
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(cli::run(args));
            // A query that is still on its way must not hold up the end.
            runtime.shutdown_background();
            ExitCode::from(exit.code())
        }
        Err(error) => {
            cli::complain(&format!("cannot start: {error}"));
            ExitCode::from(cli::Exit::Usage.code())
        }
    }
}
