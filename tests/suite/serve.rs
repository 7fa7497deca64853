//! The pages for readers: signing up, choosing, following, leaving, and the archive.

use crate::support::{Pages, Postgres, Subscriber};

#[test]
fn somebody_signs_up_confirms_chooses_and_leaves() {
    let pages = Pages::start("");
    let form = pages.get("").expect(200);
    assert!(form.body.len() <= 30_000, "{}", form.body.len());
    for part in [
        "name=\"address\"",
        "value=\"netz\"",
        "value=\"weekly\"",
        "Der &#60;b&#62;Bote",
    ] {
        assert!(form.body.contains(part), "{part}: {}", form.body);
    }
    let token = pages.form_token(10);
    let fields = [
        ("address", "Anna@Example.org"),
        ("topic", "ki"),
        ("cadence", "weekly"),
        ("language", "en"),
        ("lang", "en"),
        ("token", &token),
    ];
    let sent = pages.post("subscribe", &fields).expect(200);
    assert!(
        sent.body.contains("Please look into your mailbox"),
        "{}",
        sent.body
    );
    let link = pages.letter(1, "Anna@example.org", &format!("{}confirm/", pages.url));
    let letter = pages.letter_text("Anna@example.org");
    assert!(
        letter.contains("with a single button") && !letter.contains("KI hilft"),
        "{letter}"
    );

    // Looking at the link confirms nothing.
    let question = pages.get(&link).expect(200);
    assert!(question.body.contains("method=\"post\""));
    assert_eq!(pages.state_of("anna@example.org"), "unknown");
    let done = pages.post(&link, &[]).expect(200);
    assert_eq!(pages.state_of("anna@example.org"), "confirmed");
    let preferences = done.find(&format!("{}p/", pages.url));
    let unsubscribe = pages.letter(2, "Anna@example.org", &format!("{}u/", pages.url));

    let shown = pages.get(&preferences).expect(200);
    for chosen in [
        "value=\"weekly\" checked",
        "value=\"ki\" checked",
        "value=\"en\" lang=\"en\" selected",
    ] {
        assert!(shown.body.contains(chosen), "{chosen}: {}", shown.body);
    }
    let fields = [
        ("topic", "ki"),
        ("topic", "netz"),
        ("cadence", "daily"),
        ("language", "de"),
        ("lang", "de"),
        ("length", "short"),
        ("hour", "18"),
        ("timezone", "America/New_York"),
        ("paused_until", "2099-01-02"),
    ];
    let saved = pages.post(&preferences, &fields).expect(200);
    assert!(saved.body.contains("gespeichert"), "{}", saved.body);
    let known = &pages.person("anna@example.org")["subscription"];
    assert_eq!(known["cadence"], "daily");
    assert_eq!(
        known["topics"],
        serde_json::json!(["ki", "netz"]),
        "all that there are now is not what comes later"
    );
    assert_eq!(known["length"], "short");
    assert_eq!(
        (&known["hour"], &known["timezone"]),
        (&18.into(), &"America/New_York".into())
    );
    assert_eq!(known["paused_until"], "2099-01-02T05:00:00Z");
    let tokyo = [
        ("timezone", "Asia/Tokyo"),
        ("paused_until", "2099-01-02"),
        ("hour", ""),
    ];
    let saved = pages.post(&preferences, &tokyo).expect(200);
    for kept in ["value=\"Asia/Tokyo\"", "value=\"2099-01-02\""] {
        assert!(saved.body.contains(kept), "{kept}: {}", saved.body);
    }
    let wrong = [("timezone", "Middle/Earth"), ("lang", "de")];
    let refused = pages.post(&preferences, &wrong).expect(422);
    assert!(
        refused.body.contains("Gespeichert ist noch nichts"),
        "{}",
        refused.body
    );

    let question = pages.get(&unsubscribe).expect(200);
    assert!(question.body.contains("method=\"post\""));
    assert_eq!(pages.state_of("anna@example.org"), "confirmed");
    let gone = pages.post(&unsubscribe, &[]).expect(200);
    assert_eq!(pages.state_of("anna@example.org"), "unsubscribed");
    pages.get(&preferences).expect(404);
    let undo = gone.find(&format!("{}undo/", pages.url));
    pages.get(&undo).expect(200);
    assert_eq!(pages.state_of("anna@example.org"), "unsubscribed");
    pages.post(&undo, &[("lang", "de")]).expect(200);
    assert_eq!(pages.state_of("anna@example.org"), "confirmed");
    let events: Vec<String> = pages.person("anna@example.org")["consent"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        events,
        [
            "requested",
            "confirmed",
            "chosen",
            "chosen",
            "left",
            "returned"
        ]
    );
}

#[test]
fn a_wrong_entry_is_marked_and_costs_nobody_what_else_they_have_entered() {
    let pages = Pages::start("");
    let preferences = pages.subscriber("anna@example.org").preferences;
    let before = pages.person("anna@example.org")["subscription"].clone();
    let fine = [
        ("asked", "topics"),
        ("topic", "netz"),
        ("cadence", "weekly"),
        ("length", "short"),
        ("asked", "pictures"),
        ("most_stories", "7"),
        ("mute_words", "Fußball, Börse"),
        ("asked", "days"),
        ("days", "mon"),
        ("days", "fri"),
        ("hour", "18"),
        ("timezone", "Asia/Tokyo"),
        ("least_stories", "2"),
        ("paused_until", "2099-01-02"),
        ("lang", "de"),
    ];
    for (name, value, fault) in [
        (
            "timezone",
            "Middle/Earth",
            "Diese Zeitzone kennen wir nicht",
        ),
        ("paused_until", "2099-02-30", "einen Tag in der Zukunft"),
        ("paused_until", "2020-01-01", "einen Tag in der Zukunft"),
        ("most_stories", "viele", "eine Zahl von 1 bis 999"),
        ("topic", "nix", "„nix“ steht nicht zur Wahl"),
        ("cadence", "nix", "„nix“ steht nicht zur Wahl"),
        ("days", "nix", "mindestens einen Tag"),
    ] {
        let replaced = |(own, kept): &(&'static str, &'static str)| match *own == name {
            true => (name, value),
            false => (*own, *kept),
        };
        let fields: Vec<_> = fine.iter().map(replaced).collect();
        let refused = pages.post(&preferences, &fields).expect(422);
        assert!(refused.body.contains(fault), "{fault}: {}", refused.body);
        for (kept, shown) in [
            ("mute_words", "value=\"Börse, Fußball\""),
            ("hour", "value=\"18\" selected"),
            ("least_stories", "name=\"least_stories\" value=\"2\""),
            ("length", "value=\"short\" checked"),
        ] {
            let shown = shown.replace("Börse, Fußball", "Fußball, Börse");
            assert!(
                kept == name || refused.body.contains(&shown),
                "{kept}: {}",
                refused.body
            );
        }
        assert_eq!(
            pages.person("anna@example.org")["subscription"],
            before,
            "{name}"
        );
    }
    let none: Vec<_> = fine
        .iter()
        .copied()
        .filter(|(name, _)| *name != "topic")
        .collect();
    let refused = pages.post(&preferences, &none).expect(422);
    assert!(
        refused.body.contains("mindestens ein Thema"),
        "{}",
        refused.body
    );
    let saved = pages.post(&preferences, &fine).expect(200);
    assert!(
        saved
            .body
            .contains("name=\"mute_words\" value=\"Börse, Fußball\""),
        "{}",
        saved.body
    );
    let known = &pages.person("anna@example.org")["subscription"];
    for (name, value) in [
        ("topics", serde_json::json!(["netz"])),
        ("pictures", false.into()),
        ("most_stories", 7.into()),
        ("least_stories", 2.into()),
        ("mute_words", serde_json::json!(["Börse", "Fußball"])),
        ("days", serde_json::json!(["mon", "fri"])),
    ] {
        assert_eq!(known[name], value, "{name}");
    }
}

#[test]
fn everything_is_a_choice_of_its_own() {
    let pages = Pages::start("");
    let preferences = pages.subscriber("anna@example.org").preferences;
    let shown = pages.get(&preferences).expect(200);
    for ticked in [
        "name=\"everything\" value=\"1\" checked",
        "value=\"ki\" checked",
        "value=\"netz\" checked",
    ] {
        assert!(shown.body.contains(ticked), "{ticked}: {}", shown.body);
    }
    let topics = |fields: &[(&str, &str)]| {
        pages
            .post(&preferences, &[&[("asked", "topics")], fields].concat())
            .expect(200);
        pages.person("anna@example.org")["subscription"]["topics"].clone()
    };
    let [had, all] = [("had_everything", "1"), ("everything", "1")];
    let [ki, netz] = [("topic", "ki"), ("topic", "netz")];
    assert_eq!(topics(&[had, all, ki, netz]), serde_json::json!(["*"]));
    assert_eq!(
        topics(&[had, all, ki]),
        serde_json::json!(["ki"]),
        "one topic was unticked"
    );
    assert_eq!(
        topics(&[all, ki]),
        serde_json::json!(["*"]),
        "everything was ticked"
    );
    assert_eq!(
        topics(&[had, ki, netz]),
        serde_json::json!(["ki", "netz"]),
        "everything was unticked"
    );
}

#[test]
fn a_link_that_was_used_says_what_is_so() {
    let pages = Pages::start("");
    let token = pages.form_token(10);
    let fields = [
        ("address", "anna@example.org"),
        ("lang", "de"),
        ("token", &token),
    ];
    pages.post("subscribe", &fields).expect(200);
    let link = pages.letter(1, "anna@example.org", &format!("{}confirm/", pages.url));
    pages.post(&link, &[("lang", "de")]).expect(200);
    let again = pages.get(&link).expect(200);
    assert!(
        again.body.contains("ist bestätigt") && !again.body.contains("method=\"post\""),
        "{}",
        again.body
    );
    let unsubscribe = pages.letter(2, "anna@example.org", &format!("{}u/", pages.url));
    pages.post(&unsubscribe, &[]).expect(200);
    for answer in [pages.get(&link), pages.post(&link, &[("lang", "de")])] {
        let answer = answer.expect(200);
        assert!(
            answer.body.contains("Sie haben sich abgemeldet"),
            "{}",
            answer.body
        );
    }
    assert_eq!(pages.state_of("anna@example.org"), "unsubscribed");
}

#[test]
fn one_click_is_enough_whatever_the_mail_program_sends() {
    let pages = Pages::start("");
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
    let bodies = [
        (
            "application/x-www-form-urlencoded",
            "List-Unsubscribe=One-Click",
        ),
        ("multipart/form-data; boundary=x", multipart),
        ("text/nonsense", "???"),
        ("", ""),
    ];
    let mut answers = Vec::new();
    for (number, (kind, body)) in bodies.into_iter().enumerate() {
        let address = format!("reader{number}@example.org");
        let link = pages.subscriber(&address).unsubscribe;
        let headers: &[(&str, &str)] = match kind {
            "" => &[],
            kind => &[("content-type", kind)],
        };
        for _ in 0..2 {
            answers.push(pages.ask("POST", &link, headers, body.into()).expect(200));
        }
        assert_eq!(pages.state_of(&address), "unsubscribed", "{kind}");
    }
    for token in ["", "nix", "0000000000001yx03px5jzqbvaj68", &"x".repeat(500)] {
        if !token.is_empty() {
            let link = format!("u/{token}");
            for method in ["GET", "POST"] {
                let nobody = pages.ask(method, &link, &[], Vec::new()).expect(404);
                assert!(
                    nobody.body.contains("Sie sind noch nicht abgemeldet")
                        && nobody.body.contains("mailto:"),
                    "{}",
                    nobody.body
                );
            }
        }
    }
    let plain = |body: &str| {
        let undo = body.find("undo/").unwrap();
        body[..undo].to_owned() + &body[undo + 34..]
    };
    for answer in &answers {
        assert_eq!(plain(&answer.body), plain(&answers[0].body));
        assert_eq!(answer.body.len(), answers[0].body.len());
        assert_eq!(answer.header("set-cookie"), "");
        assert_eq!(answer.header("location"), "");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
}

#[test]
fn an_address_changes_by_a_click_in_its_new_mailbox() {
    let pages = Pages::start("");
    let anna = pages.subscriber("anna@example.org");
    let asked = pages.post(
        &format!("{}/address", anna.preferences),
        &[("address", "neu@example.org")],
    );
    asked.expect(200);
    let link = pages.letter(3, "neu@example.org", &format!("{}move/", pages.url));
    pages.get(&link).expect(200);
    assert_eq!(pages.state_of("anna@example.org"), "confirmed");
    pages.post(&link, &[]).expect(200);
    assert_eq!(pages.state_of("neu@example.org"), "confirmed");
    // The old mailbox is told, and who moved is still found by it.
    pages.smtp.wait_for(4);
    let told = pages.letter_text("anna@example.org");
    assert!(told.contains("andere Adresse"), "{told}");
    assert_eq!(
        pages.person("anna@example.org")["address"],
        "neu@example.org"
    );
    pages.get(&anna.preferences).expect(200);
    let wrong = pages.post(
        &format!("{}/address", anna.preferences),
        &[("address", "nix")],
    );
    wrong.expect(422);
}

#[test]
fn a_story_is_followed_and_its_news_come_in_the_digest_or_at_once() {
    let pages = Pages::start("");
    let titles = |story: &str| {
        let feed = pages.get("topics/ki/feed.atom").expect(200).body;
        assert!(feed.contains(story), "{feed}");
    };
    titles("KI hilft");
    let story = pages
        .get("topics/ki")
        .expect(200)
        .find(&format!("{}stories/", pages.url));
    let key = Subscriber::token(&story).to_owned();
    let keys = pages.keys();
    let mut links = Vec::new();
    for (address, how) in [
        ("anna@example.org", "digest"),
        ("bert@example.org", "at-once"),
    ] {
        let reader = pages.subscriber(address);
        let token = Subscriber::token(&reader.preferences);
        let id = keys
            .open(tidings::model::Purpose::Preferences, token)
            .unwrap();
        let follow = keys.seal(tidings::model::Purpose::Follow, id);
        let link = format!("{}follow/{follow}/{key}", pages.url);
        let question = pages.get(&link).expect(200);
        assert!(question.body.contains("Ärzten"), "{}", question.body);
        assert_eq!(pages.person(address)["follows"], serde_json::json!([]));
        pages.post(&link, &[("how", how)]).expect(200);
        assert_eq!(
            pages.person(address)["follows"][0]["at_once"],
            how == "at-once"
        );
        links.push((reader, link));
    }
    // The next morning there is news of it, and other news.
    let next = crate::support::rss(
        "Kurier",
        &[
            (
                "Ärzten hilft KI bei der Diagnose auch in Kliniken",
                "Ein Sprachmodell liest Röntgenbilder in zehn Kliniken.",
            ),
            (
                "KI schreibt Gedichte über Katzen",
                "Sie reimen sich nicht immer, sagen Leser.",
            ),
        ],
    );
    let next = next.replace("20 Nov", "21 Nov").replace("Fri,", "Sat,");
    std::fs::write(pages.project.path("feed.xml"), next).unwrap();
    pages
        .project
        .edit_config("now = \"2026-11-20T07:05", "now = \"2026-11-21T07:05");

    pages.project.run(&["send"]).expect(0);
    pages.smtp.wait_for(4 + 3);
    // Nothing at once is wanted that has no news.
    assert_eq!(
        pages.person("bert@example.org")["deliveries"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let digest = pages.letter_text("anna@example.org");
    let heading = "# Sie folgen: KI hilft";
    assert!(
        digest.contains(heading) && digest.contains("KI schreibt Gedichte"),
        "{digest}"
    );
    assert!(digest.contains("Nicht mehr folgen"), "{digest}");
    let section = digest
        .split(heading)
        .nth(1)
        .unwrap()
        .split("\n# ")
        .next()
        .unwrap();
    assert!(
        section.contains("Kliniken") && !section.contains("Katzen"),
        "{section}"
    );
}

#[test]
fn the_archive_shows_what_was_sent_and_nothing_personal() {
    let pages = Pages::start("");
    pages.subscriber("anna@example.org");
    let archive = pages.get("archive").expect(200);
    let edition = archive.find(&format!("{}editions/", pages.url));
    let story = pages
        .get("topics/ki")
        .expect(200)
        .find(&format!("{}stories/", pages.url));
    let public = [
        "",
        "archive",
        "topics/ki",
        "topics/netz",
        "search?q=Sprachmodelle",
        "feed.atom",
        "feed.json",
        "topics/ki/feed.atom",
        "topics/ki/feed.json",
        "sources.opml",
        "sitemap.xml",
        "robots.txt",
        "embed",
        &edition,
        &story,
        &format!("{story}/feed.atom"),
    ];
    for path in public {
        let page = pages.get(path).expect(200);
        for personal in ["/u/", "/p/", "/follow/", "/confirm/", "anna@"] {
            // robots.txt names the folders.
            assert!(
                path == "robots.txt" || !page.body.contains(personal),
                "{path} has {personal}: {}",
                page.body
            );
        }
        assert!(
            path.ends_with(".json")
                || !page.body.contains("<i>Ärzten") && !page.body.contains("<b>Bote"),
            "{path}: {}",
            page.body
        );
    }
    let page = pages.get(&edition).expect(200);
    for part in [
        "KI hilft",
        "og:title",
        "og:url",
        "rel=\"canonical\"",
        "Dieser Meldung folgen",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    let page = pages.get(&story).expect(200);
    for part in [
        "news.google.com",
        "bing.com/news",
        "duckduckgo.com",
        "name=\"follow\"",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    // German finds other forms of a word; English pages are the same archive.
    for (query, hits) in [
        ("Sprachmodelle", 1),
        ("röntgenbild", 1),
        ("Kabel Meer", 1),
        ("Kabel Röntgenbild", 0),
        ("*\" OR 1=1", 0),
    ] {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let found = pages.get(&format!("search?lang=en&q={query}")).expect(200);
        assert_eq!(
            found.body.matches("<h3>").count(),
            hits,
            "{query}: {}",
            found.body
        );
    }
    // Asked again, it says that nothing is new.
    let tag = archive.header("etag").to_owned();
    assert!(
        archive
            .header("cache-control")
            .starts_with("public, max-age=")
    );
    let again = pages.ask("GET", "archive", &[("if-none-match", &tag)], Vec::new());
    assert_eq!(
        (again.expect(304).body.as_str(), tag.is_empty()),
        ("", false)
    );
    let sitemap = pages.get("sitemap.xml").expect(200);
    assert!(sitemap.body.contains(&edition), "{}", sitemap.body);
    for (feed, entries) in [
        ("feed.atom", 2),
        ("feed.json", 2),
        ("topics/netz/feed.atom", 1),
    ] {
        let feed = pages.get(feed).expect(200).body;
        let read = feed_rs::parser::parse(feed.as_bytes()).unwrap();
        assert_eq!(read.entries.len(), entries, "{feed}");
        assert!(!read.id.is_empty());
    }
    pages.get("editions/nix").expect(404);
    pages
        .get("stories/0123456789abcdef0123456789abcdef")
        .expect(404);
    pages.get("topics/nix").expect(404);
}

#[test]
fn an_archive_is_private_or_off_when_the_publisher_wants_it() {
    let pages = Pages::start("archive = \"private\"");
    for path in [
        "archive",
        "feed.atom",
        "topics/ki",
        "search?q=KI",
        "sitemap.xml",
        "archive?key=nix",
    ] {
        pages.get(path).expect(404);
    }
    let home = pages.get("").expect(200);
    assert!(
        !home.body.contains("KI hilft") && !home.body.contains("archive"),
        "{}",
        home.body
    );
    let key = pages.keys().seal(tidings::model::Purpose::Archive, 0);
    let archive = pages.get(&format!("archive?key={key}")).expect(200);
    assert!(archive.header("cache-control").starts_with("private"));
    assert_eq!(archive.header("x-robots-tag"), "noindex");
    let edition = archive.find(&format!("{}editions/", pages.url));
    pages.get(&edition).expect(200);
    // The mail leads there, too.
    pages.subscriber("anna@example.org");
    let next = crate::support::rss("Kurier", &[("KI am nächsten Tag", "Ein Satz darüber.")]);
    std::fs::write(
        pages.project.path("feed.xml"),
        next.replace("Fri, 20", "Sat, 21"),
    )
    .unwrap();
    pages
        .project
        .edit_config("now = \"2026-11-20T07:05", "now = \"2026-11-21T07:05");
    pages.project.run(&["send"]).expect(0);
    pages.smtp.wait_for(3);
    let digest = pages.letter_text("anna@example.org");
    assert!(digest.contains(&format!("?key={key}")), "{digest}");

    let pages = Pages::start("archive = \"off\"");
    let key = pages.keys().seal(tidings::model::Purpose::Archive, 0);
    for path in ["archive", "feed.json", &format!("archive?key={key}")] {
        pages.get(path).expect(404);
    }
    assert!(!pages.get("").expect(200).body.contains("archive"));
}

#[test]
fn a_program_signs_somebody_up() {
    let pages = Pages::start("");
    let offer = pages.get("subscribe.json?lang=en").expect(200);
    assert_eq!(offer.header("access-control-allow-origin"), "*");
    let offer: serde_json::Value = serde_json::from_str(&offer.body).unwrap();
    assert_eq!(offer["topics"][1]["id"], "netz");
    let json = [
        ("content-type", "application/json"),
        ("accept-language", "en"),
    ];
    let send = |body: serde_json::Value| {
        pages.ask("POST", "subscribe", &json, body.to_string().into_bytes())
    };
    let token = pages.form_token(10);
    for (member, value) in [
        ("topics", serde_json::json!(["netz", "nix"])),
        ("topics", serde_json::json!([])),
        ("cadence", serde_json::json!("nix")),
        ("language", serde_json::json!("nix")),
    ] {
        let mut wrong = serde_json::json!({"address": "anna@example.org", "token": token});
        wrong[member] = value.clone();
        let answer = send(wrong).expect(422);
        let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(said["field"], member, "{said}");
        let is_named = value.as_array().is_some_and(Vec::is_empty)
            || said["message"].as_str().unwrap().contains("“nix”");
        assert!(is_named, "{said}");
    }
    let fine = serde_json::json!({"address": "anna@example.org", "topics": ["netz"], "cadence": "weekly", "token": token});
    let answer = send(fine).expect(202);
    assert!(answer.body.contains("\"sent\""), "{}", answer.body);
    let link = pages.letter(1, "anna@example.org", &format!("{}confirm/", pages.url));
    pages.post(&link, &[]).expect(200);
    assert_eq!(
        pages.person("anna@example.org")["subscription"]["topics"],
        serde_json::json!(["netz"])
    );
    for (body, status) in [
        (serde_json::json!({"address": "nix", "token": token}), 422),
        (
            serde_json::json!({"address": "root@localhost", "token": token}),
            422,
        ),
        (
            serde_json::json!({"address": "b@example.org", "token": "nix"}),
            422,
        ),
        (
            serde_json::json!({"address": "b@example.org", "token": offer["token"]}),
            425,
        ),
        (serde_json::json!({"token": token}), 422),
        (serde_json::json!([1, 2]), 422),
    ] {
        send(body).expect(status);
    }
    let preflight = pages.ask(
        "OPTIONS",
        "subscribe",
        &[("origin", "https://elsewhere.example")],
        Vec::new(),
    );
    assert_eq!(
        preflight.expect(204).header("access-control-allow-headers"),
        "content-type"
    );
}

#[test]
fn a_form_on_another_site_leads_to_one_of_ours_with_what_was_filled_in() {
    let pages = Pages::start("");
    let snippet = pages.get("embed").expect(200);
    assert!(
        snippet.body.contains("&#60;form action="),
        "{}",
        snippet.body
    );
    let elsewhere = [
        ("origin", "https://elsewhere.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    let fields = [
        ("address", "anna@example.org"),
        ("lang", "en"),
        ("form", "embedded"),
    ];
    let form = pages
        .post_from("subscribe", &fields, &elsewhere)
        .expect(200);
    assert!(
        form.body.contains("value=\"anna@example.org\""),
        "{}",
        form.body
    );
    assert_eq!(pages.smtp.messages(), 0);
}

#[test]
fn operators_see_numbers_and_it_ends_in_good_order() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut pages = Pages::start(&format!("metrics = \"127.0.0.1:{port}\""));
    pages.subscriber("anna@example.org");
    pages.get("health").expect(200);
    pages.get("metrics").expect(404);
    let metrics = pages
        .get(&format!("http://127.0.0.1:{port}/metrics"))
        .expect(200)
        .body;
    for line in [
        "tidings_readers_total{event=\"confirmed\"} 1",
        "tidings_subscribers{state=\"confirmed\"} 1",
        "tidings_requests_total{route=\"/confirm/{token}\",status=\"200\"} 1",
        "tidings_letters_total{outcome=\"sent\"}",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("anna@"));
    let (code, said) = pages.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        !said.contains("anna@") && !said.contains("panicked"),
        "{said}"
    );
}

#[test]
fn a_letter_that_could_not_be_sent_survives_the_process() {
    let mut pages = Pages::start("");
    pages.smtp.be_gone(true);
    pages.sign_up("anna@example.org").expect(200);
    let letter = |pages: &Pages| pages.person("anna@example.org")["letters"][0].clone();
    let patience = std::time::Instant::now();
    while letter(&pages)["answer"].is_null() {
        assert!(patience.elapsed().as_secs() < 20, "it was not tried");
    }
    let before = letter(&pages);
    assert_eq!(before["state"], "pending");
    pages.restart();
    assert_eq!(letter(&pages), before);
}

#[test]
fn what_was_followed_erased_and_changed_is_told_by_the_command_line() {
    let pages = Pages::start("");
    let anna = pages.subscriber("anna@example.org");
    let erased = pages
        .project
        .run(&["subscribers", "erase", "anna@example.org"])
        .expect(0);
    assert!(erased.stdout.contains("Erased"), "{}", erased.stdout);
    pages
        .project
        .run(&["subscribers", "export", "anna@example.org"])
        .expect(1);
    pages.get(&anna.preferences).expect(404);
    pages
        .ask("POST", &anna.unsubscribe, &[], Vec::new())
        .expect(200);
    let bert = pages.subscriber("bert@example.org");
    pages
        .project
        .run(&["store", "new-key", "--keep", "0"])
        .expect(0);
    let mut pages = pages;
    pages.restart();
    pages.get(&bert.preferences).expect(404);
}

#[test]
fn a_socket_that_systemd_has_opened_is_taken() {
    let mut pages = Pages::start("");
    pages.stop();
    // As systemd does it (sd_listen_fds(3)): the socket is number 3, and the process is told so.
    let hand_over = "import os, socket, sys\n\
        listener = socket.create_server(('127.0.0.1', 0))\n\
        print(listener.getsockname()[1], flush=True)\n\
        os.dup2(listener.fileno(), 3)\n\
        os.set_inheritable(3, True)\n\
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n\
        os.execv(sys.argv[1], ['tidings', 'serve'])\n";
    let mut process = std::process::Command::new("python3")
        .args(["-c", hand_over, env!("CARGO_BIN_EXE_tidings")])
        .current_dir(pages.project.path(""))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut port = String::new();
    let mut output = std::io::BufReader::new(process.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut port).unwrap();
    // The socket takes connections before anybody answers them.
    let health = pages.get(&format!("http://127.0.0.1:{}/health", port.trim()));
    health.expect(200);
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn pages_below_a_path_send_what_is_due_without_cron() {
    let pages = Pages::start_below("news");
    pages.get(pages.url.trim_end_matches('/')).expect(200);
    let anna = pages.subscriber("anna@example.org");
    assert!(
        anna.preferences.contains("/news/p/"),
        "{}",
        anna.preferences
    );
    pages
        .post(&anna.preferences, &[("length", "headlines")])
        .expect(200);
    let next = crate::support::rss("Kurier", &[("KI am nächsten Tag", "Ein Satz darüber.")]);
    std::fs::write(
        pages.project.path("feed.xml"),
        next.replace("Fri, 20", "Sat, 21"),
    )
    .unwrap();
    pages
        .project
        .edit_config("now = \"2026-11-20T07:05", "now = \"2026-11-21T07:05");
    let mut pages = pages;
    pages.restart();
    pages.smtp.wait_for(3);
    let digest = pages.letter_text("anna@example.org");
    assert!(
        digest.contains("KI am nächsten Tag") && !digest.contains("Ein Satz darüber"),
        "{digest}"
    );
}

#[test]
fn news_at_once_of_what_is_followed_no_longer_are_not_sent_and_nothing_has_failed() {
    let pages = Pages::start("");
    let bert = pages.subscriber("bert@example.org");
    let keys = pages.keys();
    let preferences = tidings::model::Purpose::Preferences;
    let id = keys
        .open(preferences, Subscriber::token(&bert.preferences))
        .unwrap();
    let follow = keys.seal(tidings::model::Purpose::Follow, id);
    let links: Vec<String> = ["ki", "netz"]
        .iter()
        .map(|topic| {
            let page = pages.get(&format!("topics/{topic}")).expect(200);
            let story = page.find(&format!("{}stories/", pages.url));
            format!("{}follow/{follow}/{}", pages.url, Subscriber::token(&story))
        })
        .collect();
    for link in &links {
        pages.post(link, &[("how", "at-once")]).expect(200);
    }
    let news = [(
        "Ärzten hilft KI bei der Diagnose auch in Kliniken",
        "Ein Sprachmodell liest Röntgenbilder in zehn Kliniken.",
    )];
    let next = crate::support::rss("Kurier", &news).replace("Fri, 20", "Sat, 21");
    std::fs::write(pages.project.path("feed.xml"), next).unwrap();
    pages
        .project
        .edit_config("now = \"2026-11-20T07:05", "now = \"2026-11-21T07:05");
    // It is planned, and cannot go out yet.
    pages.smtp.be_gone(true);
    pages.project.run(&["send"]).expect(1);
    pages.post(&links[0], &[("how", "stop")]).expect(200);
    pages.smtp.be_gone(false);
    pages.project.run(&["send"]).expect(0);
    let deliveries = &pages.person("bert@example.org")["deliveries"];
    let state = |edition: &str| {
        let mut all = deliveries.as_array().unwrap().iter();
        let found = all.find(|one| one["edition"].as_str().unwrap().contains(edition));
        found.unwrap_or_else(|| panic!("{edition}: {deliveries}"))["state"].clone()
    };
    assert_eq!(
        (state("followed"), state("daily")),
        ("cancelled".into(), "sent".into())
    );
}

#[test]
fn pages_survive_that_postgresql_cuts_idle_connections() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    postgres.sql("ALTER ROLE tidings SET idle_session_timeout = '500ms'");
    let pages = Pages::start_on(&postgres);
    for _ in 0..3 {
        postgres.wait_until("SELECT COUNT(*) = 0 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
        for path in [
            "archive",
            "",
            "ready",
            "search?q=KI",
            "topics/ki",
            "feed.atom",
        ] {
            pages.get(path).expect(200);
        }
        pages.sign_up("anna@example.org").expect(200);
    }
}

#[test]
fn the_second_to_serve_sends_letters_when_the_first_has_ended() {
    let mut first = Pages::start_with_maildir();
    let second = first.second();
    first.stop();
    // Planned by nobody's pages.
    let letters = || second.project.maildir().len();
    first.project.sql(
        "INSERT INTO letter (kind, about, address, address_key, mailbox, language, created_at, due_at, id)
         SELECT 'goodbye', 1, 'zoe@example.org', 'zoe@example.org', 'zoe@example.org', 'de', strftime('%s', 'now'), 0, 1",
    );
    let started = std::time::Instant::now();
    while letters() == 0 {
        assert!(started.elapsed().as_secs() < 60, "no letter came");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_hang_up_takes_the_configuration_over_or_says_what_is_wrong_with_it() {
    let mut pages = Pages::start("");
    pages.project.edit_config("Der <b>Bote</b>", "Die Post");
    pages.hang_up();
    pages.wait_for("", |page| page.body.contains("Die Post"));

    pages
        .project
        .edit_config("title = \"Die Post\"", "titel = \"Das Blatt\"");
    pages.hang_up();
    let told = pages.wait_for("ready", |page| page.status == 503);
    assert!(
        told.body
            .contains("configuration: it was changed, and cannot be taken over"),
        "{}",
        told.body
    );
    let page = pages.get("").expect(200);
    assert!(page.body.contains("Die Post"), "the old one goes on");

    pages
        .project
        .edit_config("titel = \"Das Blatt\"", "title = \"Das Blatt\"");
    pages.hang_up();
    pages.wait_for("ready", |page| page.status == 200);
    assert!(pages.get("").body.contains("Das Blatt"));
    let (code, said) = pages.stop();
    assert_eq!(code, Some(0));
    assert!(
        said.contains("The configuration was not taken over")
            && said.contains("newsletter.titel: is not a key"),
        "{said}"
    );
}
