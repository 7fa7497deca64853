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

    /// Neither and, where there is one, a server: for tests that hold on both engines.
    pub(crate) fn and_without() -> impl Iterator<Item = Option<Self>> {
        std::iter::once(None).chain(Self::start().map(Some))
    }

    /// The address of a database, for a configuration. One, `postgres`, is there.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://tidings@localhost/{database}?host={}",
            self.folder
        )
    }

    /// Tells it something, as its administrator does.
    pub(crate) fn sql(&self, statement: &'static str) {
        self.ask(async |connection| {
            sqlx::Executor::execute(connection, statement)
                .await
                .unwrap();
        });
    }

    /// Waits until a question is answered with yes.
    pub(crate) fn wait_until(&self, question: &'static str) {
        self.ask(async |connection| {
            let started = std::time::Instant::now();
            while !sqlx::query_scalar::<_, bool>(question)
                .fetch_one(&mut *connection)
                .await
                .unwrap()
            {
                assert!(started.elapsed().as_secs() < 60, "{question}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
    }

    fn ask(&self, work: impl AsyncFnOnce(&mut sqlx::AnyConnection)) {
        sqlx::any::install_default_drivers();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let url = self.url("postgres");
            let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&url)
                .await
                .unwrap();
            // Its own idling is nobody's business.
            sqlx::Executor::execute(&mut connection, "SET idle_session_timeout = 0")
                .await
                .unwrap();
            work(&mut connection).await;
        });
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
