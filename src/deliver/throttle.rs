//! How fast mail may go: to a relay and to a domain, by what is configured and by what the domain's servers say.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::outcome::Heard;

/// Limits of the mail to one domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many mails to it are on their way at a time.
    pub at_once: Option<usize>,
    /// How many go to it in a minute.
    pub per_minute: Option<u32>,
}

/// The limits of all domains.
#[derive(Debug, Clone, Default)]
pub struct DomainLimits {
    /// For a domain that has none of its own.
    pub others: Limits,
    /// Those of named ones.
    pub named: HashMap<String, Limits>,
}

/// How long a domain is left alone that asks for less mail, at first; longer each time that it asks again.
const FIRST_REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(30 * 60);

/// How long a domain is left alone that refuses the sender.
pub(super) const REFUSED_REST: Duration = Duration::from_secs(60 * 60);

/// How many mailboxes in a row must say so before it counts for their domain.
pub(super) const SUSPICIONS: u32 = 3;

/// Lets so many pass in a minute, and at most those of one second at once.
#[derive(Debug)]
pub(super) struct Bucket {
    per_minute: u32,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(per_minute: u32, now: Instant) -> Self {
        let mut bucket = Self {
            per_minute,
            tokens: 0.0,
            filled: now,
        };
        bucket.tokens = bucket.most();
        bucket
    }

    fn most(&self) -> f64 {
        (f64::from(self.per_minute) / 60.0).max(1.0)
    }

    /// When the next one may pass.
    pub(super) fn next(&mut self, now: Instant) -> Instant {
        let rate = f64::from(self.per_minute) / 60.0;
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * rate;
        self.tokens = (self.tokens + gained).min(self.most());
        self.filled = self.filled.max(now);
        if self.tokens >= 1.0 {
            now
        } else {
            now + Duration::from_secs_f64((1.0 - self.tokens) / rate)
        }
    }

    /// One passes.
    pub(super) fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

/// What holds for a mail to a domain now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// It may go.
    Open,
    /// It may go in a moment, when others have arrived or at that time.
    Wait(Option<Instant>),
    /// It must not go before that time: its servers have asked for that.
    Rest(Instant),
}

/// Where the mail to one domain stands.
#[derive(Debug, Default)]
struct Lane {
    on_the_way: usize,
    bucket: Option<Bucket>,
    /// Until when it is left alone, and for how long it was the last time.
    rest: Option<(Instant, Duration)>,
    suspicions: u32,
    /// How long one needs, on average.
    each: Option<Duration>,
    /// The turn of the last one that waits in the queue.
    last_turn: Option<Instant>,
}

/// Where the mail to all domains stands.
#[derive(Debug)]
pub(super) struct Throttle {
    limits: DomainLimits,
    lanes: HashMap<String, Lane>,
}

impl Throttle {
    pub(super) fn new(limits: DomainLimits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
        }
    }

    fn limits(&self, domain: &str) -> Limits {
        let named = self.limits.named.get(domain);
        named.copied().unwrap_or(self.limits.others)
    }

    /// Whether a mail to `domain` may go.
    pub(super) fn gate(&mut self, domain: &str, now: Instant) -> Gate {
        let limits = self.limits(domain);
        let Some(lane) = self.lanes.get_mut(domain) else {
            return Gate::Open;
        };
        if let Some((until, _)) = lane.rest
            && until > now
        {
            return Gate::Rest(until);
        }
        if limits.at_once.is_some_and(|most| lane.on_the_way >= most) {
            return Gate::Wait(None);
        }
        match &mut lane.bucket {
            Some(bucket) => match bucket.next(now) {
                next if next > now => Gate::Wait(Some(next)),
                _ => Gate::Open,
            },
            None => Gate::Open,
        }
    }

    /// When it is the turn of one more mail to `domain`, of those that wait in the queue.
    pub(super) fn turn(&mut self, domain: &str, now: Instant) -> Instant {
        let limits = self.limits(domain);
        let Some(lane) = self.lanes.get_mut(domain) else {
            return now;
        };
        let by_rate = limits
            .per_minute
            .map(|most| Duration::from_secs_f64(60.0 / f64::from(most)));
        let by_number = limits
            .at_once
            .map(|most| lane.each.unwrap_or_default() / u32::try_from(most).unwrap_or(u32::MAX));
        let step = by_rate.max(by_number).unwrap_or_default();
        let turn = lane.last_turn.map_or(now, |last| last.max(now)) + step;
        lane.last_turn = Some(turn);
        turn
    }

    /// A mail to `domain` goes.
    pub(super) fn start(&mut self, domain: &str, now: Instant) {
        let limits = self.limits(domain);
        if !self.lanes.contains_key(domain) {
            self.lanes.insert(domain.to_owned(), Lane::default());
        }
        let Some(lane) = self.lanes.get_mut(domain) else {
            return;
        };
        lane.on_the_way += 1;
        if let Some(per_minute) = limits.per_minute {
            let bucket = lane
                .bucket
                .get_or_insert_with(|| Bucket::new(per_minute, now));
            bucket.take();
        }
    }

    /// A mail to `domain` has ended. Returns for how long the domain is left alone from now on, if it has just asked for that.
    pub(super) fn end(&mut self, domain: &str, heard: Heard, now: Instant) -> Option<Duration> {
        let lane = self.lanes.get_mut(domain)?;
        lane.on_the_way = lane.on_the_way.saturating_sub(1);
        let rest = match heard {
            Heard::Silent => None,
            Heard::Well => {
                lane.suspicions = 0;
                // What was on the way when it asked for a rest says nothing about how it will be after.
                if lane.rest.is_some_and(|(until, _)| until <= now) {
                    lane.rest = None;
                }
                None
            }
            Heard::Hesitant if lane.suspicions + 1 < SUSPICIONS => {
                lane.suspicions += 1;
                None
            }
            Heard::Slow | Heard::Hesitant => Some(match lane.rest {
                Some((until, last)) if until > now => last,
                Some((_, last)) => (last * 2).min(LONGEST_REST),
                None => FIRST_REST,
            }),
            Heard::Refused => Some(REFUSED_REST),
            Heard::Suspicious => {
                lane.suspicions += 1;
                (lane.suspicions >= SUSPICIONS).then_some(REFUSED_REST)
            }
        };
        let rest = rest?;
        let was_resting = lane.rest.is_some_and(|(until, _)| until > now);
        lane.rest = Some((now + rest, rest));
        (!was_resting).then_some(rest)
    }

    /// Leaves `domain` alone for so long, because of what came back from it.
    pub(super) fn leave_alone(&mut self, domain: &str, rest: Duration, now: Instant) {
        let lane = self.lanes.entry(domain.to_owned()).or_default();
        lane.rest = Some((now + rest, rest));
    }

    /// A mail to `domain` took that long.
    pub(super) fn took(&mut self, domain: &str, took: Duration) {
        if let Some(lane) = self.lanes.get_mut(domain) {
            lane.each = Some(lane.each.map_or(took, |each| (each * 7 + took) / 8));
        }
    }

    /// Forgets domains of which nothing is to be remembered: there are as many as subscribers have thought of.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.lanes.retain(|_, lane| {
            let full = lane
                .bucket
                .as_mut()
                .is_none_or(|bucket| bucket.next(now) <= now && bucket.tokens >= bucket.most());
            lane.on_the_way > 0 || lane.rest.is_some() || lane.suspicions > 0 || !full
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(at_once: Option<usize>, per_minute: Option<u32>) -> Throttle {
        Throttle::new(DomainLimits {
            others: Limits {
                at_once,
                per_minute,
            },
            named: HashMap::new(),
        })
    }

    #[test]
    fn a_domain_has_as_many_mails_on_the_way_and_in_a_minute_as_it_is_allowed() {
        let start = Instant::now();
        let mut throttle = throttle(Some(2), Some(120));
        for _ in 0..2 {
            assert_eq!(throttle.gate("example.org", start), Gate::Open);
            throttle.start("example.org", start);
        }
        assert_eq!(throttle.gate("example.org", start), Gate::Wait(None));
        assert_eq!(throttle.gate("example.net", start), Gate::Open);
        throttle.end("example.org", Heard::Well, start);
        // Two in a second: the next half a second later.
        let half = start + Duration::from_millis(500);
        assert_eq!(throttle.gate("example.org", start), Gate::Wait(Some(half)));
        assert_eq!(throttle.gate("example.org", half), Gate::Open);
    }

    #[test]
    fn a_domain_that_asks_for_less_rests_longer_each_time() {
        let mut now = Instant::now();
        let mut throttle = throttle(None, None);
        for minutes in [1, 2, 4, 8, 16, 30, 30] {
            throttle.start("example.org", now);
            throttle.start("example.org", now);
            let rest = Duration::from_secs(60 * minutes);
            assert_eq!(throttle.end("example.org", Heard::Slow, now), Some(rest));
            assert_eq!(
                throttle.end("example.org", Heard::Slow, now),
                None,
                "what was on the way at the time says the same"
            );
            assert_eq!(throttle.gate("example.org", now), Gate::Rest(now + rest));
            now += rest;
            assert_eq!(throttle.gate("example.org", now), Gate::Open);
        }
        throttle.start("example.org", now);
        throttle.end("example.org", Heard::Well, now);
        throttle.tidy(now);
        assert!(throttle.lanes.is_empty());
    }

    #[test]
    fn one_mailbox_does_not_speak_for_its_domain() {
        let now = Instant::now();
        let mut throttle = throttle(None, None);
        let mut hear = |heard| {
            throttle.start("example.org", now);
            throttle.end("example.org", heard, now)
        };
        hear(Heard::Suspicious);
        hear(Heard::Suspicious);
        hear(Heard::Well);
        hear(Heard::Suspicious);
        assert_eq!(hear(Heard::Suspicious), None);
        assert_eq!(hear(Heard::Suspicious), Some(REFUSED_REST));
    }
}
