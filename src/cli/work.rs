//! `tidings work`: one more process that sends what was decided elsewhere.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::line::{self, WayOut};
use super::report::RunReport;
use super::terminal;
use crate::config::Config;
use crate::store::Store;

/// How long it waits before it looks again, when there was nothing to send and when nothing could be sent.
const IDLE: Duration = Duration::from_secs(5);
const UNREACHABLE: Duration = Duration::from_secs(60);

/// Arguments of `tidings work`.
#[derive(Debug, Args)]
#[command(after_help = "\
For several machines on one PostgreSQL: one of them runs `tidings send` from cron, which collects, ranks and decides; any
number run this, join and leave as you like. It goes on until it is told to stop, and says nothing while all is well.")]
pub(super) struct Work {
    /// End when there is nothing more to send
    #[arg(long)]
    until_done: bool,
}

impl Work {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        if config.store.file().is_some() {
            tell!(
                "A SQLite store has one sender: `tidings send`. For more of them put the store into PostgreSQL \
                 (`tidings store copy --help`)."
            );
            return Ok(super::USAGE);
        }
        super::with_store(config, async |store| self.on(config, store).await).await
    }

    async fn on(self, config: &Config, store: &Arc<Store>) -> anyhow::Result<u8> {
        let way = WayOut::new(config, store).await?;
        let mut stop = terminal::stop_signal();
        loop {
            let delivered =
                match line::send_due(config, store, &way, stop.clone(), line::UNWATCHED).await {
                    Ok(delivered) => delivered,
                    // A database that is down for longer than a run waits may be back later.
                    Err(error) if crate::store::is_passing(&error) && !self.until_done => {
                        tell!("tidings: {error:#}");
                        let _ = store.reconnect().await;
                        None
                    }
                    Err(error) => return Err(error),
                };
            let mut report = RunReport::new(line::wall());
            report.delivery = delivered;
            if report.delivery.is_some() {
                tracing::info!("{}", report.line());
            }
            tell_part!("{}", report.trouble(config.newsletter.timezone));
            if *stop.borrow() {
                return Ok(super::DONE);
            }
            if self.until_done {
                return Ok(report.exit_code());
            }
            let is_cut_off = report
                .delivery
                .is_some_and(|delivered| delivered.unreachable.is_some());
            let pause = if is_cut_off { UNREACHABLE } else { IDLE };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }
}
