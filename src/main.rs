//! The `tidings` program: the command line of the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tidings: the system gives no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(tidings::cli::run());
    // Not waiting: who interrupts a long ranking is not to wait for its end.
    runtime.shutdown_background();
    ExitCode::from(code)
}
