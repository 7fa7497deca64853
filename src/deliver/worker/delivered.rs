//! What came of a run of deliveries.

use std::collections::BTreeMap;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Delivered {
    /// Taken by the server.
    pub sent: u64,
    /// To be tried again by a later run.
    pub deferred: u64,
    /// Given up.
    pub failed: u64,
    /// Nobody knows.
    pub unknown: u64,
    /// Of `unknown`: what an earlier run that was killed left behind.
    pub left_unknown: u64,
    /// Not tried, because the servers of their domain have asked for patience or refuse the sender.
    pub postponed: u64,
    /// Of `failed` and `deferred`: because the sender was refused. Something must be mended on our side.
    pub sender_fault: u64,
    /// Addresses that are not mailed any more, because they do not exist.
    pub dead: u64,
    /// What the server said when it said no, without the addresses, and how often.
    pub answers: BTreeMap<String, u64>,
    /// Domains that are left alone for a while, and what their servers said.
    pub resting: BTreeMap<String, String>,
    /// Why the way out could not be used; what was not sent waits for the next run.
    pub unreachable: Option<String>,
    /// The run was told to stop before all was sent.
    pub stopped: bool,
}

impl Delivered {
    /// How many deliveries have ended, well or not.
    pub fn total(&self) -> u64 {
        self.sent + self.deferred + self.failed + self.unknown
    }
}
