//! The way out: RFC 8058's one-click request, the same as a page, and a way back.
//!
//! A POST acts at once, and twice is as good as once. A token that is none of ours has unsubscribed nobody, and is told so: tokens are sealed with
//! 80 bits, so there is nothing to be found out by trying. The body counts for nothing: mail programs send
//! `multipart/form-data` or `application/x-www-form-urlencoded`, and some nothing at all.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use chrono::TimeDelta;

use super::app::App;
use super::frame::{Form, Link, Page, message, page, question};
use super::guard::{Answer, Ask, Fields, FromHere};
use super::metrics::Event;
use crate::model::Purpose;
use crate::render::{Message, words};

/// For how long somebody can take back that they left.
const UNDO_WITHIN: TimeDelta = TimeDelta::hours(24);

/// Asks whether somebody wants to leave.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    if app.subscriber(Purpose::Unsubscribe, &token).is_none() {
        return unknown(&app, &ask);
    }
    let words = &words(ask.language).pages.leave;
    question(&app, &ask, &words.question, words.button, ("u", &token))
}

/// That nobody was unsubscribed, and how somebody can be all the same.
fn unknown(app: &App, ask: &Ask) -> Answer {
    let words = &words(ask.language).pages.leave;
    let by_mail = format!(
        "mailto:{}?subject=unsubscribe",
        app.newsletter.unsubscribe.as_str()
    );
    let said = Page {
        links: vec![Link::new(by_mail, words.by_mail)],
        ..Page::default()
    };
    let page = message(app, ask, &words.unknown, said)?;
    Ok((StatusCode::NOT_FOUND, page).into_response())
}

/// Lets somebody go.
pub(super) async fn leave(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    let Some(who) = app.subscriber(Purpose::Unsubscribe, &token) else {
        return unknown(&app, &ask);
    };
    if app.let_go(who, ask.ip).await? {
        app.metrics.note(Event::Left);
    }
    let words = words(ask.language);
    let undo = app.personal("undo", Purpose::Undo, who);
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
