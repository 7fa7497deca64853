//! The promises of the store, whatever its engine: `Place` is where it lives.

mod deliveries;
mod gets;
mod items;
mod memory;
mod readers;
mod subscribers;

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;

use super::super::super::*;
use super::Place;
use crate::model::{
    Address, Bounce, BouncePolicy, CadenceId, Coverage, Delivery, DeliveryId, DeliveryState,
    Edition, FeedKey, FetchState, Item, ItemKey, Language, Mark, NewSubscriber, Preferences, Score,
    Section, Story, SubscriberState, SuppressionReason, TopicId, Topics, UnknownPolicy, Window,
};
use crate::schedule::History;

pub(super) fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T06:00:00Z")
        .unwrap()
        .to_utc()
}

pub(super) fn day() -> Window {
    Window {
        since: now() - TimeDelta::days(1),
        until: now(),
    }
}

pub(super) fn item(name: &str, published: DateTime<Utc>, arrived: DateTime<Utc>) -> Item {
    Item {
        key: ItemKey::of(name),
        feeds: BTreeSet::from([FeedKey("feed".into())]),
        source: "Quelle".into(),
        title: name.into(),
        url: None,
        summary: "Über „Anführung\" und 'mehr'".into(),
        words: 5,
        author: None,
        categories: vec!["KI".into(), "Recht".into()],
        language: Some("de".into()),
        published,
        dated: true,
        image: Some("https://example.org/a.png".into()),
        comments_url: Some("https://example.org/a#comments".into()),
        comments: Some(7),
        mark: Some(Mark::Paid),
        relayed: false,
        arrived,
    }
}

fn edition(topics: &[&str]) -> Edition {
    let cadence = CadenceId("daily".into());
    let story = |topic: &&str| Story {
        lead: item(topic, now(), now()),
        others: Vec::new(),
        copies: std::collections::BTreeMap::new(),
        update: None,
        picture: None,
        score: Score {
            relevance: 1.0,
            recency: 1.0,
            total: 0.5,
            ..Score::default()
        },
    };
    let section = |topic: &&str| Section {
        topic: TopicId((*topic).into()),
        title: "T".into(),
        stories: vec![story(topic)],
    };
    Edition {
        id: Edition::id_of("test", &cadence, now()),
        newsletter: "test".into(),
        cadence,
        slot: now(),
        window: day(),
        created_at: now(),
        covers: Some(5),
        sections: topics.iter().map(section).collect(),
        blocks: Vec::new(),
        followed: Vec::new(),
    }
}

fn person(address: &str, topics: &[&str]) -> NewSubscriber {
    NewSubscriber {
        address: Address::parse(address).unwrap(),
        name: String::new(),
        preferences: Preferences {
            topics: Topics::from_stored(
                topics
                    .iter()
                    .map(|topic| TopicId((*topic).into()))
                    .collect(),
            ),
            ..Preferences::usual(CadenceId("daily".into()))
        },
    }
}

async fn confirmed(store: &Store, people: &[NewSubscriber]) {
    let people: Vec<_> = people
        .iter()
        .map(|person| (person.clone(), SubscriberState::Confirmed, Some(now())))
        .collect();
    store
        .subscribers()
        .create_subscribers(&people, Origin::Command, now())
        .await
        .unwrap();
}

/// The worker of most tests.
const WORKER: WorkerId = WorkerId(1);

async fn claim(store: &Store) -> Vec<Delivery> {
    claim_as(store, WORKER, 100, now()).await
}

async fn claim_as(
    store: &Store,
    worker: WorkerId,
    limit: u32,
    wall: DateTime<Utc>,
) -> Vec<Delivery> {
    store.ledger().hear(worker, wall).await.unwrap();
    store
        .ledger()
        .claim_deliveries(worker, limit, wall, Language::De)
        .await
        .unwrap()
}

/// Begins deliveries; returns those that may be sent.
async fn begin(store: &Store, deliveries: &[Delivery]) -> HashSet<DeliveryId> {
    let step = Step {
        begin: deliveries.iter().map(|delivery| delivery.id).collect(),
        ..Step::default()
    };
    store
        .ledger()
        .record_step(WORKER, &step, BouncePolicy::default(), now())
        .await
        .unwrap()
}

async fn write(store: &Store, records: &[Record]) {
    let step = Step {
        records: records.to_vec(),
        ..Step::default()
    };
    store
        .ledger()
        .record_step(WORKER, &step, BouncePolicy::default(), now())
        .await
        .unwrap();
}

fn ids(deliveries: &[Delivery]) -> Vec<DeliveryId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}

fn record(delivery: &Delivery, state: DeliveryState, at: DateTime<Utc>) -> Record {
    Record {
        id: delivery.id,
        state,
        at,
        answer: None,
        bounce: None,
        held: false,
        owed: false,
    }
}

/// A store with these confirmed subscribers and an edition published to them.
async fn planned(names: &[&str]) -> Option<(Place, Store, Vec<NewSubscriber>)> {
    let place = Place::new().await?;
    let store = place.open().await;
    let address = |name: &&str| person(&format!("{name}@example.org"), &[]);
    let people: Vec<NewSubscriber> = names.iter().map(address).collect();
    confirmed(&store, &people).await;
    store
        .editions()
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    Some((place, store, people))
}
