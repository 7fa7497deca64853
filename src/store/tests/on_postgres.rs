//! A store in a throw-away PostgreSQL, which all tests share; each has a database of its own.

#[expect(clippy::duplicate_mod, reason = "once for each engine")]
#[path = "contract/mod.rs"]
mod contract;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::super::{Store, StoreUrl};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/suite/support/postgres.sh"
);

/// The folder of the server's socket. The server ends with this process, as its script reads from it.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<(Child, String)>> = OnceLock::new();
    let started = SERVER.get_or_init(|| {
        let script = Command::new("sh")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut script = script.unwrap();
        let mut folder = String::new();
        let mut output = BufReader::new(script.stdout.take().unwrap());
        output.read_line(&mut folder).unwrap();
        if folder.is_empty() {
            let _ = script.wait();
            assert!(
                std::env::var_os("CI").is_none(),
                "CI needs PostgreSQL (Debian: postgresql)"
            );
            return None;
        }
        Some((script, folder.trim().to_owned()))
    });
    if started.is_none() {
        // Not `eprintln!`, which the test harness would hide.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a test: it needs PostgreSQL (Debian: postgresql)"
        );
    }
    started.as_ref().map(|(_, folder)| folder.as_str())
}

/// A database of its own.
pub(super) struct Place {
    url: url::Url,
}

impl Place {
    pub(super) async fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let folder = server()?;
        let address =
            |database: &str| format!("postgres://tidings@localhost/{database}?host={folder}");
        let name = format!("store{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        sqlx::any::install_default_drivers();
        let mut server = sqlx::AnyConnection::connect(&address("postgres"))
            .await
            .unwrap();
        server
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .unwrap();
        let url = address(&name).parse().unwrap();
        Some(Self { url })
    }

    pub(super) fn url(&self) -> StoreUrl {
        StoreUrl::Postgres(Box::new(self.url.clone()))
    }

    pub(super) async fn open(&self) -> Store {
        Store::open(&self.url(), "test").await.unwrap()
    }
}
