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
use crate::store::{Asked, Click, Confirmed, Greeting, LinkState};

/// The number of a link, and where it stands.
async fn state_of(app: &App, asked: Asked, token: &str) -> anyhow::Result<(i64, LinkState)> {
    let purpose = match asked {
        Asked::SignUp => Purpose::Confirm,
        Asked::Move => Purpose::Move,
    };
    let Some(id) = app.tokens.open(purpose, token) else {
        return Ok((0, LinkState::Gone));
    };
    let since = (app.clock.wall)() - app.options.confirm_within;
    Ok((
        id,
        app.store.subscribers().link_state(asked, id, since).await?,
    ))
}

/// What is so of a link that confirms nothing now: never that something was confirmed which does not hold any more.
fn used(app: &App, ask: &Ask, asked: Asked, state: LinkState) -> Answer {
    let pages = &words(ask.language).pages;
    let LinkState::Used { is_subscribed } = state else {
        return Ok(invalid(app, ask));
    };
    let (said, links) = match (is_subscribed, asked) {
        (true, Asked::SignUp) => (&pages.confirm.done, Vec::new()),
        (true, Asked::Move) => (&pages.confirm.moved, Vec::new()),
        (false, _) => {
            let again = Link::new(app.page(""), pages.sign_up.heading);
            (&pages.confirm.ended, vec![again])
        }
    };
    let page_of_it = Page {
        links,
        ..Page::default()
    };
    Ok(page(message(app, ask, said, page_of_it)?))
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
    let (_, state) = state_of(&app, Asked::SignUp, &token).await?;
    if state != LinkState::Open {
        return used(&app, &ask, Asked::SignUp, state);
    }
    let words = &words(ask.language).pages.confirm;
    question(
        &app,
        &ask,
        &words.question,
        words.button,
        ("confirm", &token),
    )
}

/// Asks whether a subscription is to go to a new address.
pub(super) async fn ask_to_move(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    let (_, state) = state_of(&app, Asked::Move, &token).await?;
    if state != LinkState::Open {
        return used(&app, &ask, Asked::Move, state);
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
    let (id, state) = state_of(&app, Asked::SignUp, &token).await?;
    if state != LinkState::Open {
        return used(&app, &ask, Asked::SignUp, state);
    }
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
        Confirmed::Not(state) => return used(&app, &ask, Asked::SignUp, state),
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
    let (id, state) = state_of(&app, Asked::Move, &token).await?;
    if state != LinkState::Open {
        return used(&app, &ask, Asked::Move, state);
    }
    let form = app.page("move");
    let store = &app.store;
    let click = click(&app, &ask, id, &form);
    let home = app.newsletter.language;
    let moved = store
        .subscribers()
        .confirm_address_change(click, home)
        .await?;
    app.letters.notify_one();
    if let Confirmed::Not(state) = moved {
        return used(&app, &ask, Asked::Move, state);
    }
    let said = &words(ask.language).pages.confirm.moved;
    Ok(page(message(&app, &ask, said, Page::default())?))
}
