//! Editions and deliveries.

use super::*;

#[tokio::test]
async fn an_edition_is_published_once_with_a_delivery_for_each_who_wants_it() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let everybody = [
        person("all@example.org", &[]),
        person("ki@example.org", &["ki", "sport"]),
        person("sport@example.org", &["sport"]),
        NewSubscriber {
            preferences: Preferences::usual(CadenceId("weekly".into())),
            ..person("weekly@example.org", &[])
        },
        person("gone@example.org", &[]),
    ];
    confirmed(&store, &everybody).await;
    store
        .subscribers()
        .unsubscribe(&everybody[4].address, "command", now())
        .await
        .unwrap();
    let pending = (
        person("pending@example.org", &[]),
        SubscriberState::Pending,
        None,
    );
    store
        .subscribers()
        .create_subscribers(&[pending], Origin::Command, now())
        .await
        .unwrap();

    let shown = item(
        "ki",
        now() - TimeDelta::hours(1),
        now() - TimeDelta::hours(1),
    );
    store
        .items()
        .save_collected(&[shown], &[], now())
        .await
        .unwrap();
    let edition = edition(&["ki", "security"]);
    let published = store
        .editions()
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
            .editions()
            .publish(&again, EditionState::Published, now())
            .await
            .unwrap(),
        Published::Before
    );
    assert_eq!(
        store.editions().load_edition(&edition.id).await.unwrap(),
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
        Topics::Only(BTreeSet::from([
            TopicId("ki".into()),
            TopicId("sport".into())
        ]))
    );
    let mailed = store
        .items()
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
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let first = edition(&[]);
    store
        .editions()
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
        .editions()
        .publish(&second, EditionState::Skipped, now())
        .await
        .unwrap();
    let history = async |at| {
        store
            .editions()
            .history("test", &first.cadence, at, now())
            .await
    };
    let expected = History {
        covered: Some(5),
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

/// What another process inherits at `wall`.
async fn inherit(place: &Place, policy: UnknownPolicy, wall: DateTime<Utc>) -> Inherited {
    let other = place.open().await;
    other
        .ledger()
        .inherit(WorkerId(2), false, policy, wall)
        .await
        .unwrap()
}

/// Moves the moment at which workers were last heard of, by whatever clock.
async fn heard_earlier(store: &Store, minutes: i64) {
    sqlx::query("UPDATE worker SET heard_at = heard_at - $1")
        .bind(minutes * 60)
        .execute(&mut *store.pool.writing().await.unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_delivery_is_claimed_by_one_and_goes_back_when_that_one_dies() {
    let Some((place, store, _)) = planned(&["a", "b"]).await else {
        return;
    };
    let first = claim(&store).await;
    assert_eq!((first.len(), claim(&store).await.len()), (2, 0));
    write(&store, &[record(&first[0], DeliveryState::Sent, now())]).await;

    heard_earlier(&store, 2).await;
    let alive = inherit(&place, UnknownPolicy::Once, now()).await;
    assert_eq!(alive, Inherited::default());
    heard_earlier(&store, 2).await;
    let dead = inherit(&place, UnknownPolicy::Once, now()).await;
    let expected = Inherited {
        released: 1,
        unknown: 0,
    };
    assert_eq!(dead, expected, "what was recorded stays recorded");
    let second = claim(&store).await;
    assert_eq!(ids(&second), [first[1].id]);
    assert_eq!(
        second[0].token, first[1].token,
        "the Message-ID is made of it"
    );
    assert_eq!(
        second[0].attempts, 1,
        "what was not begun does not count as a try"
    );
    store.ledger().dismiss(WORKER).await.unwrap();
    assert_eq!(claim(&store).await[0].attempts, 1);
}

#[tokio::test]
async fn a_worker_that_is_heard_of_keeps_its_leases_and_one_from_the_future_does_not() {
    let Some((place, store, _)) = planned(&["a"]).await else {
        return;
    };
    claim(&store).await;
    let inherited = inherit(&place, UnknownPolicy::Once, now()).await;
    assert_eq!(inherited.released, 0);
    // The clock was set back by ten minutes, and the worker is gone.
    heard_earlier(&store, -10).await;
    let inherited = inherit(&place, UnknownPolicy::Once, now()).await;
    assert_eq!(inherited.released, 1);
}

#[tokio::test]
async fn what_was_begun_and_not_recorded_is_unknown_or_sent_again_as_the_policy_says() {
    for (policy, unknown) in [(UnknownPolicy::Once, 1), (UnknownPolicy::AtLeastOnce, 0)] {
        let Some((place, store, _)) = planned(&["a", "b"]).await else {
            return;
        };
        let claimed = claim(&store).await;
        assert_eq!(begin(&store, &claimed[..1]).await.len(), 1);
        let later = now() + TimeDelta::hours(1);
        heard_earlier(&store, 60).await;
        let inherited = inherit(&place, policy, now()).await;
        assert_eq!(
            (inherited.unknown, inherited.released),
            (unknown, 2 - unknown)
        );
        assert_eq!(
            store.ledger().count_deliveries().await.unwrap().unknown,
            unknown
        );
        let again = claim_as(&store, WorkerId(2), 100, later).await;
        let attempts: Vec<i64> = again.iter().map(|delivery| delivery.attempts).collect();
        match policy {
            UnknownPolicy::Once => assert_eq!(attempts, [1]),
            UnknownPolicy::AtLeastOnce => assert_eq!(attempts, [2, 1]),
        }
    }
}

#[tokio::test]
async fn a_worker_that_was_taken_for_dead_sends_nothing_more_and_what_it_knows_counts() {
    let Some((place, store, _)) = planned(&["a", "b"]).await else {
        return;
    };
    let claimed = claim(&store).await;
    begin(&store, &claimed[..1]).await;
    let later = now() + TimeDelta::hours(1);
    heard_earlier(&store, 60).await;
    inherit(&place, UnknownPolicy::Once, now()).await;
    let others = claim_as(&store, WorkerId(2), 100, later).await;
    assert_eq!(ids(&others), [claimed[1].id]);

    assert!(
        begin(&store, &claimed[1..]).await.is_empty(),
        "another has it now"
    );
    let sent = |delivery| record(delivery, DeliveryState::Sent, later);
    write(&store, &[sent(&claimed[0]), sent(&claimed[1])]).await;
    let counts = store.ledger().count_deliveries().await.unwrap();
    assert_eq!(
        (counts.sent, counts.unknown, counts.pending),
        (1, 0, 1),
        "the first was its own to record, the second was not"
    );
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_can_be_written_again() {
    let Some((_place, store, _)) = planned(&["a", "b"]).await else {
        return;
    };
    let claimed = claim(&store).await;
    let both = HashSet::from([claimed[0].id, claimed[1].id]);
    assert_eq!(begin(&store, &claimed).await, both);
    assert_eq!(begin(&store, &claimed).await, both);
    // What was claimed, and the claim never heard of.
    assert_eq!(
        store.ledger().give_back(WORKER).await.unwrap(),
        0,
        "all is begun"
    );
    let back = Step {
        withdraw: ids(&claimed),
        ..Step::default()
    };
    store
        .ledger()
        .record_step(WORKER, &back, BouncePolicy::default(), now())
        .await
        .unwrap();
    assert_eq!(store.ledger().give_back(WORKER).await.unwrap(), 2);
    assert_eq!(claim(&store).await.len(), 2);
}

#[tokio::test]
async fn what_was_begun_and_not_sent_after_all_can_be_begun_again() {
    let Some((_place, store, _)) = planned(&["a", "b"]).await else {
        return;
    };
    let claimed = claim(&store).await;
    begin(&store, &claimed[..1]).await;
    let back = Step {
        withdraw: vec![claimed[0].id],
        begin: vec![claimed[0].id],
        postpone: vec![(claimed[1].id, now() + TimeDelta::minutes(5))],
        ..Step::default()
    };
    let begun = store
        .ledger()
        .record_step(WORKER, &back, BouncePolicy::default(), now())
        .await
        .unwrap();
    assert_eq!(begun, HashSet::from([claimed[0].id]));
    assert!(claim(&store).await.is_empty());
    let later = claim_as(&store, WORKER, 100, now() + TimeDelta::minutes(5)).await;
    assert_eq!(ids(&later), [claimed[1].id]);
    assert_eq!(later[0].attempts, 1, "to wait is no try");
}

#[tokio::test]
async fn a_deferred_delivery_waits_for_its_time_and_an_ended_one_for_ever() {
    let Some((_place, store, _)) = planned(&["a", "b", "c"]).await else {
        return;
    };
    let claimed = claim(&store).await;
    let later = now() + TimeDelta::minutes(5);
    let records = [
        record(&claimed[0], DeliveryState::Deferred, later),
        record(&claimed[1], DeliveryState::Failed, now()),
        record(&claimed[2], DeliveryState::Unknown, now()),
    ];
    write(&store, &records).await;
    assert_eq!(claim(&store).await.len(), 0);
    assert_eq!(store.ledger().count_due(later).await.unwrap(), 1);
    let retried = claim_as(&store, WORKER, 100, later).await;
    assert_eq!(ids(&retried), [claimed[0].id]);
    let counts = store.ledger().count_deliveries().await.unwrap();
    assert_eq!((counts.failed, counts.unknown, counts.pending), (1, 1, 1));
}

#[tokio::test]
async fn who_left_in_any_way_since_the_mail_was_planned_gets_none() {
    let Some((_place, store, people)) = planned(&["a", "b", "c"]).await else {
        return;
    };
    assert!(
        store
            .subscribers()
            .unsubscribe(&Address::parse("A@Example.org").unwrap(), "command", now())
            .await
            .unwrap()
    );
    // Left by a list that says so.
    let left = (people[1].clone(), SubscriberState::Unsubscribed, None);
    store
        .subscribers()
        .create_subscribers(&[left], Origin::Import, now())
        .await
        .unwrap();
    let first = claim_as(&store, WORKER, 1, now()).await;
    assert_eq!(first[0].address.as_str(), "c@example.org");
    assert_eq!(store.ledger().count_due(now()).await.unwrap(), 0);
    assert_eq!(
        store.ledger().count_deliveries().await.unwrap().cancelled,
        2
    );
}

#[tokio::test]
async fn who_leaves_while_a_worker_holds_their_mail_gets_it_only_when_it_is_on_the_wire() {
    let Some((_place, store, people)) = planned(&["a", "b", "c"]).await else {
        return;
    };
    let claimed = claim(&store).await;
    begin(&store, &claimed[..1]).await;
    store
        .subscribers()
        .unsubscribe(&people[0].address, "command", now())
        .await
        .unwrap();
    store
        .subscribers()
        .unsubscribe(&people[1].address, "command", now())
        .await
        .unwrap();
    assert_eq!(
        begin(&store, &claimed[1..]).await,
        HashSet::from([claimed[2].id])
    );
    write(&store, &[record(&claimed[0], DeliveryState::Sent, now())]).await;
    let counts = store.ledger().count_deliveries().await.unwrap();
    assert_eq!((counts.sent, counts.cancelled), (1, 1));
}

/// An edition of `day` days later, published; its deliveries are claimed.
async fn next_edition(store: &Store, day: i64) -> Vec<Delivery> {
    let slot = now() + TimeDelta::days(day);
    let first = edition(&["ki"]);
    let edition = Edition {
        id: Edition::id_of("test", &first.cadence, slot),
        slot,
        covers: Some(slot.timestamp()),
        ..first
    };
    store
        .editions()
        .publish(&edition, EditionState::Published, slot)
        .await
        .unwrap();
    claim_as(store, WORKER, 100, slot).await
}

async fn bounced(store: &Store, delivery: &Delivery, bounce: Bounce, day: i64) -> Reported {
    let at = now() + TimeDelta::days(day);
    let (ledger, policy) = (store.ledger(), BouncePolicy::default());
    let reported = ledger.record_bounce(delivery.id, bounce, Some("5.2.2"), policy, at);
    let reported = reported.await.unwrap();
    assert_ne!(reported, Reported::Unknown);
    reported
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_mailed_no_more_whoever_brings_it() {
    for (bounce, reason) in [
        (Bounce::Hard, SuppressionReason::Hard),
        (Bounce::Complaint, SuppressionReason::Complaint),
    ] {
        let Some((_place, store, people)) = planned(&["a", "b"]).await else {
            return;
        };
        let claimed = claim(&store).await;
        let failed = Record {
            bounce: Some(bounce),
            ..record(&claimed[0], DeliveryState::Failed, now())
        };
        let arrived = record(&claimed[1], DeliveryState::Sent, now());
        write(&store, &[failed, arrived]).await;
        // The same report twice, and a milder one after it, say nothing new.
        bounced(&store, &claimed[0], bounce, 1).await;
        bounced(&store, &claimed[0], Bounce::Soft, 1).await;
        let suppressed = store.subscribers().list_suppressions().await.unwrap();
        assert_eq!(suppressed.len(), 1);
        assert_eq!(
            (suppressed[0].address.as_str(), suppressed[0].reason),
            ("a@example.org", reason)
        );
        // On the list again, and still not mailed: nothing is even planned. Then somebody says that it is well.
        confirmed(&store, &people[..1]).await;
        assert_eq!(next_edition(&store, 1).await.len(), 1);
        assert_eq!(
            store.ledger().count_deliveries().await.unwrap().cancelled,
            0
        );
        assert!(
            store
                .subscribers()
                .lift_suppression(&people[0].address)
                .await
                .unwrap()
        );
        assert!(
            !store
                .subscribers()
                .lift_suppression(&people[0].address)
                .await
                .unwrap()
        );
        assert_eq!(next_edition(&store, 2).await.len(), 2);
    }
}

#[tokio::test]
async fn an_address_is_given_up_after_three_editions_in_fourteen_days_that_did_not_arrive() {
    // Days of editions that bounce, and of those that arrive; whether the address is given up.
    for (soft, well, given_up) in [
        (&[0, 7, 14][..], &[][..], true),
        (&[0, 1, 2], &[], false),
        (&[0, 14], &[], false),
        (&[0, 7, 14], &[3], false),
        // Who knows whether that one has arrived: reports take days.
        (&[0, 7, 14], &[12], true),
    ] {
        let Some((_place, store, _)) = planned(&["a"]).await else {
            return;
        };
        let mut days: Vec<(i64, bool)> = soft.iter().map(|day| (*day, true)).collect();
        days.extend(well.iter().map(|day| (*day, false)));
        days.sort_unstable();
        for (day, bounces) in days {
            let claimed = if day == 0 {
                claim(&store).await
            } else {
                next_edition(&store, day).await
            };
            let sent = record(
                &claimed[0],
                DeliveryState::Sent,
                now() + TimeDelta::days(day),
            );
            write(&store, &[sent]).await;
            if bounces {
                bounced(&store, &claimed[0], Bounce::Soft, day).await;
                // A second report about the same edition.
                bounced(&store, &claimed[0], Bounce::Soft, day).await;
            }
        }
        let suppressed = store.subscribers().list_suppressions().await.unwrap();
        assert_eq!(!suppressed.is_empty(), given_up, "{soft:?} {well:?}");
    }
}

/// Deliveries of which so many are held, as their addresses are called dead, and the others are sent.
async fn with_held(store: &Store, claimed: &[Delivery], held: usize) {
    let outcome = |(place, delivery): (usize, &Delivery)| match place < held {
        true => Record {
            held: true,
            answer: Some("550 5.1.1 no such user".into()),
            ..record(
                delivery,
                DeliveryState::Deferred,
                now() + TimeDelta::hours(6),
            )
        },
        false => record(delivery, DeliveryState::Sent, now()),
    };
    let records: Vec<Record> = claimed.iter().enumerate().map(outcome).collect();
    write(store, &records).await;
}

async fn settle(store: &Store, taken: u64) -> Settled {
    let (ledger, policy) = (store.ledger(), BouncePolicy::default());
    ledger.settle_held(policy, taken, now()).await.unwrap()
}

#[tokio::test]
async fn dead_addresses_are_believed_when_the_others_have_got_their_mail() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let Some((_place, store, _)) = planned(&names).await else {
        return;
    };
    let claimed = claim(&store).await;
    with_held(&store, &claimed, 2).await;
    let later = now() + TimeDelta::days(1);
    assert_eq!(
        claim_as(&store, WORKER, 10, later).await.len(),
        0,
        "they wait"
    );
    let settled = settle(&store, 8).await;
    assert_eq!((settled.dead, settled.failed, settled.doubtful), (2, 2, 0));
    assert_eq!(
        store.subscribers().list_suppressions().await.unwrap().len(),
        2
    );
    assert_eq!(store.ledger().count_deliveries().await.unwrap().failed, 2);
}

#[tokio::test]
async fn a_list_that_is_called_dead_as_a_whole_waits_and_nobody_is_suppressed() {
    let Some((_place, store, _)) = planned(&["a", "b", "c"]).await else {
        return;
    };
    let claimed = claim(&store).await;
    with_held(&store, &claimed, 3).await;
    let settled = settle(&store, 0).await;
    assert_eq!((settled.dead, settled.doubtful), (0, 3));
    let id = edition(&["ki"]).id;
    assert_eq!(settled.editions, std::slice::from_ref(&id));
    assert_eq!(
        store.subscribers().list_suppressions().await.unwrap().len(),
        0
    );
    let deferred = [DeliveryState::Deferred];
    let resumed = store.ledger().resume_edition(&id, &deferred, now()).await;
    assert_eq!(resumed.unwrap(), 3);
    assert_eq!(claim(&store).await.len(), 3);
}

#[tokio::test]
async fn whoever_got_a_later_edition_is_not_dead() {
    let Some((_place, store, _)) = planned(&["a"]).await else {
        return;
    };
    let first = claim(&store).await;
    with_held(&store, &first, 1).await;
    let second = next_edition(&store, 1).await;
    write(&store, &[record(&second[0], DeliveryState::Sent, now())]).await;
    assert_eq!(settle(&store, 1).await, Settled::default());
    assert_eq!(ids(&claim(&store).await), ids(&first), "it is due again");
}

#[tokio::test]
async fn reports_that_call_half_an_edition_dead_are_not_believed() {
    let Some((_place, store, _)) = planned(&["a", "b", "c", "d"]).await else {
        return;
    };
    let claimed = claim(&store).await;
    with_held(&store, &claimed, 0).await;
    assert_eq!(
        bounced(&store, &claimed[0], Bounce::Hard, 1).await,
        Reported::Noted
    );
    assert_eq!(
        store.subscribers().list_suppressions().await.unwrap().len(),
        1
    );
    assert_eq!(
        bounced(&store, &claimed[1], Bounce::Hard, 1).await,
        Reported::Doubted
    );
    assert_eq!(
        store.subscribers().list_suppressions().await.unwrap().len(),
        0,
        "nor is the first one any more"
    );
}

#[tokio::test]
async fn whoever_missed_an_edition_gets_its_news_with_the_next_one() {
    let Some((_place, store, _)) = planned(&["a", "b"]).await else {
        return;
    };
    let first = claim(&store).await;
    let failed = record(&first[0], DeliveryState::Failed, now());
    write(
        &store,
        &[failed, record(&first[1], DeliveryState::Sent, now())],
    )
    .await;
    let second = next_edition(&store, 1).await;
    assert_eq!(second[0].missed, [first[0].edition.clone()]);
    assert_eq!(second[1].missed, [], "the other one has had it");
    write(&store, &[record(&second[0], DeliveryState::Sent, now())]).await;
    let third = next_edition(&store, 2).await;
    assert_eq!(third[0].missed, [], "once is enough");
}

#[tokio::test]
async fn what_could_not_be_handed_over_for_days_goes_out_as_one_mail_with_all_its_news() {
    let Some((_place, store, _)) = planned(&["a"]).await else {
        return;
    };
    let first = edition(&["ki"]);
    let slot = now() + TimeDelta::days(2);
    let second = Edition {
        id: Edition::id_of("test", &first.cadence, slot),
        slot,
        covers: Some(slot.timestamp()),
        ..first.clone()
    };
    let editions = store.editions();
    let published = editions.publish(&second, EditionState::Published, slot);
    published.await.unwrap();
    let claimed = claim_as(&store, WORKER, 10, slot).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(
        (&claimed[0].edition, &claimed[0].missed),
        (&second.id, &vec![first.id])
    );
}

#[tokio::test]
async fn an_edition_alone_goes_out_however_long_nobody_ran() {
    let Some((_place, store, _)) = planned(&["a"]).await else {
        return;
    };
    let week = now() + TimeDelta::days(7);
    let claimed = claim_as(&store, WORKER, 10, week).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(
        claimed[0].tried_at, None,
        "and its time counts from when it is tried"
    );
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_put_off_is_due_when_the_next_worker_comes() {
    let Some((_place, store, _)) = planned(&["a"]).await else {
        return;
    };
    let claimed = claim(&store).await;
    let year = now() + TimeDelta::days(365);
    write(
        &store,
        &[record(&claimed[0], DeliveryState::Deferred, year)],
    )
    .await;
    assert_eq!(claim(&store).await.len(), 0);
    let (ledger, policy) = (store.ledger(), UnknownPolicy::Once);
    ledger.inherit(WORKER, false, policy, now()).await.unwrap();
    assert_eq!(claim(&store).await.len(), 1);
}

#[tokio::test]
async fn workers_whose_clocks_differ_do_not_take_each_others_leases_on_one_server() {
    let Some((place, store, _)) = planned(&["a"]).await else {
        return;
    };
    // A file has one sender at a time.
    if !store.is_embedded() {
        claim(&store).await;
        let ahead = now() + TimeDelta::hours(1);
        let inherited = inherit(&place, UnknownPolicy::Once, ahead).await;
        assert_eq!(inherited, Inherited::default());
    }
}

#[tokio::test]
async fn an_edition_of_a_clock_that_was_ahead_makes_way_for_the_one_that_is_due() {
    let Some((_place, store, _)) = planned(&["a"]).await else {
        return;
    };
    let first = edition(&["ki"]);
    let at = |days| now() + TimeDelta::days(days);
    let of = |days: i64, covers: i64| Edition {
        id: Edition::id_of("test", &first.cadence, at(days)),
        slot: at(days),
        created_at: at(days),
        covers: Some(covers),
        ..first.clone()
    };
    let publish = async |edition: &Edition, wall| {
        let editions = store.editions();
        editions
            .publish(edition, EditionState::Published, wall)
            .await
            .unwrap()
    };
    publish(&of(5, 10), at(5)).await;
    let history = async |days| {
        let editions = store.editions();
        editions
            .history("test", &first.cadence, at(days), at(days))
            .await
            .unwrap()
    };
    let known = history(1).await;
    assert_eq!(known.covered, Some(10), "what it had is not told again");
    assert_eq!(known.last_slot, Some(at(0)));
    publish(&of(1, 20), at(1)).await;
    assert_eq!(history(5).await.last_slot, Some(at(5)));
    let release = async |slot| {
        let editions = store.editions();
        editions
            .release_overtaken("test", &first.cadence, slot)
            .await
            .unwrap()
    };
    assert_eq!(release(at(1)).await, None, "it is in its place");
    assert_eq!(release(at(5)).await, Some(of(5, 10).id));
    assert_eq!(history(5).await.last_slot, Some(at(1)));
    let due = of(5, 30);
    let id = store.editions().free_id(&due.id, due.slot).await.unwrap();
    assert_eq!(id.as_str(), format!("{}-2", due.id));
    let again = Edition { id, ..due };
    assert_eq!(publish(&again, at(5)).await, Published::Now(1));
}

#[tokio::test]
async fn an_edition_of_a_day_to_come_that_was_sent_before_is_no_later_one() {
    let Some((_place, store, _)) = planned(&["a"]).await else {
        return;
    };
    // Sent by a clock a year ahead, before the one that is now given up.
    let (year, first) = (TimeDelta::days(365), edition(&["ki"]));
    let ahead = Edition {
        id: Edition::id_of("test", &first.cadence, now() + year),
        slot: now() + year,
        covers: Some(0),
        ..first
    };
    let editions = store.editions();
    let published = editions.publish(&ahead, EditionState::Published, now());
    published.await.unwrap();
    let both = claim(&store).await;
    let sent = record(&both[1], DeliveryState::Sent, now());
    write(
        &store,
        &[record(&both[0], DeliveryState::Failed, now()), sent],
    )
    .await;
    let next = next_edition(&store, 1).await;
    assert_eq!(next[0].missed, [both[0].edition.clone()]);
}
