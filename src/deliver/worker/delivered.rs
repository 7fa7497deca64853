//! What came of a run of deliveries.

use std::collections::BTreeMap;

use crate::model::EditionId;

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
    /// Addresses that are said not to exist either, of which there are too many to be believed: nothing was concluded, and what goes
    /// to them waits.
    pub doubtful: u64,
    /// Whose deliveries these are.
    pub doubted: Vec<EditionId>,
    /// Ways out that could not be used at any time of the run, while others could.
    pub stood_in_for: Vec<String>,
    /// What the server said when it said no, without the addresses, and how often.
    pub answers: BTreeMap<String, u64>,
    /// Domains that are left alone for a while, and what their servers said.
    pub resting: BTreeMap<String, String>,
    /// Why the way out could not be used; what was not sent waits for the next run.
    pub unreachable: Option<String>,
    /// The run was told to stop before all was sent.
    pub stopped: bool,
}

/// How many different answers a report has; servers put numbers of their own into theirs.
const ANSWERS: usize = 50;

impl Delivered {
    /// Counts an answer: those that differ only in words with digits, but for the codes at its beginning, are one.
    pub(super) fn hear(&mut self, answer: &str) {
        let words = answer.split_whitespace().enumerate().map(|(place, word)| {
            let is_code = place < 2 && word.chars().all(|c| c.is_ascii_digit() || "-.".contains(c));
            if is_code || !word.chars().any(|c| c.is_ascii_digit()) {
                word
            } else {
                "…"
            }
        });
        let mut key = words.collect::<Vec<_>>().join(" ");
        if self.answers.len() >= ANSWERS && !self.answers.contains_key(&key) {
            key = "other answers".to_owned();
        }
        *self.answers.entry(key).or_default() += 1;
    }

    /// How many deliveries have ended, well or not.
    pub fn total(&self) -> u64 {
        self.sent + self.deferred + self.failed + self.unknown
    }
}
