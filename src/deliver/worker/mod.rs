//! The loop: claim, begin, send, record.
//!
//! One task keeps the ledger; one for each session makes mails and sends them. A session has a few deliveries: the one it
//! is sending, and the next ones, which are begun meanwhile. So the wire never waits for the disk, and what is recorded and begun
//! by all sessions at the same time goes into one transaction.
//!
//! `keep` is that one task, `choose` says what goes next and which way, `record` what an outcome is for the ledger, and `delivered` what
//! came of it all.

mod choose;
mod delivered;
mod keep;
mod record;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::maildir::Try;
use super::mailer::{Mailer, Route, Session};
use super::message::Sender;
use super::press::{Press, Printed, Unmade};
use super::throttle::{Bucket, DomainLimits, Throttle};
use crate::model::{
    Audience, BouncePolicy, Delivery, DeliveryId, Edition, NoMail, Outcome, Refusal, UnknownPolicy,
};
use crate::store::{Step, Store, WorkerId};
pub use delivered::Delivered;

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
    /// When an address is not mailed any more.
    pub suppress: BouncePolicy,
    /// Nobody else sends from this store now: what others have claimed and not ended, they have left behind.
    pub alone: bool,
    /// Renders an edition for an audience, and the news that it has of what its readers follow.
    pub render: R,
    /// The real time, by which deliveries are due. Not the pretended one: that would stand still.
    pub wall: fn() -> DateTime<Utc>,
    /// Becomes `true` when the run is to stop.
    pub stop: watch::Receiver<bool>,
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
    R: Fn(&Edition, &Audience) -> anyhow::Result<Printed> + Send + Sync + 'static,
{
    let clock = Clock {
        wall: (job.wall)(),
        started: Instant::now(),
    };
    let store = job.store.clone();
    let worker = store.ledger().enlist(clock.now()).await?;
    let mut run = Run::start(job, worker, clock);
    let ended = run.work(&progress).await;
    let (delivered, sessions) = run.end();
    for session in sessions {
        // A session that panicked has left a begun delivery, which the ledger knows of.
        let _ = session.await;
    }
    // Whatever went wrong: nobody is to wait for its leases.
    let dismissed = store.ledger().dismiss(worker).await;
    ended?;
    dismissed?;
    Ok(delivered)
}

/// What a session says.
enum Event {
    /// A delivery has ended, after that time.
    Ended(usize, DeliveryId, Outcome, Duration),
    /// There is no mail for a delivery.
    Unmade(usize, DeliveryId, Outcome),
    /// There is no mail for a delivery, and none is wanted any more.
    Unwanted(usize, DeliveryId, NoMail),
    /// The way out cannot be used, and the delivery was not sent.
    Down(usize, DeliveryId, String),
}

/// A session, as the keeper of the ledger sees it.
struct SessionHandle {
    route: usize,
    deliveries: mpsc::Sender<Delivery>,
    /// What it has, by number: what is not recorded is known.
    held: HashMap<DeliveryId, Delivery>,
    /// How long it needs for one, on average; long until it has shown it.
    each: Duration,
    /// Until when it is not used, and how long it rested the last time.
    rest: Option<(Instant, Duration)>,
}

impl SessionHandle {
    /// Whether it is used at `now`.
    fn is_up(&self, now: Instant) -> bool {
        self.rest.is_none_or(|(until, _)| until <= now)
    }
}

struct Run {
    store: Arc<Store>,
    worker: WorkerId,
    clock: Clock,
    language: crate::model::Language,
    retry_for: Duration,
    unknown: UnknownPolicy,
    suppress: BouncePolicy,
    alone: bool,
    stop: watch::Receiver<bool>,
    routes: Vec<Route>,
    /// How many mails each route was given, and how fast it may be given more.
    given: Vec<u64>,
    buckets: Vec<Option<Bucket>>,
    handles: Vec<SessionHandle>,
    sessions: Vec<JoinHandle<()>>,
    events: mpsc::UnboundedReceiver<Event>,
    throttle: Throttle,
    /// Claimed and not begun; and how many of these wait for their turn, or for others of their domain. They stand at the end.
    ready: VecDeque<Delivery>,
    waiting: usize,
    /// What is to be written.
    step: Step,
    /// The store had no more the last time, and when to ask it again.
    drained: bool,
    look_again: Instant,
    /// Which routes have taken a mail, how often in a row each has refused the sender, and why it could not be used.
    has_worked: Vec<bool>,
    refusals: Vec<u32>,
    down: BTreeMap<usize, String>,
    /// Until when the turns of deliveries come that went back into the queue to wait for them.
    turns: Option<Instant>,
    heard_at: Instant,
    /// How many deliveries wait because their addresses were called dead in this run.
    held: u64,
    delivered: Delivered,
}

impl Run {
    fn start<R>(job: Job<R>, worker: WorkerId, clock: Clock) -> Self
    where
        R: Fn(&Edition, &Audience) -> anyhow::Result<Printed> + Send + Sync + 'static,
    {
        let routes = job.mailer.routes();
        let language = job.sender.newsletter.language;
        let press = Arc::new(Press::new(job.store.clone(), job.sender, job.render));
        let (report, events) = mpsc::unbounded_channel();
        let (mut handles, mut sessions) = (Vec::new(), Vec::new());
        for (number, route) in routes.iter().enumerate() {
            for _ in 0..route.sessions {
                let (deliveries, queue) = mpsc::channel(HELD);
                let session = job.mailer.session(number);
                let task = attend(press.clone(), session, queue, handles.len(), report.clone());
                sessions.push(tokio::spawn(task));
                handles.push(SessionHandle {
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
            suppress: job.suppress,
            alone: job.alone,
            stop: job.stop,
            given: vec![0; routes.len()],
            buckets: routes.iter().map(bucket).collect(),
            handles,
            sessions,
            events,
            throttle: Throttle::new(job.domains),
            ready: VecDeque::new(),
            step: Step::default(),
            waiting: 0,
            drained: false,
            look_again: now,
            has_worked: vec![false; routes.len()],
            refusals: vec![0; routes.len()],
            down: BTreeMap::new(),
            routes,
            turns: None,
            heard_at: now,
            held: 0,
            delivered: Delivered::default(),
        }
    }

    /// Lets the sessions end.
    fn end(self) -> (Delivered, Vec<JoinHandle<()>>) {
        (self.delivered, self.sessions)
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
    R: Fn(&Edition, &Audience) -> anyhow::Result<Printed>,
{
    while let Some(delivery) = queue.recv().await {
        let started = Instant::now();
        let tried = match delivery.attempts {
            ..=1 => Try::First,
            _ => Try::Again,
        };
        let event = match press.mail(&delivery).await {
            Ok(mail) => match session.send(&mail, tried).await {
                Ok(outcome) => Event::Ended(number, delivery.id, outcome, started.elapsed()),
                Err(error) => Event::Down(number, delivery.id, format!("{error:#}")),
            },
            // An edition that cannot be rendered must not stand in the way of the next one.
            Err(Unmade::Digest(error)) => {
                let what = format!("its digest cannot be made: {error:#}");
                Event::Unmade(
                    number,
                    delivery.id,
                    Outcome::Deferred(Refusal::of_ours(what)),
                )
            }
            Err(Unmade::Unwanted(why)) => Event::Unwanted(number, delivery.id, why),
            Err(Unmade::Mail(error)) => {
                let what = format!("no mail can be made for it: {error:#}");
                Event::Unmade(
                    number,
                    delivery.id,
                    Outcome::Rejected(Refusal::of_ours(what)),
                )
            }
        };
        if events.send(event).is_err() {
            break;
        }
    }
    session.close().await;
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
        let _ = store.reconnect().await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}
