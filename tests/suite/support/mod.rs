//! What the tests share: a project folder, the program, a feed server and a mail receiver.

mod clients;
mod dns;
mod feeds;
mod machine;
mod mail;
mod pages;
mod postgres;
mod smtp;
mod studio;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) use clients::{Found, browse, check, read_along, spam_score};
pub(crate) use dns::Dns;
pub(crate) use feeds::FeedServer;
pub(crate) use machine::{EDQUOT, EIO, ENOSPC, Fault, Machine};
pub(crate) use mail::{Receiver, inspect};
pub(crate) use pages::{Pages, Subscriber};
pub(crate) use postgres::Postgres;
pub(crate) use smtp::{Manners, Smtp};
pub(crate) use studio::Studio;

/// The moment at which all tests take place: Friday, 20 November 2026, five past seven in Berlin.
pub(crate) const NOW: &str = "2026-11-20T07:05:00+01:00";

/// A folder with a configuration, and the program to run in it.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

/// How a run of the program ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    /// A project with this configuration.
    pub(crate) fn with_config(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        Self { folder }
    }

    /// The project as it is shipped: `config.toml` and `samples/`.
    pub(crate) fn shipped() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project =
            Self::with_config(&std::fs::read_to_string(root.join("config.toml")).unwrap());
        std::fs::create_dir(project.path("samples")).unwrap();
        for sample in std::fs::read_dir(root.join("samples")).unwrap() {
            let sample = sample.unwrap();
            std::fs::copy(
                sample.path(),
                project.path("samples").join(sample.file_name()),
            )
            .unwrap();
        }
        project
    }

    /// Another configuration for the store, the feeds and the mails of `other`.
    pub(crate) fn beside(other: &Self) -> Self {
        let config = std::fs::read_to_string(other.path("config.toml")).unwrap();
        let project = Self::with_config(&config);
        let at = |name: &str| other.path(name).display().to_string();
        let config = project.path("config.toml");
        let text = std::fs::read_to_string(&config)
            .unwrap()
            .replace("feed.xml", &at("feed.xml"));
        let store = format!("[store]\nurl = \"sqlite:{}\"\n", at("tidings.db"));
        std::fs::write(config, text + &store).unwrap();
        project
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a part of the configuration that is there.
    pub(crate) fn edit_config(&self, from: &str, to: &str) {
        let config = std::fs::read_to_string(self.path("config.toml")).unwrap();
        assert!(config.contains(from), "the configuration has no {from:?}");
        std::fs::write(self.path("config.toml"), config.replace(from, to)).unwrap();
    }

    /// The program, ready to run in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command.env_remove("TIDINGS_SMTP_PASSWORD");
        command
    }

    /// Runs the program as cron does: without a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Changes the store as only somebody with a tool for databases can.
    pub(crate) fn sql(&self, statement: &'static str) {
        use sqlx::{Connection as _, Executor as _};
        sqlx::any::install_default_drivers();
        let address = format!("sqlite:{}", self.path("tidings.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(&address).await.unwrap();
            connection.execute(statement).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// The mails in the Maildir.
    pub(crate) fn maildir(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path("out/Maildir/new")) else {
            return Vec::new();
        };
        let mut mails: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        mails.sort();
        mails
    }
}

/// What a command says that has made a new store.
pub(crate) const NEW_STORE: &str = "A new store was made: ";

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let mut stderr = String::from_utf8(output.stderr).unwrap();
        // The first command in a new folder always says so; one test is about that.
        if stderr.starts_with(NEW_STORE) {
            stderr = stderr.split_once('\n').unwrap().1.to_owned();
        }
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr,
        }
    }
}

impl Ran {
    /// Asserts the exit code, showing what was said when it is another.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Asserts that nothing at all was said.
    pub(crate) fn silent(self) -> Self {
        assert_eq!((self.stdout.as_str(), self.stderr.as_str()), ("", ""));
        self
    }

    /// The JSON on stdout.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// The beginning of a configuration: one topic that wants "KI", one daily cadence.
pub(crate) fn newsletter() -> String {
    format!(
        r#"
now = "{NOW}"
[newsletter]
id = "test"
title = "Prüfstück & Söhne"
language = "de"
timezone = "Europe/Berlin"
from = "Prüfstück <digest@example.org>"
reply_to = "redaktion@example.org"
imprint = "Muster Verlag, Beispielweg 1, 12345 Musterstadt"
[collect]
allow_private = true
[cadence.daily]
cron = "0 7 * * *"
[[topic]]
id = "ki"
title = "KI"
keywords = ["KI"]
"#
    )
}

/// The beginning of a PNG file of that size, which is all that tells it.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// A feed with one item for each title, published this morning.
pub(crate) fn rss(title: &str, items: &[(&str, &str)]) -> String {
    let entry = |(headline, text): &(&str, &str)| {
        let link = headline.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        format!(
            "<item><title>{headline}</title><link>https://{}.example/{link}</link>\
             <pubDate>Fri, 20 Nov 2026 05:00:00 +0100</pubDate><description>{text}</description></item>",
            title.to_lowercase()
        )
    };
    let items: String = items.iter().map(entry).collect();
    format!(
        "<rss version=\"2.0\"><channel><title>{title}</title><link>https://example.org</link>{items}</channel></rss>"
    )
}
