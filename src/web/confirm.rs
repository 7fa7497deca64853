//! What a link in a letter leads to: a question, and a button that answers it. Programs that follow links in mail confirm nothing.

use std::sync::Arc;

use axum::extract::{Path, State};

use super::app::App;
use super::frame::{Link, Page, message, page, question};
use super::guard::{Answer, Ask, Fields, FromHere, invalid};
use super::metrics::Event;
use super::options::Welcome;
use crate::model::Purpose;
use crate::render::words;
use crate::store::{Asked, Click, Confirmed, Greeting};

/// The number of a link that a click may still answer.
async fn open(app: &App, asked: Asked, token: &str) -> anyhow::Result<Option<i64>> {
    let purpose = match asked {
        Asked::SignUp => Purpose::Confirm,
        Asked::Move => Purpose::Move,
    };
    let Some(id) = app.tokens.open(purpose, token) else {
        return Ok(None);
    };
    let since = (app.clock.wall)() - app.options.confirm_within;
    let is_open = app.store.subscribers().is_open(asked, id, since).await?;
    Ok(is_open.then_some(id))
}

/// The click of who asks, on the button of the page `form`.
fn click<'a>(app: &App, ask: &Ask, id: i64, form: &'a str) -> Click<'a> {
    let now = (app.clock.wall)();
    Click {
        id,
        since: now - app.options.confirm_within,
        ip: ask.ip,
        form,
        now,
    }
}

/// Asks whether somebody wants the newsletter.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    if open(&app, Asked::SignUp, &token).await?.is_none() {
        return Ok(invalid(&app, &ask));
    }
    let words = words(ask.language);
    let said = &words.pages.confirm.question;
    question(&app, &ask, said, words.letters.confirm, ("confirm", &token))
}

/// Asks whether a subscription is to go to a new address.
pub(super) async fn ask_to_move(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    if open(&app, Asked::Move, &token).await?.is_none() {
        return Ok(invalid(&app, &ask));
    }
    let words = &words(ask.language).pages.confirm;
    question(
        &app,
        &ask,
        &words.move_question,
        words.move_button,
        ("move", &token),
    )
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
    let Some(id) = open(&app, Asked::SignUp, &token).await? else {
        return Ok(invalid(&app, &ask));
    };
    let store = &app.store;
    let form = app.page("confirm");
    let mut links = Vec::new();
    let click = click(&app, &ask, id, &form);
    let greeting = Greeting {
        letter: app.options.welcome != Welcome::None,
        edition: app.options.welcome == Welcome::Edition,
        now: app.clock.now(),
    };
    match store.subscribers().confirm_signup(click, greeting).await? {
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

/// Moves a subscription to the address that the letter went to.
pub(super) async fn confirm_move(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
    _: FromHere,
    fields: Fields,
) -> Answer {
    let ask = ask.with_form(&app, &fields);
    let Some(id) = open(&app, Asked::Move, &token).await? else {
        return Ok(invalid(&app, &ask));
    };
    let form = app.page("move");
    let store = &app.store;
    let click = click(&app, &ask, id, &form);
    let home = app.newsletter.language;
    let moved = store
        .subscribers()
        .confirm_address_change(click, home)
        .await?;
    app.letters.notify_one();
    if moved == Confirmed::Never {
        return Ok(invalid(&app, &ask));
    }
    let said = &words(ask.language).pages.confirm.moved;
    Ok(page(message(&app, &ask, said, Page::default())?))
}
