//! “More like this”, from a link in a mail.

use std::sync::Arc;

use axum::extract::{Path, State};

use super::app::App;
use super::frame::{Button, Form, Link, Page, message, page};
use super::guard::{Answer, Ask, Fields, FromHere, invalid};
use super::metrics::Event;
use super::preferences::follow_action;
use super::subscribe::story_key;
use crate::model::{ItemKey, Purpose, SubscriberId};
use crate::render::{Message, words};

/// The subscriber and the story of a link, with the headline of the story.
async fn known(
    app: &App,
    token: &str,
    story: &str,
) -> anyhow::Result<Option<(SubscriberId, ItemKey, String)>> {
    let who = app.subscriber(Purpose::Follow, token);
    let Some((who, story)) = who.zip(story_key(story)) else {
        return Ok(None);
    };
    let title = app.store.archive().find_story_title(&story).await?;
    Ok(title.map(|title| (who, story, title)))
}

/// Asks whether somebody wants to hear more of a story, and how.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path((token, story)): Path<(String, String)>,
) -> Answer {
    let Some((who, story, title)) = known(&app, &token, &story).await? else {
        return Ok(invalid(&app, &ask));
    };
    let words = &words(ask.language).pages.follow;
    let follows = app.store.subscribers().list_follows(who).await?;
    let is_followed = follows.iter().any(|follow| follow.story == story);
    let mut buttons = vec![
        button(words.in_digest, "digest", is_followed),
        button(words.at_once, "at-once", true),
    ];
    if is_followed {
        buttons.insert(0, button(words.stop, "stop", false));
    }
    let mut links = Vec::new();
    if let Some(pattern) = &app.newsletter.story_url {
        let url = pattern.replace(crate::model::Newsletter::STORY, story.as_str());
        let label = crate::render::words(ask.language).pages.archive.alike;
        links.push(Link::new(url, label));
    }
    let action = follow_action(&app, who, story.as_str());
    let question = Page {
        remarks: vec![title],
        forms: vec![Form { action, buttons }],
        links,
    };
    let said = Message {
        heading: words.heading,
        text: words.text,
    };
    Ok(page(message(&app, &ask, &said, question)?))
}

/// Follows a story, or stops to.
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    ask: Ask,
    Path((token, story)): Path<(String, String)>,
    _: FromHere,
    fields: Fields,
) -> Answer {
    let ask = ask.with_form(&app, &fields);
    let Some((who, story, title)) = known(&app, &token, &story).await? else {
        return Ok(invalid(&app, &ask));
    };
    let words = &words(ask.language).pages.follow;
    let store = &app.store;
    // News are told by the time of editions.
    let now = app.clock.now();
    let how = fields.get("how");
    let said = match how {
        Some("stop") => {
            store.subscribers().delete_follow(who, &story).await?;
            &words.stopped
        }
        how => {
            let at_once = how == Some("at-once");
            match store
                .subscribers()
                .create_follow(who, &story, at_once, now)
                .await?
            {
                true => {
                    app.metrics.note(Event::Followed);
                    &words.done
                }
                false => &words.impossible,
            }
        }
    };
    // The other way is one click away. No link to the preferences: whoever has this one need not have that one.
    let buttons = match how {
        Some("stop") => vec![button(words.in_digest, "digest", true)],
        _ => vec![button(words.stop, "stop", true)],
    };
    let action = follow_action(&app, who, story.as_str());
    let done = Page {
        remarks: vec![title],
        forms: vec![Form { action, buttons }],
        ..Page::default()
    };
    Ok(page(message(&app, &ask, said, done)?))
}

fn button(label: &'static str, value: &'static str, is_second: bool) -> Button {
    Button {
        label,
        name: "how",
        value,
        is_second,
    }
}
