//! `obs-tui`: arguments → command → exit code.

use std::process::ExitCode;

use obs_tui::cli;

fn main() -> ExitCode {
    cli::tell_panics();
    let args = match cli::arguments() {
        Ok(args) => args,
        Err(exit) => return ExitCode::from(exit.code()),
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
