use super::*;
use crate::model::{Vocabulary, Vote};

fn counted(documents: u64, terms: &[(&str, u64)]) -> Vocabulary {
    let terms = terms
        .iter()
        .map(|(term, count)| ((*term).to_owned(), *count));
    Vocabulary {
        documents,
        terms: terms.collect(),
    }
}

fn days(from: i64, to: i64) -> Window {
    Window {
        since: now() + TimeDelta::days(from),
        until: now() + TimeDelta::days(to),
    }
}

#[tokio::test]
async fn words_are_counted_once_however_often_a_run_is_repeated() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    assert_eq!(
        store.items().load_vocabulary().await.unwrap(),
        Vocabulary::default()
    );
    assert_eq!(store.items().vocabulary_until().await.unwrap(), None);

    let first = counted(10, &[("ki", 4), ("rust", 2)]);
    for _ in 0..2 {
        store
            .items()
            .extend_vocabulary(&first, days(-1, 0))
            .await
            .unwrap();
    }
    assert_eq!(store.items().load_vocabulary().await.unwrap(), first);
    assert_eq!(store.items().vocabulary_until().await.unwrap(), Some(now()));

    let second = counted(5, &[("ki", 3), ("neu", 2)]);
    store
        .items()
        .extend_vocabulary(&second, days(0, 1))
        .await
        .unwrap();
    let both = counted(15, &[("ki", 7), ("rust", 2), ("neu", 2)]);
    assert_eq!(store.items().load_vocabulary().await.unwrap(), both);
}

#[tokio::test]
async fn what_was_usual_long_ago_is_forgotten() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let many = counted(200_000, &[("ki", 900), ("einmalig", 1)]);
    store
        .items()
        .extend_vocabulary(&many, days(-1, 0))
        .await
        .unwrap();
    let more = counted(2, &[("ki", 2)]);
    store
        .items()
        .extend_vocabulary(&more, days(0, 1))
        .await
        .unwrap();
    let halved = counted(100_001, &[("ki", 451)]);
    assert_eq!(store.items().load_vocabulary().await.unwrap(), halved);
}

#[tokio::test]
async fn items_with_comments_are_votes_until_the_window_begins() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let at = |name: &str, hours: i64, comments| Item {
        comments,
        ..item(name, now(), now() - TimeDelta::hours(hours))
    };
    let items = [
        at("neu", 1, Some(9)),
        at("alt", 40, Some(3)),
        at("stumm", 41, None),
        at("älter", 50, Some(0)),
    ];
    store
        .items()
        .save_collected(&items, &[], now())
        .await
        .unwrap();
    let votes = store.items().list_votes(day().since).await.unwrap();
    let vote = |title: &str, count| Vote {
        source: "Quelle".into(),
        title: title.into(),
        language: Some("de".into()),
        count,
    };
    assert_eq!(votes, [vote("älter", 0), vote("alt", 3)]);
}
