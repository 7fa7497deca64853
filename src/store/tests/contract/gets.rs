//! The one rule who gets what, against a model of it: random preferences, editions and changes in between.

use chrono::Datelike as _;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::model::{Consent, ConsentEvent, Followed, Reading, SubscriberId, Weekdays};

/// What one of the people in a case does.
#[derive(Debug, Clone)]
struct Somebody {
    cadence: usize,
    topics: Vec<usize>,
    muted: bool,
    least: Option<u16>,
    days: i64,
    paused: bool,
    left: bool,
    suppressed: bool,
    follows: bool,
}

const TOPICS: [&str; 3] = ["ki", "recht", "sport"];
const CADENCES: [&str; 2] = ["daily", "weekly"];
/// What the stories of `sport` are muted by.
const MUTED: &str = "Verlag";

fn somebody() -> impl Strategy<Value = Somebody> {
    let topics = proptest::sample::subsequence(vec![0, 1, 2], 0..=3);
    let rare = || proptest::bool::weighted(0.15);
    let days = prop_oneof![3 => Just(127), 1 => 1..128i64];
    (
        (
            0..2usize,
            topics,
            rare(),
            proptest::option::weighted(0.3, 1..4u16),
        ),
        (days, rare(), rare(), rare(), rare()),
    )
        .prop_map(
            |((cadence, topics, muted, least), (days, paused, left, suppressed, follows))| {
                Somebody {
                    cadence,
                    topics,
                    muted,
                    least,
                    days,
                    paused,
                    left,
                    suppressed,
                    follows,
                }
            },
        )
}

impl Somebody {
    fn preferences(&self) -> Preferences {
        let topic = |number: &usize| TopicId(TOPICS[*number].to_owned());
        Preferences {
            topics: Topics::from_stored(self.topics.iter().map(topic).collect()),
            days: Weekdays::from_bits(self.days).unwrap(),
            timezone: Some(chrono_tz::Europe::Berlin),
            paused_until: self.paused.then(|| now() + TimeDelta::days(9)),
            reading: Reading {
                mute_sources: self.muted.then(|| MUTED.to_owned()).into_iter().collect(),
                least: self.least,
                ..Reading::default()
            },
            ..Preferences::usual(CadenceId(CADENCES[self.cadence].to_owned()))
        }
    }

    /// How many stories of `edition` they get a mail with, by the words of the rule.
    fn gets(&self, edition: &Edition, planned: &Self) -> usize {
        let wants = |topic: &TopicId| {
            self.topics.is_empty() || self.topics.iter().any(|one| TOPICS[*one] == topic.as_str())
        };
        let is_reached = |one: &Self| {
            !one.left
                && !one.suppressed
                && !one.paused
                && CADENCES[one.cadence] == edition.cadence.as_str()
        };
        let offered = |one: &Self| {
            let topics = edition
                .sections
                .iter()
                .map(|section| section.topic.as_str());
            one.topics.is_empty()
                || topics
                    .clone()
                    .any(|topic| one.topics.iter().any(|own| TOPICS[*own] == topic))
        };
        let today = now().with_timezone(&chrono_tz::Europe::Berlin).weekday();
        let had_it = offered(planned) || (planned.follows && !edition.followed.is_empty());
        if !is_reached(self)
            || !is_reached(planned)
            || !had_it
            || planned.days & (1 << today.num_days_from_monday()) == 0
        {
            return 0;
        }
        let stories = edition
            .sections
            .iter()
            .filter(|section| wants(&section.topic));
        let stories = stories.flat_map(|section| &section.stories);
        let stories = stories
            .filter(|story| !self.muted || story.lead.source != MUTED)
            .count();
        let news = usize::from(self.follows && !edition.followed.is_empty());
        match stories + news {
            all if all < usize::from(self.least.unwrap_or(1)) => 0,
            all => all,
        }
    }
}

/// An edition of some topics, each with so many stories.
fn edition_of(counts: &[usize; 3], followed: bool) -> Edition {
    let mut whole = edition(&TOPICS);
    for (section, count) in whole.sections.iter_mut().zip(counts) {
        let story = section.stories[0].clone();
        section.stories = (0..*count)
            .map(|number| {
                let mut story = story.clone();
                story.lead.key = ItemKey::of(&format!("{}{number}", section.topic));
                if section.topic.as_str() == "sport" {
                    story.lead.source = MUTED.to_owned();
                }
                story
            })
            .collect();
    }
    if followed {
        whole.followed = vec![Followed {
            story: ItemKey::of("followed"),
            title: "F".to_owned(),
            news: vec![whole_story()],
        }];
    }
    whole.sections.retain(|section| !section.stories.is_empty());
    whole
}

fn whole_story() -> Story {
    edition(&["ki"]).sections.remove(0).stories.remove(0)
}

async fn play(place: &Place, people: &[(Somebody, Somebody)], edition: &Edition) {
    let store = place.open().await;
    let address = |number: usize| format!("p{number}@example.org");
    let at_first: Vec<NewSubscriber> = people
        .iter()
        .enumerate()
        .map(|(number, (first, _))| NewSubscriber {
            preferences: first.preferences(),
            ..person(&address(number), &[])
        })
        .collect();
    confirmed(&store, &at_first).await;
    let mut connection = store.pool.writing().await.unwrap();
    sqlx::query(
        "INSERT INTO story_query (key, title, query) VALUES ($1, 'F', '{}') ON CONFLICT DO NOTHING",
    )
    .bind(ItemKey::of("followed").as_str())
    .execute(&mut *connection)
    .await
    .unwrap();
    drop(connection);
    let ids = store
        .subscribers()
        .find_subscribers(
            &at_first
                .iter()
                .map(|one| one.address.clone())
                .collect::<Vec<_>>(),
        )
        .await
        .unwrap();
    assert_eq!(ids.len(), people.len());
    let listed = store
        .subscribers()
        .list_subscribers(0, 1_000)
        .await
        .unwrap();
    let id_of = |number: usize| {
        let found = listed
            .iter()
            .find(|(_, one)| one.profile.address.as_str() == address(number));
        SubscriberId(found.unwrap().0)
    };
    let apply = async |number: usize, one: &Somebody| {
        let id = id_of(number);
        let entry = Consent::new(ConsentEvent::Chosen, now(), None, "test");
        store
            .subscribers()
            .update_preferences(id, &one.preferences(), entry)
            .await
            .unwrap();
        let story = ItemKey::of("followed");
        match one.follows {
            true => assert!(
                store
                    .subscribers()
                    .create_follow(id, &story, false, now())
                    .await
                    .unwrap()
            ),
            false => store.subscribers().delete_follow(id, &story).await.unwrap(),
        }
        let sql = match one.suppressed {
            true => {
                "INSERT INTO suppression (address_key, reason, since) VALUES ($1, 'hard', 0) ON CONFLICT DO NOTHING"
            }
            false => "DELETE FROM suppression WHERE address_key = $1",
        };
        let mut connection = store.pool.writing().await.unwrap();
        sqlx::query(sql)
            .bind(address(number))
            .execute(&mut *connection)
            .await
            .unwrap();
        drop(connection);
        if one.left {
            store
                .subscribers()
                .unsubscribe_all(&[(id, None)], "test", now())
                .await
                .unwrap();
        }
    };
    for (number, (first, _)) in people.iter().enumerate() {
        apply(number, first).await;
    }
    store
        .editions()
        .publish(edition, EditionState::Published, now())
        .await
        .unwrap();
    for (number, (first, then)) in people.iter().enumerate() {
        // Nobody comes back by a change of preferences.
        let then = Somebody {
            left: then.left || first.left,
            ..then.clone()
        };
        if !first.left {
            apply(number, &then).await;
        }
    }
    let mut mails: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for delivery in claim_as(&store, WORKER, 1_000, now()).await {
        let seen = edition.seen_by(&delivery.audience).story_count();
        let news = delivery.follows.len().min(edition.followed.len());
        if delivery.audience.wants_mail_of(seen, news).is_ok() {
            assert_eq!(
                mails.insert(delivery.address.as_str().to_owned(), seen + news),
                None,
                "twice"
            );
        }
    }
    for (number, (first, then)) in people.iter().enumerate() {
        let then = Somebody {
            left: then.left || first.left,
            ..then.clone()
        };
        let got = mails.get(&address(number)).copied().unwrap_or_default();
        assert_eq!(
            got,
            then.gets(edition, first),
            "planned as {first:?}, claimed as {then:?}"
        );
    }
}

#[tokio::test]
async fn everybody_gets_what_the_rule_says_whatever_changes_in_between_and_nobody_an_empty_mail() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let change = (somebody(), somebody(), proptest::bool::weighted(0.4));
    let people = change.prop_map(|(first, then, changes)| match changes {
        true => (first, then),
        false => (first.clone(), first),
    });
    let case = (
        proptest::collection::vec(people, 1..24),
        [0..3usize, 0..3usize, 0..3usize],
        any::<bool>(),
    );
    for _ in 0..12 {
        let Some(place) = Place::new().await else {
            return;
        };
        let (people, counts, followed) = case.new_tree(&mut runner).unwrap().current();
        let edition = edition_of(&counts, followed || counts == [0, 0, 0]);
        play(&place, &people, &edition).await;
    }
}

#[tokio::test]
async fn a_newcomer_gets_the_latest_edition_that_has_something_for_them() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    let day = |topics: &[&str], days: i64| {
        let slot = now() - TimeDelta::days(days);
        let cadence = CadenceId("daily".into());
        Edition {
            id: Edition::id_of("test", &cadence, slot),
            slot,
            ..edition(topics)
        }
    };
    for edition in [day(&["sport"], 2), day(&["ki"], 1), day(&["recht"], 0)] {
        let editions = store.editions();
        let published = editions.publish(&edition, EditionState::Published, now());
        published.await.unwrap();
    }
    let newcomers = [
        person("ki@example.org", &["ki"]),
        person("all@example.org", &[]),
        person("nothing@example.org", &["film"]),
    ];
    confirmed(&store, &newcomers).await;
    let listed = store.subscribers().list_subscribers(0, 9).await.unwrap();
    let mut connection = store.pool.writing().await.unwrap();
    for (id, _) in &listed {
        let newcomer = SubscriberId(*id);
        crate::store::letters::plan_latest(&mut connection, newcomer, now(), now())
            .await
            .unwrap();
    }
    drop(connection);
    let got: Vec<(String, String)> = claim(&store)
        .await
        .iter()
        .map(|one| (one.address.as_str().to_owned(), one.edition.to_string()))
        .collect();
    assert_eq!(
        got,
        [
            ("ki@example.org".to_owned(), day(&[], 1).id.to_string()),
            ("all@example.org".to_owned(), day(&[], 0).id.to_string()),
        ]
    );
}

#[tokio::test]
async fn the_news_of_a_day_without_mail_go_with_the_next_one() {
    let Some(place) = Place::new().await else {
        return;
    };
    let store = place.open().await;
    // It is a Friday.
    let weekdays = |days| NewSubscriber {
        preferences: Preferences {
            days: Weekdays::of(days).unwrap(),
            timezone: Some(chrono_tz::Europe::Berlin),
            ..person("a@example.org", &[]).preferences
        },
        ..person("a@example.org", &[])
    };
    let people = [
        weekdays([chrono::Weekday::Sat]),
        person("b@example.org", &[]),
    ];
    confirmed(&store, &people).await;
    let friday = edition(&["ki"]);
    let publish = |edition: Edition, wall| {
        let editions = store.editions();
        async move {
            editions
                .publish(&edition, EditionState::Published, wall)
                .await
                .unwrap()
        }
    };
    assert_eq!(publish(friday.clone(), now()).await, Published::Now(1));
    let claimed = claim(&store).await;
    assert_eq!(claimed.len(), 1);
    write(&store, &[record(&claimed[0], DeliveryState::Sent, now())]).await;
    let tomorrow = now() + TimeDelta::days(1);
    let saturday = Edition {
        id: Edition::id_of("test", &friday.cadence, tomorrow),
        slot: tomorrow,
        covers: Some(9),
        ..edition(&["recht"])
    };
    assert_eq!(publish(saturday, tomorrow).await, Published::Now(2));
    let claimed = claim_as(&store, WORKER, 10, tomorrow).await;
    let missed: Vec<_> = claimed.iter().map(|one| one.missed.as_slice()).collect();
    assert_eq!(missed, [std::slice::from_ref(&friday.id), &[]]);
}
