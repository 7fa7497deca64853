//! Who is subscribed, and who stays away.

use super::*;

#[tokio::test]
async fn only_an_explicit_word_brings_somebody_back() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let anna = person("anna@example.org", &["ki"]);
    confirmed(&store, std::slice::from_ref(&anna)).await;
    store
        .subscribers()
        .unsubscribe(&anna.address, "command", now())
        .await
        .unwrap();
    let entry = [(anna.clone(), SubscriberState::Confirmed, Some(now()))];
    for origin in [Origin::Import, Origin::Config] {
        let result = store
            .subscribers()
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
        .subscribers()
        .create_subscribers(&entry, Origin::Command, now())
        .await
        .unwrap();
    let listed = store.subscribers().list_subscribers(0, 10).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].1.state),
        (1, SubscriberState::Confirmed)
    );
    assert_eq!(listed[0].1.profile, anna);
}

#[tokio::test]
async fn a_list_that_names_somebody_twice_means_the_last_line() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let lines = [
        person("anna@example.org", &["ki"]),
        person("Anna@Example.org", &["sport"]),
    ];
    let lines = lines.map(|person| (person, SubscriberState::Confirmed, Some(now())));
    let result = store
        .subscribers()
        .create_subscribers(&lines, Origin::Import, now())
        .await
        .unwrap();
    assert_eq!((result.added, result.updated), (1, 0));
    let listed = store.subscribers().list_subscribers(0, 10).await.unwrap();
    assert_eq!(
        listed[0].1.profile.preferences.topics,
        Topics::Only(BTreeSet::from([TopicId("sport".into())]))
    );
}
