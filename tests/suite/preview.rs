//! What a preview shows, and that it changes nothing.

use std::collections::BTreeMap;
use std::process::Stdio;

use crate::support::{FeedServer, Project, inspect, newsletter};

/// Every file of the project with its content, but for the folder that previews write to.
fn contents(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(project.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files.insert(
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            );
        }
    }
    files
}

#[test]
fn the_shipped_configuration_works_on_a_fresh_machine() {
    let project = Project::shipped();
    let before = contents(&project);
    let ran = project.run(&["preview"]).expect(0);
    assert!(
        ran.stdout.contains("daily: 14 stories since"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        contents(&project),
        before,
        "no store appears, and nothing else changes"
    );
    for file in [
        "daily.html",
        "daily.txt",
        "daily.eml",
        "weekly.html",
        "weekly.txt",
        "weekly.eml",
        "report.html",
    ] {
        assert!(
            project.path("out").join(file).metadata().unwrap().len() > 1_000,
            "{file}"
        );
    }

    project.run(&["check"]).expect(0);
    project.run(&["send"]).expect(0).silent();
    assert_eq!(project.maildir().len(), 3);
    project.run(&["send"]).expect(0).silent();
    assert_eq!(project.maildir().len(), 3, "the second send does nothing");
}

#[test]
fn the_mail_that_is_previewed_is_the_mail_that_is_sent() {
    let project = Project::shipped();
    project.run(&["preview"]).expect(0);
    let bodies = |file: std::path::PathBuf| inspect(&[file]).remove(0);
    let previewed = bodies(project.path("out/daily.eml"));
    project.run(&["send"]).expect(0);
    let sent = project
        .maildir()
        .into_iter()
        .map(bodies)
        .find(|mail| mail.header("To").contains("anna@example.org"))
        .unwrap();
    assert_eq!(previewed.header("Subject"), sent.header("Subject"));
    // But for the tokens that are the reader's own.
    let plain = |text: &str| {
        ["/u/", "/p/", "/follow/"]
            .into_iter()
            .fold(text.to_owned(), |text, page| {
                let mut parts = text.split(page);
                let mut plain = parts.next().unwrap().to_owned();
                for part in parts {
                    plain = plain + page + "TOKEN" + &part[29..];
                }
                plain
            })
    };
    for (mine, theirs) in previewed.parts.iter().zip(&sent.parts) {
        // On the wire lines end in CRLF; in a Maildir as the system ends them.
        let mine = plain(&mine.1.replace("\r\n", "\n"));
        let theirs = plain(&theirs.1);
        assert!(mine == theirs, "previewed:\n{mine}\nsent:\n{theirs}");
    }
}

#[test]
fn a_preview_beside_a_store_changes_nothing_in_it() {
    let project = Project::shipped();
    project.run(&["collect"]).expect(0).silent();
    let rows = |project: &Project| {
        let list = project
            .run(&["subscribers", "list", "--json"])
            .expect(0)
            .stdout;
        list + &project.run(&["feeds", "list", "--json"]).expect(0).stdout
    };
    let before = rows(&project);
    project
        .run(&["preview", "--at", "2026-11-21T07:00:00+01:00"])
        .expect(0);
    project.run(&["feeds", "check"]).expect(0);
    assert_eq!(rows(&project), before);
    project.run(&["send"]).expect(0).silent();
    assert_eq!(project.maildir().len(), 3);
}

#[test]
fn reports_of_one_event_are_one_story_with_its_sources() {
    let project = Project::shipped();
    let report = project
        .run(&["preview", "--json", "--cadence", "daily"])
        .expect(0)
        .json();
    let sections = report["editions"][0]["edition"]["sections"]
        .as_array()
        .unwrap();
    let story = &sections[0]["stories"][0];
    assert!(
        story["lead"]["title"]
            .as_str()
            .unwrap()
            .contains("Polaris 3"),
        "{story}"
    );
    let sources: Vec<&str> = story["others"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["source"].as_str().unwrap())
        .collect();
    assert!(sources.len() >= 2, "{sources:?}");
    let left_out = report["editions"][0]["left_out"].as_array().unwrap();
    let reason = |title: &str| {
        let item = left_out
            .iter()
            .find(|left| left["item"]["title"].as_str().unwrap().contains(title));
        item.unwrap_or_else(|| panic!("{title} is not left out"))["reason"].clone()
    };
    assert_eq!(reason("Balkonpflanzen"), "no_topic");
    assert_eq!(reason("Gewinnspiel"), "excluded");
}

#[test]
fn each_reader_is_shown_the_report_in_their_language() {
    let project = Project::shipped();
    project
        .run(&["preview", "--cadence", "daily", "--language", "en"])
        .expect(0);
    let english = std::fs::read_to_string(project.path("out/daily.txt")).unwrap();
    assert!(
        english.contains("Friday, 20 November 2026") && english.contains("In this edition:"),
        "{english}"
    );
    assert!(
        english.contains(" 1. Germany’s Nordlicht opens up Polaris 3"),
        "{english}"
    );
    project.run(&["preview", "--cadence", "daily"]).expect(0);
    let german = std::fs::read_to_string(project.path("out/daily.txt")).unwrap();
    assert!(
        german.contains("Freitag, 20. November 2026") && german.contains("In dieser Ausgabe:"),
        "{german}"
    );
    assert!(
        german.contains(" 1. Polaris 3: Nordlicht stellt offenes Sprachmodell"),
        "{german}"
    );
}

#[test]
fn a_preview_of_an_empty_time_takes_the_old_files_away() {
    let project = Project::shipped();
    project.run(&["preview"]).expect(0);
    let ran = project
        .run(&["preview", "--at", "2026-10-01T07:00:00+02:00"])
        .expect(0);
    assert!(
        ran.stdout.contains("so nothing would go out"),
        "{}",
        ran.stdout
    );
    assert!(!project.path("out/daily.html").exists());
}

#[test]
fn a_preview_keeps_nobody_out_while_it_fetches() {
    let feeds = FeedServer::start();
    let project = Project::shipped();
    project.run(&["collect"]).expect(0).silent();
    project.edit_config("samples/harbour-post.xml", &feeds.stall("/slow"));
    project.edit_config("# timeout = \"30s\"", "timeout = \"3s\"");
    project.edit_config("# allow_private = false", "allow_private = true");
    let mut preview = project
        .command(&["preview"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    feeds.wait_for_request();
    project
        .run(&["subscribers", "add", "dora@example.org"])
        .expect(0);
    assert!(
        preview.try_wait().unwrap().is_none(),
        "the preview was still fetching"
    );
    preview.wait().unwrap();
}

#[test]
fn explain_says_why_each_item_is_in_or_out_and_changes_nothing() {
    let project = Project::shipped();
    let told = project.run(&["explain", "--cadence", "daily"]).expect(0);
    let text = &told.stdout;
    for part in [
        "  72  Polaris 3: Nordlicht stellt offenes Sprachmodell",
        "relevance 77 · coverage 90 · recency 98",
        "Fri 05:48 Netzkurier (shown)",
        "excluded from “Künstliche Intelligenz” by “Gewinnspiel”",
        "10 items match no topic; --all lists them.",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("Balkonpflanzen"), "{text}");

    let all = project.run(&["explain", "--all"]).expect(0).stdout;
    assert!(all.contains("Zehn Balkonpflanzen"), "{all}");
    let some = project
        .run(&["explain", "kestrel", "NETZKURIER"])
        .expect(0)
        .stdout;
    assert!(
        some.contains("Lücke in Kestrel-Routern") && !some.contains("Polaris"),
        "{some}"
    );

    project.run(&["explain", "--html", "why.html"]).expect(0);
    let page = std::fs::read_to_string(project.path("why.html")).unwrap();
    assert!(page.contains("Kept out by the configuration (1)"), "{page}");
    let json = project
        .run(&["explain", "--json", "--cadence", "daily"])
        .expect(0)
        .json();
    let score = &json["editions"][0]["edition"]["sections"][0]["stories"][0]["score"];
    assert!(score["novelty"].as_f64().unwrap() > 0.9, "{score}");

    project.run(&["explain", "--cadence", "monthly"]).expect(2);
    assert!(!project.path("tidings.db").exists());
}

#[test]
fn an_edition_is_written_in_every_format() {
    let project = Project::shipped();
    let formats = "html,text,eml,page,atom,json,markdown";
    project
        .run(&[
            "preview",
            "--cadence",
            "daily",
            "--format",
            formats,
            "--out",
            "all",
        ])
        .expect(0);
    for (file, holds) in [
        ("daily.html", "<table"),
        ("daily.txt", " 1. Polaris 3"),
        ("daily.eml", "List-Unsubscribe:"),
        ("daily.page.html", "<main>"),
        ("daily.atom", "<feed xmlns=\"http://www.w3.org/2005/Atom\""),
        ("daily.feed.json", "https://jsonfeed.org/version/1.1"),
        ("daily.md", "### [Polaris 3"),
    ] {
        let text = std::fs::read_to_string(project.path("all").join(file)).unwrap();
        assert!(text.contains(holds), "{file}: {text}");
        let personal = ["reader@example.org", "Abmelden"];
        let is_mail = ["daily.html", "daily.txt", "daily.eml"].contains(&file);
        assert_eq!(
            personal.iter().any(|part| text.contains(part)),
            is_mail,
            "{file}"
        );
    }
    // What one writes, another reads.
    for file in ["all/daily.atom", "all/daily.feed.json"] {
        let config = newsletter() + &format!("[[feed]]\nurl = \"{file}\"\n");
        std::fs::write(project.path("reader.toml"), config).unwrap();
        let read = project
            .run(&["collect", "--json", "-c", "reader.toml"])
            .expect(0);
        // Both carry the same stories: the second one brings none that the first has not.
        let known = if file.ends_with("atom") {
            (14, 0)
        } else {
            (0, 14)
        };
        let read = read.json();
        assert_eq!(
            (&read["new_items"], &read["known_items"]),
            (&known.0.into(), &known.1.into())
        );
        assert_eq!(read["failures"].as_array().unwrap().len(), 0);
    }
    project.run(&["preview", "--format", "pdf"]).expect(2);
}

#[test]
fn what_went_out_is_written_for_the_web_under_the_address_that_the_mails_have() {
    let project = Project::shipped();
    project.edit_config("# browser_url", "browser_url");
    let publish = |arguments: &[&str]| {
        let all = ["preview", "--edition", "last", "--out", "public"];
        project.run(&[&all, arguments].concat())
    };
    let early = publish(&["--format", "page"]).expect(1);
    assert_eq!(early.stderr, "No edition has been published yet.\n");

    project.run(&["send"]).expect(0);
    let mail = project
        .maildir()
        .into_iter()
        .map(|mail| std::fs::read_to_string(mail).unwrap());
    let text: String = mail.map(|mail| mail.replace("=\n", "")).collect();
    let written = publish(&["--format", "page,atom,json,markdown,html"]).expect(0);
    let files: Vec<&str> = written.stdout.lines().collect();
    assert_eq!(files.len(), 10, "{files:?}");
    for name in [
        "morgenlage.daily.20261120T060000Z.html",
        "morgenlage.weekly.20261120T060000Z.html",
    ] {
        assert!(
            text.contains(&format!("https://example.org/morgenlage/{name}")),
            "{name}"
        );
        assert!(files.contains(&&*format!("public/{name}")), "{files:?}");
    }
    let page =
        std::fs::read_to_string(project.path("public/morgenlage.daily.20261120T060000Z.html"))
            .unwrap();
    assert!(
        page.contains("<main>") && page.contains("20. November 2026, 5:48 Uhr"),
        "{page}"
    );

    // The next day: the page of the day before stays, and the feed has the stories of both.
    project.edit_config("2026-11-20T07:05:00+01:00", "2026-11-21T07:05:00+01:00");
    let feed = std::fs::read_to_string(project.path("samples/spreebote.xml")).unwrap();
    let news = "<item><title>Ein Sprachmodell zieht aufs Dach</title><link>https://spreebote.example/dach</link>\
                <pubDate>Fri, 20 Nov 2026 20:00:00 +0100</pubDate><description>Es rechnet dort.</description></item></channel>";
    std::fs::write(
        project.path("samples/spreebote.xml"),
        feed.replace("</channel>", news),
    )
    .unwrap();
    project.run(&["send"]).expect(0);
    publish(&["--cadence", "daily", "--format", "page,atom"]).expect(0);
    let atom = std::fs::read_to_string(project.path("public/daily.atom")).unwrap();
    assert!(
        atom.contains("Ein Sprachmodell zieht aufs Dach") && atom.contains("Polaris 3"),
        "{atom}"
    );
    assert!(
        project
            .path("public/morgenlage.daily.20261120T060000Z.html")
            .exists()
    );
    assert!(
        project
            .path("public/morgenlage.daily.20261121T060000Z.html")
            .exists()
    );

    // One of the past, whatever has come since.
    let old = [
        "preview",
        "--edition",
        "morgenlage.daily.20261120T060000Z",
        "--out",
        "old",
        "--format",
        "markdown",
    ];
    assert_eq!(
        project.run(&old).expect(0).stdout,
        "old/morgenlage.daily.20261120T060000Z.md\n"
    );
    let none = ["preview", "--edition", "morgenlage.daily.1"];
    assert_eq!(
        project.run(&none).expect(1).stderr,
        "There is no published edition morgenlage.daily.1.\n"
    );
    project.run(&["preview", "--edition", "../x"]).expect(2);
}

#[test]
fn letters_can_be_looked_at_without_reading_a_feed() {
    let project = Project::shipped();
    project.edit_config("samples/spreebote.xml", "samples/nowhere.xml");
    for (letter, subject) in [
        (
            "confirmation",
            "Morgenlage: Bitte bestätigen Sie Ihr Abonnement",
        ),
        ("welcome", "Willkommen bei Morgenlage"),
        ("goodbye", "Morgenlage: Sie sind abgemeldet"),
        ("report", "Morgenlage: 1 thing to look at"),
    ] {
        let ran = project.run(&["preview", "--letter", letter]).expect(0);
        assert_eq!(ran.stdout.lines().next(), Some(subject));
        let mail = inspect(&[project.path(&format!("out/letter-{letter}.eml"))]).remove(0);
        assert_eq!(mail.defects, [""; 0]);
        assert_eq!(mail.header("Subject"), subject);
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        assert_eq!(mail.parts.len(), 2);
    }
    let ran = project
        .run(&["preview", "--letter", "welcome", "--language", "nl"])
        .expect(0);
    assert!(ran.stdout.starts_with("Welkom bij Morgenlage\n"));
}
