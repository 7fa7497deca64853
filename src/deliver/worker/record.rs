//! What an outcome is for the ledger and for the report.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::outcome::is_about_the_mailbox;
use super::{Delivered, Run};
use crate::model::{Bounce, Delivery, DeliveryId, DeliveryState, Outcome, UnknownPolicy};
use crate::store::Record;

/// How long after the first, second, … try the next one comes, in minutes; the last one repeats.
const RETRY_MINUTES: [i64; 6] = [5, 15, 30, 60, 120, 240];

/// For how long a delivery is not tried whose address was called dead; long before that the run has shown what to think of it.
const HELD: TimeDelta = TimeDelta::hours(6);

impl Run {
    /// Tells that a domain is left alone from now on.
    pub(super) fn rest(&mut self, delivery: &Delivery, outcome: &Outcome) {
        let said = match outcome {
            Outcome::Deferred(no) | Outcome::Rejected(no) => discreet(&no.text),
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
        // Its mailbox has put it off, and not we, our own mail server or a domain that wants less from us.
        let was_put_off = matches!(&outcome, Outcome::Deferred(no) if is_about_the_mailbox(no));
        let later = |answer, delivered: &mut Delivered| {
            let tries = usize::try_from(delivery.attempts.max(1) - 1).unwrap_or(usize::MAX);
            let minutes = RETRY_MINUTES[tries.min(RETRY_MINUTES.len() - 1)];
            let next = wall + TimeDelta::seconds(jittered(minutes * 60, delivery.id));
            if is_given_up(delivery, next, self.retry_for) {
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
            Outcome::Rejected(no) if bounce == Some(Bounce::SenderFault) => {
                delivered.sender_fault += 1;
                later(no.text, delivered)
            }
            Outcome::Rejected(no) => {
                delivered.failed += 1;
                (DeliveryState::Failed, wall, Some(no.text))
            }
            Outcome::Unknown(answer) if self.unknown == UnknownPolicy::AtLeastOnce => {
                later(answer, delivered)
            }
            Outcome::Unknown(answer) => {
                delivered.unknown += 1;
                (DeliveryState::Unknown, wall, Some(answer))
            }
            Outcome::Deferred(no) => {
                if bounce == Some(Bounce::SenderFault) {
                    delivered.sender_fault += 1;
                }
                later(no.text, delivered)
            }
        };
        if state == DeliveryState::Failed && was_put_off && bounce.is_none() {
            // Its server has put it off until it was too late.
            bounce = Some(Bounce::Soft);
        }
        // Whether a dead address can be believed shows when others have taken their mail: until then it waits.
        let is_held = bounce == Some(Bounce::Hard);
        let (state, at) = match is_held {
            true => {
                self.held += 1;
                self.delivered.failed -= u64::from(state == DeliveryState::Failed);
                bounce = None;
                (DeliveryState::Deferred, wall + HELD)
            }
            false => (state, at),
        };
        let answer = answer.map(|answer| discreet(&answer));
        if let Some(answer) = &answer {
            self.delivered.hear(answer);
        }
        tracing::debug!(delivery = delivery.id.0, ?state, answer, "tried");
        self.step.records.push(Record {
            id: delivery.id,
            state,
            at,
            answer,
            bounce: bounce.filter(|bounce| *bounce != Bounce::SenderFault),
            held: is_held,
            owed: false,
        });
    }
}

/// What a server said, without the addresses that servers repeat, the reader's and that with the token: a report is kept in logs,
/// and must name nobody.
pub(super) fn discreet(said: &str) -> String {
    let belongs = |c: char| !c.is_whitespace() && !"<>()[]{},;:\"'".contains(c);
    let mut discreet = String::with_capacity(said.len());
    let mut rest = said;
    while let Some(at) = rest.find('@') {
        let start = rest[..at].rfind(|c| !belongs(c)).map_or(0, |place| {
            place + rest[place..].chars().next().map_or(1, char::len_utf8)
        });
        let end = rest[at..]
            .find(|c| !belongs(c))
            .map_or(rest.len(), |place| at + place);
        discreet.push_str(&rest[..start]);
        discreet.push('…');
        rest = &rest[end..];
    }
    discreet.push_str(rest);
    discreet
}

/// Whether `delivery` is given up instead of being tried at `moment`: it has been tried for long enough. Time in which it could not be
/// tried, because nobody ran or no server could be reached, does not count.
fn is_given_up(delivery: &Delivery, moment: DateTime<Utc>, retry_for: Duration) -> bool {
    delivery
        .tried_at
        .is_some_and(|tried| (moment - tried).to_std().is_ok_and(|time| time > retry_for))
}

/// `seconds`, more or less: up to a fifth, so that what was put off together does not come back together.
fn jittered(seconds: i64, id: DeliveryId) -> i64 {
    // Knuth's multiplicative hash: neighbours are far apart, and the same delivery gets the same.
    let spread = i64::from((id.0 as u32).wrapping_mul(2_654_435_769) >> 16);
    seconds + seconds * (spread - 32_768) / (5 * 32_768)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_names_nobody() {
        for (said, expected) in [
            ("550 <Anna@Example.org>: unknown", "550 <…>: unknown"),
            ("550 anna@example.org, bounce+0abc@b.example", "550 …, …"),
            ("550 no such user", "550 no such user"),
            ("a@b", "…"),
            ("grüße@ä ü@", "… …"),
        ] {
            assert_eq!(discreet(said), expected);
        }
    }
}
