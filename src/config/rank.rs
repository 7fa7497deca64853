//! The section about ranking.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::read::Table;
use crate::model::{Feed, FeedKey, Language};
use crate::rank::{Options, Policy, Tongue, Weights};

/// What is reported again the next day is old news; what is reported again next week may be new.
const MEMORY: TimeDelta = TimeDelta::days(3);

/// Reads the section, and how long what was shown is remembered.
pub(super) fn rank_options(
    mut table: Table<'_, '_>,
    feed_weights: HashMap<FeedKey, f64>,
) -> (Options, TimeDelta) {
    let default = Options::default();
    let weights = weights(table.table("weights"), default.weights);
    let policy = |table: &mut Table<'_, '_>, key| {
        let names = Policy::ALL.map(|(name, _)| format!("\"{name}\""));
        table.parsed(key, &format!("One of: {}.", names.join(", ")), |text| {
            let found = Policy::ALL.into_iter().find(|(name, _)| *name == text);
            found
                .map(|(_, policy)| policy)
                .ok_or_else(|| format!("“{text}” is not a way to treat items"))
        })
    };
    let options = Options {
        weights,
        floor: table.real("floor", 0.0..=1.0).unwrap_or(default.floor),
        diversity: table
            .real("diversity", 0.0..=1.0)
            .unwrap_or(default.diversity),
        paid: policy(&mut table, "paid").unwrap_or(default.paid),
        sponsored: policy(&mut table, "sponsored").unwrap_or(default.sponsored),
        feed_weights,
        languages: Vec::new(),
    };
    let found = table.get("memory");
    let memory = table
        .duration("memory")
        .and_then(|memory| TimeDelta::from_std(memory).ok());
    if let (Some(found), Some(memory)) = (found, memory)
        && memory > TimeDelta::days(30)
    {
        table.wrong(
            &found,
            "is too long",
            "Items are kept for 30 days at least: memory = \"30d\" is the most.",
        );
    }
    table.done();
    (options, memory.unwrap_or(MEMORY))
}

fn weights(mut table: Table<'_, '_>, default: Weights) -> Weights {
    let mut weight = |key, otherwise| table.real(key, 0.0..=100.0).unwrap_or(otherwise);
    let weights = Weights {
        relevance: weight("relevance", default.relevance),
        coverage: weight("coverage", default.coverage),
        recency: weight("recency", default.recency),
        source: weight("source", default.source),
        discussion: weight("discussion", default.discussion),
        novelty: weight("novelty", default.novelty),
    };
    table.done();
    weights
}

/// The languages of items whose feeds do not tell: that of the newsletter, those of the feeds, and English, which turns up
/// everywhere.
pub(super) fn languages(newsletter: Language, feeds: &[Feed]) -> Vec<Tongue> {
    let tags = feeds.iter().filter_map(|feed| feed.language.as_deref());
    let mut languages = Vec::new();
    for tongue in [newsletter.tag()]
        .into_iter()
        .chain(tags)
        .chain(["en"])
        .filter_map(Tongue::from_tag)
    {
        if !languages.contains(&tongue) {
            languages.push(tongue);
        }
    }
    languages
}
