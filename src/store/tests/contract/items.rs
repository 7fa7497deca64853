//! Items and feed states.

use super::*;
use crate::model::{FetchFailure, Pace};

#[tokio::test]
async fn an_edited_item_is_updated_and_keeps_its_date_and_first_sight() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let first = item(
        "a",
        now() - TimeDelta::hours(5),
        now() - TimeDelta::hours(4),
    );
    let saved = store
        .items()
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
    let saved = store
        .items()
        .save_collected(&[edited], &[], now())
        .await
        .unwrap();
    assert_eq!(saved, Saved { new: 0, known: 1 });
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let items = store.items().list_items(&feeds, day()).await.unwrap();
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
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
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
    store
        .items()
        .save_collected(&items, &[], now())
        .await
        .unwrap();
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let listed = store.items().list_items(&feeds, day()).await.unwrap();
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
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
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
        .items()
        .save_collected(&[first, second], &[], now())
        .await
        .unwrap();
    let listed = |feeds: &[&str]| {
        let feeds: HashSet<FeedKey> = feeds.iter().map(|name| FeedKey((*name).into())).collect();
        let store = &store;
        async move { store.items().list_items(&feeds, day()).await.unwrap() }
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
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let state = FetchState {
        title: Some("Täglich".into()),
        etag: Some("W/\"x'y\"".into()),
        last_modified: None,
        fetched_at: Some(now()),
        succeeded_at: None,
        rests_until: Some(now()),
        pace: Pace {
            minutes: Some(60),
            skip_hours: 3,
            skip_days: 1,
        },
        moved_to: Some("https://example.org/new".parse().unwrap()),
        newest_at: Some(now()),
        items_a_day: Some(2.5),
        failures: 3,
        failure: Some(FetchFailure::RateLimited {
            status: 429,
            until: now(),
        }),
    };
    let key = FeedKey("https://example.org/?a=1&b=2".into());
    store
        .items()
        .save_collected(&[], &[(key.clone(), state.clone())], now())
        .await
        .unwrap();
    drop(store);
    assert_eq!(
        place
            .open()
            .await
            .items()
            .list_fetch_states()
            .await
            .unwrap()[&key],
        state
    );
}

#[tokio::test]
async fn what_became_news_once_stays_news_until_it_is_told() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let hours = |hours| now() - TimeDelta::hours(hours);
    let late = item("late", hours(40), hours(1));
    let announced = item("announced", hours(-48), hours(-48));
    store
        .items()
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
        .items()
        .save_collected(&[elsewhere.clone(), late.clone(), early], &[], hours(0))
        .await
        .unwrap();
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let soon = Window {
        since: hours(2),
        until: hours(-1),
    };
    let titles: Vec<String> = store
        .items()
        .list_items(&feeds, soon)
        .await
        .unwrap()
        .into_iter()
        .map(|item| item.title)
        .collect();
    assert_eq!(titles, ["late", "announced"]);

    let Some((_place, other)) = store_of(&[elsewhere, late]).await else {
        return;
    };
    assert_eq!(
        other.items().list_items(&feeds, soon).await.unwrap().len(),
        1,
        "in whatever order the feeds stand"
    );
}

/// A store of its own with these items.
async fn store_of(items: &[Item]) -> Option<(Place, Store)> {
    let place = Place::new().await?;
    let store = place.open().await;
    store
        .items()
        .save_collected(items, &[], now())
        .await
        .unwrap();
    Some((place, store))
}

#[tokio::test]
async fn a_pruned_item_that_its_feed_still_shows_is_no_news() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let old = item(
        "old",
        now() - TimeDelta::days(100),
        now() - TimeDelta::days(100),
    );
    let young = item("young", now(), now() - TimeDelta::days(1));
    let both = [old.clone(), young];
    store
        .items()
        .save_collected(&both, &[], now())
        .await
        .unwrap();
    let cutoff = now() - TimeDelta::days(90);
    assert_eq!(
        store.items().prune_items(cutoff, i64::MAX).await.unwrap(),
        1
    );
    assert_eq!(
        store.items().prune_items(cutoff, i64::MAX).await.unwrap(),
        0
    );
    // Its feed has lost the date, so that it looks like news.
    let again = Item {
        arrived: now() - TimeDelta::hours(1),
        ..old
    };
    let saved = store
        .items()
        .save_collected(&[again], &[], now())
        .await
        .unwrap();
    assert_eq!((saved.new, saved.known), (0, 0));
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let window = Window {
        since: now() - TimeDelta::days(200),
        until: now() + TimeDelta::days(1),
    };
    let left = store.items().list_items(&feeds, window).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].title, "young");
}

#[tokio::test]
async fn the_newest_items_of_one_feed_are_listed() {
    let of = |feed: &str, name: &str, age: TimeDelta| Item {
        feeds: [FeedKey(feed.into())].into(),
        ..item(name, now() - age, now() - age)
    };
    let Some((_place, store)) = store_of(&[
        of("jobs", "Setzer", TimeDelta::days(3)),
        of("jobs", "Redakteurin", TimeDelta::hours(1)),
        of("jobs", "Drucker", TimeDelta::days(2)),
        of("jobs", "Bote", TimeDelta::days(40)),
        of("news", "Meldung", TimeDelta::hours(2)),
    ])
    .await
    else {
        return;
    };
    let window = Window {
        since: now() - TimeDelta::days(30),
        until: now(),
    };
    let titles = async |limit| -> Vec<String> {
        let items = store
            .items()
            .list_newest(&FeedKey("jobs".into()), window, limit)
            .await;
        items.unwrap().into_iter().map(|item| item.title).collect()
    };
    assert_eq!(titles(2).await, ["Redakteurin", "Drucker"]);
    assert_eq!(titles(9).await, ["Redakteurin", "Drucker", "Setzer"]);
}

/// What became news after the item of number `after`, as the next edition sees it.
async fn news(store: &Store, after: Option<i64>, at: DateTime<Utc>) -> (Vec<String>, i64) {
    let up_to = store.items().number_news(at).await.unwrap();
    let window = Window {
        since: at - TimeDelta::days(1),
        until: at,
    };
    let coverage = Coverage { after, up_to };
    let feeds = HashSet::from([FeedKey("feed".into())]);
    let items = store
        .items()
        .list_news(&feeds, window, coverage, None)
        .await;
    let mut titles: Vec<String> = items.unwrap().into_iter().map(|item| item.title).collect();
    titles.sort();
    (titles, up_to)
}

#[tokio::test]
async fn no_item_falls_between_two_editions_whatever_the_clocks_of_collectors_say() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let second = TimeDelta::seconds(1);
    let save = async |name: &str, clock: DateTime<Utc>| {
        let news = item(name, clock - second, clock - second);
        store
            .items()
            .save_collected(&[news], &[], clock)
            .await
            .unwrap()
    };
    save("on time", now()).await;
    let (first, covered) = news(&store, None, now()).await;
    assert_eq!(first, ["on time"]);
    // One began before the edition and ended after it; of the others' clocks one is three minutes behind, one was an hour, one a year
    // ahead.
    save("late", now() - TimeDelta::minutes(1)).await;
    save("behind", now() - TimeDelta::minutes(3)).await;
    save("hour", now() + TimeDelta::hours(1)).await;
    save("year", now() + TimeDelta::days(365)).await;
    let tomorrow = now() + TimeDelta::days(1);
    let (second_edition, covered) = news(&store, Some(covered), tomorrow).await;
    assert_eq!(second_edition, ["behind", "hour", "late", "year"]);
    assert_eq!(news(&store, Some(covered), tomorrow).await.0, [""; 0]);
}

#[tokio::test]
async fn an_announcement_has_no_number_before_its_time() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let day = TimeDelta::days(1);
    let announced = item("fair", now() + day, now() + day);
    store
        .items()
        .save_collected(&[announced], &[], now())
        .await
        .unwrap();
    let (titles, covered) = news(&store, Some(0), now()).await;
    assert_eq!(titles, [""; 0]);
    assert_eq!(
        news(&store, Some(covered), now() + day + day).await.0,
        ["fair"]
    );
}

#[tokio::test]
async fn of_a_new_feed_it_is_news_what_is_no_older_than_an_edition_is_long() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    // Read for the first time just after an edition: what the feed had before it was in none.
    let hours = |hours| now() - TimeDelta::hours(hours);
    let items = [
        item("yesterday", hours(3), hours(3)),
        item("archive", hours(30), hours(30)),
    ];
    store
        .items()
        .save_collected(&items, &[], now())
        .await
        .unwrap();
    let tomorrow = now() + TimeDelta::days(1);
    assert_eq!(news(&store, Some(0), tomorrow).await.0, ["yesterday"]);
}

#[tokio::test]
async fn an_item_that_no_edition_has_covered_is_not_pruned_however_old_its_date() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    // The machine's battery was empty, and it was 1970.
    let seventies = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let fresh = item("fresh", seventies, seventies);
    store
        .items()
        .save_collected(&[fresh], &[], seventies)
        .await
        .unwrap();
    assert_eq!(store.items().prune_items(now(), 0).await.unwrap(), 0);
    assert_eq!(store.items().prune_items(now(), 1).await.unwrap(), 1);
}

#[tokio::test]
async fn collectors_beside_each_other_count_what_is_new_to_the_store() {
    let Some(place) = Place::new().await else {
        return;
    };
    let (one, other) = (place.open().await, place.open().await);
    let items = |from: usize| -> Vec<Item> {
        let names = (from..from + 200).map(|number| format!("item {number}"));
        names.map(|name| item(&name, now(), now())).collect()
    };
    let (first, second) = (items(0), items(100));
    let (one, other) = (one.items(), other.items());
    let (first, second) = tokio::join!(
        one.save_collected(&first, &[], now()),
        other.save_collected(&second, &[], now())
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.new + second.new, 300);
    assert_eq!(first.known + second.known, 100);
    let (store, feeds) = (place.open().await, HashSet::from([FeedKey("feed".into())]));
    let coverage = Coverage {
        after: Some(0),
        up_to: one.number_news(now()).await.unwrap(),
    };
    let items = store.items();
    let news = items
        .list_news(&feeds, day(), coverage, None)
        .await
        .unwrap();
    assert_eq!(news.len(), 300, "each has a number");
}

#[tokio::test]
async fn an_item_that_cannot_be_read_costs_itself() {
    let Some((_place, store)) =
        store_of(&[item("good", now(), now()), item("bad", now(), now())]).await
    else {
        return;
    };
    sqlx::query("UPDATE item SET published = 9223372036854775807 WHERE title = 'bad'")
        .execute(&mut *store.pool.writing().await.unwrap())
        .await
        .unwrap();
    assert_eq!(news(&store, Some(0), now()).await.0, ["good"]);
}
