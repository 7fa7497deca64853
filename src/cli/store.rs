//! `tidings store`: the store as a whole.

use clap::{Args, Subcommand};

use super::line;
use super::lock::{self, Asked};
use super::terminal::bar;
use crate::config::{self, Config};
use crate::store::Store;

/// Subcommands of `tidings store`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Copy a SQLite store into an empty PostgreSQL database
    Copy(Copy),
    /// Rotate the signing key for links
    NewKey(NewKey),
    /// Bring the store of an older version up to date
    Migrate,
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
        super::with_store(config, async |store| {
            store.change_token_key(self.keep).await
        })
        .await?;
        say!(
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

impl Command {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        match self {
            Self::Copy(copy) => copy.run(config).await,
            Self::NewKey(new_key) => new_key.run(config).await,
            Self::Migrate => migrate(config).await,
        }
    }
}

/// Every command that writes does so by itself, unless store.migrate is "manual".
async fn migrate(config: &Config) -> anyhow::Result<u8> {
    let is_behind = Store::is_behind(&config.store).await?;
    let store = Store::open(&config.store, &config.newsletter.id).await?;
    super::tell_if_new(config, &store);
    store.close().await?;
    say!(
        "{} {} up to date.",
        config.store,
        if is_behind { "was brought" } else { "is" }
    );
    Ok(super::DONE)
}

impl Copy {
    async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let Some(file) = config.store.file() else {
            tell!(
                "The configuration names {}, which is PostgreSQL already.",
                config.store
            );
            return Ok(super::USAGE);
        };
        let target = match config::postgres_url(&self.to, None) {
            Ok(target) => target,
            Err(what) => {
                tell!("--to: {what}.");
                return Ok(super::USAGE);
            }
        };
        if !file.exists() {
            tell!(
                "There is no store {} yet: name the new one in the configuration, and be done.",
                config.store
            );
            return Ok(super::FAILED);
        }
        let _lock = match lock::ask(file, line::wall())? {
            Asked::Ours(lock) => lock,
            Asked::Theirs { holder, .. } => {
                tell!(
                    "A tidings send is at work on {} ({holder}). Try again when it has ended.",
                    config.store
                );
                return Ok(super::FAILED);
            }
        };
        let newsletter = &config.newsletter.id;
        let source = Store::open(&config.store, newsletter).await?;
        let database = Store::open(&target, newsletter).await?;
        let bar = bar("Copying", source.count_rows().await?);
        let copied = source
            .copy_into(&database, &target.to_string(), |rows| bar.inc(rows))
            .await;
        bar.finish_and_clear();
        source.close().await?;
        database.close().await?;
        let copied = copied?;
        if self.json {
            super::print_json(&copied)?;
            return Ok(super::DONE);
        }
        for one in &copied {
            say!("{:>12} {}", one.rows, one.table);
        }
        say!(
            "Everything is in {target}. Write this into the configuration:\n\n[store]\nurl = \"{}\"",
            self.to
        );
        Ok(super::DONE)
    }
}
