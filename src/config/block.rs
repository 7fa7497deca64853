//! The sections about what the publisher puts between the stories.

use chrono::NaiveDate;

use super::feed::Context;
use super::read::Table;
use super::values::{language, location, not_empty};
use crate::model::{Block, BlockPlan, Feed, FeedKey, Language, Place, TopicId, clean_name};

/// How many items of its feed a block lists.
const ITEMS: i64 = 3;

/// Reads a block, and the feed that it lists, which is not news.
pub(super) fn block(
    mut table: Table<'_, '_>,
    context: &mut Context<'_>,
) -> Option<(BlockPlan, Option<Feed>)> {
    let ids = context.topic_ids.join(", ");
    let hint = format!("\"top\", \"end\", or the topic below whose section it stands: {ids}.");
    let place = table.parsed("after", &hint, |text| match text {
        "top" => Ok(Place::Top),
        "end" => Ok(Place::End),
        topic if context.topic_ids.contains(&topic) => Ok(Place::After(TopicId(topic.to_owned()))),
        _ => Err(format!("there is no topic “{text}”")),
    });
    let title = table.text("title", "Its heading.");
    let text = table.markdown("text", "Its words, in Markdown.");
    let sponsor = table.text(
        "sponsor",
        "Who paid for it; then it is marked as an advertisement.",
    );
    let known = format!("Of those who get it, one of: {}.", Language::known());
    let language = table.parsed("language", &known, language);
    let mut day = |key| {
        table.parsed(key, "Write it as in \"2026-11-20\".", |text| {
            text.parse::<NaiveDate>()
                .map_err(|_| format!("“{text}” is not a day"))
        })
    };
    let (from, until) = (day("from"), day("until"));
    if let (Some(first), Some(last)) = (from, until)
        && last < first
        && let Some(found) = table.get("until")
    {
        table.wrong(&found, "is before `from`", "");
    }
    let address = "The address of a feed, \"https://…\", or the path of a file.";
    let feed = table.parsed("feed", address, |text| {
        let location = location(&not_empty(text)?, context.folder)?;
        Ok((FeedKey(text.trim().to_owned()), location))
    });
    let items = table.number("items", 1..21).unwrap_or(ITEMS);
    if text.is_none() && table.get("text").is_none() && table.get("feed").is_none() {
        table.missing(
            "text",
            "Say something, or name a feed whose items are listed.",
        );
    }
    table.done();
    let plan = BlockPlan {
        block: Block {
            place: place.unwrap_or_default(),
            title: title.as_deref().map(clean_name).unwrap_or_default(),
            text: text.unwrap_or_default(),
            sponsor: sponsor.as_deref().map(clean_name),
            items: Vec::new(),
            language,
        },
        feed: feed
            .as_ref()
            .map(|(key, _)| (key.clone(), u32::try_from(items).unwrap_or_default())),
        from,
        until,
    };
    let feed = feed.map(|(key, location)| Feed {
        is_news: false,
        ..Feed::new(key, location)
    });
    Some((plan, feed))
}
