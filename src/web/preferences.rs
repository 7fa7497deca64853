//! Where a subscriber chooses what comes, and when.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse};
use chrono::DateTime;

use super::app::App;
use super::form::{Choice, Choices, Entries, fault_of};
use super::frame::{Frame, Page, message, page};
use super::guard::{Answer, Ask, Failure, Fields, FromHere, invalid};
use super::metrics::Event;
use crate::model::{
    Address, Consent, ConsentEvent, Length, Preference, Purpose, Subscriber, SubscriberId,
    SubscriberState, Weekdays, WrongPreference,
};
use crate::render::{PageWords, words};

#[derive(Template)]
#[template(path = "web/preferences.html")]
struct PreferencesPage<'a> {
    frame: &'a Frame<'a>,
    words: &'a PageWords,
    notice: &'a str,
    error: &'a str,
    wrong_address: &'a str,
    action: String,
    address_action: String,
    leave_action: String,
    choices: Choices,
    lengths: Vec<Choice>,
    has_pictures: bool,
    most: TextField,
    least: TextField,
    mute_words: TextField,
    mute_sources: TextField,
    days: Vec<Choice>,
    wrong_days: String,
    hours: Vec<Choice>,
    zones: Vec<Choice>,
    wrong_zone: String,
    pause: TextField,
    has_follows: bool,
    follows: Vec<FollowView>,
}

/// What stands in a field, and what is wrong with it.
struct TextField {
    text: String,
    fault: String,
}

struct FollowView {
    title: String,
    how: &'static str,
    action: String,
}

/// What is said above the form.
#[derive(Clone, Copy, Default)]
struct Said<'a> {
    notice: &'a str,
    faults: &'a [WrongPreference],
    wrong_address: &'a str,
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
    let entries = Entries::of(&known.profile.preferences);
    let shown = show_with(&app, &ask, id, &entries, Said::default());
    Ok(page(shown.await?))
}

async fn show_with(
    app: &App,
    ask: &Ask,
    id: SubscriberId,
    entries: &Entries,
    said: Said<'_>,
) -> Result<Html<String>, Failure> {
    let words = words(ask.language);
    let pages = &words.pages;
    let mut entries = entries.clone();
    // What holds where they have chosen none.
    for (preference, home) in [
        (Preference::Language, app.newsletter.language.tag()),
        (Preference::Timezone, app.newsletter.timezone.name()),
    ] {
        if entries.get(preference).is_empty() {
            entries.insert(preference, home.to_owned());
        }
    }
    let zone = entries.get(Preference::Timezone).to_owned();
    // A moment that is kept is shown as the day that it is there.
    let until = DateTime::parse_from_rfc3339(entries.get(Preference::PausedUntil));
    if let Ok(until) = until {
        let there = zone.parse().unwrap_or(app.newsletter.timezone);
        let day = match until > (app.clock.wall)() {
            true => until.with_timezone(&there).date_naive().to_string(),
            false => String::new(),
        };
        entries.insert(Preference::PausedUntil, day);
    }
    let field = |preference| TextField {
        text: entries.get(preference).chars().take(4_000).collect(),
        fault: fault_of(pages, said.faults, preference),
    };
    let choice = |preference, value: &str, label: String| Choice {
        is_chosen: entries.get(preference) == value,
        value: value.to_owned(),
        label,
    };
    let lengths = Length::ALL.into_iter().zip(pages.choose.lengths);
    let at_once = choice(Preference::Hour, "", pages.choose.at_once.to_owned());
    let hours = (0..24u32).map(|hour| {
        let label = pages.choose.from.replace("{time}", &words.time(hour, 0));
        choice(Preference::Hour, &hour.to_string(), label)
    });
    let days = Weekdays::WEEK.into_iter().map(|day| Choice {
        value: Weekdays::word(day).to_owned(),
        label: words.weekday(day).to_owned(),
        is_chosen: entries
            .get(Preference::Days)
            .split(' ')
            .any(|chosen| chosen == Weekdays::word(day)),
    });
    let zones = chrono_tz::TZ_VARIANTS.into_iter().map(chrono_tz::Tz::name);
    let zones = zones.filter(|name| *name == zone || is_of_a_city(name));
    let zones = zones.map(|name| choice(Preference::Timezone, name, name.replace('_', " ")));
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
        notice: said.notice,
        error: match said.faults {
            [] => "",
            _ => pages.choose.check,
        },
        wrong_address: said.wrong_address,
        address_action: format!("{own}/address"),
        action: own,
        leave_action: app.personal("u", Purpose::Unsubscribe, id),
        choices: Choices::new(app, ask, &entries, said.faults),
        lengths: lengths
            .map(|(length, label)| choice(Preference::Length, length.word(), label.to_owned()))
            .collect(),
        has_pictures: entries.get(Preference::Pictures) != "no",
        most: field(Preference::MostStories),
        least: field(Preference::LeastStories),
        mute_words: field(Preference::MuteWords),
        mute_sources: field(Preference::MuteSources),
        days: days.collect(),
        wrong_days: fault_of(pages, said.faults, Preference::Days),
        hours: std::iter::once(at_once).chain(hours).collect(),
        zones: zones.collect(),
        wrong_zone: fault_of(pages, said.faults, Preference::Timezone),
        pause: field(Preference::PausedUntil),
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
    let Some((id, known)) = known(&app, &token).await? else {
        return Ok(invalid(&app, &ask));
    };
    let pages = &words(ask.language).pages;
    let mut chosen = known.profile.preferences;
    let entries = Entries::from_form(&app, &fields);
    let faults = entries.write(&mut chosen, &app.offer());
    if !faults.is_empty() {
        let entries = entries.over(Entries::of(&chosen));
        let said = Said {
            faults: &faults,
            ..Said::default()
        };
        let page = show_with(&app, &ask, id, &entries, said).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let entry = Consent {
        details: chosen.to_json(),
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
    let said = Said {
        notice: pages.choose.saved,
        ..Said::default()
    };
    let saved = show_with(&app, &ask, id, &Entries::of(&chosen), said).await?;
    Ok(page(saved))
}

/// Whether a time zone is that of a place, and not an old or a technical name.
fn is_of_a_city(name: &str) -> bool {
    let area = name.split_once('/').map(|(area, _)| area);
    area.is_some_and(|area| {
        [
            "Africa",
            "America",
            "Asia",
            "Atlantic",
            "Australia",
            "Europe",
            "Indian",
            "Pacific",
        ]
        .contains(&area)
    })
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
    let Ok(address) = Address::parse_public(written) else {
        let said = Said {
            wrong_address: pages.sign_up.no_address,
            ..Said::default()
        };
        let entries = Entries::of(&known.profile.preferences);
        let page = show_with(&app, &ask, id, &entries, said).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let language = known
        .profile
        .preferences
        .language
        .unwrap_or(app.newsletter.language);
    let now = (app.clock.wall)();
    app.store
        .subscribers()
        .create_address_change(id, &address, language, ask.ip, now)
        .await?;
    app.letters.notify_one();
    let said = &pages.choose.change_sent;
    Ok(page(message(&app, &ask, said, Page::default())?))
}
