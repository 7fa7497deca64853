//! What a link in a letter leads to: a question, and a button that answers it. Programs that follow links in mail confirm nothing.

use std::sync::Arc;

use axum::extract::{Path, State};

use super::app::App;
use super::frame::{Form, Link, Page, message, page};
use super::guard::{Answer, Ask, Fields, FromHere, invalid};
use super::metrics::Event;
use super::options::Welcome;
use crate::model::Purpose;
use crate::render::words;
use crate::store::{Asked, Click, Confirmed, Greeting};

/// Asks whether somebody wants the newsletter.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    let words = words(ask.language);
    let since = (app.clock.wall)() - app.options.confirm_within;
    let Some(id) = app.tokens.open(Purpose::Confirm, &token) else {
        return Ok(invalid(&app, &ask));
    };
    if !app
        .stores
        .reader()
        .is_open(Asked::SignUp, id, since)
        .await?
    {
        return Ok(invalid(&app, &ask));
    }
    let action = app.page(&format!("confirm/{token}"));
    let question = Page {
        forms: vec![Form::of(action, words.letters.confirm)],
        ..Page::default()
    };
    let said = &words.pages.confirm.question;
    Ok(page(message(&app, &ask, said, question)?))
}

/// Confirms a sign-up.
pub(super) async fn confirm(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
    _: FromHere,
    fields: Fields,
) -> Answer {
    let ask = ask.with_form(&app, &fields);
    let now = (app.clock.wall)();
    let since = now - app.options.confirm_within;
    let Some(id) = app.tokens.open(Purpose::Confirm, &token) else {
        return Ok(invalid(&app, &ask));
    };
    let store = app.stores.writer();
    let form = app.page("confirm");
    let mut links = Vec::new();
    let click = Click {
        id,
        since,
        ip: ask.ip,
        form: &form,
        now,
    };
    let greeting = Greeting {
        letter: app.options.welcome != Welcome::None,
        edition: app.options.welcome == Welcome::Edition,
        now: app.clock.now(),
    };
    match store.confirm_signup(click, greeting).await? {
        Confirmed::Never => return Ok(invalid(&app, &ask)),
        Confirmed::Before => {}
        Confirmed::Now(subscriber) => {
            app.metrics.note(Event::Confirmed);
            app.letters.notify_one();
            let label = words(ask.language).labels.preferences;
            let choices = app.personal("p", Purpose::Preferences, subscriber);
            links.push(Link::new(choices, label));
        }
    }
    let said = &words(ask.language).pages.confirm.done;
    let done = Page {
        links,
        ..Page::default()
    };
    Ok(page(message(&app, &ask, said, done)?))
}

/// Asks whether a subscription is to go to a new address.
pub(super) async fn ask_to_move(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    let words = &words(ask.language).pages.confirm;
    let since = (app.clock.wall)() - app.options.confirm_within;
    let Some(id) = app.tokens.open(Purpose::Move, &token) else {
        return Ok(invalid(&app, &ask));
    };
    if !app.stores.reader().is_open(Asked::Move, id, since).await? {
        return Ok(invalid(&app, &ask));
    }
    let action = app.page(&format!("move/{token}"));
    let question = Page {
        forms: vec![Form::of(action, words.move_button)],
        ..Page::default()
    };
    Ok(page(message(&app, &ask, &words.move_question, question)?))
}

/// Moves a subscription to the address that the letter went to.
pub(super) async fn confirm_move(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
    _: FromHere,
    fields: Fields,
) -> Answer {
    let ask = ask.with_form(&app, &fields);
    let now = (app.clock.wall)();
    let since = now - app.options.confirm_within;
    let Some(id) = app.tokens.open(Purpose::Move, &token) else {
        return Ok(invalid(&app, &ask));
    };
    let form = app.page("move");
    let store = app.stores.writer();
    let click = Click {
        id,
        since,
        ip: ask.ip,
        form: &form,
        now,
    };
    let home = app.newsletter.language;
    let moved = store.confirm_address_change(click, home).await?;
    app.letters.notify_one();
    if moved == Confirmed::Never {
        return Ok(invalid(&app, &ask));
    }
    let said = &words(ask.language).pages.confirm.moved;
    Ok(page(message(&app, &ask, said, Page::default())?))
}
