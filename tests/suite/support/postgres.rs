//! A throw-away PostgreSQL, which ends with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A server with one empty database.
pub(crate) struct Postgres {
    folder: String,
    script: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Postgres {
    /// Starts one. In CI its absence is a failure; elsewhere the test is skipped, and says so.
    pub(crate) fn start() -> Option<Self> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/suite/support/postgres.sh"
        );
        let mut script = Command::new("sh")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = script.stdin.take();
        let mut output = BufReader::new(script.stdout.take().unwrap());
        let mut folder = String::new();
        output.read_line(&mut folder).unwrap();
        if folder.is_empty() {
            let _ = script.wait();
            assert!(
                std::env::var_os("CI").is_none(),
                "CI needs PostgreSQL (Debian: postgresql)"
            );
            // Not `eprintln!`, which the test harness would hide.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED a test: it needs PostgreSQL (Debian: postgresql)"
            );
            return None;
        }
        Some(Self {
            folder: folder.trim().to_owned(),
            script,
            input,
            output,
        })
    }

    /// The address of a database, for a configuration. One, `postgres`, is there.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://tidings@localhost/{database}?host={}",
            self.folder
        )
    }

    /// Restarts it, as an operator does; returns when it takes connections again.
    pub(crate) fn restart(&mut self) {
        let input = self.input.as_mut().unwrap();
        input.write_all(b"restart\n").unwrap();
        let mut done = String::new();
        self.output.read_line(&mut done).unwrap();
        assert_eq!(done.trim(), "restarted");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The script stops the server when there is nothing more to read.
        drop(self.input.take());
        let _ = self.script.wait();
    }
}
