//! Editions and deliveries.

use super::*;

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
    let mailed: Vec<&str> = mailed
        .iter()
        .map(|mailed| mailed.item.title.as_str())
        .collect();
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
    let (_folder, store, _) = planned(&["a", "b"]).await;
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
    let (_folder, store, _) = planned(&["a", "b", "c"]).await;
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
    let (_folder, store, _) = planned(&["a"]).await;
    assert!(
        store
            .unsubscribe(&Address::parse("A@Example.org").unwrap(), now())
            .await
            .unwrap()
    );
    assert_eq!(claim(&store).await.len(), 0);
}

#[tokio::test]
async fn who_left_in_any_way_since_the_mail_was_planned_gets_none() {
    let (_folder, store, people) = planned(&["a", "b", "c"]).await;
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
async fn who_leaves_while_a_worker_holds_their_mail_is_told_to_it() {
    let (_folder, store, people) = planned(&["a", "b", "c"]).await;
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
