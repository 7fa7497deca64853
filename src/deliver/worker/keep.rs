//! Keeping the ledger: what the sessions say is written down, and they get more.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;

use super::super::outcome::{Heard, judge};
use super::super::throttle::{REFUSED_REST, SUSPICIONS};
use super::record::discreet;
use super::{Event, Run, SessionHandle, depth, patiently};
use crate::model::{Bounce, Delivery, DeliveryId, DeliveryState, NoMail, Outcome};
use crate::store::{HEARTBEAT, Record};

/// How many deliveries a worker claims at a time.
const CLAIM: usize = 500;

/// How many deliveries a worker holds at most, with those that wait for their turn.
const MOST: usize = 20 * CLAIM;

/// How often the queue is looked at for what others gave back, or whose turn has come.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After how many refusals of the sender in a row, of whichever domains, a mail server counts as one that does not want us.
const REFUSALS: u32 = 20;

/// How long an outcome waits for others that could be recorded with it, while no session waits for it.
const GATHER: Duration = Duration::from_millis(1);

/// How long a session rests whose way out cannot be used, at first and at most.
const REST: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(300)];

impl Run {
    /// All of the work: what dead workers left behind, what is due, and what became of addresses that were called dead.
    pub(super) async fn work(&mut self, progress: &impl Fn(u64)) -> anyhow::Result<()> {
        self.inherit().await?;
        self.hear_what_came_back().await?;
        let ended = self.go(progress).await;
        self.settle_held().await?;
        ended
    }

    /// Believes the hard bounces that were held, where the mail that was taken shows that they can be; else they wait.
    async fn settle_held(&mut self) -> anyhow::Result<()> {
        let (store, policy, wall) = (self.store.clone(), self.suppress, self.clock.now());
        let taken = self.delivered.sent;
        let settled = patiently(&store, || async {
            store.ledger().settle_held(policy, taken, wall).await
        });
        let settled = settled.await?;
        self.delivered.dead += settled.dead;
        self.delivered.failed += settled.failed;
        // Another worker may be about to show that they can be believed.
        if self.held > 0 {
            self.delivered.doubtful = settled.doubtful;
            self.delivered.doubted = settled.editions;
        }
        Ok(())
    }

    async fn go(&mut self, progress: &impl Fn(u64)) -> anyhow::Result<()> {
        loop {
            self.listen().await;
            let stopping = *self.stop.borrow();
            let now = Instant::now();
            self.stay_alive(now).await?;
            let is_up = self.handles.iter().any(|handle| handle.is_up(now));
            let mut chosen = Vec::new();
            let mut wake = None;
            if !stopping && is_up {
                self.claim().await?;
                (chosen, wake) = self.choose(now);
            }
            if !self.step.is_empty() {
                self.write(chosen, progress).await?;
                continue;
            }
            if self.handles.iter().all(|handle| handle.held.is_empty()) {
                if stopping {
                    self.delivered.stopped = !self.ready.is_empty() || !self.drained;
                    return Ok(());
                }
                if !is_up {
                    return Ok(());
                }
                if self.ready.is_empty() {
                    // What others gave back meanwhile is worth another look.
                    if !self.drained {
                        continue;
                    }
                    if self.turns.is_none_or(|last| last < now) {
                        // Somebody who shared the work may have died meanwhile.
                        let store = self.store.clone();
                        let given = patiently(&store, || async {
                            store.ledger().give_back(self.worker).await
                        })
                        .await?;
                        if self.inherit().await? || given > 0 {
                            self.drained = false;
                            continue;
                        }
                        self.tell_of_routes();
                        return Ok(());
                    }
                    wake = Some(now + Duration::from_secs(1));
                }
            }
            let wake = wake.unwrap_or(now + HEARTBEAT).min(now + HEARTBEAT);
            let event = tokio::select! {
                event = self.events.recv() => event,
                () = tokio::time::sleep_until(wake.into()) => continue,
                Ok(_) = self.stop.wait_for(|stop| *stop), if !stopping => continue,
            };
            self.take(event.context("all sessions have ended before their time")?);
        }
    }

    /// Takes what the sessions say. As long as each of them still has something to do, it waits a moment for others that can go
    /// into the same transaction.
    async fn listen(&mut self) {
        let patience = tokio::time::sleep(GATHER);
        tokio::pin!(patience);
        loop {
            while let Ok(event) = self.events.try_recv() {
                self.take(event);
            }
            let is_short =
                |handle: &SessionHandle| handle.held.len() <= (depth(handle.each) - 1) / 2;
            if self.step.records.is_empty() || self.handles.iter().any(is_short) {
                return;
            }
            tokio::select! {
                Some(event) = self.events.recv() => self.take(event),
                () = &mut patience => return,
            }
        }
    }

    /// All has been sent. What could not be used meanwhile, and was stood in for, is worth a word.
    fn tell_of_routes(&mut self) {
        self.delivered.unreachable = None;
        let working = |route: usize| self.has_worked[route];
        let down = self.down.iter().filter(|(route, _)| !working(**route));
        self.delivered.stood_in_for = down.map(|(_, why)| why.clone()).collect();
    }

    /// Lets itself be heard of, so that its leases last.
    async fn stay_alive(&mut self, now: Instant) -> anyhow::Result<()> {
        if now.saturating_duration_since(self.heard_at) >= HEARTBEAT {
            let (store, worker, wall) = (self.store.clone(), self.worker, self.clock.now());
            patiently(&store, || async { store.ledger().hear(worker, wall).await }).await?;
            let is_dead =
                |handle: &SessionHandle| handle.deliveries.is_closed() && !handle.held.is_empty();
            anyhow::ensure!(
                !self.handles.iter().any(is_dead),
                "a session has ended before its time"
            );
            self.heard_at = now;
            self.throttle.tidy(now);
        }
        Ok(())
    }

    /// Takes up what dead workers left behind. Returns whether there is more to send.
    pub(super) async fn inherit(&mut self) -> anyhow::Result<bool> {
        let (store, worker, wall) = (self.store.clone(), self.worker, self.clock.now());
        let (alone, policy) = (self.alone, self.unknown);
        let inherited = patiently(&store, || async {
            store.ledger().inherit(worker, alone, policy, wall).await
        })
        .await?;
        if inherited.released > 0 {
            tracing::info!(
                deliveries = inherited.released,
                "taking up deliveries that an earlier run left behind"
            );
        }
        self.delivered.unknown += inherited.unknown;
        self.delivered.left_unknown += inherited.unknown;
        Ok(inherited.released > 0)
    }

    /// Leaves domains alone from which reports have come that the sender is refused: with a relay between, that is the only way in which
    /// they say so.
    pub(super) async fn hear_what_came_back(&mut self) -> anyhow::Result<()> {
        let hour = TimeDelta::from_std(REFUSED_REST).unwrap_or_default();
        let since = self.clock.now() - hour;
        let store = self.store.clone();
        let domains = patiently(&store, || async {
            store.ledger().refusing_domains(since).await
        })
        .await?;
        for (domain, (reports, said)) in domains {
            if reports >= u64::from(SUSPICIONS) {
                self.throttle
                    .leave_alone(&domain, REFUSED_REST, Instant::now());
                self.delivered.resting.insert(domain, discreet(&said));
            }
        }
        Ok(())
    }

    /// Claims more when there is little left.
    async fn claim(&mut self) -> anyhow::Result<()> {
        // Those that wait for their turn are no work for now, and no reason to leave the others in the queue.
        let movable = self.ready.len().saturating_sub(self.waiting);
        if movable >= CLAIM / 2 || self.ready.len() >= MOST {
            return Ok(());
        }
        let now = Instant::now();
        let is_idle = self.handles.iter().all(|handle| handle.held.is_empty());
        if self.drained && (!is_idle || movable > 0) && now < self.look_again {
            return Ok(());
        }
        self.look_again = now + LOOK_AGAIN;
        let limit = u32::try_from(CLAIM).unwrap_or(u32::MAX);
        let store = self.store.clone();
        let (worker, wall, language) = (self.worker, self.clock.now(), self.language);
        let claimed = patiently(&store, || async {
            let ledger = store.ledger();
            ledger.claim_deliveries(worker, limit, wall, language).await
        })
        .await?;
        self.drained = claimed.len() < CLAIM;
        self.ready.extend(claimed);
        Ok(())
    }

    /// Writes the step, and hands out what was begun.
    async fn write(
        &mut self,
        chosen: Vec<(usize, Delivery)>,
        progress: &impl Fn(u64),
    ) -> anyhow::Result<()> {
        let step = std::mem::take(&mut self.step);
        let (store, worker, wall) = (self.store.clone(), self.worker, self.clock.now());
        let policy = self.suppress;
        let begun: HashSet<DeliveryId> = patiently(&store, || async {
            store
                .ledger()
                .record_step(worker, &step, policy, wall)
                .await
        })
        .await?;
        for (number, delivery) in chosen {
            let now = Instant::now();
            if !begun.contains(&delivery.id) {
                self.throttle
                    .end(delivery.address.domain(), Heard::Silent, now);
                continue;
            }
            let handle = &mut self.handles[number];
            handle.held.insert(delivery.id, delivery.clone());
            if handle.deliveries.try_send(delivery).is_err() {
                anyhow::bail!("a session has ended before its time");
            }
        }
        progress(step.records.len() as u64);
        Ok(())
    }

    fn take(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Ended(number, id, outcome, took) => {
                let handle = &mut self.handles[number];
                // What was on its way when the route was found wanting says nothing new.
                if handle.is_up(now) {
                    handle.rest = None;
                }
                handle.each = match handle.each {
                    Duration::MAX => took,
                    each => (each * 7 + took) / 8,
                };
                if let Some(delivery) = handle.held.remove(&id) {
                    let verdict = judge(&outcome);
                    self.hear_from_route(number, &outcome, verdict.bounce, now);
                    let domain = delivery.address.domain();
                    self.throttle.took(domain, took);
                    if self.throttle.end(domain, verdict.domain, now).is_some() {
                        self.rest(&delivery, &outcome);
                    }
                    self.record(&delivery, outcome, verdict.bounce);
                }
            }
            Event::Unmade(number, id, outcome) => {
                if let Some(delivery) = self.handles[number].held.remove(&id) {
                    self.throttle
                        .end(delivery.address.domain(), Heard::Silent, now);
                    self.record(&delivery, outcome, None);
                }
            }
            Event::Unwanted(number, id, why) => {
                if let Some(delivery) = self.handles[number].held.remove(&id) {
                    self.throttle
                        .end(delivery.address.domain(), Heard::Silent, now);
                    self.step.records.push(Record {
                        id,
                        state: DeliveryState::Cancelled,
                        at: self.clock.now(),
                        answer: Some(reason_of(why).to_owned()),
                        bounce: None,
                        held: false,
                        owed: why == NoMail::TooFew,
                    });
                }
            }
            Event::Down(number, id, why) => {
                let handle = &mut self.handles[number];
                if let Some(delivery) = handle.held.remove(&id) {
                    self.throttle
                        .end(delivery.address.domain(), Heard::Silent, now);
                    self.step.withdraw.push(id);
                    self.ready.push_front(delivery);
                }
                let rest = match handle.rest {
                    // The next one that it had been given before.
                    Some((until, rest)) if until > now => rest,
                    Some((_, rest)) => (rest * 2).min(REST[1]),
                    None => REST[0],
                };
                handle.rest = Some((now + rest, rest));
                let route = handle.route;
                self.given[route] = self.given[route].saturating_sub(1);
                self.down.insert(route, why.clone());
                self.delivered.unreachable = Some(why);
            }
        }
    }

    /// Takes note of what a mail server does with us. One that refuses the sender whoever the mail is for is not asked again for
    /// each of a million readers.
    fn hear_from_route(
        &mut self,
        session: usize,
        outcome: &Outcome,
        bounce: Option<Bounce>,
        now: Instant,
    ) {
        let route = self.handles[session].route;
        match (outcome, bounce) {
            (Outcome::Accepted, _) => {
                self.has_worked[route] = true;
                self.refusals[route] = 0;
            }
            (Outcome::Deferred(no) | Outcome::Rejected(no), Some(Bounce::SenderFault)) => {
                self.refusals[route] += 1;
                if self.refusals[route] >= REFUSALS {
                    let why = format!("the mail server refuses the sender: {}", discreet(&no.text));
                    for handle in self
                        .handles
                        .iter_mut()
                        .filter(|handle| handle.route == route)
                    {
                        handle.rest = Some((now + REST[1], REST[1]));
                    }
                    self.refusals[route] = 0;
                    self.down.insert(route, why.clone());
                    self.delivered.unreachable = Some(why);
                }
            }
            _ => {}
        }
    }
}

/// What the ledger says of a delivery that is not worth a mail.
fn reason_of(why: NoMail) -> &'static str {
    match why {
        NoMail::Empty => "it has nothing for its reader",
        NoMail::TooFew => {
            "it has fewer stories than its reader wants a mail for; its news go with the next edition"
        }
    }
}
