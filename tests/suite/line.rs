//! From twenty feeds to the mailbox.

use std::collections::BTreeSet;

use crate::support::{FeedServer, NOW, Project, Receiver, inspect, newsletter, rss};

fn smtp(port: u16) -> String {
    format!(
        "[delivery]\nmailer = \"smtp\"\n\
         [delivery.smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\nconnections = 2\n"
    )
}

#[test]
fn twenty_feeds_good_and_bad_become_flawless_mails() {
    let Some(mut receiver) = Receiver::start(&[]) else {
        return;
    };
    let feeds = FeedServer::start();
    let mut urls = vec![
        feeds.stall("/slow"),
        feeds.status("/broken-server", 500),
        feeds.status("/gone", 404),
        feeds.feed("/nonsense", "Fatal error: no such table"),
        feeds.feed("/page", "<!DOCTYPE html><html><body>Keine Feeds hier</body></html>"),
        feeds.feed("/huge", " ".repeat(300_000)),
        "http://127.0.0.1:1/refused".to_owned(),
        feeds.feed("/empty", rss("Leer", &[])),
        feeds.feed(
            "/hostile",
            rss(
                "Boese",
                &[("KI &lt;script&gt;alert(0)&lt;/script&gt;&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt; &amp;amp; \u{202e}mehr", "&lt;img src=x onerror=alert(2)&gt;Text mit &amp;lt;b&amp;gt;Ecken&amp;lt;/b&amp;gt;.")],
            ),
        ),
    ];
    for number in urls.len()..20 {
        let title = format!(
            "KI-Meldung Nummer {number} über Wasserkraft {}",
            "abcdefghijklmnopqrst"
                .get(number..=number)
                .unwrap()
                .repeat(9)
        );
        let text = format!(
            "Der {number}. Bericht über künstliche Intelligenz und Ämter. Er hat zwei Sätze."
        );
        urls.push(feeds.feed(
            &format!("/good-{number}"),
            rss(&format!("Quelle{number}"), &[(&title, &text)]),
        ));
    }
    assert_eq!(urls.len(), 20);
    let limits = "allow_private = true\ntimeout = \"1s\"\nmax_bytes = 200000";
    let mut config = newsletter().replace("allow_private = true", limits) + &smtp(receiver.port);
    for url in &urls {
        config += &format!("[[feed]]\nurl = \"{url}\"\n");
    }
    config += "[[subscriber]]\naddress = \"anna@example.org\"\nname = \"Änne, die Große\"\n";
    config += "[[subscriber]]\naddress = \"ben@example.org\"\nlanguage = \"en\"\n";
    let project = Project::with_config(&config);

    let ran = project.run(&["send"]).expect(3);
    assert_eq!(ran.stdout, "", "cron is told of trouble on stderr only");
    for (path, what) in [
        ("/slow", "did not answer in full within 1 s"),
        ("/broken-server", "answered 500"),
        ("/gone", "answered 404"),
        ("/nonsense", "is not a feed that can be read"),
        ("/page", "is not a feed but an HTML page"),
        ("/huge", "is larger than 200000 bytes"),
        ("/refused", "could not be reached"),
    ] {
        assert!(
            ran.stderr
                .lines()
                .any(|line| line.contains(path) && line.contains(what)),
            "{path}: {}",
            ran.stderr
        );
    }
    assert_eq!(ran.stderr.lines().count(), 7, "{}", ran.stderr);

    let again = project.run(&["send"]).expect(3);
    assert_eq!(
        again.stderr.lines().count(),
        7,
        "only the feeds that still fail: {}",
        again.stderr
    );
    assert_eq!(
        feeds.count(304),
        13,
        "what did not change was not sent again"
    );

    let mails = receiver.rest();
    let recipients: BTreeSet<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(
        (mails.len(), recipients),
        (2, BTreeSet::from(["anna@example.org", "ben@example.org"]))
    );
    let files: Vec<_> = mails.iter().map(|mail| mail.file.clone()).collect();
    for (mail, seen) in mails.iter().zip(inspect(&files)) {
        assert_eq!(mail.from, "digest@example.org");
        assert_eq!(seen.defects, [""; 0]);
        assert_eq!(seen.content_type, "multipart/alternative");
        assert!(
            seen.ascii && seen.bare_newlines == 0 && seen.longest_line <= 78,
            "{}",
            seen.longest_line
        );
        assert_eq!(seen.header("From"), "Prüfstück <digest@example.org>");
        assert_eq!(seen.header("Reply-To"), "redaktion@example.org");
        assert_eq!(seen.header("Date"), "Fri, 20 Nov 2026 06:05:00 +0000");
        assert_eq!(seen.header("MIME-Version"), "1.0");
        assert_eq!(seen.header("List-Id"), "<test.example.org>");
        assert_eq!(seen.header("Auto-Submitted"), "auto-generated");
        assert_eq!(seen.header("Precedence"), "bulk");
        assert_eq!(seen.header("X-Auto-Response-Suppress"), "OOF, AutoReply");
        assert_eq!(seen.header("Feedback-ID"), "20261120:daily:test:tidings");
        let (to, language, leave) = match mail.to.as_str() {
            "anna@example.org" => ("\"Änne, die Große\" <anna@example.org>", "de", "Abmelden"),
            _ => ("ben@example.org", "en", "Unsubscribe"),
        };
        assert_eq!(seen.header("To"), to);
        assert_eq!(seen.header("Content-Language"), language);
        let link = format!(
            "mailto:digest@example.org?subject=unsubscribe%20{}",
            mail.to
        );
        // With a token for `tidings inbound`, which nobody can guess.
        let header = seen.header("List-Unsubscribe");
        let token = header.strip_prefix(&format!("<{link}%20"));
        assert_eq!(token.map(str::len), Some(29 + 1), "{header}");
        assert!(
            seen.header("Message-ID")
                .starts_with("<test.daily.20261120T060000Z."),
            "{}",
            seen.header("Message-ID")
        );

        let kinds: Vec<&str> = seen.parts.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["text/plain", "text/html"]);
        let (text, html) = (&seen.parts[0].1, &seen.parts[1].1);
        for body in [text, html] {
            for what in [
                "Wasserkraft",
                "Beispielweg 1, 12345 Musterstadt",
                &link,
                leave,
            ] {
                assert!(body.contains(what), "{what} is missing in {body}");
            }
            assert!(!body.contains(['\u{e000}', '\u{202e}']), "{body}");
        }
        assert!(
            text.contains("KI <script>alert(1)</script> & mehr"),
            "{text}"
        );
        assert!(
            html.contains("KI &lt;script&gt;alert(1)&lt;/script&gt; &amp; mehr"),
            "{html}"
        );
        assert!(
            !html.contains("<script") && !html.contains("<img"),
            "{html}"
        );
    }
}

#[test]
fn a_failed_fetch_deletes_nothing_and_the_edition_goes_out_without_it() {
    let feeds = FeedServer::start();
    let url = feeds.feed("/feed", rss("Quelle", &[("KI eins", "Text.")]));
    let other = feeds.feed(
        "/other",
        rss("Andere", &[("Wasserkraft dank KI", "Stauseen.")]),
    );
    let config = newsletter()
        + &format!(
            "[[feed]]\nurl = \"{url}\"\n[[feed]]\nurl = \"{other}\"\n[[subscriber]]\naddress = \"anna@example.org\"\n"
        );
    let project = Project::with_config(&config);
    project.run(&["collect"]).expect(0).silent();

    feeds.status("/feed", 503);
    feeds.feed("/other", rss("Andere", &[]));
    let report = project.run(&["send", "--json"]).expect(3).json();
    assert_eq!(
        report["collect"]["failures"][0]["failure"],
        serde_json::json!({ "kind": "status", "detail": 503 })
    );
    assert_eq!(report["cadences"][0]["stories"], 2, "{report}");
    assert_eq!(project.maildir().len(), 1);
}

#[test]
fn without_a_story_there_is_no_mail_and_cron_has_nothing_to_say() {
    let feeds = FeedServer::start();
    let url = feeds.feed("/feed", rss("Quelle", &[("Rosen schneiden", "Im Herbst.")]));
    let config = newsletter()
        + &format!("[[feed]]\nurl = \"{url}\"\n[[subscriber]]\naddress = \"anna@example.org\"\n");
    let project = Project::with_config(&config);
    project.run(&["send"]).expect(0).silent();
    assert!(project.maildir().is_empty());
    let editions = project.run(&["editions", "list"]).expect(0).stdout;
    assert!(editions.contains("no story, no mail"), "{editions}");
    project.run(&["send"]).expect(0).silent();
}

#[test]
fn when_no_feed_can_be_read_the_edition_waits_for_the_next_run() {
    let feeds = FeedServer::start();
    let url = feeds.status("/feed", 503);
    let config = newsletter()
        + &format!("[[feed]]\nurl = \"{url}\"\n[[subscriber]]\naddress = \"anna@example.org\"\n");
    let jobs = "[[block]]\ntitle = \"Stellen\"\nfeed = \"jobs.xml\"\n";
    let project = Project::with_config(&(config + jobs));
    // What a block lists is no news, and tells nothing of those that are missing.
    std::fs::write(
        project.path("jobs.xml"),
        rss("Stellen", &[("Redakteurin gesucht", "")]),
    )
    .unwrap();
    let ran = project.run(&["send"]).expect(3);
    assert!(
        ran.stderr.contains("waits: no feed could be read"),
        "{}",
        ran.stderr
    );

    feeds.feed("/feed", rss("Quelle", &[("KI eins", "Text.")]));
    project.run(&["send"]).expect(0).silent();
    assert_eq!(project.maildir().len(), 1);
}

#[test]
fn a_run_that_was_missed_is_caught_up_or_skipped_and_nothing_is_lost() {
    let feeds = FeedServer::start();
    let item = |title: &str, date: &str| {
        format!(
            "<item><title>{title}</title><link>https://a.example/{date}</link><pubDate>{date}</pubDate></item>"
        )
    };
    let feed = |items: &[String]| {
        let items = items.concat();
        format!("<rss version=\"2.0\"><channel><title>A</title>{items}</channel></rss>")
    };
    let mut items = vec![item("KI am Donnerstag", "Thu, 19 Nov 2026 12:00:00 +0100")];
    let url = feeds.feed("/feed", feed(&items));
    let config = newsletter()
        + &format!("[[feed]]\nurl = \"{url}\"\n[[subscriber]]\naddress = \"anna@example.org\"\n");
    let project = Project::with_config(&config);
    project.run(&["send"]).expect(0).silent();

    // Saturday's run comes six and a half hours late: more than the default max_lateness.
    project.edit_config(NOW, "2026-11-21T13:30:00+01:00");
    items.push(item("KI im Museum", "Fri, 20 Nov 2026 12:00:00 +0100"));
    feeds.feed("/feed", feed(&items));
    let ran = project.run(&["send"]).expect(3);
    assert_eq!(
        ran.stderr,
        "The daily edition of Saturday, 21 November 2026 at 07:00 was skipped: it is later than its max_lateness. \
         Its news go into the next one.\n"
    );
    project.run(&["send"]).expect(0).silent();

    // Sunday's comes an hour late, and has Friday's and Sunday's news.
    project.edit_config("2026-11-21T13:30:00+01:00", "2026-11-22T08:00:00+01:00");
    items.push(item("Roboter mit KI", "Sun, 22 Nov 2026 07:30:00 +0100"));
    feeds.feed("/feed", feed(&items));
    project.run(&["send"]).expect(0).silent();
    let mails = project.maildir();
    assert_eq!(mails.len(), 2);
    let texts: Vec<String> = mails
        .iter()
        .map(|mail| std::fs::read_to_string(mail).unwrap())
        .collect();
    let has = |text: &str, title: &str| text.contains(&format!(". {title}"));
    assert!(has(&texts[0], "KI am Donnerstag") && !has(&texts[0], "KI im Museum"));
    assert!(has(&texts[1], "KI im Museum") && has(&texts[1], "Roboter mit KI"));
    assert!(
        !has(&texts[1], "KI am Donnerstag"),
        "nothing again that was there before"
    );
}

#[test]
fn what_was_mailed_yesterday_is_not_told_again_by_another_outlet() {
    let feeds = FeedServer::start();
    let item = |host: &str, title: &str, date: &str| {
        format!(
            "<rss version=\"2.0\"><channel><title>{host}</title><item><title>{title}</title>\
             <link>https://{host}.example/1</link><pubDate>{date}</pubDate></item></channel></rss>"
        )
    };
    let first = feeds.feed(
        "/a",
        item(
            "a",
            "Nordlicht stellt KI Polaris vor",
            "Fri, 20 Nov 2026 05:00:00 +0100",
        ),
    );
    let second = feeds.feed("/b", rss("B", &[]));
    let config = newsletter()
        + &format!(
            "[[feed]]\nurl = \"{first}\"\n[[feed]]\nurl = \"{second}\"\n[[subscriber]]\naddress = \"anna@example.org\"\n"
        );
    let project = Project::with_config(&config);
    project.run(&["send"]).expect(0).silent();
    project.edit_config(NOW, "2026-11-21T07:05:00+01:00");
    feeds.feed(
        "/b",
        item(
            "b",
            "KI Polaris von Nordlicht vorgestellt",
            "Fri, 20 Nov 2026 18:00:00 +0100",
        ),
    );
    project.run(&["send"]).expect(0).silent();
    assert_eq!(project.maildir().len(), 1);
}

#[test]
fn an_announcement_comes_on_its_day_although_the_feed_never_changes_again() {
    let feeds = FeedServer::start();
    let body = "<rss version=\"2.0\"><channel><title>A</title><item><title>KI-Messe</title><link>https://a.example/1</link>\
                <pubDate>Wed, 20 Nov 2126 05:00:00 +0100</pubDate></item></channel></rss>";
    let url = feeds.feed("/a", body);
    let config = newsletter()
        + &format!("[[feed]]\nurl = \"{url}\"\n[[subscriber]]\naddress = \"anna@example.org\"\n");
    let project = Project::with_config(&config);
    project.run(&["send"]).expect(0).silent();
    project.edit_config(NOW, "2126-11-20T07:05:00+01:00");
    project.run(&["send"]).expect(0).silent();
    assert_eq!((project.maildir().len(), feeds.count(304)), (1, 1));
}

#[test]
fn a_feed_of_twenty_thousand_alike_items_ends_in_good_time() {
    let items: String = (0..20_000)
        .map(|n| format!("<item><title>KI und Wasserkraft im Test {n}</title><link>https://a.example/{n}</link></item>"))
        .collect();
    let config = newsletter()
        + "[[feed]]\nurl = \"feed.xml\"\n[[subscriber]]\naddress = \"anna@example.org\"\n";
    let project = Project::with_config(&config);
    let feed = format!("<rss version=\"2.0\"><channel><title>A</title>{items}</channel></rss>");
    std::fs::write(project.path("feed.xml"), feed).unwrap();
    // Not timed: without its bounds the clustering takes minutes here, and the test runner complains.
    let report = project.run(&["send", "--json"]).expect(0).json();
    assert_eq!(report["collect"]["new_items"], 1_000);
}

#[test]
fn a_story_with_news_comes_back_as_an_update_that_says_what_is_new() {
    let feeds = FeedServer::start();
    let story = |title: &str, text: &str, date: &str| {
        format!(
            "<item><title>{title}</title><link>https://{}.example/{}</link><pubDate>{date}</pubDate>\
             <description>{text}</description></item>",
            title.len(),
            text.len()
        )
    };
    let feed = |name: &str, item: String| {
        let text =
            format!("<rss version=\"2.0\"><channel><title>{name}</title>{item}</channel></rss>");
        feeds.feed(&format!("/{name}"), text)
    };
    let friday = "Fri, 20 Nov 2026 05:00:00 +0100";
    let saturday = "Sat, 21 Nov 2026 05:00:00 +0100";
    let first = feed(
        "Bote",
        story(
            "Nordlicht stellt KI Polaris vor",
            "Das Sprachmodell Polaris läuft auf dem Laptop.",
            friday,
        ),
    );
    let urls = [
        first,
        feed("Kurier", String::new()),
        feed("Post", String::new()),
    ];
    let config = urls.iter().fold(newsletter(), |config, url| {
        config + &format!("[[feed]]\nurl = \"{url}\"\n")
    });
    let project =
        Project::with_config(&(config + "[[subscriber]]\naddress = \"anna@example.org\"\n"));
    project.run(&["send"]).expect(0).silent();

    feed(
        "Kurier",
        story(
            "Kartellamt stoppt Polaris, die KI von Nordlicht",
            "Der Streit geht weiter. Das Kartellamt untersagt den Verkauf von Polaris.",
            saturday,
        ),
    );
    feed(
        "Post",
        story(
            "Nordlicht: Kartellamt untersagt Verkauf der KI Polaris",
            "Die Behörde sieht ein Monopol.",
            saturday,
        ),
    );
    project.edit_config(NOW, "2026-11-21T07:05:00+01:00");
    let explained = project.run(&["explain"]).expect(0).stdout;
    assert!(explained.contains("Update: Kartellamt"), "{explained}");
    project.run(&["send"]).expect(0).silent();
    let mails: Vec<String> = project
        .maildir()
        .iter()
        .map(|mail| std::fs::read_to_string(mail).unwrap())
        .collect();
    let update = mails
        .iter()
        .find(|mail| mail.contains("Update: Kartellamt"));
    assert!(
        update.is_some_and(|mail| mail.contains("untersagt den Verkauf von Polaris")),
        "{mails:#?}"
    );
}
