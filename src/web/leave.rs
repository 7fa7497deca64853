//! The way out: RFC 8058's one-click request, the same as a page, and a way back.
//!
//! A POST acts at once and says the same whether the token is good, was used before, or is none. Its body counts for nothing: mail programs send
//! `multipart/form-data` or `application/x-www-form-urlencoded`, and some nothing at all.

use std::sync::Arc;

use axum::extract::{Path, State};
use chrono::TimeDelta;

use super::app::App;
use super::frame::{Form, Link, Page, message, page, question};
use super::guard::{Answer, Ask, Fields, FromHere};
use super::metrics::Event;
use crate::model::{Purpose, SubscriberId};
use crate::render::{Message, words};

/// For how long somebody can take back that they left.
const UNDO_WITHIN: TimeDelta = TimeDelta::hours(24);

/// Who a token belongs to that belongs to nobody.
const NOBODY: SubscriberId = SubscriberId(0);

/// Asks whether somebody wants to leave.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    let words = &words(ask.language).pages.leave;
    question(&app, &ask, &words.question, words.button, ("u", &token))
}

/// Lets somebody go.
pub(super) async fn leave(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    let who = app.subscriber(Purpose::Unsubscribe, &token);
    if let Some(who) = who
        && app.let_go(who, ask.ip).await?
    {
        app.metrics.note(Event::Left);
    }
    let words = words(ask.language);
    let undo = app.personal("undo", Purpose::Undo, who.unwrap_or(NOBODY));
    let done = Page {
        remarks: vec![words.letters.mistake.to_owned()],
        forms: vec![Form::of(undo, words.pages.leave.undo)],
        ..Page::default()
    };
    let said = &words.pages.leave.done;
    Ok(page(message(&app, &ask, said, done)?))
}

/// Asks whether somebody wants to come back.
pub(super) async fn ask_to_undo(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    let words = words(ask.language);
    let said = Message {
        heading: words.pages.leave.undo,
        text: words.letters.mistake,
    };
    question(&app, &ask, &said, words.pages.leave.undo, ("undo", &token))
}

/// Takes back that somebody left.
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
    _: FromHere,
    fields: Fields,
) -> Answer {
    let ask = ask.with_form(&app, &fields);
    let words = &words(ask.language).pages.leave;
    let now = (app.clock.wall)();
    let mut is_back = false;
    if let Some(who) = app.subscriber(Purpose::Undo, &token) {
        let store = &app.store;
        let form = app.page("undo");
        is_back = store
            .subscribers()
            .undo_unsubscribe(who, now - UNDO_WITHIN, ask.ip, &form, now)
            .await?;
    }
    if is_back {
        app.metrics.note(Event::Returned);
        return Ok(page(message(&app, &ask, &words.undone, Page::default())?));
    }
    let again = crate::render::words(ask.language).pages.sign_up.heading;
    let links = vec![Link::new(app.page(""), again)];
    let said = Page {
        links,
        ..Page::default()
    };
    Ok(page(message(&app, &ask, &words.too_late, said)?))
}
