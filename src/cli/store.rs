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
        let Self::Copy(copy) = self;
        copy.run(config).await
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
