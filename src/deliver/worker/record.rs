//! What an outcome is for the ledger and for the report.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Delivered, Run};
use crate::model::{Bounce, Delivery, DeliveryId, DeliveryState, Outcome, UnknownPolicy};
use crate::store::Record;

/// How long after the first, second, … try the next one comes, in minutes; the last one repeats.
const RETRY_MINUTES: [i64; 6] = [5, 15, 30, 60, 120, 240];

impl Run {
    /// Tells that a domain is left alone from now on.
    pub(super) fn rest(&mut self, delivery: &Delivery, outcome: &Outcome) {
        let said = match outcome {
            Outcome::Deferred(said) | Outcome::Rejected(said) => discreet(said, delivery),
            Outcome::Accepted | Outcome::Unknown(_) => String::new(),
        };
        let domain = delivery.address.domain().to_owned();
        self.delivered.resting.insert(domain, said);
    }

    /// Counts an outcome and says what to write about it.
    pub(super) fn record(
        &mut self,
        delivery: &Delivery,
        outcome: Outcome,
        mut bounce: Option<Bounce>,
    ) {
        let wall = self.clock.now();
        let was_deferred = matches!(outcome, Outcome::Deferred(_));
        let later = |answer, delivered: &mut Delivered| {
            let tries = usize::try_from(delivery.attempts.max(1) - 1).unwrap_or(usize::MAX);
            let minutes = RETRY_MINUTES[tries.min(RETRY_MINUTES.len() - 1)];
            let next = wall + TimeDelta::seconds(jittered(minutes * 60, delivery.id));
            if is_expired(delivery, next, self.retry_for) {
                delivered.failed += 1;
                (DeliveryState::Failed, wall, Some(answer))
            } else {
                delivered.deferred += 1;
                (DeliveryState::Deferred, next, Some(answer))
            }
        };
        let delivered = &mut self.delivered;
        let (state, at, answer) = match outcome {
            Outcome::Accepted => {
                delivered.sent += 1;
                (DeliveryState::Sent, wall, None)
            }
            // A refusal of the sender is not the reader's end: they get it when it is mended.
            Outcome::Rejected(answer) if bounce == Some(Bounce::SenderFault) => {
                delivered.sender_fault += 1;
                later(answer, delivered)
            }
            Outcome::Rejected(answer) => {
                delivered.failed += 1;
                (DeliveryState::Failed, wall, Some(answer))
            }
            Outcome::Unknown(answer) if self.unknown == UnknownPolicy::AtLeastOnce => {
                later(answer, delivered)
            }
            Outcome::Unknown(answer) => {
                delivered.unknown += 1;
                (DeliveryState::Unknown, wall, Some(answer))
            }
            Outcome::Deferred(answer) => {
                if bounce == Some(Bounce::SenderFault) {
                    delivered.sender_fault += 1;
                }
                later(answer, delivered)
            }
        };
        if state == DeliveryState::Failed && was_deferred && bounce.is_none() {
            // Its server has put it off until it was too late.
            bounce = Some(Bounce::Soft);
        }
        if bounce == Some(Bounce::Hard) {
            delivered.dead += 1;
        }
        let answer = answer.map(|answer| discreet(&answer, delivery));
        if let Some(answer) = &answer {
            *delivered.answers.entry(answer.clone()).or_default() += 1;
        }
        self.step.records.push(Record {
            id: delivery.id,
            state,
            at,
            answer,
            bounce: bounce.filter(|bounce| *bounce != Bounce::SenderFault),
        });
    }
}

/// What a server said about a delivery, without the address that servers repeat: a report is kept in logs, and must name nobody.
fn discreet(said: &str, delivery: &Delivery) -> String {
    said.replace(delivery.address.as_str(), "…")
}

/// Whether `delivery` is too old to be sent at `moment`: news of the day before yesterday helps nobody.
pub(super) fn is_expired(delivery: &Delivery, moment: DateTime<Utc>, retry_for: Duration) -> bool {
    (moment - delivery.planned_at)
        .to_std()
        .is_ok_and(|age| age > retry_for)
}

/// `seconds`, more or less: up to a fifth, so that what was put off together does not come back together.
fn jittered(seconds: i64, id: DeliveryId) -> i64 {
    // Knuth's multiplicative hash: neighbours are far apart, and the same delivery gets the same.
    let spread = i64::from((id.0 as u32).wrapping_mul(2_654_435_769) >> 16);
    seconds + seconds * (spread - 32_768) / (5 * 32_768)
}
