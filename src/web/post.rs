//! Letters: asked for on a page, sent from here, one process at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::app::App;
use crate::deliver::{Mailer, Recipient, Sender};
use crate::model::{Letter, Outcome, Purpose, UnknownPolicy};
use crate::render::letter;
use crate::schedule;
use crate::store::{LetterKind, LetterState, PendingLetter};

/// How many letters are on their way at a time.
const AT_ONCE: usize = 4;

/// How often the store is looked at for letters that another process has planned, and for whether it is our turn to send them.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How often what nobody confirmed is deleted.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// How long it is kept after it can no longer be confirmed.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// How long after the first, second, … try the next one comes, in minutes; the last one repeats.
const RETRY_MINUTES: [i64; 4] = [1, 5, 15, 60];

/// What health calls the store of the letters.
const STORE: &str = "letters' store";

/// What letters go out by.
pub struct Post {
    /// The pages that they lead to.
    pub app: Arc<App>,
    /// The way out.
    pub mailer: Arc<Mailer>,
    /// What all mail has in common.
    pub sender: Arc<Sender>,
    /// Asks whether no other process on this machine sends letters from the same file.
    pub may_post: Box<dyn Fn() -> anyhow::Result<bool> + Send + Sync>,
}

/// Sends letters until it is told to stop.
pub async fn deliver_letters(post: Arc<Post>, mut stop: watch::Receiver<bool>) {
    let app = &post.app;
    let mut is_ours = false;
    let mut purge = tokio::time::interval(PURGE_EVERY);
    loop {
        match pass(&post, &mut is_ours, &stop).await {
            Ok(()) => app.health.is_up(STORE),
            Err(error) => {
                let said = crate::store::describe(&error);
                tracing::error!("Letters could not be sent: {said}");
                app.health.is_down(STORE, said);
                // Another connection may have the right by now.
                is_ours = false;
                let _ = app.store.reconnect().await;
            }
        }
        let is_time_to_purge = tokio::select! {
            () = app.letters.notified() => false,
            () = tokio::time::sleep(LOOK_AGAIN) => false,
            _ = purge.tick() => true,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if is_time_to_purge {
            let before = (app.clock.wall)() - app.options.confirm_within - KEPT;
            if let Err(error) = app.store.subscribers().purge_signups(before).await {
                tracing::warn!("What nobody confirmed could not be deleted: {error}");
            }
        }
    }
}

/// Sends all letters that are due.
async fn pass(
    post: &Arc<Post>,
    is_ours: &mut bool,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let store = &post.app.store;
    if !*is_ours {
        if !(post.may_post)()? || !store.ask_to_post().await? {
            return Ok(());
        }
        store
            .letters()
            .inherit_letters(
                post.mailer.unknown(UnknownPolicy::Once),
                (post.app.clock.wall)(),
            )
            .await?;
        *is_ours = true;
    }
    let mut tried = 0;
    while !*stop.borrow() {
        let now = (post.app.clock.wall)();
        let limit = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        let letters = store.letters().begin_letters(limit, now).await?;
        if letters.is_empty() {
            if tried > 0 {
                tracing::info!("{tried} letters tried");
            }
            return Ok(());
        }
        let mut sending = JoinSet::new();
        for pending in letters {
            let post = post.clone();
            sending.spawn(async move {
                let state = send(&post, &pending).await;
                (pending.id, state)
            });
        }
        let mut recorded = Ok(());
        while let Some(sent) = sending.join_next().await {
            // One that panicked stays begun, and is unknown to who comes after us.
            let Ok((id, state)) = sent else { continue };
            let outcome = match &state {
                LetterState::Sent => "sent",
                LetterState::Pending(..) => "deferred",
                LetterState::Failed(_) => "failed",
                LetterState::Unknown(_) => "unknown",
                LetterState::Dropped => "dropped",
            };
            post.app.metrics.letter(outcome);
            tracing::debug!(letter = id, outcome, "tried");
            tried += 1;
            // The others are on their way, whatever becomes of this one.
            let ended = store
                .letters()
                .record_letter(id, &state, (post.app.clock.wall)())
                .await;
            recorded = recorded.and(ended);
        }
        recorded?;
    }
    Ok(())
}

async fn send(post: &Post, pending: &PendingLetter) -> LetterState {
    let now = (post.app.clock.wall)();
    let later = |said: String| {
        let tries = usize::try_from(pending.attempts.max(1) - 1).unwrap_or(usize::MAX);
        let minutes = RETRY_MINUTES[tries.min(RETRY_MINUTES.len() - 1)];
        LetterState::Pending(now + TimeDelta::minutes(minutes), said)
    };
    let letter = match write(&post.app, pending, now) {
        Ok(Some(letter)) => letter,
        Ok(None) => return LetterState::Dropped,
        Err(error) => return LetterState::Failed(format!("it cannot be written: {error:#}")),
    };
    let token = format!("letter-{}", pending.id);
    let recipient = Recipient {
        address: &pending.address,
        name: "",
        token: &token,
        language: pending.language,
        known: None,
    };
    // The same however often it is tried, so that a mailbox can tell that it has it.
    let mail = match post.sender.letter(&letter, &recipient, pending.created_at) {
        Ok(mail) => mail,
        Err(error) => return LetterState::Failed(format!("no mail can be made of it: {error:#}")),
    };
    match post.mailer.send_one(&mail).await {
        Ok(Outcome::Accepted) => LetterState::Sent,
        Ok(Outcome::Deferred(refusal)) => later(refusal.to_string()),
        Ok(Outcome::Rejected(refusal)) => LetterState::Failed(refusal.to_string()),
        Ok(Outcome::Unknown(what)) => LetterState::Unknown(what),
        Err(error) => later(format!("{error:#}")),
    }
}

/// What a letter says; nothing when it is of no use any more.
fn write(app: &App, pending: &PendingLetter, now: DateTime<Utc>) -> anyhow::Result<Option<Letter>> {
    let (newsletter, theme) = (&app.newsletter, &app.config.theme);
    let language = pending.language;
    let token = |purpose, number| app.tokens.seal(purpose, number);
    let until = pending.created_at + app.options.confirm_within;
    let needs_click = matches!(pending.kind, LetterKind::Confirmation | LetterKind::Move);
    if needs_click && until <= now {
        return Ok(None);
    }
    Ok(Some(match pending.kind {
        LetterKind::Confirmation => {
            let link = app.page(&format!(
                "confirm/{}",
                token(Purpose::Confirm, pending.about)
            ));
            letter::confirmation(newsletter, theme, language, &link, until)?
        }
        LetterKind::Move => {
            let link = app.page(&format!("move/{}", token(Purpose::Move, pending.about)));
            letter::moving(newsletter, theme, language, &link, until)?
        }
        LetterKind::Moved => letter::moved(newsletter, theme, language)?,
        LetterKind::Known => {
            let Some(who) = pending.subscriber else {
                return Ok(None);
            };
            let choices = app.personal("p", Purpose::Preferences, who);
            let follow = pending.follow.as_ref().map(|story| {
                let follow = app.personal("follow", Purpose::Follow, who);
                format!("{follow}/{}", story.as_str())
            });
            letter::known(newsletter, theme, language, &choices, follow.as_deref())?
        }
        LetterKind::Welcome => {
            let Some(who) = pending.subscriber else {
                return Ok(None);
            };
            let mut cadences = app.config.cadences.iter();
            let cadence = cadences.find(|cadence| Some(&cadence.id) == pending.cadence.as_ref());
            let next = cadence.and_then(|cadence| {
                schedule::next_slot(cadence, newsletter.timezone, app.clock.now())
            });
            let unsubscribe = app.personal("u", Purpose::Unsubscribe, who);
            letter::welcome(newsletter, theme, language, next, &unsubscribe)?
        }
        LetterKind::Goodbye => {
            let back = pending
                .subscriber
                .map(|who| app.personal("undo", Purpose::Undo, who));
            letter::goodbye(newsletter, theme, language, back.as_deref())?
        }
    }))
}
