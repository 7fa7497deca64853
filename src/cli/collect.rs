//! `tidings collect`: only fetch.

use clap::Args;

use super::{line, terminal};
use crate::config::Config;
use crate::store::Store;

/// Arguments of `tidings collect`.
#[derive(Debug, Args)]
pub(super) struct Collect {
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

impl Collect {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let store = Store::open(&config.store, &config.newsletter.id).await?;
        let now = super::now(config, None);
        let Some(collected) = line::collect_into(
            config,
            &store,
            &config.collect,
            now,
            terminal::stop_signal(),
        )
        .await?
        else {
            return Ok(super::INTERRUPTED);
        };
        if self.json {
            super::print_json(&collected)?;
        } else if terminal::is_watched() {
            println!("{}", collected.summary());
        }
        eprint!("{}", collected.trouble());
        Ok(if collected.failures.is_empty() {
            super::DONE
        } else {
            super::PARTLY
        })
    }
}
