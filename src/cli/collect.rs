//! `tidings collect`: only fetch.

use clap::Args;

use super::{line, terminal};
use crate::config::Config;

/// Arguments of `tidings collect`.
#[derive(Debug, Args)]
pub(super) struct Collect {
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

impl Collect {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        let now = super::now(config, None);
        let stop = terminal::stop_signal();
        let collecting = super::with_store(config, async |store| {
            line::collect_into(config, store, &config.collect, now, stop, line::UNWATCHED).await
        });
        let Some(collected) = collecting.await? else {
            return Ok(super::INTERRUPTED);
        };
        tracing::info!("{}", collected.line());
        if self.json {
            super::print_json(&collected)?;
        } else if terminal::is_watched() {
            say!("{}", collected.summary());
        }
        tell_part!("{}", collected.trouble());
        Ok(if collected.failures.is_empty() {
            super::DONE
        } else {
            super::PARTLY
        })
    }
}
