//! The way out. Whoever leaves waits until it is on the disk; all who leave in the same moment go into one transaction, so that a
//! whole list of one-click requests is no more than a few of them a second.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use crate::model::SubscriberId;
use crate::store::Store;

/// How many leave in one transaction at most, and how many may wait.
const BATCH: usize = 500;
const QUEUE: usize = 10_000;

/// How often the store is tried while somebody else writes to it, which takes a moment, and how often while it is away for longer.
const MOMENTS: u32 = 200;
const MOMENT: Duration = Duration::from_millis(1);
const TRIES: u32 = 270;
const PAUSE: Duration = Duration::from_millis(50);

/// Somebody who leaves, and who wants to know when they have.
type Leaver = (SubscriberId, IpAddr, oneshot::Sender<Option<bool>>);

/// The store does not take it that somebody leaves.
#[derive(Debug, thiserror::Error)]
#[error("the store does not take it that somebody leaves")]
pub(super) struct Shut;

pub(super) struct Door(mpsc::Sender<Leaver>);

impl Door {
    pub(super) fn open(store: Arc<Store>, wall: fn() -> DateTime<Utc>) -> Self {
        let (queue, leavers) = mpsc::channel(QUEUE);
        tokio::spawn(attend(store, wall, leavers));
        Self(queue)
    }

    /// Lets somebody go. Returns whether they had been there.
    ///
    /// # Errors
    /// When the store does not take it for so long that nobody waits: they have to ask again.
    pub(super) async fn leave(&self, who: SubscriberId, ip: IpAddr) -> Result<bool, Shut> {
        let (done, gone) = oneshot::channel();
        self.0.send((who, ip, done)).await.map_err(|_| Shut)?;
        gone.await.ok().flatten().ok_or(Shut)
    }
}

async fn attend(
    store: Arc<Store>,
    wall: fn() -> DateTime<Utc>,
    mut leavers: mpsc::Receiver<Leaver>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while leavers.recv_many(&mut batch, BATCH).await > 0 {
        let who: Vec<_> = batch.iter().map(|(who, ip, _)| (*who, Some(*ip))).collect();
        let mut gone = None;
        for attempt in 0..MOMENTS + TRIES {
            match store
                .subscribers()
                .unsubscribe_all(&who, "one-click", wall())
                .await
            {
                Ok(left) => {
                    gone = Some(left.into_iter().collect::<HashSet<_>>());
                    break;
                }
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    let is_passing = crate::store::is_passing(&error);
                    if is_passing && attempt < MOMENTS {
                        tokio::time::sleep(MOMENT).await;
                        continue;
                    }
                    tracing::warn!("The store does not take that people leave ({error:#}).");
                    if !is_passing {
                        break;
                    }
                    let _ = store.reconnect().await;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        for (who, _, done) in batch.drain(..) {
            // Who has hung up has left all the same.
            let _ = done.send(gone.as_mut().map(|gone| gone.remove(&who)));
        }
    }
}
