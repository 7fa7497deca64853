//! Opening a store, for good or for a rehearsal.

use std::collections::HashSet;

use chrono::TimeDelta;

use super::super::super::*;
use super::Place;
use super::contract::{day, item, now};
use crate::model::FeedKey;

#[tokio::test]
async fn a_rehearsal_sees_everything_and_leaves_nothing() {
    let place = Place::new().await.unwrap();
    let store = place.open().await;
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
    let rehearsal = Store::open_for_rehearsal(&place.url(), "test")
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
    let store = place.open().await;
    assert_eq!(store.list_items(&feeds, day()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_rehearsal_without_a_store_makes_none() {
    let place = Place::new().await.unwrap();
    let rehearsal = Store::open_for_rehearsal(&place.url(), "test")
        .await
        .unwrap();
    rehearsal
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
        .execute(&mut *store.connection().await)
        .await
        .unwrap();
    drop(store);
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
