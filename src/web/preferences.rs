//! Where a subscriber chooses what comes, and when.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::json;

use super::app::App;
use super::form::{Choice, Choices, Chosen};
use super::frame::{Frame, Page, message, page};
use super::guard::{Answer, Ask, Failure, Fields, FromHere, invalid};
use super::metrics::Event;
use crate::model::{
    Address, Consent, ConsentEvent, Length, Preferences, Purpose, Subscriber, SubscriberId,
    SubscriberState,
};
use crate::render::{PageWords, words};

#[derive(Template)]
#[template(path = "web/preferences.html")]
struct PreferencesPage<'a> {
    frame: &'a Frame<'a>,
    words: &'a PageWords,
    notice: &'a str,
    error: &'a str,
    action: String,
    address_action: String,
    leave_action: String,
    choices: Choices,
    lengths: Vec<Choice>,
    hours: Vec<Choice>,
    timezone: String,
    pause: String,
    has_follows: bool,
    follows: Vec<FollowView>,
}

struct FollowView {
    title: String,
    how: &'static str,
    action: String,
}

/// The confirmed subscriber of a token.
async fn known(app: &App, token: &str) -> anyhow::Result<Option<(SubscriberId, Subscriber)>> {
    let Some(id) = app.subscriber(Purpose::Preferences, token) else {
        return Ok(None);
    };
    let known = app.store.subscribers().find_subscriber(id).await?;
    let known = known.filter(|known| known.state == SubscriberState::Confirmed);
    Ok(known.map(|known| (id, known)))
}

/// Shows what a subscriber has chosen.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
) -> Answer {
    let Some((id, known)) = known(&app, &token).await? else {
        return Ok(invalid(&app, &ask));
    };
    Ok(page(show_with(&app, &ask, id, &known, "", "").await?))
}

async fn show_with(
    app: &App,
    ask: &Ask,
    id: SubscriberId,
    known: &Subscriber,
    notice: &str,
    error: &str,
) -> Result<Html<String>, Failure> {
    let words = words(ask.language);
    let pages = &words.pages;
    let home = &app.newsletter;
    let chosen = Chosen {
        topics: known.profile.topics.clone(),
        cadence: known.profile.cadence.clone(),
        language: known.profile.language.unwrap_or(home.language),
    };
    let lengths = Length::ALL.into_iter().zip(pages.choose.lengths);
    let at_once = Choice {
        value: String::new(),
        label: pages.choose.at_once.to_owned(),
        is_chosen: known.hour.is_none(),
    };
    let hours = (0..24u8).map(|hour| Choice {
        value: hour.to_string(),
        label: pages
            .choose
            .from
            .replace("{time}", &words.time(u32::from(hour), 0)),
        is_chosen: known.hour == Some(hour),
    });
    let timezone = known.timezone.unwrap_or(home.timezone);
    let pause = known
        .paused_until
        .filter(|until| *until > (app.clock.wall)());
    let pause = pause.map(|until| until.with_timezone(&timezone).date_naive());
    let follows = app.store.subscribers().list_follows(id).await?;
    let follows: Vec<FollowView> = follows
        .into_iter()
        .map(|follow| FollowView {
            how: match follow.at_once {
                true => pages.follow.at_once,
                false => pages.follow.in_digest,
            },
            action: follow_action(app, id, follow.story.as_str()),
            title: follow.title,
        })
        .collect();
    let own = app.personal("p", Purpose::Preferences, id);
    let page = PreferencesPage {
        frame: &Frame::new(app, ask, pages.choose.heading),
        words: pages,
        notice,
        error,
        address_action: format!("{own}/address"),
        action: own,
        leave_action: app.personal("u", Purpose::Unsubscribe, id),
        choices: Choices::new(app, ask, &chosen),
        lengths: lengths
            .map(|(length, label)| Choice {
                value: length.word().to_owned(),
                label: label.to_owned(),
                is_chosen: known.length == length,
            })
            .collect(),
        hours: std::iter::once(at_once).chain(hours).collect(),
        timezone: timezone.name().to_owned(),
        pause: pause.map_or_else(String::new, |day| day.to_string()),
        has_follows: !follows.is_empty(),
        follows,
    };
    Ok(Html(page.render()?))
}

/// Where a subscriber follows a story, and stops to.
pub(super) fn follow_action(app: &App, id: SubscriberId, story: &str) -> String {
    let follow = app.personal("follow", Purpose::Follow, id);
    format!("{follow}/{story}")
}

/// Writes what a subscriber has chosen.
pub(super) async fn save(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
    _: FromHere,
    fields: Fields,
) -> Answer {
    let ask = ask.with_form(&app, &fields);
    let Some((id, mut known)) = known(&app, &token).await? else {
        return Ok(invalid(&app, &ask));
    };
    let pages = &words(ask.language).pages;
    let Some(chosen) = read(&app, &ask, &fields, &known) else {
        let error = pages.choose.no_timezone;
        let page = show_with(&app, &ask, id, &known, "", error).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let entry = Consent {
        details: json!({
            "cadence": chosen.cadence, "language": chosen.language, "topics": chosen.topics,
            "length": chosen.length, "hour": chosen.hour,
            "timezone": chosen.timezone.map(chrono_tz::Tz::name), "paused_until": chosen.paused_until,
        }),
        ..Consent::new(
            ConsentEvent::Chosen,
            (app.clock.wall)(),
            Some(ask.ip),
            &app.page("p"),
        )
    };
    let store = &app.store;
    if !store
        .subscribers()
        .update_preferences(id, &chosen, entry)
        .await?
    {
        return Ok(invalid(&app, &ask));
    }
    app.metrics.note(Event::Chosen);
    known.profile.cadence = chosen.cadence;
    known.profile.language = chosen.language;
    known.profile.topics = chosen.topics;
    (known.length, known.paused_until) = (chosen.length, chosen.paused_until);
    (known.hour, known.timezone) = (chosen.hour, chosen.timezone);
    let saved = show_with(&app, &ask, id, &known, pages.choose.saved, "").await?;
    Ok(page(saved))
}

/// What a form says; `None` for a time zone that there is not.
fn read(app: &App, ask: &Ask, fields: &Fields, known: &Subscriber) -> Option<Preferences> {
    let before = Chosen {
        topics: known.profile.topics.clone(),
        cadence: known.profile.cadence.clone(),
        language: known.profile.language.unwrap_or(ask.language),
    };
    let chosen = before.read(
        app,
        fields.all("topic"),
        fields.get("cadence"),
        fields.get("language"),
    );
    let length = fields.get("length").and_then(Length::from_word);
    let hour = fields.get("hour").and_then(|hour| hour.parse::<u8>().ok());
    let zone = fields.get("timezone").unwrap_or_default().trim();
    let timezone = match zone {
        "" => app.newsletter.timezone,
        zone => zone.parse().ok()?,
    };
    let hour = hour.filter(|hour| *hour < 24);
    let day = fields
        .get("pause")
        .and_then(|day| day.parse::<NaiveDate>().ok());
    let until = day.and_then(|day| beginning(day, timezone));
    Some(Preferences {
        cadence: chosen.cadence,
        language: Some(chosen.language),
        topics: chosen.topics,
        length: length.unwrap_or(known.length),
        hour,
        timezone: Some(timezone),
        paused_until: until.filter(|until| *until > (app.clock.wall)()),
    })
}

/// When a day begins there.
fn beginning(day: NaiveDate, timezone: chrono_tz::Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN);
    let later = || midnight.checked_add_signed(chrono::TimeDelta::hours(1));
    let begins = midnight.and_local_timezone(timezone).earliest();
    let begins = begins.or_else(|| later()?.and_local_timezone(timezone).earliest());
    Some(begins?.to_utc())
}

/// Asks the owner of another address whether it is the subscriber's.
pub(super) async fn change_address(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path(token): Path<String>,
    _: FromHere,
    fields: Fields,
) -> Answer {
    let ask = ask.with_form(&app, &fields);
    let Some((id, known)) = known(&app, &token).await? else {
        return Ok(invalid(&app, &ask));
    };
    let pages = &words(ask.language).pages;
    let written = fields.get("address").unwrap_or_default();
    let Ok(address) = Address::parse(written) else {
        let error = pages.sign_up.no_address;
        let page = show_with(&app, &ask, id, &known, "", error).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let language = known.profile.language.unwrap_or(app.newsletter.language);
    let now = (app.clock.wall)();
    app.store
        .subscribers()
        .create_address_change(id, &address, language, ask.ip, now)
        .await?;
    app.letters.notify_one();
    let said = &pages.choose.change_sent;
    Ok(page(message(&app, &ask, said, Page::default())?))
}
