//! The promises of the store, whatever its engine.

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;

use super::*;
use crate::model::{
    Address, CadenceId, DeliveryState, Edition, FeedKey, FetchState, Item, ItemKey, Language,
    NewSubscriber, Score, Section, Story, SubscriberState, TopicId, Window,
};
use crate::schedule::History;

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn url(&self) -> StoreUrl {
        StoreUrl::Sqlite(self.folder.path().join("store with #?.db"))
    }

    async fn open(&self) -> Store {
        Store::open(&self.url(), "test").await.unwrap()
    }
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T06:00:00Z")
        .unwrap()
        .to_utc()
}

fn day() -> Window {
    Window {
        since: now() - TimeDelta::days(1),
        until: now(),
    }
}

fn item(name: &str, published: DateTime<Utc>, arrived: DateTime<Utc>) -> Item {
    Item {
        key: ItemKey::of(name),
        feeds: BTreeSet::from([FeedKey("feed".into())]),
        source: "Quelle".into(),
        title: name.into(),
        url: None,
        summary: "Über „Anführung\" und 'mehr'".into(),
        words: 5,
        author: None,
        language: Some("de".into()),
        published,
        dated: true,
        arrived,
    }
}

fn edition(topics: &[&str]) -> Edition {
    let cadence = CadenceId("daily".into());
    let story = |topic: &&str| Story {
        lead: item(topic, now(), now()),
        others: Vec::new(),
        score: Score {
            relevance: 1.0,
            coverage: 0.0,
            recency: 1.0,
            total: 0.5,
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
        sections: topics.iter().map(section).collect(),
    }
}

fn person(address: &str, topics: &[&str]) -> NewSubscriber {
    NewSubscriber {
        address: Address::parse(address).unwrap(),
        name: String::new(),
        cadence: CadenceId("daily".into()),
        language: None,
        topics: topics
            .iter()
            .map(|topic| TopicId((*topic).into()))
            .collect(),
    }
}

async fn confirmed(store: &Store, people: &[NewSubscriber]) {
    let people: Vec<_> = people
        .iter()
        .map(|person| (person.clone(), SubscriberState::Confirmed, Some(now())))
        .collect();
    store
        .create_subscribers(&people, Origin::Command, now())
        .await
        .unwrap();
}

async fn claim(store: &Store) -> Vec<crate::model::Delivery> {
    store
        .claim_deliveries(100, now(), Language::De)
        .await
        .unwrap()
}

fn record(delivery: &crate::model::Delivery, state: DeliveryState, at: DateTime<Utc>) -> Record {
    Record {
        id: delivery.id,
        state,
        at,
        answer: None,
    }
}

#[tokio::test]
async fn an_edited_item_is_updated_and_keeps_its_date_and_first_sight() {
    let folder = Folder::new();
    let store = folder.open().await;
    let first = item(
        "a",
        now() - TimeDelta::hours(5),
        now() - TimeDelta::hours(4),
    );
    let saved = store
        .save_collected(&[first.clone(), first.clone()], &[], now())
        .await
        .unwrap();
    assert_eq!(saved, Saved { new: 1, known: 0 });

    let edited = Item {
        title: "Neuer Titel".into(),
        published: now() - TimeDelta::hours(1),
        arrived: now(),
        ..first.clone()
    };
    let saved = store.save_collected(&[edited], &[], now()).await.unwrap();
    assert_eq!(saved, Saved { new: 0, known: 1 });
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let items = store.list_items(&feeds, day()).await.unwrap();
    assert_eq!(
        items,
        [Item {
            title: "Neuer Titel".into(),
            ..first
        }]
    );
}

#[tokio::test]
async fn a_window_has_what_arrived_in_it_whenever_it_was_published() {
    let folder = Folder::new();
    let store = folder.open().await;
    let (since, until) = (day().since, day().until);
    let before = since - TimeDelta::days(3);
    let items = [
        item("at the start", since, since),
        item(
            "just before the end",
            until - TimeDelta::seconds(1),
            until - TimeDelta::seconds(1),
        ),
        item("at the end", until, until),
        item(
            "of a feed that was down",
            before,
            since + TimeDelta::hours(1),
        ),
        item(
            "known to the run before",
            before,
            since - TimeDelta::seconds(1),
        ),
    ];
    store.save_collected(&items, &[], now()).await.unwrap();
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let listed = store.list_items(&feeds, day()).await.unwrap();
    let titles: Vec<&str> = listed.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "of a feed that was down",
            "at the start",
            "just before the end"
        ]
    );
}

#[tokio::test]
async fn an_item_belongs_to_every_feed_that_carries_it() {
    let folder = Folder::new();
    let store = folder.open().await;
    let first = item(
        "a",
        now() - TimeDelta::hours(1),
        now() - TimeDelta::hours(1),
    );
    let feed = |name: &str| BTreeSet::from([FeedKey(name.into())]);
    let second = Item {
        feeds: feed("second"),
        ..first.clone()
    };
    store
        .save_collected(&[first, second], &[], now())
        .await
        .unwrap();
    let listed = |feeds: &[&str]| {
        let feeds: HashSet<FeedKey> = feeds.iter().map(|name| FeedKey((*name).into())).collect();
        let store = &store;
        async move { store.list_items(&feeds, day()).await.unwrap() }
    };
    assert_eq!(listed(&["feed", "second"]).await[0].feeds.len(), 2);
    assert_eq!(
        listed(&["second"]).await[0].feeds,
        feed("second"),
        "the first one is no longer configured"
    );
    assert_eq!(listed(&["third"]).await.len(), 0);
}

#[tokio::test]
async fn feed_states_survive_as_they_were() {
    let folder = Folder::new();
    let store = folder.open().await;
    let state = FetchState {
        title: Some("Täglich".into()),
        etag: Some("W/\"x'y\"".into()),
        last_modified: None,
        fetched_at: Some(now()),
        succeeded_at: None,
        failures: 3,
        error: Some("answered 500".into()),
    };
    let key = FeedKey("https://example.org/?a=1&b=2".into());
    store
        .save_collected(&[], &[(key.clone(), state.clone())], now())
        .await
        .unwrap();
    drop(store);
    assert_eq!(
        folder.open().await.list_fetch_states().await.unwrap()[&key],
        state
    );
}

#[tokio::test]
async fn an_edition_is_published_once_with_a_delivery_for_each_who_wants_it() {
    let folder = Folder::new();
    let store = folder.open().await;
    let everybody = [
        person("all@example.org", &[]),
        person("ki@example.org", &["ki", "sport"]),
        person("sport@example.org", &["sport"]),
        NewSubscriber {
            cadence: CadenceId("weekly".into()),
            ..person("weekly@example.org", &[])
        },
        person("gone@example.org", &[]),
    ];
    confirmed(&store, &everybody).await;
    store
        .unsubscribe(&everybody[4].address, now())
        .await
        .unwrap();
    let pending = (
        person("pending@example.org", &[]),
        SubscriberState::Pending,
        None,
    );
    store
        .create_subscribers(&[pending], Origin::Command, now())
        .await
        .unwrap();

    let shown = item(
        "ki",
        now() - TimeDelta::hours(1),
        now() - TimeDelta::hours(1),
    );
    store.save_collected(&[shown], &[], now()).await.unwrap();
    let edition = edition(&["ki", "security"]);
    let published = store
        .publish(&edition, EditionState::Published, now())
        .await
        .unwrap();
    assert_eq!(published, Published::Now(2));
    let again = Edition {
        created_at: now() + TimeDelta::hours(1),
        ..edition.clone()
    };
    assert_eq!(
        store
            .publish(&again, EditionState::Published, now())
            .await
            .unwrap(),
        Published::Before
    );
    assert_eq!(
        store.load_edition(&edition.id).await.unwrap(),
        edition,
        "a stored edition never changes"
    );

    let claimed = claim(&store).await;
    let addresses: Vec<&str> = claimed
        .iter()
        .map(|delivery| delivery.address.as_str())
        .collect();
    assert_eq!(addresses, ["all@example.org", "ki@example.org"]);
    assert_eq!(
        claimed[1].audience.topics,
        BTreeSet::from([TopicId("ki".into()), TopicId("sport".into())])
    );
    let mailed = store
        .list_mailed("test", &edition.cadence, day())
        .await
        .unwrap();
    let mailed: Vec<&str> = mailed.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(
        mailed,
        ["ki"],
        "only what is stored as an item can be compared"
    );
}

#[tokio::test]
async fn a_skipped_edition_covers_nothing() {
    let folder = Folder::new();
    let store = folder.open().await;
    let first = edition(&[]);
    store
        .publish(&first, EditionState::Quiet, now())
        .await
        .unwrap();
    let slot = now() + TimeDelta::days(1);
    let second = Edition {
        id: Edition::id_of("test", &first.cadence, slot),
        slot,
        ..first.clone()
    };
    store
        .publish(&second, EditionState::Skipped, now())
        .await
        .unwrap();
    let history = |at| store.history("test", &first.cadence, at);
    let expected = History {
        last_slot: Some(slot),
        covered_until: Some(first.window.until),
    };
    assert_eq!(history(slot).await.unwrap(), expected);
    assert_eq!(
        history(now()).await.unwrap().last_slot,
        Some(now()),
        "seen from then, the later one does not exist"
    );
}

#[tokio::test]
async fn a_delivery_is_claimed_by_one_and_given_back_when_its_run_died() {
    let folder = Folder::new();
    let store = folder.open().await;
    confirmed(
        &store,
        &[person("a@example.org", &[]), person("b@example.org", &[])],
    )
    .await;
    store
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    let first = claim(&store).await;
    assert_eq!((first.len(), claim(&store).await.len()), (2, 0));

    store
        .record_outcomes(&[record(&first[0], DeliveryState::Sent, now())], &[])
        .await
        .unwrap();
    assert_eq!(
        store.release_claims().await.unwrap(),
        1,
        "what was recorded stays recorded"
    );
    let second = claim(&store).await;
    assert_eq!(
        second
            .iter()
            .map(|delivery| delivery.id)
            .collect::<Vec<_>>(),
        [first[1].id]
    );
    assert_eq!(
        second[0].token, first[1].token,
        "the Message-ID is made of it"
    );
    assert_eq!(second[0].attempts, 2);

    store.release_deliveries(&[second[0].id]).await.unwrap();
    assert_eq!(
        claim(&store).await[0].attempts,
        2,
        "what was not tried does not count as a try"
    );
}

#[tokio::test]
async fn a_deferred_delivery_waits_for_its_time_and_an_ended_one_for_ever() {
    let folder = Folder::new();
    let store = folder.open().await;
    let people: Vec<_> = ["a", "b", "c"]
        .map(|name| person(&format!("{name}@example.org"), &[]))
        .to_vec();
    confirmed(&store, &people).await;
    store
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    let claimed = claim(&store).await;
    let later = now() + TimeDelta::minutes(5);
    let records = [
        record(&claimed[0], DeliveryState::Deferred, later),
        record(&claimed[1], DeliveryState::Failed, now()),
        record(&claimed[2], DeliveryState::Unknown, now()),
    ];
    store.record_outcomes(&records, &[]).await.unwrap();
    assert_eq!(claim(&store).await.len(), 0);
    assert_eq!(store.count_due(later).await.unwrap(), 1);
    let retried = store
        .claim_deliveries(100, later, Language::De)
        .await
        .unwrap();
    assert_eq!(
        retried
            .iter()
            .map(|delivery| delivery.id)
            .collect::<Vec<_>>(),
        [claimed[0].id]
    );
    let counts = store.count_deliveries().await.unwrap();
    assert_eq!((counts.failed, counts.unknown, counts.pending), (1, 1, 1));
}

#[tokio::test]
async fn who_leaves_gets_nothing_that_is_still_on_its_way() {
    let folder = Folder::new();
    let store = folder.open().await;
    confirmed(&store, &[person("a@example.org", &[])]).await;
    store
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    assert!(
        store
            .unsubscribe(&Address::parse("A@Example.org").unwrap(), now())
            .await
            .unwrap()
    );
    assert_eq!(claim(&store).await.len(), 0);
}

#[tokio::test]
async fn only_an_explicit_word_brings_somebody_back() {
    let folder = Folder::new();
    let store = folder.open().await;
    let anna = person("anna@example.org", &["ki"]);
    confirmed(&store, std::slice::from_ref(&anna)).await;
    store.unsubscribe(&anna.address, now()).await.unwrap();
    let entry = [(anna.clone(), SubscriberState::Confirmed, Some(now()))];
    for origin in [Origin::Import, Origin::Config] {
        let result = store
            .create_subscribers(&entry, origin, now())
            .await
            .unwrap();
        assert_eq!(
            result,
            Subscribed {
                added: 0,
                updated: 0,
                left_alone: vec![anna.address.clone()],
                pending: 0
            }
        );
    }
    store
        .create_subscribers(&entry, Origin::Command, now())
        .await
        .unwrap();
    let listed = store.list_subscribers(0, 10).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].1.state),
        (1, SubscriberState::Confirmed)
    );
    assert_eq!(listed[0].1.profile, anna);
}

#[tokio::test]
async fn a_list_that_names_somebody_twice_means_the_last_line() {
    let folder = Folder::new();
    let store = folder.open().await;
    let lines = [
        person("anna@example.org", &["ki"]),
        person("Anna@Example.org", &["sport"]),
    ];
    let lines = lines.map(|person| (person, SubscriberState::Confirmed, Some(now())));
    let result = store
        .create_subscribers(&lines, Origin::Import, now())
        .await
        .unwrap();
    assert_eq!((result.added, result.updated), (1, 0));
    let listed = store.list_subscribers(0, 10).await.unwrap();
    assert_eq!(
        listed[0].1.profile.topics,
        BTreeSet::from([TopicId("sport".into())])
    );
}

#[tokio::test]
async fn a_rehearsal_sees_everything_and_leaves_nothing() {
    let folder = Folder::new();
    let store = folder.open().await;
    store
        .save_collected(
            &[item(
                "before",
                now() - TimeDelta::hours(1),
                now() - TimeDelta::hours(1),
            )],
            &[],
            now(),
        )
        .await
        .unwrap();
    drop(store);
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let rehearsal = Store::open_for_rehearsal(&folder.url(), "test")
        .await
        .unwrap();
    rehearsal
        .save_collected(
            &[item(
                "during",
                now() - TimeDelta::hours(2),
                now() - TimeDelta::hours(2),
            )],
            &[],
            now(),
        )
        .await
        .unwrap();
    assert_eq!(rehearsal.list_items(&feeds, day()).await.unwrap().len(), 2);
    drop(rehearsal);
    let store = folder.open().await;
    assert_eq!(store.list_items(&feeds, day()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_rehearsal_without_a_store_makes_none() {
    let folder = Folder::new();
    let rehearsal = Store::open_for_rehearsal(&folder.url(), "test")
        .await
        .unwrap();
    rehearsal
        .save_collected(&[item("a", now(), now())], &[], now())
        .await
        .unwrap();
    assert_eq!(std::fs::read_dir(folder.folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_not_touched() {
    let folder = Folder::new();
    let store = folder.open().await;
    sqlx::query("PRAGMA user_version = 99")
        .execute(&mut *store.connection().await)
        .await
        .unwrap();
    drop(store);
    let error = Store::open(&folder.url(), "test").await.err().unwrap();
    assert!(format!("{error:#}").contains("newer version"), "{error:#}");
}

#[tokio::test]
async fn who_left_in_any_way_since_the_mail_was_planned_gets_none() {
    let folder = Folder::new();
    let store = folder.open().await;
    let people: Vec<_> = ["a", "b", "c"]
        .map(|name| person(&format!("{name}@example.org"), &[]))
        .to_vec();
    confirmed(&store, &people).await;
    store
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    // Claimed by a run that then died, and left in between.
    assert_eq!(claim(&store).await.len(), 3);
    store.unsubscribe(&people[0].address, now()).await.unwrap();
    // Left by a list that says so.
    let left = (people[1].clone(), SubscriberState::Unsubscribed, None);
    store
        .create_subscribers(&[left], Origin::Import, now())
        .await
        .unwrap();
    assert_eq!(store.release_claims().await.unwrap(), 2);
    let first = store
        .claim_deliveries(1, now(), Language::De)
        .await
        .unwrap();
    let addresses: Vec<&str> = first
        .iter()
        .map(|delivery| delivery.address.as_str())
        .collect();
    assert_eq!(addresses, ["c@example.org"]);
    assert_eq!(store.count_due(now()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_store_holds_one_newsletter() {
    let folder = Folder::new();
    drop(folder.open().await);
    let error = Store::open(&folder.url(), "another").await.err().unwrap();
    assert!(
        format!("{error:#}").contains("it holds the newsletter “test”"),
        "{error:#}"
    );
    folder.open().await;
}

#[tokio::test]
async fn what_became_news_once_stays_news_until_it_is_told() {
    let folder = Folder::new();
    let store = folder.open().await;
    let hours = |hours| now() - TimeDelta::hours(hours);
    let late = item("late", hours(40), hours(1));
    let announced = item("announced", hours(-48), hours(-48));
    store
        .save_collected(&[late.clone(), announced.clone()], &[], hours(1))
        .await
        .unwrap();
    // A second feed that is new to us has the first one as well; and the announcement comes early.
    let elsewhere = Item {
        arrived: hours(40),
        ..late.clone()
    };
    let early = Item {
        published: hours(0),
        arrived: hours(0),
        ..announced
    };
    store
        .save_collected(&[elsewhere.clone(), late.clone(), early], &[], hours(0))
        .await
        .unwrap();
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let soon = Window {
        since: hours(2),
        until: hours(-1),
    };
    let titles: Vec<String> = store
        .list_items(&feeds, soon)
        .await
        .unwrap()
        .into_iter()
        .map(|item| item.title)
        .collect();
    assert_eq!(titles, ["late", "announced"]);

    let other = folder_of_its_own(&[elsewhere, late]).await;
    assert_eq!(
        other.list_items(&feeds, soon).await.unwrap().len(),
        1,
        "in whatever order the feeds stand"
    );
}

async fn folder_of_its_own(items: &[Item]) -> Store {
    let store = Store::open_for_rehearsal(&Folder::new().url(), "test")
        .await
        .unwrap();
    store.save_collected(items, &[], now()).await.unwrap();
    store
}

#[tokio::test]
async fn who_leaves_while_a_worker_holds_their_mail_is_told_to_it() {
    let folder = Folder::new();
    let store = folder.open().await;
    let people: Vec<_> = ["a", "b", "c"]
        .map(|name| person(&format!("{name}@example.org"), &[]))
        .to_vec();
    confirmed(&store, &people).await;
    store
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    let claimed = claim(&store).await;
    store.unsubscribe(&people[1].address, now()).await.unwrap();
    let held = [claimed[1].id, claimed[2].id];
    let sent = [record(&claimed[0], DeliveryState::Sent, now())];
    assert_eq!(
        store.record_outcomes(&sent, &held).await.unwrap(),
        HashSet::from([claimed[1].id])
    );
    // The mail that was on the wire at that moment has gone out, and the record says so.
    let sent = [record(&claimed[1], DeliveryState::Sent, now())];
    store.record_outcomes(&sent, &[]).await.unwrap();
    assert_eq!(store.count_deliveries().await.unwrap().sent, 2);
}
