//! The `tidings` program: the command line of the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ExitCode::from(tidings::cli::run().await)
}
