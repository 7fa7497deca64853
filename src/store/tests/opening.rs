//! Opening a store, for good or for a snapshot.

use std::collections::HashSet;

use chrono::TimeDelta;

use super::super::super::*;
use super::Place;
use super::contract::{day, item, now};
use crate::model::FeedKey;

#[tokio::test]
async fn a_snapshot_sees_everything_and_leaves_nothing() {
    let place = Place::new().await.unwrap();
    let store = place.open().await;
    store
        .items()
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
    let snapshot = Store::snapshot(&place.url(), "test").await.unwrap();
    snapshot
        .items()
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
    assert_eq!(
        snapshot
            .items()
            .list_items(&feeds, day())
            .await
            .unwrap()
            .len(),
        2
    );
    drop(snapshot);
    let store = place.open().await;
    assert_eq!(
        store.items().list_items(&feeds, day()).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_snapshot_without_a_store_makes_none() {
    let place = Place::new().await.unwrap();
    let snapshot = Store::snapshot(&place.url(), "test").await.unwrap();
    snapshot
        .items()
        .save_collected(&[item("a", now(), now())], &[], now())
        .await
        .unwrap();
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_not_touched() {
    let place = Place::new().await.unwrap();
    let store = place.open().await;
    sqlx::query("PRAGMA user_version = 99")
        .execute(&mut *store.pool.writing().await.unwrap())
        .await
        .unwrap();
    store.close().await.unwrap();
    let error = Store::open(&place.url(), "test").await.err().unwrap();
    assert!(format!("{error:#}").contains("newer version"), "{error:#}");
}

#[tokio::test]
async fn a_store_holds_one_newsletter() {
    let place = Place::new().await.unwrap();
    drop(place.open().await);
    let error = Store::open(&place.url(), "another").await.err().unwrap();
    assert!(
        format!("{error:#}").contains("it holds the newsletter “test”"),
        "{error:#}"
    );
    place.open().await;
}

#[tokio::test]
async fn a_store_of_every_earlier_version_is_brought_up_to_date() {
    for version in 1..migrations::KNOWN {
        let place = Place::new().await.unwrap();
        let StoreUrl::Sqlite(path) = place.url() else {
            unreachable!("it is a file")
        };
        std::fs::write(&path, "").unwrap();
        let engine = engine::Engine::at(&place.url()).unwrap();
        let mut connection = engine.connect().await.unwrap();
        migrations::migrate(&engine, &mut connection, version)
            .await
            .unwrap();
        // As each of them writes an item and what an edition has covered.
        let sql = "INSERT INTO setting VALUES ('newsletter', 'test');
             INSERT INTO item (key, source, title, summary, words, published, dated, arrived) VALUES ('old', '', 'old', '', 0, 50, 1, 50);
             INSERT INTO item (key, source, title, summary, words, published, dated, arrived) VALUES ('new', '', 'new', '', 0, 90, 1, 90);
             INSERT INTO item_feed VALUES ('old', 'feed'), ('new', 'feed');
             INSERT INTO edition (id, newsletter, cadence, slot, until, created_at, state, content)
             VALUES ('test.daily.1', 'test', 'daily', 60, 60, 60, 'quiet', '{}')";
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        if version >= 7 {
            // From then on they write the order as well.
            let sql = "UPDATE item SET number = 1 WHERE key = 'old'; UPDATE edition SET number = 1;
                 UPDATE setting SET value = '1' WHERE key = 'item_number'";
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        if version > 1 {
            // Nothing refers to the table of feeds' states.
            sqlx::raw_sql("DELETE FROM feed")
                .execute(&mut connection)
                .await
                .unwrap();
        }
        sqlx::Connection::close(connection).await.unwrap();
        assert!(Store::is_behind(&place.url()).await.unwrap());

        let snapshot = Store::snapshot(&place.url(), "test").await.unwrap();
        let store = place.open().await;
        assert!(!store.is_new());
        for store in [snapshot, store] {
            let cadence = crate::model::CadenceId("daily".into());
            let editions = store.editions();
            let history = editions.history("test", &cadence, now(), now());
            let covered = history.await.unwrap().covered;
            let news = crate::model::Coverage {
                after: covered,
                up_to: store.items().number_news(now()).await.unwrap(),
            };
            let feeds = HashSet::from([FeedKey("feed".into())]);
            let items = store
                .items()
                .list_news(&feeds, day(), news, None)
                .await
                .unwrap();
            let titles: Vec<&str> = items.iter().map(|item| item.title.as_str()).collect();
            assert_eq!(
                (covered, &titles[..]),
                (Some(1), &["new"][..]),
                "version {version}"
            );
        }
    }
}

#[tokio::test]
async fn a_store_that_has_merely_seen_more_than_we_know_is_used() {
    let place = Place::new().await.unwrap();
    let store = place.open().await;
    sqlx::query("UPDATE setting SET value = '99' WHERE key = 'migrations'")
        .execute(&mut *store.pool.writing().await.unwrap())
        .await
        .unwrap();
    store.close().await.unwrap();
    place.open().await;
}

#[tokio::test]
async fn a_log_without_its_store_is_not_taken_for_that_of_a_new_one() {
    let place = Place::new().await.unwrap();
    let StoreUrl::Sqlite(path) = place.url() else {
        unreachable!("it is a file")
    };
    std::fs::write(format!("{}-wal", path.display()), "what was committed").unwrap();
    let error = Store::open(&place.url(), "test").await.err().unwrap();
    assert!(
        format!("{error:#}").contains("the file is missing, but its log"),
        "{error:#}"
    );
    assert!(!path.exists());
}
