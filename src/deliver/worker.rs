//! The loop: claim, make the message, send, record.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::encoded::EncodedDigest;
use super::mailer::Mailer;
use super::message::{Mail, Recipient, message};
use crate::model::{
    Audience, Delivery, DeliveryId, DeliveryState, Digest, Edition, EditionId, Newsletter, Outcome,
};
use crate::store::{Record, Store};

/// How many deliveries a worker claims at a time.
const CLAIM: u32 = 20;

/// How many outcomes go into one transaction at most.
const RECORD: usize = 64;

/// How long after the first, second, … try the next one comes, in minutes; the last one repeats.
const RETRY_MINUTES: [i64; 6] = [5, 15, 30, 60, 120, 240];

/// All that the loop needs.
pub struct Job<'a, R> {
    /// Where the deliveries are.
    pub store: &'a Store,
    /// The way out.
    pub mailer: &'a Mailer,
    /// What all mails have in common.
    pub newsletter: &'a Newsletter,
    /// For how long a delivery is tried.
    pub retry_for: Duration,
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
    /// What the server said when it said no, without the addresses, and how often.
    pub answers: BTreeMap<String, u64>,
    /// Why the way out could not be used; what was not sent waits for the next run.
    pub unreachable: Option<String>,
    /// The run was told to stop before all was sent.
    pub stopped: bool,
}

/// Sends all deliveries that are due, and records each.
///
/// `progress` is called once per delivery that has ended.
///
/// # Errors
/// When the store fails. A refused recipient, a mail that cannot be made or a dead server is no error but
/// part of the result.
pub async fn deliver<R>(job: &Job<'_, R>, progress: impl Fn()) -> anyhow::Result<Delivered>
where
    R: Fn(&Edition, &Audience) -> anyhow::Result<Digest>,
{
    let mut total = Delivered::default();
    loop {
        let round = round(job, &progress).await?;
        let (ended, unreachable) = (round.total(), round.unreachable.clone());
        total.add(round);
        if total.stopped || unreachable.is_none() {
            return Ok(total);
        }
        // A server that takes fewer connections than we asked for has still taken all the mail.
        if job.store.count_due((job.wall)()).await? == 0 {
            total.unreachable = None;
            return Ok(total);
        }
        // What a worker gave back after the others had ended is worth another round, as long as anything
        // goes out at all.
        if ended == 0 {
            return Ok(total);
        }
    }
}

/// All workers, until none finds anything to do.
async fn round<R>(job: &Job<'_, R>, progress: &impl Fn()) -> anyhow::Result<Delivered>
where
    R: Fn(&Edition, &Audience) -> anyhow::Result<Digest>,
{
    let (recorder, records) = mpsc::channel(RECORD);
    let press = Press {
        job,
        digests: Mutex::default(),
    };
    let workers = (0..job.mailer.sessions()).map(|_| work(&press, recorder.clone(), progress));
    let workers = futures::future::join_all(workers);
    drop(recorder);
    let (results, recorded) = tokio::join!(workers, record(job.store, records));
    recorded?;
    let mut total = Delivered::default();
    for result in results {
        total.add(result?);
    }
    Ok(total)
}

/// An outcome on its way to the record.
struct Reported {
    record: Record,
    /// What the worker has claimed and not tried yet.
    held: Vec<DeliveryId>,
    /// Answered when the outcome is on the disk, with those of `held` that nobody wants any more.
    recorded: oneshot::Sender<HashSet<DeliveryId>>,
}

/// Commits outcomes together that come at the same time, and tells each worker when its own is on the disk.
async fn record(store: &Store, mut reports: mpsc::Receiver<Reported>) -> anyhow::Result<()> {
    let mut batch = Vec::new();
    while reports.recv_many(&mut batch, RECORD).await > 0 {
        let mut records = Vec::with_capacity(batch.len());
        let mut held = Vec::new();
        let mut waiting = Vec::with_capacity(batch.len());
        for report in batch.drain(..) {
            records.push(report.record);
            held.extend(report.held);
            waiting.push(report.recorded);
        }
        // On failure the senders are dropped unanswered, and every worker stops: what cannot be recorded
        // must not be sent.
        let gone = store.record_outcomes(&records, &held).await?;
        for worker in waiting {
            let _ = worker.send(gone.clone());
        }
    }
    Ok(())
}

async fn work<R>(
    press: &Press<'_, R>,
    recorder: mpsc::Sender<Reported>,
    progress: &impl Fn(),
) -> anyhow::Result<Delivered>
where
    R: Fn(&Edition, &Audience) -> anyhow::Result<Digest>,
{
    let job = press.job;
    let mut result = Delivered::default();
    let mut session = job.mailer.session();
    let mut claimed = VecDeque::new();
    loop {
        if *job.stop.borrow() {
            result.stopped = true;
            break;
        }
        if claimed.is_empty() {
            claimed.extend(
                job.store
                    .claim_deliveries(CLAIM, (job.wall)(), job.newsletter.language)
                    .await?,
            );
        }
        let Some(delivery) = claimed.front() else {
            break;
        };
        let outcome = if expired(delivery, (job.wall)(), job.retry_for) {
            Outcome::Rejected(
                "its time had passed before it could be sent (`delivery.retry_for`)".to_owned(),
            )
        } else {
            match press.digest(delivery).await {
                // An edition that cannot be rendered must not stand in the way of the next one.
                Err(error) => Outcome::Deferred(format!("its digest cannot be made: {error:#}")),
                Ok((edition, digest)) => match mail(job.newsletter, &edition, &digest, delivery) {
                    Err(error) => {
                        Outcome::Rejected(format!("no mail can be made for it: {error:#}"))
                    }
                    Ok(mail) => match session.send(&mail).await {
                        Ok(outcome) => outcome,
                        Err(error) => {
                            result.unreachable = Some(format!("{error:#}"));
                            break;
                        }
                    },
                },
            }
        };
        let record = result.take(delivery, outcome, (job.wall)(), job.retry_for);
        claimed.pop_front();
        let (recorded, on_record) = oneshot::channel();
        let held = claimed.iter().map(|delivery| delivery.id).collect();
        let reported = Reported {
            record,
            held,
            recorded,
        };
        if recorder.send(reported).await.is_err() {
            break;
        }
        let Ok(gone) = on_record.await else { break };
        claimed.retain(|delivery| !gone.contains(&delivery.id));
        progress();
    }
    session.close().await;
    let left: Vec<DeliveryId> = claimed.iter().map(|delivery| delivery.id).collect();
    if !left.is_empty() {
        job.store.release_deliveries(&left).await?;
    }
    Ok(result)
}

/// Whether `delivery` is too old to be sent at `moment`: news of the day before yesterday helps nobody.
fn expired(delivery: &Delivery, moment: DateTime<Utc>, retry_for: Duration) -> bool {
    (moment - delivery.planned_at)
        .to_std()
        .is_ok_and(|age| age > retry_for)
}

impl Delivered {
    /// How many deliveries have ended, well or not.
    pub fn total(&self) -> u64 {
        self.sent + self.deferred + self.failed + self.unknown
    }

    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.deferred += other.deferred;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.stopped |= other.stopped;
        self.unreachable = other.unreachable.or(self.unreachable.take());
        for (answer, times) in other.answers {
            *self.answers.entry(answer).or_default() += times;
        }
    }

    /// Counts an outcome and says what to write about it.
    fn take(
        &mut self,
        delivery: &Delivery,
        outcome: Outcome,
        wall: DateTime<Utc>,
        retry_for: Duration,
    ) -> Record {
        let (state, at, answer) = match outcome {
            Outcome::Accepted => (DeliveryState::Sent, wall, None),
            Outcome::Rejected(answer) => (DeliveryState::Failed, wall, Some(answer)),
            Outcome::Unknown(answer) => (DeliveryState::Unknown, wall, Some(answer)),
            Outcome::Deferred(answer) => {
                let tries = usize::try_from(delivery.attempts.max(1) - 1).unwrap_or(usize::MAX);
                let minutes = RETRY_MINUTES[tries.min(RETRY_MINUTES.len() - 1)];
                let next = wall + TimeDelta::minutes(minutes);
                if expired(delivery, next, retry_for) {
                    (DeliveryState::Failed, wall, Some(answer))
                } else {
                    (DeliveryState::Deferred, next, Some(answer))
                }
            }
        };
        match state {
            DeliveryState::Sent => self.sent += 1,
            DeliveryState::Deferred => self.deferred += 1,
            DeliveryState::Unknown => self.unknown += 1,
            _ => self.failed += 1,
        }
        // Servers repeat the address; a report is kept in logs, and must name nobody.
        let answer = answer.map(|text| text.replace(delivery.address.as_str(), "…"));
        if let Some(answer) = &answer {
            *self.answers.entry(answer.clone()).or_default() += 1;
        }
        Record {
            id: delivery.id,
            state,
            at,
            answer,
        }
    }
}

fn mail(
    newsletter: &Newsletter,
    edition: &Edition,
    digest: &EncodedDigest,
    delivery: &Delivery,
) -> anyhow::Result<Mail> {
    let recipient = Recipient {
        address: &delivery.address,
        name: &delivery.name,
        token: &delivery.token,
        language: delivery.audience.language,
    };
    message(newsletter, edition, digest, &recipient)
}

/// An edition and its digest for one audience.
type Rendered = (Arc<Edition>, Arc<EncodedDigest>);

/// Makes the digests, each once.
struct Press<'a, R> {
    job: &'a Job<'a, R>,
    digests: Mutex<HashMap<(EditionId, Audience), Rendered>>,
}

impl<R> Press<'_, R>
where
    R: Fn(&Edition, &Audience) -> anyhow::Result<Digest>,
{
    async fn digest(&self, delivery: &Delivery) -> anyhow::Result<Rendered> {
        let key = (delivery.edition.clone(), delivery.audience.clone());
        // Held while it is made, so that two workers do not make the same one.
        let mut digests = self.digests.lock().await;
        if let Some(made) = digests.get(&key) {
            return Ok(made.clone());
        }
        let edition = Arc::new(self.job.store.load_edition(&delivery.edition).await?);
        let digest = (self.job.render)(&edition, &delivery.audience)?;
        let digest = Arc::new(EncodedDigest::new(&digest));
        digests.insert(key, (edition.clone(), digest.clone()));
        Ok((edition, digest))
    }
}
