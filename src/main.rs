//! The `tidings` program: the command line of the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_secrets_out_of_core_dumps();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tidings: could not start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(tidings::cli::run());
    // Not waiting: who interrupts a long ranking is not to wait for its end.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Passwords and addresses are in our memory. Where the system does not allow this, nothing is worse than before.
fn keep_secrets_out_of_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
    }
    // Programs that take core dumps over a pipe are not held by the limit.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
