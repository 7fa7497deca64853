use std::collections::BTreeSet;

use super::*;
use crate::model::Location;

const SHIPPED: &str = include_str!("../../config.toml");

fn problems(text: &str) -> Vec<Problem> {
    parse(text, Path::new("")).err().unwrap_or_default()
}

/// The smallest configuration that is valid.
const SMALL: &str = r#"
[newsletter]
title = "Morgenlage"
language = "de"
timezone = "Europe/Berlin"
from = "digest@example.org"
imprint = "Muster Verlag"
[cadence.daily]
cron = "0 7 * * *"
[[topic]]
id = "ki"
title = "KI"
[[feed]]
url = "feed.xml"
"#;

/// The shipped file with every example and default made a setting: its "# key = value" lines uncommented.
fn shipped_with_everything() -> String {
    let is_setting = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ")
            && !key.is_empty()
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let uncomment = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if is_setting(rest) || rest.starts_with('[') => rest.to_owned(),
        _ => line.to_owned(),
    };
    SHIPPED
        .lines()
        .map(uncomment)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_shipped_file_is_valid_with_all_its_examples() {
    assert_eq!(problems(SHIPPED), []);
    let everything = shipped_with_everything();
    assert!(
        everything.contains("\nreply_to = ") && everything.contains("\nconnections = 4"),
        "{everything}"
    );
    assert_eq!(problems(&everything), []);
}

#[test]
fn every_key_that_is_known_is_in_the_shipped_file() {
    let documented: BTreeSet<String> = shipped_with_everything()
        .lines()
        .filter_map(|line| line.split_once(" = ").map(|(key, _)| key.trim().to_owned()))
        .collect();
    // A key that nobody can mean makes each section name those it knows.
    let probe: String = shipped_with_everything()
        .lines()
        .flat_map(|line| {
            let section = line.starts_with('[');
            [Some(line), section.then_some("qqqqqqqqqqqqqq = 1")]
                .into_iter()
                .flatten()
        })
        .collect::<Vec<_>>()
        .join("\n");
    let hints: Vec<String> = problems(&probe)
        .into_iter()
        .map(|problem| problem.hint)
        .collect();
    let sections = SHIPPED.lines().filter(|line| line.starts_with('[')).count();
    assert!(hints.len() >= sections, "{hints:#?}");
    for hint in hints {
        let known = hint
            .strip_prefix("Known here: ")
            .unwrap()
            .trim_end_matches('.');
        for key in known.split(", ") {
            // The password has a key only to be told that it does not belong there; sections are no keys.
            let section = [
                "maildir",
                "smtp",
                "sendmail",
                "dkim",
                "domain",
                "each_domain",
                "weights",
                "light",
                "dark",
                "logo",
                "password",
            ]
            .contains(&key);
            assert!(
                section || documented.contains(key),
                "`{key}` is not documented in config.toml"
            );
        }
    }
}

#[test]
fn all_problems_are_found_at_once_with_their_lines() {
    let text = SMALL
        .replace("Europe/Berlin", "Europe/Berlim")
        .replace("title = \"KI\"", "title = 7")
        .replace(
            "url = \"feed.xml\"",
            "url = \"feed.xml\"\ntopics = [\"kochen\"]\n[[feed]]\nurl = \"feed.xml\"",
        );
    let found: Vec<(Option<usize>, String)> = problems(&text)
        .into_iter()
        .map(|problem| (problem.line, problem.key))
        .collect();
    let expected = [
        (5, "newsletter.timezone"),
        (12, "topic[1].title"),
        (15, "feed[1].topics"),
    ];
    for (line, key) in expected {
        assert!(
            found.contains(&(Some(line), key.to_owned())),
            "{key} in line {line}: {found:?}"
        );
    }
}

#[test]
fn the_same_feed_twice_is_a_problem() {
    let found = problems(&format!("{SMALL}[[feed]]\nurl = \"feed.xml\"\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].line, found[0].hint.as_str()),
        (Some(16), "feed[1].url is the same; delete one.")
    );
}

#[test]
fn text_that_is_no_toml_is_a_problem_with_its_line() {
    let found = problems("[newsletter]\ntitle = \"open\nlanguage = \"de\"\n");
    assert_eq!(found[0].line, Some(2), "{found:?}");
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    let found = problems(&format!(
        "{SMALL}[delivery.smtp]\nhost = \"localhost\"\npassword = \"hunter2\"\n"
    ));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].hint.contains("TIDINGS_SMTP_PASSWORD")
            && !format!("{found:?}").contains("hunter2")
    );
}

#[test]
fn a_password_does_not_cross_the_network_in_plain_text() {
    let smtp = "[delivery.smtp]\nhost = \"mail.example.org\"\nuser = \"u\"\nsecurity = \"none\"\n";
    assert_eq!(problems(&format!("{SMALL}{smtp}")).len(), 1);
    assert_eq!(
        problems(&format!(
            "{SMALL}{}",
            smtp.replace("mail.example.org", "localhost")
        )),
        []
    );
}

#[test]
fn defaults_are_filled_in() {
    let config = parse(SMALL, Path::new("/etc/tidings")).unwrap();
    assert_eq!(config.newsletter.from_name, "Morgenlage");
    assert_eq!(config.newsletter.reply_to, config.newsletter.from);
    assert_eq!(
        config.store,
        StoreUrl::Sqlite("/etc/tidings/tidings.db".into())
    );
    assert_eq!(
        config.feeds[0].location,
        Location::File("/etc/tidings/feed.xml".into())
    );
    assert_eq!(
        config.feeds[0].key.as_str(),
        "feed.xml",
        "a moved folder keeps its feeds"
    );
    assert_eq!(config.topics[0].stories, 8);
}

#[test]
fn cadences_keep_the_order_of_the_file() {
    let text = format!(
        "{SMALL}[cadence.weekly]\ncron = \"0 7 * * 1\"\n[cadence.alerts]\ncron = \"0 * * * *\"\n"
    );
    let config = parse(&text, Path::new("")).unwrap();
    let names: Vec<&str> = config
        .cadences
        .iter()
        .map(|cadence| cadence.id.as_str())
        .collect();
    assert_eq!(
        names,
        ["daily", "weekly", "alerts"],
        "the first one is the default"
    );
}

#[test]
fn one_mistake_is_told_once() {
    let text = SMALL.replace("title = \"KI\"", "title = 7").replace(
        "url = \"feed.xml\"",
        "url = \"feed.xml\"\ntopics = [\"ki\"]",
    );
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn names_that_must_differ_differ() {
    let twice = "[[topic]]\nid = \"ki\"\ntitle = \"Noch einmal\"\n[[subscriber]]\naddress = \"a@example.org\"\n\
                 [[subscriber]]\naddress = \"A@example.org\"\n";
    let keys: Vec<String> = problems(&format!("{SMALL}{twice}"))
        .into_iter()
        .map(|problem| problem.key)
        .collect();
    assert_eq!(keys, ["topic[2].id", "subscriber[2].address"]);
}

#[test]
fn a_schedule_has_five_fields_and_a_limit_is_not_zero() {
    let found = problems(&SMALL.replace("0 7 * * *", "0 0 7 * * *"));
    assert_eq!(found[0].key, "cadence.daily.cron");
    let found = problems(&format!("{SMALL}[collect]\ntimeout = \"0s\"\n"));
    assert_eq!(found[0].key, "collect.timeout");
}

#[test]
fn what_is_wrong_about_ranking_is_told_with_its_line() {
    let text = format!(
        "{SMALL}\nweight = 20\nmark = \"free\"\n[rank]\nfloor = 30\npaid = \"hide\"\nmemory = \"60d\"\n[rank.weights]\nrelevance = \"high\"\ncoverage = -1\n"
    )
    .replace("id = \"ki\"", "id = \"ki\"\nkeywords = [\"KI\", \"title:\", \"+\"]");
    let told: Vec<String> = problems(&text)
        .into_iter()
        .map(|problem| format!("{} {}", problem.key, problem.what))
        .collect();
    for wrong in [
        "topic[1].keywords “title:” has no word in it",
        "topic[1].keywords “+” has no word in it",
        "feed[1].weight must be a number from 0 to 10",
        "feed[1].mark there is no mark “free”",
        "rank.floor must be a number from 0 to 1",
        "rank.paid “hide” is not a way to treat items",
        "rank.memory is too long",
        "rank.weights.relevance must be a number from 0 to 100",
        "rank.weights.coverage must be a number from 0 to 100",
    ] {
        assert!(told.iter().any(|told| told == wrong), "{wrong}\n{told:#?}");
    }
    assert_eq!(told.len(), 9, "{told:#?}");
}

#[test]
fn ranking_is_configured_by_weights_policies_and_feeds() {
    let text = format!(
        "{SMALL}\nweight = 2\nlanguage = \"fr\"\n[rank]\nsponsored = \"mark\"\nmemory = \"7d\"\n[rank.weights]\ncoverage = 1\n"
    );
    let config = parse(&text, Path::new("")).unwrap();
    assert_eq!(config.rank.weights.coverage, 1.0);
    assert_eq!(config.rank.sponsored, crate::rank::Policy::Mark);
    assert_eq!(config.memory, chrono::TimeDelta::days(7));
    assert_eq!(
        config.rank.feed_weights.values().collect::<Vec<_>>(),
        [&2.0]
    );
    use crate::rank::Tongue::{De, En, Fr};
    assert_eq!(config.rank.languages, [De, Fr, En]);
}

#[test]
fn what_is_wrong_about_the_look_is_told_with_its_line() {
    let text = format!(
        "{SMALL}[theme]\nlayout = \"wide\"\nserif = \"x; color: red\"\nsubject = \"{{{{ titel }}}}\"\nimages = \"proxied\"\nimage_proxy = \"https://img.example.org/\"\n\
         [theme.light]\naccent = \"red\"\ngrey = \"#bbbbbb\"\n[theme.logo]\nurl = \"http://example.org/l.png\"\nwidth = 9000\n"
    );
    let told: Vec<String> = problems(&text)
        .into_iter()
        .map(|problem| {
            format!(
                "{} {} {}",
                problem.line.unwrap_or_default(),
                problem.key,
                problem.what
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "16 theme.layout “wide” is not a layout",
            "17 theme.serif “x; color: red” is not a list of fonts",
            "18 theme.subject cannot be filled in: `titel` is undefined",
            "20 theme.image_proxy “https://img.example.org/” is the same for every picture",
            "22 theme.light.accent “red” is not a colour",
            "23 theme.light.grey is too hard to read: grey on paper has a contrast of 1.8, and needs 4.5",
            "24 theme.logo.height is missing",
            "25 theme.logo.url mail programs load pictures by https only",
            "26 theme.logo.width must be a whole number from 1 to 280",
        ]
    );
    let text = SMALL.replace(
        "imprint",
        "browser_url = \"https://example.org/news\"\nimprint",
    );
    assert_eq!(
        problems(&text)[0].what,
        "“https://example.org/news” is the same for every edition"
    );
}

#[test]
fn a_block_says_where_it_stands_and_has_something_to_say() {
    let text = format!(
        "{SMALL}[[block]]\nafter = \"sport\"\ntext = \"x\"\nuntil = \"morgen\"\n[[block]]\ntitle = \"leer\"\n\
         [[block]]\ntext = \"x\"\nfrom = \"2026-11-20\"\nuntil = \"2026-11-19\"\n"
    );
    let told: Vec<String> = problems(&text)
        .into_iter()
        .map(|problem| format!("{} {}", problem.key, problem.what))
        .collect();
    assert_eq!(
        told,
        [
            "block[1].after there is no topic “sport”",
            "block[1].until “morgen” is not a day",
            "block[2].text is missing",
            "block[3].until is before `from`",
        ]
    );
}

#[test]
fn the_feed_of_a_block_is_read_but_is_no_news() {
    let text = format!("{SMALL}[[block]]\nfeed = \"jobs.xml\"\n[[block]]\nfeed = \"feed.xml\"\n");
    let config = parse(&text, Path::new("")).unwrap();
    let keys: Vec<&str> = config.feeds.iter().map(|feed| feed.key.as_str()).collect();
    assert_eq!(keys, ["feed.xml", "jobs.xml"]);
    let news = config.news_feeds();
    assert_eq!(
        news.iter()
            .map(crate::model::FeedKey::as_str)
            .collect::<Vec<_>>(),
        ["feed.xml"]
    );
    assert_eq!(
        config.blocks[0].feed,
        Some((crate::model::FeedKey("jobs.xml".into()), 3))
    );
}

/// What is told of each problem of `text`, in a line.
fn told(text: &str) -> Vec<String> {
    let problems = problems(text).into_iter();
    problems
        .map(|problem| format!("{} {}", problem.key, problem.what))
        .collect()
}

#[test]
fn what_a_mail_cannot_show_is_told() {
    for (text, wrong) in [
        (
            SMALL.replace("imprint", "tagline = \"a\\u0007b\"\nimprint"),
            "newsletter.tagline has a character that nobody sees (U+0007)",
        ),
        (
            format!("{SMALL}[theme]\nfooter = \"\\uE000unsubscribe\\uE001\"\n"),
            "theme.footer has a character that nobody sees (U+E000)",
        ),
        (
            format!("{SMALL}[theme]\nheader = \"[hier](/archiv)\"\n"),
            "theme.header the link to “/archiv” leads nowhere from a mail: write its whole address, https://…",
        ),
        (
            format!("{SMALL}[[block]]\ntext = \"a<br>b\"\n"),
            "block[1].text “<br>” would be shown as it stands: a mail has no HTML of its own",
        ),
        (
            format!("{SMALL}[[block]]\ntext = \"{}\"\n", "Wörter ".repeat(5_000)),
            "theme header, footer and blocks have 62396 bytes on the wire; 40000 leave room for the news",
        ),
        (
            SMALL.replace("id = \"ki\"", "id = \"end\""),
            "topic[1].id is a place where blocks stand, not a topic",
        ),
    ] {
        assert_eq!(told(&text), [wrong]);
    }
}

#[test]
fn an_address_with_places_is_written_as_addresses_are() {
    let text = SMALL.replace(
        "imprint",
        "browser_url = \"https://Example.org/über uns/{edition}.html\"\nimprint",
    );
    let config = parse(&text, Path::new("")).unwrap();
    assert_eq!(
        config.newsletter.browser_url.as_deref(),
        Some("https://example.org/%C3%BCber%20uns/{edition}.html")
    );
}

#[test]
fn one_colour_is_enough_on_any_paper() {
    let text = format!(
        "{SMALL}[theme.light]\naccent = \"#1d4e89\"\n[theme.dark]\npaper = \"#3a3a3a\"\ngrey = \"#d0d0d0\"\n"
    );
    let theme = parse(&text, Path::new("")).unwrap().theme;
    assert_eq!(theme.dark.unreadable(), []);
    assert_eq!(theme.light.accent.to_string(), "#1d4e89");
}

#[test]
fn what_would_silently_do_nothing_in_delivery_is_told() {
    let base = SMALL.to_owned() + "[delivery]\nmailer = \"smtp\"\n";
    for (more, key) in [
        (
            "[delivery.domain.\"@gmail.com\"]\nat_once = 1\n[delivery.smtp]\nhost = \"a.example\"\n",
            "name",
        ),
        (
            "[[delivery.smtp]]\nhost = \"a.example\"\nweight = 0\n",
            "weight",
        ),
        (
            "[delivery.smtp]\nhost = \"a.example\"\nlogin = \"token\"\n",
            "user",
        ),
        (
            "[delivery.smtp]\nhost = \"a.example\"\nclient_key = \"k\"\n",
            "client_certificate",
        ),
        (
            "[delivery.smtp]\nhost = \"a.example\"\nsecurity = \"none\"\n",
            "security",
        ),
        (
            "[[delivery.dkim]]\nselector = \"a b\"\nkey_file = \"k\"\n[delivery.smtp]\nhost = \"a.example\"\n",
            "selector",
        ),
        (
            "[[delivery.dkim]]\nselector = \"a\"\nkey_file = \"k\"\ndomain = \"example.net\"\n[delivery.smtp]\nhost = \"a.example\"\n",
            "domain",
        ),
    ] {
        let found = problems(&(base.clone() + more));
        assert!(
            found.len() == 1 && found[0].key.ends_with(key),
            "{more}: {found:?}"
        );
    }
}
