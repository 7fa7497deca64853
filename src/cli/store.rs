//! `tidings store`: the store as a whole.

use clap::{Args, Subcommand};

use super::line;
use super::lock::{self, Asked};
use super::terminal::bar;
use crate::config::{self, Config};
use crate::store::Store as Database;

/// Subcommands of `tidings store`.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Copy a SQLite store into an empty PostgreSQL database
    Copy(Copy),
    /// Seal links with a new key, should the old one have become known
    NewKey(NewKey),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Links that are out in the world stay good as long as the key that sealed them is kept: people must be able to leave by
any mail that they still have. Restart `tidings serve` and `tidings work` afterwards.")]
pub(super) struct NewKey {
    /// How many of the keys before it still open links; 0 makes all links in all mails useless
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    keep: usize,
}

impl NewKey {
    async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let store = Database::open(&config.store, &config.newsletter.id).await?;
        store.change_token_key(self.keep).await?;
        println!(
            "Links are sealed with a new key. Restart what is running: tidings serve, tidings work."
        );
        Ok(super::DONE)
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
The password comes from TIDINGS_STORE_PASSWORD, or from the file that TIDINGS_STORE_PASSWORD_FILE names.
All of it is copied, or nothing. The SQLite file is out of use then: name the new store in the configuration.")]
pub(super) struct Copy {
    /// The database: postgres://tidings@db.example.org/tidings
    #[arg(long, value_name = "URL")]
    to: String,

    /// Print what was copied as JSON
    #[arg(long)]
    json: bool,
}

impl Store {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        match self {
            Self::Copy(copy) => copy.run(config).await,
            Self::NewKey(new_key) => new_key.run(config).await,
        }
    }
}

impl Copy {
    async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let Some(file) = config.store.file() else {
            eprintln!(
                "The configuration names {}, which is PostgreSQL already.",
                config.store
            );
            return Ok(super::USAGE);
        };
        let target = match config::postgres_url(&self.to, None) {
            Ok(target) => target,
            Err(what) => {
                eprintln!("--to: {what}.");
                return Ok(super::USAGE);
            }
        };
        if !file.exists() {
            eprintln!(
                "There is no store {} yet: name the new one in the configuration, and be done.",
                config.store
            );
            return Ok(super::FAILED);
        }
        let _lock = match lock::ask(file, line::wall())? {
            Asked::Ours(lock) => lock,
            Asked::Theirs { holder, .. } => {
                eprintln!(
                    "A tidings send is at work on {} ({holder}). Try again when it has ended.",
                    config.store
                );
                return Ok(super::FAILED);
            }
        };
        let newsletter = &config.newsletter.id;
        let source = Database::open(&config.store, newsletter).await?;
        let database = Database::open(&target, newsletter).await?;
        let bar = bar("Copying", source.count_rows().await?);
        let copied = source
            .copy_into(&database, &target.to_string(), |rows| bar.inc(rows))
            .await;
        bar.finish_and_clear();
        let copied = copied?;
        if self.json {
            super::print_json(&copied)?;
            return Ok(super::DONE);
        }
        for one in &copied {
            println!("{:>12} {}", one.rows, one.table);
        }
        println!(
            "Everything is in {target}. Write this into the configuration:\n\n[store]\nurl = \"{}\"",
            self.to
        );
        Ok(super::DONE)
    }
}
