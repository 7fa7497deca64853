//! The manners of a feed reader, as the owners of feeds see them, and what the operator hears of it.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{FeedServer, Machine, NOW, Project, Ran, newsletter, rss};

fn project(feeds: &[&str]) -> Project {
    let sections: String = feeds
        .iter()
        .map(|url| format!("[[feed]]\nurl = \"{url}\"\n"))
        .collect();
    Project::with_config(&(newsletter() + &sections))
}

fn news() -> String {
    rss("Bote", &[("KI rechnet", "Ein Text.")])
}

fn no_headers() -> Vec<(&'static str, String)> {
    Vec::new()
}

#[test]
fn validators_are_sent_back_as_they_came_and_renewed_after_each_answer() {
    let server = FeedServer::start();
    let asked = AtomicUsize::new(0);
    let url = server.script("/feed", move |_| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        let headers = vec![
            ("etag", format!("W/\"odd 'tag' {number}\"")),
            (
                "last-modified",
                format!("Fri, 20 Nov 2026 05:00:0{number} GMT"),
            ),
        ];
        if number < 2 {
            (200, headers, news())
        } else {
            (304, Vec::new(), String::new())
        }
    });
    let project = project(&[&url]);
    for _ in 0..4 {
        project.run(&["collect"]).expect(0).silent();
    }
    let sent = |name: &str| -> Vec<Option<String>> {
        let requests = server.requests("/feed");
        let texts = requests.iter().map(|headers| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        });
        texts.collect()
    };
    let tag = |number| Some(format!("W/\"odd 'tag' {number}\""));
    assert_eq!(sent("if-none-match"), [None, tag(0), tag(1), tag(1)]);
    let date = |number| Some(format!("Fri, 20 Nov 2026 05:00:0{number} GMT"));
    assert_eq!(sent("if-modified-since"), [None, date(0), date(1), date(1)]);
    let agent = sent("user-agent")[0].clone().unwrap();
    assert!(agent.starts_with("Tidings/"), "{agent}");
    assert_eq!(sent("cookie"), [None, None, None, None]);
}

#[test]
fn a_feed_that_wants_to_be_left_alone_is_and_so_are_the_others_of_its_host() {
    let server = FeedServer::start();
    let limited = server.script("/limited", |_| {
        (429, vec![("retry-after", "3600".to_owned())], "")
    });
    let other = server.feed("/other", news());
    let project = project(&[&limited, &other]);
    project.edit_config("allow_private = true", "allow_private = true\nper_host = 1");
    let first = project.run(&["collect"]).expect(3);
    assert!(
        first
            .stderr
            .contains("answered 429 and wants to be left alone until"),
        "{}",
        first.stderr
    );
    project.run(&["collect"]).expect(0).silent();
    let checked = project.run(&["feeds", "check"]).expect(0);
    assert!(
        checked.stdout.contains("[waiting]") && checked.stdout.contains("not asked before"),
        "{}",
        checked.stdout
    );
    assert_eq!(server.requests("/limited").len(), 1);
    assert!(
        server.requests("/other").len() <= 1,
        "its neighbour waits too"
    );
}

#[test]
fn a_feed_that_moved_for_good_is_read_at_its_new_address() {
    let server = FeedServer::start();
    let new = server.feed("/new", news());
    let (to_new, to_temporary) = (new.clone(), new.clone());
    let moved = server.script("/moved", move |_| {
        (301, vec![("location", to_new.clone())], "")
    });
    let lent = server.script("/lent", move |_| {
        (302, vec![("location", to_temporary.clone())], "")
    });
    let project = project(&[&moved, &lent]);
    let first = project.run(&["collect"]).expect(0);
    assert!(
        first.stderr.contains(&format!("{moved} is now at {new}")),
        "{}",
        first.stderr
    );
    project.run(&["collect"]).expect(0).silent();
    assert_eq!(server.requests("/moved").len(), 1);
    assert_eq!(server.requests("/lent").len(), 2);
    assert_eq!(server.requests("/new").len(), 4);
    let listed = project.run(&["feeds", "list"]).expect(0).stdout;
    assert!(
        listed.contains("[moved]") && listed.contains(&new),
        "{listed}"
    );
}

#[test]
fn a_new_address_that_fails_gives_the_old_one_another_chance() {
    let server = FeedServer::start();
    let new = server.feed("/new", news());
    let moved = server.script("/moved", move |_| {
        (308, vec![("location", new.clone())], "")
    });
    let project = project(&[&moved]);
    project.run(&["collect"]).expect(0);
    server.status("/new", 500);
    project.run(&["collect"]).expect(3);
    assert_eq!(
        server.requests("/moved").len(),
        1,
        "a bad moment is no reason"
    );
    server.status("/new", 404);
    server.feed("/moved", news());
    project.run(&["feeds", "check"]).expect(0);
    assert_eq!(server.requests("/moved").len(), 2);
}

#[test]
fn a_feed_that_is_gone_is_not_asked_any_more_but_named() {
    let server = FeedServer::start();
    let project = project(&[&server.status("/gone", 410)]);
    for _ in 0..3 {
        let ran = project.run(&["collect"]).expect(3);
        assert!(ran.stderr.contains("gone for good (410)"), "{}", ran.stderr);
    }
    assert_eq!(server.requests("/gone").len(), 1);
}

#[test]
fn a_feed_that_is_fresh_is_not_asked_but_for_a_check() {
    let server = FeedServer::start();
    let url = server.script("/feed", |_| {
        (
            200,
            vec![("cache-control", "max-age=3600".to_owned())],
            news(),
        )
    });
    let project = project(&[&url]);
    let summary = || project.run(&["collect", "--json"]).expect(0).json();
    assert_eq!(summary()["resting"], 0);
    assert_eq!(summary()["resting"], 1);
    assert_eq!(server.requests("/feed").len(), 1);
    project.run(&["feeds", "check"]).expect(0);
    assert_eq!(server.requests("/feed").len(), 2);
}

#[test]
fn a_feed_that_fails_again_and_again_rests() {
    let server = FeedServer::start();
    let project = project(&[&server.status("/broken", 500)]);
    project.run(&["collect"]).expect(3);
    project.run(&["collect"]).expect(3);
    project.run(&["collect"]).expect(0).silent();
    assert_eq!(server.requests("/broken").len(), 2);
    let listed = project.run(&["feeds", "list"]).expect(0).stdout;
    assert!(
        listed.contains("[failing]") && listed.contains("2 times in a row"),
        "{listed}"
    );
}

#[test]
fn private_addresses_are_not_asked_unless_the_operator_says_so() {
    let server = FeedServer::start();
    let url = server.feed("/feed", news());
    let by_name = url.replace("127.0.0.1", "localhost");
    let project = project(&[&url, &by_name]);
    project.edit_config("allow_private = true", "");
    let ran = project.run(&["collect"]).expect(3);
    assert_eq!(
        ran.stderr
            .matches("is an address of a private network")
            .count(),
        2,
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("collect.allow_private"),
        "{}",
        ran.stderr
    );
    assert!(server.requests("/feed").is_empty());
}

#[test]
fn a_login_and_headers_go_to_their_own_host_only() {
    let (server, stranger) = (FeedServer::start(), FeedServer::start());
    let elsewhere = stranger.feed("/feed", news());
    let url = server.script("/feed", move |_| {
        (302, vec![("location", elsewhere.clone())], "")
    });
    let project = project(&[&url]);
    let section =
        "user = \"leser\"\npassword = \"${file:password}\"\nheaders = [\"X-Key: a-${TEST_KEY}\"]\n";
    project.edit_config(
        &format!("url = \"{url}\"\n"),
        &format!("url = \"{url}\"\n{section}"),
    );
    let refused = project.run(&["collect"]).expect(3);
    assert!(
        refused.stderr.contains("could not be asked: reading"),
        "{}",
        refused.stderr
    );
    std::fs::write(project.path("password"), "geheim\n").unwrap();
    let ran = project
        .command(&["collect"])
        .env("TEST_KEY", "b")
        .output()
        .unwrap();
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let sent = &server.requests("/feed")[0];
    assert_eq!(sent.get("authorization").unwrap(), "Basic bGVzZXI6Z2VoZWlt");
    assert_eq!(sent.get("x-key").unwrap(), "a-b");
    let passed_on = &stranger.requests("/feed")[0];
    assert!(passed_on.get("authorization").is_none() && passed_on.get("x-key").is_none());
}

#[test]
fn a_small_body_that_unfolds_to_a_huge_one_is_too_large() {
    let server = FeedServer::start();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 20_000_000]).unwrap();
    let bomb = bomb.finish().unwrap();
    let url = server.script("/bomb", move |_| {
        (
            200,
            vec![("content-encoding", "gzip".to_owned())],
            bomb.clone(),
        )
    });
    let ran = project(&[&url]).run(&["collect"]).expect(3);
    assert!(
        ran.stderr.contains("is larger than 10000000 bytes"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_only_feed_of_a_page_is_read_and_of_several_the_operator_picks() {
    let server = FeedServer::start();
    let feed = server.feed("/rss", news());
    server.feed("/atom", news());
    let link = |path: &str| format!("<link rel=alternate type=application/rss+xml href='{path}'>");
    let one = server.feed(
        "/one",
        format!("<!doctype html><html><head>{}", link("/rss")),
    );
    let two = server.feed(
        "/two",
        format!(
            "<!doctype html><html><head>{}{}",
            link("/rss"),
            link("/atom")
        ),
    );
    let project = project(&[&one, &two]);
    let ran = project.run(&["collect"]).expect(3);
    assert!(
        ran.stderr.contains(&format!("{one} is now at {feed}")),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains(&format!(
            "is not a feed but an HTML page; its feeds are {feed} and "
        )),
        "{}",
        ran.stderr
    );
    let found = project.run(&["feeds", "discover", &two]).expect(0).stdout;
    assert!(
        found.contains(&format!("url = \"{feed}\"")) && found.contains("# Bote: 1 item"),
        "{found}"
    );
    let bare = FeedServer::start();
    let nothing = bare.feed("/nothing", "<!doctype html><html><p>nichts</p>");
    let none = project.run(&["feeds", "discover", &nothing]).expect(1);
    assert!(none.stderr.contains("names no feed"), "{}", none.stderr);
}

#[test]
fn an_item_of_google_news_stays_one_and_gives_way_to_the_publisher() {
    let server = FeedServer::start();
    let google = |number: u32| {
        format!(
            "<rss version=\"2.0\"><channel><title>\"KI\" - Google News</title><item><title>KI rechnet schneller als gedacht - Bote</title>\
             <link>https://news.google.com/rss/articles/{number}?oc=5</link><guid isPermaLink=\"false\">{number}</guid>\
             <pubDate>Fri, 20 Nov 2026 04:00:00 GMT</pubDate><description>&lt;a href=\"https://news.google.com/x\"&gt;KI rechnet schneller als gedacht und \
             das ist eine sehr lange Beschreibung, länger als die andere&lt;/a&gt;</description><source url=\"https://bote.example\">Bote</source></item></channel></rss>"
        )
    };
    let asked = AtomicUsize::new(0);
    let relay = server.script("/google", move |_| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        (200, no_headers(), google(u32::try_from(number).unwrap()))
    });
    let own = server.feed(
        "/own",
        rss("Bote", &[("KI rechnet schneller als gedacht", "Kurz.")]),
    );
    let project = project(&[&relay, &own]);
    assert_eq!(
        project.run(&["collect", "--json"]).expect(0).json()["new_items"],
        2
    );
    assert_eq!(
        project.run(&["collect", "--json"]).expect(0).json()["new_items"],
        0
    );
    project.run(&["preview"]).expect(0);
    let text = std::fs::read_to_string(project.path("out/daily.txt")).unwrap();
    assert_eq!(
        text.matches("KI rechnet schneller als gedacht").count(),
        1,
        "{text}"
    );
    assert!(text.contains("https://bote.example/KI-rechnet"), "{text}");
}

#[test]
fn a_list_of_another_reader_is_taken_over_and_given_away() {
    let project = project(&["https://example.org/there.xml"]);
    let list = "<opml><body><outline text='Große Technik'><outline text='A &amp; B' xmlUrl='https://example.org/a.xml'/></outline>\
        <outline text='KI'><outline text='C' xmlUrl='https://example.org/c.xml'/></outline>\
        <outline text='da' xmlUrl='https://example.org/there.xml'/></body></opml>";
    std::fs::write(project.path("list.opml"), list).unwrap();
    let before = std::fs::read_to_string(project.path("config.toml")).unwrap();
    let shown = project
        .run(&["feeds", "import", "--dry-run", "list.opml"])
        .expect(0);
    assert!(
        shown.stdout.contains("id = \"grosse-technik\""),
        "{}",
        shown.stdout
    );
    assert_eq!(
        std::fs::read_to_string(project.path("config.toml")).unwrap(),
        before
    );
    let ran = project.run(&["feeds", "import", "list.opml"]).expect(0);
    assert_eq!(ran.stderr, "Added 2 feeds; 1 there already.\n");
    let again = project.run(&["feeds", "import", "list.opml"]).expect(0);
    assert_eq!(again.stderr, "Added 0 feeds; 3 there already.\n");
    let config = std::fs::read_to_string(project.path("config.toml")).unwrap();
    assert!(
        config.starts_with(before.trim_end()),
        "what was there stays as it was"
    );
    assert!(
        config.contains("name = \"A & B\"\ntopics = [\"grosse-technik\"]"),
        "{config}"
    );
    assert!(
        config.contains("name = \"C\"\ntopics = [\"ki\"]"),
        "a folder that is a topic already"
    );
    let export = project.run(&["feeds", "export"]).expect(0).stdout;
    assert!(
        export.contains("<outline text=\"Große Technik\" title=\"Große Technik\">"),
        "{export}"
    );
    let wrong = project.run(&["feeds", "import", "config.toml"]).expect(1);
    assert!(wrong.stderr.contains("is it OPML?"), "{}", wrong.stderr);
}

#[test]
fn the_pages_of_picked_stories_are_read_where_their_site_lets_us() {
    let server = FeedServer::start();
    let base = server.status("/", 404);
    let headline = |path: &str, title: &str| {
        format!(
            "<item><title>{title}</title><link>{base}{path}</link><pubDate>Fri, 20 Nov 2026 05:00:00 +0100</pubDate></item>"
        )
    };
    let feed = format!(
        "<rss version=\"2.0\"><channel><title>Bote</title>{}{}{}</channel></rss>",
        headline("open", "KI rechnet auf kleinen Geräten"),
        headline("closed", "KI hilft der Feuerwehr im Wald"),
        headline("cooking", "Kuchen backen im Advent")
    );
    let url = server.feed("/feed", feed);
    server.feed("/robots.txt", "User-agent: *\nDisallow: /closed\n");
    let page = |text: &str| {
        format!(
            "<html><body><article><h1>KI</h1>{}</article></body></html>",
            format!("<p>{text} Mehr dazu steht in diesem Absatz, der lang genug ist.</p>")
                .repeat(8)
        )
    };
    server.feed(
        "/open",
        page("Das Modell braucht <b>wenig</b> Strom &amp; Platz."),
    );
    server.feed("/closed", page("Das darf niemand lesen."));
    let project = project(&[&url]);
    project.run(&["preview"]).expect(0);
    assert!(
        server.requests("/open").is_empty(),
        "pages are left alone by default"
    );
    project.edit_config(
        &format!("url = \"{url}\"\n"),
        &format!("url = \"{url}\"\narticle_pages = true\n"),
    );
    project.run(&["preview"]).expect(0);
    let text = std::fs::read_to_string(project.path("out/daily.txt")).unwrap();
    assert!(
        text.contains("Das Modell braucht wenig Strom & Platz."),
        "{text}"
    );
    assert_eq!(server.requests("/open").len(), 1);
    assert!(server.requests("/closed").is_empty() && server.requests("/cooking").is_empty());
}

#[test]
fn a_bad_feed_is_not_the_trouble_of_its_host() {
    let server = FeedServer::start();
    let good = server.feed("/good", news());
    let away = server.script("/away", |_| {
        (
            302,
            vec![("location", "http://127.0.0.1:1/".to_owned())],
            "",
        )
    });
    let broken = server.script("/broken", |_| {
        (
            200,
            vec![("content-encoding", "gzip".to_owned())],
            "no gzip",
        )
    });
    let project = project(&[&away, &broken, &good]);
    project.edit_config("allow_private = true", "allow_private = true\nper_host = 1");
    let ran = project.run(&["collect"]).expect(3);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("sent an answer that is broken"),
        "{}",
        ran.stderr
    );
    assert_eq!(server.requests("/good").len(), 1);
}

#[test]
fn a_page_of_the_moment_does_not_take_the_place_of_a_feed() {
    let server = FeedServer::start();
    let other = server.feed("/other", rss("Anderer", &[("KI anderswo", "Text.")]));
    let url = server.feed("/feed", news());
    let project = project(&[&url]);
    project.run(&["collect"]).expect(0);
    server.feed(
        "/feed",
        format!(
            "<!doctype html><html><link rel=alternate type=application/rss+xml href='{other}'>"
        ),
    );
    let ran = project.run(&["collect"]).expect(3);
    assert!(
        ran.stderr.contains("HTML page; its feed is"),
        "{}",
        ran.stderr
    );
    assert!(server.requests("/other").is_empty());
}

#[test]
fn a_file_is_read_whenever_it_is_there() {
    let project = project(&["feed.xml"]);
    for _ in 0..3 {
        project.run(&["collect"]).expect(3);
    }
    let text = news().replace("<channel>", "<channel><ttl>600</ttl>");
    std::fs::write(project.path("feed.xml"), &text).unwrap();
    let new = || project.run(&["collect", "--json"]).expect(0).json()["new_items"].clone();
    assert_eq!(new(), 1);
    std::fs::write(
        project.path("feed.xml"),
        text.replace("KI rechnet", "KI rechnet weiter")
            .replace("KI-rechnet", "KI-2"),
    )
    .unwrap();
    assert_eq!(new(), 1);
}

#[test]
fn a_run_with_a_clock_that_was_a_year_ahead_silences_no_feed() {
    let feeds = FeedServer::start();
    let body = rss("Quelle", &[("KI lernt segeln", "Auf dem See.")]);
    let url = feeds.script("/feed", move |_| {
        (
            200,
            vec![("cache-control", "max-age=36000".to_owned())],
            body.clone(),
        )
    });
    let config = newsletter().replace(&format!("now = \"{NOW}\""), "")
        + &format!("[[feed]]\nurl = \"{url}\"\n");
    let project = Project::with_config(&config);
    let Some(ahead) = Machine::default().at("+365d") else {
        return;
    };
    let collect = |machine: &Machine| {
        let mut command = machine.run_on(project.command(&["collect"]));
        Ran::from(command.output().unwrap()).expect(0);
    };
    collect(&ahead);
    assert_eq!(feeds.requests("/feed").len(), 1);
    collect(&Machine::default());
    assert_eq!(
        feeds.requests("/feed").len(),
        2,
        "that rest is longer than any we give"
    );
    collect(&Machine::default());
    assert_eq!(feeds.requests("/feed").len(), 2, "this one holds");
}
