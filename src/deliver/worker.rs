//! The loop: claim, begin, send, record.
//!
//! One task keeps the ledger; one for each session makes mails and sends them. A session has a few deliveries: the one it
//! is sending, and the next ones, which are begun meanwhile. So the wire never waits for the disk, and what is recorded and begun
//! by all sessions at the same time goes into one transaction.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::mailer::{Mailer, Route, Session};
use super::message::Sender;
use super::outcome::{Domain as Heard, judge};
use super::press::{Press, Unmade};
use super::throttle::{Bucket, DomainLimits, Gate, Throttle};
use crate::model::{
    Audience, Bounce, Delivery, DeliveryId, DeliveryState, Digest, Edition, Outcome, UnknownPolicy,
};
use crate::store::{HEARTBEAT, Record, Step, Store, WorkerId};

/// How many deliveries a worker claims at a time.
const CLAIM: usize = 500;

/// How many deliveries a session has at a time at most.
const HELD: usize = 4;

/// How many deliveries a session has at a time that needs `each` for one. What is begun and not recorded is unknown should the
/// program be killed, so it is no more than what keeps the wire from waiting for the disk.
fn depth(each: Duration) -> usize {
    match each.as_millis() {
        ..2 => HELD,
        2..20 => 2,
        _ => 1,
    }
}

/// How long an outcome waits for others that could be recorded with it, while no session waits for it.
const GATHER: Duration = Duration::from_millis(1);

/// How many deliveries to one domain wait here for their turn; more go back into the queue until it comes.
const WAITING: usize = 100;

/// How long after the first, second, … try the next one comes, in minutes; the last one repeats.
const RETRY_MINUTES: [i64; 6] = [5, 15, 30, 60, 120, 240];

/// How long a session rests whose way out cannot be used, at first and at most.
const REST: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(300)];

/// How long the store may be away before the run gives up: a database server is restarted in that time, a full disk seldom emptied.
const PATIENCE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(5)];

/// All that the loop needs.
pub struct Job<R> {
    /// Where the deliveries are.
    pub store: Arc<Store>,
    /// The way out.
    pub mailer: Arc<Mailer>,
    /// What all mails have in common.
    pub sender: Arc<Sender>,
    /// How fast mail may go to a domain.
    pub domains: DomainLimits,
    /// For how long a delivery is tried.
    pub retry_for: Duration,
    /// What becomes of one of which nobody knows whether it went out.
    pub unknown: UnknownPolicy,
    /// Nobody else sends from this store now: what others have claimed and not ended, they have left behind.
    pub alone: bool,
    /// Renders an edition for an audience.
    pub render: R,
    /// The real time, by which deliveries are due. Not the pretended one: that would stand still.
    pub wall: fn() -> DateTime<Utc>,
    /// Becomes `true` when the run is to stop.
    pub stop: watch::Receiver<bool>,
}

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

/// A clock that starts at the real time and then runs on, whatever is done to the machine's: a delivery is not due an hour
/// later because somebody set it back.
#[derive(Debug, Clone, Copy)]
struct Clock {
    wall: DateTime<Utc>,
    started: Instant,
}

impl Clock {
    fn now(&self) -> DateTime<Utc> {
        self.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> DateTime<Utc> {
        let passed = instant.saturating_duration_since(self.started);
        self.wall + TimeDelta::from_std(passed).unwrap_or_default()
    }
}

/// Sends all deliveries that are due, and records each.
///
/// `progress` is called with the number of deliveries that have ended.
///
/// # Errors
/// When the store fails. A refused recipient, a mail that cannot be made or a dead server is no error but
/// part of the result.
pub async fn deliver<R>(job: Job<R>, progress: impl Fn(u64)) -> anyhow::Result<Delivered>
where
    R: Fn(&Edition, &Audience) -> anyhow::Result<Digest> + Send + Sync + 'static,
{
    let clock = Clock {
        wall: (job.wall)(),
        started: Instant::now(),
    };
    let store = job.store.clone();
    let worker = store.enlist(clock.now()).await?;
    let mut run = Run::start(job, worker, clock);
    run.inherit().await?;
    let ended = run.go(&progress).await;
    let (delivered, sessions) = run.end();
    for session in sessions {
        // A session that panicked has left a begun delivery, which the ledger knows of.
        let _ = session.await;
    }
    ended?;
    store.dismiss(worker).await?;
    Ok(delivered)
}

/// What a session says.
enum Event {
    /// A delivery has ended, after that time.
    Ended(usize, DeliveryId, Outcome, Duration),
    /// There is no mail for a delivery.
    Unmade(usize, DeliveryId, Outcome),
    /// The way out cannot be used, and the delivery was not sent.
    Down(usize, DeliveryId, String),
}

/// A session, as the keeper of the ledger sees it.
struct Line {
    route: usize,
    deliveries: mpsc::Sender<Delivery>,
    /// What it has, by number: what is not recorded is known.
    held: HashMap<DeliveryId, Delivery>,
    /// How long it needs for one, on average; long until it has shown it.
    each: Duration,
    /// Until when it is not used, and how long it rested the last time.
    rest: Option<(Instant, Duration)>,
}

struct Run {
    store: Arc<Store>,
    worker: WorkerId,
    clock: Clock,
    language: crate::model::Language,
    retry_for: Duration,
    unknown: UnknownPolicy,
    alone: bool,
    stop: watch::Receiver<bool>,
    routes: Vec<Route>,
    /// How many mails each route was given, and how fast it may be given more.
    given: Vec<u64>,
    buckets: Vec<Option<Bucket>>,
    lines: Vec<Line>,
    sessions: Vec<JoinHandle<()>>,
    events: mpsc::UnboundedReceiver<Event>,
    throttle: Throttle,
    /// Claimed and not begun.
    ready: VecDeque<Delivery>,
    /// What is to be written.
    step: Step,
    /// The store had no more the last time.
    drained: bool,
    /// Until when the turns of deliveries come that went back into the queue to wait for them.
    turns: Option<Instant>,
    heard_at: Instant,
    delivered: Delivered,
}

impl Run {
    fn start<R>(job: Job<R>, worker: WorkerId, clock: Clock) -> Self
    where
        R: Fn(&Edition, &Audience) -> anyhow::Result<Digest> + Send + Sync + 'static,
    {
        let routes = job.mailer.routes();
        let language = job.sender.newsletter.language;
        let press = Arc::new(Press::new(job.store.clone(), job.sender, job.render));
        let (report, events) = mpsc::unbounded_channel();
        let (mut lines, mut sessions) = (Vec::new(), Vec::new());
        for (number, route) in routes.iter().enumerate() {
            for _ in 0..route.sessions {
                let (deliveries, queue) = mpsc::channel(HELD);
                let session = job.mailer.session(number);
                let task = attend(press.clone(), session, queue, lines.len(), report.clone());
                sessions.push(tokio::spawn(task));
                lines.push(Line {
                    route: number,
                    deliveries,
                    held: HashMap::new(),
                    each: Duration::MAX,
                    rest: None,
                });
            }
        }
        let now = Instant::now();
        let bucket = |route: &Route| route.per_minute.map(|most| Bucket::new(most, now));
        Self {
            store: job.store,
            worker,
            clock,
            language,
            retry_for: job.retry_for,
            unknown: job.unknown,
            alone: job.alone,
            stop: job.stop,
            given: vec![0; routes.len()],
            buckets: routes.iter().map(bucket).collect(),
            routes,
            lines,
            sessions,
            events,
            throttle: Throttle::new(job.domains),
            ready: VecDeque::new(),
            step: Step::default(),
            drained: false,
            turns: None,
            heard_at: now,
            delivered: Delivered::default(),
        }
    }

    /// Lets the sessions end.
    fn end(self) -> (Delivered, Vec<JoinHandle<()>>) {
        (self.delivered, self.sessions)
    }

    async fn go(&mut self, progress: &impl Fn(u64)) -> anyhow::Result<()> {
        loop {
            self.listen().await;
            let stopping = *self.stop.borrow();
            let now = Instant::now();
            self.stay_alive(now).await?;
            let is_up = self
                .lines
                .iter()
                .any(|line| line.rest.is_none_or(|(until, _)| until <= now));
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
            if self.lines.iter().all(|line| line.held.is_empty()) {
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
                        if self.inherit().await? {
                            self.drained = false;
                            continue;
                        }
                        self.delivered.unreachable = None;
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
            let is_short = |line: &Line| line.held.len() <= (depth(line.each) - 1) / 2;
            if self.step.records.is_empty() || self.lines.iter().any(is_short) {
                return;
            }
            tokio::select! {
                Some(event) = self.events.recv() => self.take(event),
                () = &mut patience => return,
            }
        }
    }

    /// Lets itself be heard of, so that its leases last.
    async fn stay_alive(&mut self, now: Instant) -> anyhow::Result<()> {
        if now.saturating_duration_since(self.heard_at) >= HEARTBEAT {
            let (store, worker, wall) = (self.store.clone(), self.worker, self.clock.now());
            patiently(&store, || store.hear(worker, wall)).await?;
            let is_dead = |line: &Line| line.deliveries.is_closed() && !line.held.is_empty();
            anyhow::ensure!(
                !self.lines.iter().any(is_dead),
                "a session has ended before its time"
            );
            self.heard_at = now;
            self.throttle.tidy(now);
        }
        Ok(())
    }

    /// Takes up what dead workers left behind. Returns whether there is more to send.
    async fn inherit(&mut self) -> anyhow::Result<bool> {
        let (store, worker, wall) = (self.store.clone(), self.worker, self.clock.now());
        let (alone, policy) = (self.alone, self.unknown);
        let inherited = patiently(&store, || store.inherit(worker, alone, policy, wall)).await?;
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

    /// Claims more when there is little left.
    async fn claim(&mut self) -> anyhow::Result<()> {
        if self.ready.len() >= CLAIM / 2 || (self.drained && !self.ready.is_empty()) {
            return Ok(());
        }
        let idle = self.lines.iter().all(|line| line.held.is_empty());
        if self.drained && !idle && self.turns.is_none() {
            return Ok(());
        }
        let limit = u32::try_from(CLAIM).unwrap_or(u32::MAX);
        let store = self.store.clone();
        let (worker, wall, language) = (self.worker, self.clock.now(), self.language);
        let claimed = patiently(&store, || {
            store.claim_deliveries(worker, limit, wall, language)
        })
        .await?;
        self.drained = claimed.len() < CLAIM;
        self.ready.extend(claimed);
        Ok(())
    }

    /// Chooses what to begin, and for which session; and when to look again, where something has to wait for its time.
    fn choose(&mut self, now: Instant) -> (Vec<(usize, Delivery)>, Option<Instant>) {
        let mut chosen = Vec::new();
        let mut wake: Option<Instant> = None;
        let mut later = |at: Instant| wake = Some(wake.map_or(at, |before| before.min(at)));
        let mut waiting: HashMap<String, usize> = HashMap::new();
        let mut put_off = VecDeque::new();
        let mut taken = vec![0; self.lines.len()];
        while let Some(line) = self.free_line(now, &taken, &mut later) {
            let Some(delivery) = self.ready.pop_front() else {
                break;
            };
            if is_expired(&delivery, self.clock.at(now), self.retry_for) {
                let outcome = Outcome::Rejected(
                    "its time had passed before it could be sent (`delivery.retry_for`)".to_owned(),
                );
                self.record(&delivery, outcome, None);
                continue;
            }
            let domain = delivery.address.domain().to_owned();
            match self.throttle.gate(&domain, now) {
                Gate::Open => {
                    self.throttle.start(&domain, now);
                    let route = self.lines[line].route;
                    self.given[route] += 1;
                    if let Some(bucket) = &mut self.buckets[route] {
                        bucket.take();
                    }
                    taken[line] += 1;
                    self.step.begin.push(delivery.id);
                    chosen.push((line, delivery));
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
                        let turn = self.throttle.turn(delivery.address.domain(), now);
                        self.turns = Some(self.turns.map_or(turn, |last| last.max(turn)));
                        let turn = self.clock.at(turn) + TimeDelta::seconds(1);
                        self.step.postpone.push((delivery.id, turn));
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
        put_off.append(&mut self.ready);
        self.ready = put_off;
        (chosen, wake)
    }

    /// A session that can take one more, on the route whose turn it is.
    fn free_line(
        &mut self,
        now: Instant,
        taken: &[usize],
        later: &mut impl FnMut(Instant),
    ) -> Option<usize> {
        let up = |line: &Line| line.rest.is_none_or(|(until, _)| until <= now);
        let mut turn: Option<(f64, usize)> = None;
        for stand_by in [false, true] {
            for (number, route) in self.routes.iter().enumerate() {
                let on_route = |line: &&Line| line.route == number;
                if (route.weight == 0) != stand_by || !self.lines.iter().filter(on_route).any(up) {
                    continue;
                }
                #[expect(clippy::cast_precision_loss, reason = "a share needs no last digit")]
                let share = (self.given[number] + 1) as f64 / f64::from(route.weight.max(1));
                if turn.is_none_or(|(least, _)| share < least) {
                    turn = Some((share, number));
                }
            }
            if turn.is_some() {
                break;
            }
        }
        let (_, route) = turn?;
        if let Some(bucket) = &mut self.buckets[route] {
            let next = bucket.next(now);
            if next > now {
                later(next);
                return None;
            }
        }
        let load = |(number, line): (usize, &Line)| {
            let load = line.held.len() + taken[number];
            (line.route == route && up(line) && load < depth(line.each)).then_some((load, number))
        };
        let least = self.lines.iter().enumerate().filter_map(load).min();
        least.map(|(_, number)| number)
    }

    /// Writes the step, and hands out what was begun.
    async fn write(
        &mut self,
        chosen: Vec<(usize, Delivery)>,
        progress: &impl Fn(u64),
    ) -> anyhow::Result<()> {
        let step = std::mem::take(&mut self.step);
        let (store, worker, wall) = (self.store.clone(), self.worker, self.clock.now());
        let begun: HashSet<DeliveryId> =
            patiently(&store, || store.record_step(worker, &step, wall)).await?;
        for (number, delivery) in chosen {
            let now = Instant::now();
            if !begun.contains(&delivery.id) {
                self.throttle
                    .end(delivery.address.domain(), Heard::Silent, now);
                continue;
            }
            let line = &mut self.lines[number];
            line.held.insert(delivery.id, delivery.clone());
            if line.deliveries.try_send(delivery).is_err() {
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
                let line = &mut self.lines[number];
                line.rest = None;
                line.each = match line.each {
                    Duration::MAX => took,
                    each => (each * 7 + took) / 8,
                };
                if let Some(delivery) = line.held.remove(&id) {
                    let verdict = judge(&outcome);
                    let domain = delivery.address.domain();
                    if self.throttle.end(domain, verdict.domain, now).is_some() {
                        self.rest(&delivery, &outcome);
                    }
                    self.record(&delivery, outcome, verdict.bounce);
                }
            }
            Event::Unmade(number, id, outcome) => {
                if let Some(delivery) = self.lines[number].held.remove(&id) {
                    self.throttle
                        .end(delivery.address.domain(), Heard::Silent, now);
                    self.record(&delivery, outcome, None);
                }
            }
            Event::Down(number, id, why) => {
                let line = &mut self.lines[number];
                if let Some(delivery) = line.held.remove(&id) {
                    self.throttle
                        .end(delivery.address.domain(), Heard::Silent, now);
                    self.step.withdraw.push(id);
                    self.ready.push_front(delivery);
                }
                let rest = match line.rest {
                    // The next one that it had been given before.
                    Some((until, rest)) if until > now => rest,
                    Some((_, rest)) => (rest * 2).min(REST[1]),
                    None => REST[0],
                };
                line.rest = Some((now + rest, rest));
                self.delivered.unreachable = Some(why);
            }
        }
    }

    /// Tells that a domain is left alone from now on.
    fn rest(&mut self, delivery: &Delivery, outcome: &Outcome) {
        let said = match outcome {
            Outcome::Deferred(said) | Outcome::Rejected(said) => discreet(said, delivery),
            Outcome::Accepted | Outcome::Unknown(_) => String::new(),
        };
        let domain = delivery.address.domain().to_owned();
        self.delivered.resting.insert(domain, said);
    }

    /// Counts an outcome and says what to write about it.
    fn record(&mut self, delivery: &Delivery, outcome: Outcome, mut bounce: Option<Bounce>) {
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

/// A session: makes mails and sends them, one after the other.
async fn attend<R>(
    press: Arc<Press<R>>,
    mut session: Session,
    mut queue: mpsc::Receiver<Delivery>,
    number: usize,
    events: mpsc::UnboundedSender<Event>,
) where
    R: Fn(&Edition, &Audience) -> anyhow::Result<Digest>,
{
    while let Some(delivery) = queue.recv().await {
        let started = Instant::now();
        let event = match press.mail(&delivery).await {
            Ok(mail) => match session.send(&mail).await {
                Ok(outcome) => Event::Ended(number, delivery.id, outcome, started.elapsed()),
                Err(error) => Event::Down(number, delivery.id, format!("{error:#}")),
            },
            // An edition that cannot be rendered must not stand in the way of the next one.
            Err(Unmade::Digest(error)) => {
                let what = format!("its digest cannot be made: {error:#}");
                Event::Unmade(number, delivery.id, Outcome::Deferred(what))
            }
            Err(Unmade::Mail(error)) => {
                let what = format!("no mail can be made for it: {error:#}");
                Event::Unmade(number, delivery.id, Outcome::Rejected(what))
            }
        };
        if events.send(event).is_err() {
            break;
        }
    }
    session.close().await;
}

/// What a server said about a delivery, without the address that servers repeat: a report is kept in logs, and must name nobody.
fn discreet(said: &str, delivery: &Delivery) -> String {
    said.replace(delivery.address.as_str(), "…")
}

/// Whether `delivery` is too old to be sent at `moment`: news of the day before yesterday helps nobody.
fn is_expired(delivery: &Delivery, moment: DateTime<Utc>, retry_for: Duration) -> bool {
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

/// Tries again what fails because the store is away for a moment.
pub(super) async fn patiently<T, E, F>(
    store: &Store,
    mut work: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, E>>,
    E: Into<anyhow::Error>,
{
    let started = Instant::now();
    let patience = PATIENCE[usize::from(store.is_embedded())];
    let mut pause = Duration::from_millis(100);
    loop {
        let error: anyhow::Error = match work().await {
            Ok(done) => return Ok(done),
            Err(error) => error.into(),
        };
        if !crate::store::is_passing(&error) || started.elapsed() > patience {
            return Err(error.context("writing to the store"));
        }
        tracing::warn!("The store does not answer ({error:#}). Trying again.");
        tokio::time::sleep(pause).await;
        // Whether it is back shows at the next try.
        let _ = store.revive().await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

impl Delivered {
    /// How many deliveries have ended, well or not.
    pub fn total(&self) -> u64 {
        self.sent + self.deferred + self.failed + self.unknown
    }
}
