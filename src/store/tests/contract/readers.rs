//! What readers ask for by themselves: sign-ups, proof, choices, follows, and the archive.

use std::net::IpAddr;

use super::*;
use crate::model::{
    Consent, ConsentEvent, EditionId, Followed, Length, Reading, SubscriberId, Weekdays,
};

const FORM: &str = "https://news.example.org/subscribe";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn signup(address: &str, from: &str) -> SignUp {
    SignUp {
        address: Address::parse(address).unwrap(),
        cadence: CadenceId("daily".into()),
        language: Language::De,
        topics: Topics::Only(BTreeSet::from([TopicId("ki".into())])),
        follow: None,
        ip: ip(from),
        form: FORM.into(),
        consent: "Ich möchte „Bote“ erhalten.".into(),
    }
}

/// Signs up, and gives the letters that go out then.
async fn sign_up(store: &Store, wanted: &SignUp, at: DateTime<Utc>) -> Vec<PendingLetter> {
    assert!(
        store
            .subscribers()
            .create_signup(wanted, 20, at)
            .await
            .unwrap()
    );
    let letters = store.letters().begin_letters(10, at).await.unwrap();
    for letter in &letters {
        store
            .letters()
            .record_letter(letter.id, &LetterState::Sent, at)
            .await
            .unwrap();
    }
    letters
}

const NO_GREETING: Greeting = Greeting {
    letter: false,
    edition: false,
    now: DateTime::UNIX_EPOCH,
};

/// A click on a link that is good for two days.
fn click(id: i64, at: DateTime<Utc>) -> Click<'static> {
    Click {
        id,
        since: at - TimeDelta::hours(48),
        ip: ip("192.0.2.7"),
        form: "confirm",
        now: at,
    }
}

async fn confirm(store: &Store, letter: &PendingLetter, at: DateTime<Utc>) -> Confirmed {
    store
        .subscribers()
        .confirm_signup(click(letter.about, at), NO_GREETING)
        .await
        .unwrap()
}

/// A subscriber who has come by a form.
async fn subscribed(store: &Store, address: &str) -> SubscriberId {
    let letters = sign_up(store, &signup(address, "192.0.2.1"), now()).await;
    match confirm(store, &letters[0], now()).await {
        Confirmed::Now(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn person_of(store: &Store, address: &str) -> Option<Person> {
    let address = Address::parse(address).unwrap();
    store.subscribers().export_person(&address).await.unwrap()
}

#[tokio::test]
async fn a_click_makes_a_subscriber_and_the_proof_of_it() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let letters = sign_up(&store, &signup("anna@example.org", "192.0.2.1"), now()).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].kind, LetterKind::Confirmation);
    assert_eq!(
        store
            .subscribers()
            .list_subscribers(0, 10)
            .await
            .unwrap()
            .len(),
        0
    );
    let later = now() + TimeDelta::minutes(5);
    let Confirmed::Now(id) = confirm(&store, &letters[0], later).await else {
        panic!("it is not confirmed");
    };
    assert_eq!(
        confirm(&store, &letters[0], later).await,
        Confirmed::Not(LinkState::Used {
            is_subscribed: true
        })
    );
    let known = store
        .subscribers()
        .find_subscriber(id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.state, SubscriberState::Confirmed);
    assert_eq!(known.confirmed_at, Some(later));
    assert_eq!(known.profile.preferences.topics.picked().count(), 1);
    let person = person_of(&store, "anna@example.org").await.unwrap();
    let proof: Vec<_> = person
        .consent
        .iter()
        .map(|line| (line.event.as_str(), line.at, line.ip.as_deref()))
        .collect();
    assert_eq!(
        proof,
        [
            ("requested", now(), Some("192.0.2.1")),
            ("confirmed", later, Some("192.0.2.7"))
        ]
    );
    assert_eq!(
        person.consent[0].text.as_deref(),
        Some("Ich möchte „Bote“ erhalten.")
    );
    // Who has left is not brought back by a second click on an old link.
    store
        .subscribers()
        .unsubscribe_all(&[(id, None)], "test", later)
        .await
        .unwrap();
    assert_eq!(
        confirm(&store, &letters[0], later).await,
        Confirmed::Not(LinkState::Used {
            is_subscribed: false
        })
    );
    let known = store
        .subscribers()
        .find_subscriber(id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.state, SubscriberState::Unsubscribed);
}

#[tokio::test]
async fn what_nobody_confirms_in_time_is_deleted() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let letters = sign_up(&store, &signup("anna@example.org", "192.0.2.1"), now()).await;
    let late = now() + TimeDelta::hours(49);
    assert_eq!(
        confirm(&store, &letters[0], late).await,
        Confirmed::Not(LinkState::Gone)
    );
    store.subscribers().purge_signups(late).await.unwrap();
    assert!(person_of(&store, "anna@example.org").await.is_none());
}

#[tokio::test]
async fn an_address_gets_one_letter_a_day_however_often_it_is_signed_up() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let mut letters = 0;
    for number in 0..40 {
        let from = format!("198.51.{number}.1");
        letters += sign_up(&store, &signup("anna@example.org", &from), now())
            .await
            .len();
    }
    assert_eq!(letters, 1);
    let person = person_of(&store, "anna@example.org").await.unwrap();
    assert!(person.sign_ups.len() <= 3, "{}", person.sign_ups.len());
    let tomorrow = now() + TimeDelta::hours(25);
    let again = sign_up(&store, &signup("anna@example.org", "192.0.2.1"), tomorrow).await;
    assert_eq!(again.len(), 1);
}

#[tokio::test]
async fn a_network_signs_up_so_many_in_an_hour() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let mut taken = 0;
    for number in 0..40 {
        let wanted = signup(
            &format!("a{number}@example.org"),
            &format!("192.0.2.{number}"),
        );
        taken += u32::from(
            store
                .subscribers()
                .create_signup(&wanted, 20, now())
                .await
                .unwrap(),
        );
    }
    assert_eq!(taken, 20);
    let elsewhere = signup("b@example.org", "198.51.100.1");
    assert!(
        store
            .subscribers()
            .create_signup(&elsewhere, 20, now())
            .await
            .unwrap()
    );
    let later = now() + TimeDelta::hours(2);
    let again = signup("c@example.org", "192.0.2.1");
    assert!(
        store
            .subscribers()
            .create_signup(&again, 20, later)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn who_is_subscribed_is_told_so_and_nobody_else_can_tell() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    confirmed(&store, &[person("anna@example.org", &[])]).await;
    let letters = sign_up(&store, &signup("Anna@example.org", "192.0.2.1"), now()).await;
    assert_eq!(letters[0].kind, LetterKind::Known);
    assert!(letters[0].subscriber.is_some());
    // One that has complained is left alone, whoever asks.
    let bert = sign_up(&store, &signup("bert@example.org", "192.0.2.1"), now()).await;
    let Confirmed::Now(_) = confirm(&store, &bert[0], now()).await else {
        panic!("it is not confirmed");
    };
    store
        .editions()
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    let delivery = claim(&store)
        .await
        .into_iter()
        .find(|delivery| delivery.address.as_str() == "bert@example.org");
    let delivery = delivery.unwrap();
    store
        .ledger()
        .record_bounce(
            delivery.id,
            Bounce::Complaint,
            None,
            BouncePolicy::default(),
            now(),
        )
        .await
        .unwrap();
    let later = now() + TimeDelta::days(2);
    assert_eq!(
        sign_up(&store, &signup("bert@example.org", "192.0.2.1"), later)
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn a_letter_that_was_begun_when_the_process_died_is_not_sent_again() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    store
        .subscribers()
        .create_signup(&signup("anna@example.org", "192.0.2.1"), 20, now())
        .await
        .unwrap();
    assert_eq!(
        store
            .letters()
            .begin_letters(10, now())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        store
            .letters()
            .begin_letters(10, now())
            .await
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        store
            .letters()
            .inherit_letters(UnknownPolicy::Once, now())
            .await
            .unwrap(),
        1
    );
    let later = now() + TimeDelta::hours(1);
    assert_eq!(
        store
            .letters()
            .begin_letters(10, later)
            .await
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn a_letter_that_cannot_be_sent_is_tried_again_until_it_is_stale() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    store
        .subscribers()
        .create_signup(&signup("anna@example.org", "192.0.2.1"), 20, now())
        .await
        .unwrap();
    let letter = store
        .letters()
        .begin_letters(10, now())
        .await
        .unwrap()
        .remove(0);
    let due = now() + TimeDelta::minutes(5);
    let state = LetterState::Pending(due, "later".into());
    store
        .letters()
        .record_letter(letter.id, &state, now())
        .await
        .unwrap();
    assert_eq!(
        store
            .letters()
            .begin_letters(10, now())
            .await
            .unwrap()
            .len(),
        0
    );
    let again = store.letters().begin_letters(10, due).await.unwrap();
    assert_eq!((again.len(), again[0].attempts), (1, 2));
    store
        .letters()
        .record_letter(letter.id, &state, due)
        .await
        .unwrap();
    let stale = now() + TimeDelta::hours(25);
    assert_eq!(
        store
            .letters()
            .begin_letters(10, stale)
            .await
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn who_left_can_take_it_back_for_a_while_and_both_are_on_record() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let id = subscribed(&store, "anna@example.org").await;
    let from = ip("192.0.2.9");
    let left = store
        .subscribers()
        .unsubscribe_all(
            &[(id, Some(from)), (SubscriberId(4711), None)],
            "one-click",
            now(),
        )
        .await
        .unwrap();
    assert_eq!(left, [id]);
    let twice = store
        .subscribers()
        .unsubscribe_all(&[(id, Some(from))], "one-click", now())
        .await
        .unwrap();
    assert_eq!(twice, []);
    let undo = |since| {
        let store = &store;
        async move {
            store
                .subscribers()
                .undo_unsubscribe(id, since, from, "undo", now())
                .await
                .unwrap()
        }
    };
    assert!(!undo(now() + TimeDelta::seconds(1)).await, "it is too late");
    assert!(undo(now() - TimeDelta::hours(24)).await);
    let nobody = SubscriberId(4711);
    let since = now() - TimeDelta::hours(24);
    assert!(
        !store
            .subscribers()
            .undo_unsubscribe(nobody, since, from, "undo", now())
            .await
            .unwrap()
    );
    let person = person_of(&store, "anna@example.org").await.unwrap();
    let events: Vec<&str> = person
        .consent
        .iter()
        .map(|line| line.event.as_str())
        .collect();
    assert_eq!(events, ["requested", "confirmed", "left", "returned"]);
}

#[tokio::test]
async fn the_log_of_consent_cannot_be_changed() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    subscribed(&store, "anna@example.org").await;
    let mut connection = store.pool.writing().await.unwrap();
    for column in ["subscriber", "event", "at", "ip", "form", "text", "details"] {
        let sql = format!("UPDATE consent SET {column} = {column}");
        let changed = sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await;
        let error = changed.unwrap_err().to_string();
        assert!(error.contains("only added to"), "{column}: {error}");
    }
}

#[tokio::test]
async fn what_somebody_chose_holds_against_the_configuration() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let configured = person("anna@example.org", &["ki", "recht"]);
    store
        .subscribers()
        .sync_configured(std::slice::from_ref(&configured), now())
        .await
        .unwrap();
    let (place_of, _) = store
        .subscribers()
        .list_subscribers(0, 1)
        .await
        .unwrap()
        .remove(0);
    let id = SubscriberId(place_of);
    let chosen = Preferences {
        cadence: CadenceId("weekly".into()),
        language: Some(Language::Fr),
        topics: Topics::Only(BTreeSet::from([TopicId("ki".into())])),
        reading: Reading {
            length: Length::Short,
            no_pictures: true,
            mute_words: BTreeSet::from(["Börse".to_owned()]),
            most: Some(9),
            ..Reading::default()
        },
        days: Weekdays::of([chrono::Weekday::Mon]).unwrap(),
        hour: Some(18),
        timezone: Some(chrono_tz::America::New_York),
        paused_until: Some(now() + TimeDelta::days(3)),
    };
    let entry = || Consent::new(ConsentEvent::Chosen, now(), None, "preferences");
    assert!(
        store
            .subscribers()
            .update_preferences(id, &chosen, entry())
            .await
            .unwrap()
    );
    store
        .subscribers()
        .sync_configured(&[configured], now())
        .await
        .unwrap();
    let known = store
        .subscribers()
        .find_subscriber(id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.profile.preferences, chosen);
    store
        .subscribers()
        .unsubscribe_all(&[(id, None)], "test", now())
        .await
        .unwrap();
    assert!(
        !store
            .subscribers()
            .update_preferences(id, &chosen, entry())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn mail_waits_for_the_hour_of_its_reader_and_for_the_end_of_a_pause() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let people =
        ["early", "late", "paused", "back"].map(|name| person(&format!("{name}@example.org"), &[]));
    confirmed(&store, &people).await;
    // It is seven in Berlin.
    let until = |at| Some(at);
    for (number, hour, paused_until) in [
        (1, Some(7), None),
        (2, Some(18), None),
        (3, None, until(now() + TimeDelta::hours(1))),
        (4, None, until(now() - TimeDelta::hours(1))),
    ] {
        let chosen = Preferences {
            hour,
            timezone: Some(chrono_tz::Europe::Berlin),
            paused_until,
            ..Preferences::usual(CadenceId("daily".into()))
        };
        let entry = Consent::new(ConsentEvent::Chosen, now(), None, "preferences");
        store
            .subscribers()
            .update_preferences(SubscriberId(number), &chosen, entry)
            .await
            .unwrap();
    }
    let published = store
        .editions()
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    assert_eq!(published, Published::Now(3));
    let names = |deliveries: Vec<Delivery>| -> Vec<String> {
        deliveries
            .iter()
            .map(|delivery| delivery.address.as_str().to_owned())
            .collect()
    };
    assert_eq!(
        names(claim(&store).await),
        ["early@example.org", "back@example.org"]
    );
    let evening = now() + TimeDelta::hours(11);
    let rest = claim_as(&store, WORKER, 10, evening).await;
    assert_eq!(names(rest), ["late@example.org"]);
}

#[tokio::test]
async fn an_address_moves_with_all_choices_and_only_by_a_click_there() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let id = subscribed(&store, "old@example.org").await;
    let taken = subscribed(&store, "taken@example.org").await;
    let later = now() + TimeDelta::days(2);
    let new = |text: &str| Address::parse(text).unwrap();
    store
        .subscribers()
        .create_address_change(
            id,
            &new("new@example.org"),
            Language::De,
            ip("192.0.2.1"),
            later,
        )
        .await
        .unwrap();
    let letter = store
        .letters()
        .begin_letters(10, later)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (letter.kind, letter.address.as_str()),
        (LetterKind::Move, "new@example.org")
    );
    let clicked = |number, at: DateTime<Utc>| {
        let store = &store;
        async move {
            let change = click(number, at);
            store
                .subscribers()
                .confirm_address_change(change, Language::De)
                .await
                .unwrap()
        }
    };
    assert_eq!(clicked(letter.about, later).await, Confirmed::Now(id));
    assert_eq!(
        clicked(letter.about, later).await,
        Confirmed::Not(LinkState::Used {
            is_subscribed: true
        })
    );
    assert_eq!(clicked(4711, later).await, Confirmed::Not(LinkState::Gone));
    let known = store
        .subscribers()
        .find_subscriber(id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.profile.address.as_str(), "new@example.org");
    let told = store
        .letters()
        .begin_letters(10, later)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (told.kind, told.address.as_str()),
        (LetterKind::Moved, "old@example.org")
    );
    let export = person_of(&store, "old@example.org").await.unwrap();
    let log = serde_json::to_string(&export.consent).unwrap();
    assert!(export.consent.len() == 3 && !log.contains("old@"), "{log}");
    // To an address that is subscribed already: that one takes over.
    let later = later + TimeDelta::days(2);
    store
        .subscribers()
        .create_address_change(
            id,
            &new("taken@example.org"),
            Language::De,
            ip("192.0.2.1"),
            later,
        )
        .await
        .unwrap();
    let letter = store
        .letters()
        .begin_letters(10, later)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(clicked(letter.about, later).await, Confirmed::Now(taken));
    let mover = store
        .subscribers()
        .find_subscriber(id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(mover.state, SubscriberState::Unsubscribed);
    let heir = person_of(&store, "taken@example.org").await.unwrap();
    let events: Vec<&str> = heir
        .consent
        .iter()
        .map(|line| line.event.as_str())
        .collect();
    assert_eq!(
        events,
        [
            "requested",
            "confirmed",
            "requested",
            "confirmed",
            "moved",
            "moved"
        ],
        "the proof goes with what it proves"
    );
}

#[tokio::test]
async fn a_click_confirms_its_own_sign_up_and_not_that_of_a_stranger_after_it() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let own = signup("anna@example.org", "192.0.2.1");
    let first = sign_up(&store, &own, now()).await;
    let later = now() + TimeDelta::minutes(1);
    let strangers = SignUp {
        cadence: CadenceId("weekly".into()),
        topics: Topics::All,
        form: "elsewhere".into(),
        consent: "Ich möchte alles.".into(),
        ..signup("anna@example.org", "198.51.100.9")
    };
    assert_eq!(
        sign_up(&store, &strangers, later).await.len(),
        0,
        "one letter is enough"
    );
    let Confirmed::Now(id) = confirm(&store, &first[0], later).await else {
        panic!("it is not confirmed");
    };
    let known = store.subscribers().find_subscriber(id).await.unwrap();
    let chosen = known.unwrap().profile.preferences;
    assert_eq!((chosen.cadence, chosen.topics), (own.cadence, own.topics));
    let person = store.subscribers().export_person(&own.address).await;
    let proof = person.unwrap().unwrap().consent;
    let requested = &proof[0];
    assert_eq!(
        (
            requested.at,
            requested.ip.as_deref(),
            requested.form.as_str(),
            requested.text.as_deref()
        ),
        (now(), Some("192.0.2.1"), FORM, Some(own.consent.as_str()))
    );
    store
        .subscribers()
        .unsubscribe_all(&[(id, None)], "test", later)
        .await
        .unwrap();
    let again = sign_up(&store, &signup("anna@example.org", "192.0.2.1"), later).await;
    assert_eq!(again.len(), 1);
    assert_eq!(confirm(&store, &again[0], later).await, Confirmed::Now(id));
}

#[tokio::test]
async fn a_mailbox_gets_one_letter_whatever_is_added_to_its_address() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let mut letters = 0;
    for address in [
        "a.b@gmail.com",
        "ab+1@gmail.com",
        "ab+2@googlemail.com",
        "A.B@gmail.com",
    ] {
        letters += sign_up(&store, &signup(address, "192.0.2.1"), now())
            .await
            .len();
    }
    assert_eq!(letters, 1);
}

#[tokio::test]
async fn editions_of_one_moment_are_each_on_a_page_of_the_archive() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    for cadence in ["daily", "evening", "weekly"] {
        let cadence = CadenceId(cadence.into());
        let edition = Edition {
            id: Edition::id_of("test", &cadence, now()),
            cadence,
            ..edition(&["ki"])
        };
        store
            .editions()
            .publish(&edition, EditionState::Published, now())
            .await
            .unwrap();
        store.archive().index_edition(&edition, &[]).await.unwrap();
    }
    let mut seen = BTreeSet::new();
    let (mut until, mut after) = (now() + TimeDelta::days(1), None);
    loop {
        let page = store
            .archive()
            .list_archive(until, after.as_ref(), 1)
            .await
            .unwrap();
        let Some(last) = page.list.last() else { break };
        assert!(seen.insert(last.id.clone()));
        (until, after) = (last.slot, Some(last.id.clone()));
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_store_that_was_copied_takes_nothing_more_from_who_has_it_open() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    if !store.is_embedded() {
        return;
    }
    let id = subscribed(&store, "anna@example.org").await;
    let mut connection = store.pool.writing().await.unwrap();
    sqlx::query("INSERT INTO setting (key, value) VALUES ('moved_to', 'elsewhere')")
        .execute(&mut *connection)
        .await
        .unwrap();
    drop(connection);
    assert!(
        store
            .subscribers()
            .unsubscribe_all(&[(id, None)], "test", now())
            .await
            .is_err()
    );
    assert!(
        store
            .subscribers()
            .create_signup(&signup("b@example.org", "192.0.2.1"), 20, now())
            .await
            .is_err()
    );
}

/// Moves a subscriber to another address, as they do it.
async fn moved(store: &Store, id: SubscriberId, to: &str, at: DateTime<Utc>) -> SubscriberId {
    let to = Address::parse(to).unwrap();
    let subscribers = store.subscribers();
    subscribers
        .create_address_change(id, &to, Language::De, ip("192.0.2.1"), at)
        .await
        .unwrap();
    let letters = store.letters().begin_letters(9, at).await.unwrap();
    let letter = letters.iter().find(|letter| letter.address == to).unwrap();
    let click = Click {
        id: letter.about,
        since: at - TimeDelta::hours(1),
        ip: ip("192.0.2.1"),
        form: FORM,
        now: at,
    };
    let done = subscribers
        .confirm_address_change(click, Language::De)
        .await;
    match done.unwrap() {
        Confirmed::Now(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Where a text still is: in which tables, and in the bytes of which files.
async fn places_of(place: &Place, store: &Store, text: &str) -> Vec<String> {
    let mut places = Vec::new();
    for table in crate::store::copy::TABLES {
        let mut connection = store.pool.writing().await.unwrap();
        let sql = format!("SELECT * FROM {table}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        for row in &rows {
            let texts =
                (0..row.len()).map(|column| row.try_get::<String, _>(column).unwrap_or_default());
            if texts
                .into_iter()
                .any(|cell| cell.to_lowercase().contains(text))
            {
                places.push(table.to_owned());
            }
        }
    }
    if let Some(path) = place.url().file() {
        for suffix in ["", "-wal"] {
            let bytes = std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default();
            let bytes = bytes.to_ascii_lowercase();
            if bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
            {
                places.push(format!("bytes{suffix}"));
            }
        }
    }
    places
}

#[tokio::test]
async fn who_has_moved_is_erased_and_exported_by_any_address_that_they_had() {
    for (merges, erased_by) in [(false, 0), (false, 2), (true, 0), (true, 1), (true, 2)] {
        let Some(place) = Place::new().await else {
            return;
        };
        let store = place.open().await;
        let addresses = [
            "erste@example.org",
            "zweite@example.net",
            "dritte@example.com",
        ];
        let id = subscribed(&store, addresses[0]).await;
        if merges {
            subscribed(&store, addresses[1]).await;
        }
        // Others, so that pages are split.
        let others: Vec<_> = (0..200)
            .map(|n| person(&format!("andere{n}@example.org"), &["ki"]))
            .collect();
        confirmed(&store, &others).await;
        let id = moved(&store, id, addresses[1], now() + TimeDelta::hours(1)).await;
        moved(&store, id, addresses[2], now() + TimeDelta::hours(30)).await;
        let by = Address::parse(addresses[erased_by]).unwrap();
        let known = store
            .subscribers()
            .export_person(&by)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(known.address, addresses[2], "by {erased_by}");
        let events = known
            .consent
            .iter()
            .filter(|line| line.event == "moved")
            .count();
        assert!(events >= 2, "by {erased_by}: {events}");
        let erased = store.subscribers().erase_person(&by, now()).await.unwrap();
        assert!(
            erased.was_known && !erased.is_left_in_file,
            "by {erased_by}: {erased:?}"
        );
        for address in addresses {
            let left = places_of(&place, &store, address).await;
            assert!(
                left.is_empty(),
                "{address}, erased by {erased_by}, merged {merges}: {left:?}"
            );
            let entry = [(
                person(address, &[]),
                SubscriberState::Confirmed,
                Some(now()),
            )];
            let again = store
                .subscribers()
                .create_subscribers(&entry, Origin::Import, now())
                .await;
            assert_eq!(again.unwrap().added, 0, "{address} is not brought back");
        }
        assert_eq!(
            store
                .subscribers()
                .list_subscribers(0, 999)
                .await
                .unwrap()
                .len(),
            200
        );
    }
}

#[tokio::test]
async fn who_has_taken_over_a_former_address_is_somebody_else() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let id = subscribed(&store, "alt@example.org").await;
    moved(&store, id, "neu@example.org", now() + TimeDelta::hours(1)).await;
    let later = now() + TimeDelta::days(30);
    let letters = sign_up(&store, &signup("alt@example.org", "192.0.2.7"), later).await;
    let asks = |letter: &&PendingLetter| letter.kind == LetterKind::Confirmation;
    let letter = letters.iter().find(asks).unwrap();
    let Confirmed::Now(other) = confirm(&store, letter, later).await else {
        panic!("it is not confirmed");
    };
    assert_ne!(other, id);
    let old = Address::parse("alt@example.org").unwrap();
    assert!(
        store
            .subscribers()
            .erase_person(&old, later)
            .await
            .unwrap()
            .was_known
    );
    let left = store
        .subscribers()
        .find_subscriber(id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.profile.address.as_str(), "neu@example.org");
}

#[tokio::test]
async fn of_an_erased_person_nothing_is_left_and_no_list_brings_them_back() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let id = subscribed(&store, "anna@example.org").await;
    store
        .editions()
        .publish(&edition(&["ki"]), EditionState::Published, now())
        .await
        .unwrap();
    let delivery = claim(&store).await.remove(0);
    store
        .ledger()
        .record_bounce(
            delivery.id,
            Bounce::Soft,
            Some("anna@example.org is full"),
            BouncePolicy::default(),
            now(),
        )
        .await
        .unwrap();
    let anna = Address::parse("anna@example.org").unwrap();
    store
        .subscribers()
        .create_address_change(
            id,
            &Address::parse("anna2@example.org").unwrap(),
            Language::De,
            ip("192.0.2.1"),
            now(),
        )
        .await
        .unwrap();
    assert!(
        store
            .subscribers()
            .erase_person(&anna, now())
            .await
            .unwrap()
            .was_known
    );
    assert!(
        !store
            .subscribers()
            .erase_person(&anna, now())
            .await
            .unwrap()
            .was_known
    );
    assert!(person_of(&store, "anna@example.org").await.is_none());
    for table in crate::store::copy::TABLES {
        let mut connection = store.pool.writing().await.unwrap();
        let sql = format!("SELECT * FROM {table}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        for row in &rows {
            for column in 0..row.len() {
                let text: String = row.try_get(column).unwrap_or_default();
                assert!(!text.to_lowercase().contains("anna@"), "{table}: {text}");
            }
        }
    }
    // The number stays taken: links of theirs lead to nobody, and so do those of what was purged.
    let bert = subscribed(&store, "bert@example.org").await;
    assert!(
        bert != id
            && store
                .subscribers()
                .find_subscriber(id)
                .await
                .unwrap()
                .is_none()
    );
    assert_eq!(
        store
            .subscribers()
            .list_subscribers(0, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    let subscribers = store.subscribers();
    let nobody =
        subscribers.undo_unsubscribe(id, DateTime::UNIX_EPOCH, ip("192.0.2.1"), "undo", now());
    assert!(!nobody.await.unwrap());
    // What a worker still has in its hands is gone, and that is no error.
    assert_eq!(begin(&store, &[delivery]).await.len(), 0);
    let entry = [(
        person("Anna@example.org", &[]),
        SubscriberState::Confirmed,
        Some(now()),
    )];
    for origin in [Origin::Import, Origin::Config] {
        let result = store
            .subscribers()
            .create_subscribers(&entry, origin, now())
            .await
            .unwrap();
        assert_eq!((result.added, result.left_alone.len()), (0, 1));
    }
    // But they can come back themselves.
    subscribed_later(&store, "anna@example.org").await;
    let result = store
        .subscribers()
        .create_subscribers(&entry, Origin::Import, now())
        .await
        .unwrap();
    assert_eq!(result.updated, 1);
}

async fn subscribed_later(store: &Store, address: &str) {
    let later = now() + TimeDelta::days(2);
    let letters = sign_up(store, &signup(address, "192.0.2.1"), later).await;
    assert!(matches!(
        confirm(store, &letters[0], later).await,
        Confirmed::Now(_)
    ));
}

fn indexed(title: &str, terms: &[&str]) -> Indexed {
    Indexed {
        key: ItemKey::of(title),
        topic: TopicId("ki".into()),
        title: title.into(),
        url: Some("https://example.org/".into()),
        source: "Bote".into(),
        summary: "Ein Satz.".into(),
        language: Some("de".into()),
        published: now(),
        terms: terms.iter().map(|term| (*term).to_owned()).collect(),
        query: "{}".into(),
    }
}

/// An edition of that many days ago.
fn edition_before(days: i64) -> Edition {
    let slot = now() - TimeDelta::days(days);
    let cadence = CadenceId("daily".into());
    Edition {
        id: Edition::id_of("test", &cadence, slot),
        slot,
        ..edition(&["ki"])
    }
}

#[tokio::test]
async fn the_archive_is_found_by_date_by_topic_and_by_words() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let titles = |list: &[StoryLine]| -> Vec<String> {
        list.iter().map(|story| story.title.clone()).collect()
    };
    for days in [2, 1, 0] {
        let edition = edition_before(days);
        store
            .editions()
            .publish(&edition, EditionState::Published, now())
            .await
            .unwrap();
    }
    let new = store.archive().list_unindexed(10).await.unwrap();
    assert_eq!(new.len(), 3);
    for (number, edition) in new.iter().enumerate() {
        let own = format!("Meldung {number}");
        let number = number.to_string();
        let stories = [
            indexed(&own, &["modell", "sprach", &number]),
            indexed("Dauerthema", &["dauer", "modell"]),
        ];
        store
            .archive()
            .index_edition(edition, &stories)
            .await
            .unwrap();
        store
            .archive()
            .index_edition(edition, &stories)
            .await
            .unwrap();
    }
    assert_eq!(store.archive().list_unindexed(10).await.unwrap().len(), 0);

    let page = store
        .archive()
        .list_archive(now() + TimeDelta::days(1), None, 2)
        .await
        .unwrap();
    assert!(page.has_more);
    assert_eq!(page.list[0].headlines, ["Meldung 2", "Dauerthema"]);
    let rest = store
        .archive()
        .list_archive(page.list[1].slot, Some(&page.list[1].id), 2)
        .await
        .unwrap();
    assert_eq!((rest.list.len(), rest.has_more), (1, false));

    let ki = TopicId("ki".into());
    let page = store.archive().list_topic(&ki, None, 3).await.unwrap();
    assert_eq!(titles(&page.list), ["Dauerthema", "Meldung 2", "Meldung 1"]);
    let rest = store
        .archive()
        .list_topic(&ki, Some(page.list[2].id), 3)
        .await
        .unwrap();
    assert_eq!(titles(&rest.list), ["Meldung 0"]);

    let words = |words: &[&[&str]]| -> Vec<Vec<String>> {
        words
            .iter()
            .map(|forms| forms.iter().map(|form| (*form).to_owned()).collect())
            .collect()
    };
    let found = |sought: Vec<Vec<String>>| {
        let store = &store;
        async move {
            titles(
                &store
                    .archive()
                    .search_archive(&sought, None, 10)
                    .await
                    .unwrap()
                    .list,
            )
        }
    };
    assert_eq!(found(words(&[&["modell"]])).await.len(), 4);
    assert_eq!(
        found(words(&[&["modell"], &["1", "2"]])).await,
        ["Meldung 2", "Meldung 1"]
    );
    assert_eq!(found(words(&[&["nichts"]])).await, [""; 0]);
    assert_eq!(found(words(&[])).await, [""; 0]);
    // Signs that databases know are none in a search.
    assert_eq!(found(words(&[&["and"], &["or"]])).await, [""; 0]);

    let terms = ["sprach".to_owned(), "1".to_owned()];
    let alike = store
        .archive()
        .list_alike(&terms, &ItemKey::of("Meldung 0"), 10)
        .await
        .unwrap();
    assert_eq!(titles(&alike), ["Meldung 1", "Meldung 2"]);
    let shown = store
        .archive()
        .list_showings(&ItemKey::of("Dauerthema"))
        .await
        .unwrap();
    assert_eq!(shown.len(), 3);
    assert!(
        store
            .archive()
            .find_archived(&shown[0].edition)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        store
            .archive()
            .find_archived(&EditionId("nix".into()))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn followers_get_the_editions_that_have_news_for_them() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let people = ["digest", "at-once", "nobody"]
        .map(|name| person(&format!("{name}@example.org"), &["sport"]));
    confirmed(&store, &people).await;
    store
        .editions()
        .publish(&edition_before(1), EditionState::Published, now())
        .await
        .unwrap();
    let known = store.archive().list_unindexed(1).await.unwrap().remove(0);
    store
        .archive()
        .index_edition(&known, &[indexed("Polaris", &["polaris"])])
        .await
        .unwrap();
    let polaris = ItemKey::of("Polaris");
    let follow = |number, at_once| {
        let (store, polaris) = (&store, &polaris);
        async move {
            store
                .subscribers()
                .create_follow(SubscriberId(number), polaris, at_once, now())
                .await
                .unwrap()
        }
    };
    assert!(follow(1, false).await && follow(2, true).await);
    assert!(
        !store
            .subscribers()
            .create_follow(SubscriberId(1), &ItemKey::of("unknown"), false, now())
            .await
            .unwrap()
    );
    assert!(
        !store
            .subscribers()
            .create_follow(SubscriberId(4711), &polaris, false, now())
            .await
            .unwrap()
    );
    for at_once in [false, true] {
        let followed = store.items().list_followed(at_once).await.unwrap();
        assert_eq!(followed.len(), 1);
        assert_eq!(
            (&followed[0].title, followed[0].since),
            (&"Polaris".to_owned(), now())
        );
    }
    let followed = vec![Followed {
        story: polaris.clone(),
        title: "Polaris".into(),
        news: edition(&["ki"]).sections.remove(0).stories,
    }];
    // Nobody wants its only topic; one follows what it has news of.
    let daily = Edition {
        followed: followed.clone(),
        ..edition(&["ki"])
    };
    let published = store
        .editions()
        .publish(&daily, EditionState::Published, now())
        .await
        .unwrap();
    assert_eq!(published, Published::Now(1));
    let at_once = CadenceId(Edition::FOLLOWED.into());
    let news = Edition {
        id: Edition::id_of("test", &at_once, now()),
        cadence: at_once,
        sections: Vec::new(),
        followed,
        ..edition(&[])
    };
    let published = store
        .editions()
        .publish(&news, EditionState::Published, now())
        .await
        .unwrap();
    assert_eq!(published, Published::Now(1));
    let claimed = claim(&store).await;
    let follows: Vec<_> = claimed
        .iter()
        .map(|delivery| (delivery.subscriber.0, delivery.follows.as_slice()))
        .collect();
    assert_eq!(
        follows,
        [1, 2].map(|number| (number, std::slice::from_ref(&polaris)))
    );
    // The archive has nothing of what only some have asked for.
    let listed = store
        .archive()
        .list_archive(now() + TimeDelta::days(1), None, 10)
        .await
        .unwrap();
    assert!(
        listed
            .list
            .iter()
            .all(|edition| edition.cadence.as_str() == "daily")
    );
    assert!(
        store
            .archive()
            .find_archived(&news.id)
            .await
            .unwrap()
            .is_none()
    );
    store
        .subscribers()
        .delete_follow(SubscriberId(2), &polaris)
        .await
        .unwrap();
    assert_eq!(
        store
            .subscribers()
            .list_follows(SubscriberId(2))
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn a_newcomer_gets_the_latest_edition_once() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    for days in [9, 1, 0] {
        store
            .editions()
            .publish(&edition_before(days), EditionState::Published, now())
            .await
            .unwrap();
    }
    let letters = sign_up(&store, &signup("anna@example.org", "192.0.2.1"), now()).await;
    let greeting = Greeting {
        letter: true,
        edition: true,
        now: now(),
    };
    for _ in 0..2 {
        let clicked = click(letters[0].about, now());
        store
            .subscribers()
            .confirm_signup(clicked, greeting)
            .await
            .unwrap();
    }
    let letters = store.letters().begin_letters(10, now()).await.unwrap();
    let kinds: Vec<_> = letters.iter().map(|letter| letter.kind).collect();
    assert_eq!(kinds, [LetterKind::Welcome]);
    assert_eq!(letters[0].cadence, Some(CadenceId("daily".into())));
    let claimed = claim(&store).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].edition, edition_before(0).id);
}

#[tokio::test]
async fn keys_of_links_change_and_the_last_ones_still_open() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    use crate::model::Purpose::Unsubscribe;
    let old = store.token_keys().await.unwrap().seal(Unsubscribe, 7);
    store.change_token_key(1).await.unwrap();
    let keys = store.token_keys().await.unwrap();
    assert_eq!(keys.open(Unsubscribe, &old), Some(7));
    assert_ne!(keys.seal(Unsubscribe, 7), old);
    store.change_token_key(1).await.unwrap();
    let keys = place.open().await.token_keys().await.unwrap();
    assert_eq!(keys.open(Unsubscribe, &old), None);
}

#[tokio::test]
async fn a_letter_that_cannot_be_read_stands_in_nobodys_way() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    for address in ["anna@example.org", "ben@example.org"] {
        let (subscribers, from) = (store.subscribers(), signup(address, "192.0.2.1"));
        subscribers.create_signup(&from, 20, now()).await.unwrap();
    }
    sqlx::query("UPDATE letter SET address = 'no address' WHERE address = 'anna@example.org'")
        .execute(&mut *store.pool.writing().await.unwrap())
        .await
        .unwrap();
    let begun = store.letters().begin_letters(10, now()).await.unwrap();
    let addresses: Vec<&str> = begun.iter().map(|letter| letter.address.as_str()).collect();
    assert_eq!(addresses, ["ben@example.org"]);
    assert_eq!(
        store
            .letters()
            .begin_letters(10, now())
            .await
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn a_letter_into_a_maildir_is_tried_again_whoever_died_meanwhile() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let (subscribers, from) = (store.subscribers(), signup("anna@example.org", "192.0.2.1"));
    subscribers.create_signup(&from, 20, now()).await.unwrap();
    let begin = async |at| store.letters().begin_letters(10, at).await.unwrap().len();
    assert_eq!(begin(now()).await, 1);
    let (letters, policy) = (store.letters(), UnknownPolicy::AtLeastOnce);
    assert_eq!(letters.inherit_letters(policy, now()).await.unwrap(), 1);
    assert_eq!(begin(now()).await, 1);
}

#[tokio::test]
async fn sign_ups_of_a_clock_that_was_ahead_do_not_count_against_a_network_for_a_year() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let sign_up = async |name: &str, at| {
        let from = signup(&format!("{name}@example.org"), "192.0.2.1");
        store
            .subscribers()
            .create_signup(&from, 1, at)
            .await
            .unwrap()
    };
    assert!(sign_up("a", now() + TimeDelta::days(365)).await);
    assert!(sign_up("b", now()).await);
    assert!(!sign_up("c", now()).await, "the limit holds");
}
