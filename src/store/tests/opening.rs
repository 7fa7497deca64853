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
