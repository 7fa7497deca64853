//! Which delivery goes next, and which way.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::super::throttle::Gate;
use super::{Run, SessionHandle, depth};
use crate::model::Delivery;

/// How many deliveries to one domain wait here for their turn; more go back into the queue until it comes.
const WAITING: usize = 100;

impl Run {
    /// Chooses what to begin, and for which session; and when to look again, where something has to wait for its time.
    pub(super) fn choose(&mut self, now: Instant) -> (Vec<(usize, Delivery)>, Option<Instant>) {
        let mut chosen = Vec::new();
        let mut wake: Option<Instant> = None;
        let mut later = |at: Instant| wake = Some(wake.map_or(at, |before| before.min(at)));
        let mut waiting: HashMap<String, usize> = HashMap::new();
        let mut put_off = VecDeque::new();
        let mut taken = vec![0; self.handles.len()];
        while let Some(number) = self.free_session(now, &taken, &mut later) {
            let Some(delivery) = self.ready.pop_front() else {
                break;
            };
            let domain = delivery.address.domain().to_owned();
            match self.throttle.gate(&domain, now) {
                Gate::Open => {
                    self.throttle.start(&domain, now);
                    let route = self.handles[number].route;
                    self.given[route] += 1;
                    if let Some(bucket) = &mut self.buckets[route] {
                        bucket.take();
                    }
                    taken[number] += 1;
                    self.step.begin.push(delivery.id);
                    chosen.push((number, delivery));
                }
                Gate::Wait(next) => {
                    if let Some(next) = next {
                        later(next);
                    }
                    let before = waiting.entry(domain).or_default();
                    *before += 1;
                    if *before <= WAITING {
                        put_off.push_back(delivery);
                    } else {
                        // A second more: the store counts in whole ones.
                        let turn = self.throttle.turn(delivery.address.domain(), now)
                            + Duration::from_secs(1);
                        self.turns = Some(self.turns.map_or(turn, |last| last.max(turn)));
                        self.step.postpone.push((delivery.id, self.clock.at(turn)));
                    }
                }
                Gate::Rest(until) => {
                    self.delivered.postponed += 1;
                    // A second more: the store counts in whole ones.
                    let until = self.clock.at(until) + TimeDelta::seconds(1);
                    self.step.postpone.push((delivery.id, until));
                }
            }
        }
        self.waiting = put_off.len();
        // Behind those that can go: the next claim is made when few of these are left.
        self.ready.append(&mut put_off);
        (chosen, wake)
    }

    /// A session that can take one more, on the route whose turn it is.
    fn free_session(
        &mut self,
        now: Instant,
        taken: &[usize],
        later: &mut impl FnMut(Instant),
    ) -> Option<usize> {
        let mut shares: Vec<(bool, f64, usize)> = Vec::new();
        for (number, route) in self.routes.iter().enumerate() {
            let is_able = |handle: &SessionHandle| handle.route == number && handle.is_up(now);
            if !self.handles.iter().any(is_able) {
                continue;
            }
            // One with a limit of its own is passed over until it may have more.
            if let Some(bucket) = &mut self.buckets[number] {
                let next = bucket.next(now);
                if next > now {
                    later(next);
                    continue;
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "a share needs no last digit")]
            let share = (self.given[number] + 1) as f64 / f64::from(route.weight.max(1));
            shares.push((route.weight == 0, share, number));
        }
        // Those that stand by come last; else the one that has had the least for its weight.
        shares.sort_by(|one, other| {
            (one.0, one.1, one.2)
                .partial_cmp(&(other.0, other.1, other.2))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let (_, share, route) = *shares.first()?;
        // One that could not take its share has lost it: it does not get all the mail when it is back.
        for (number, other) in self.routes.iter().enumerate() {
            let could = shares.iter().any(|(_, _, able)| *able == number);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "shares are small and positive"
            )]
            let level = ((share - 1.0).max(0.0) * f64::from(other.weight)) as u64;
            if !could {
                self.given[number] = self.given[number].max(level);
            }
        }
        let load = |(number, handle): (usize, &SessionHandle)| {
            let load = handle.held.len() + taken[number];
            (handle.route == route && handle.is_up(now) && load < depth(handle.each))
                .then_some((load, number))
        };
        let least = self.handles.iter().enumerate().filter_map(load).min();
        least.map(|(_, number)| number)
    }
}
