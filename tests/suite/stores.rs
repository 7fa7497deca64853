//! The store in the hands of several: previews beside everything else, and stores of earlier versions.

use std::io::Read as _;
use std::process::Stdio;

use crate::support::{FeedServer, Pages, Postgres, Project, newsletter};

/// A feed whose only item leads to a page.
fn feed_to(page: &str) -> String {
    format!(
        "<rss version=\"2.0\"><channel><title>Quelle</title><item><title>KI lernt segeln</title><link>{page}</link>\
         <pubDate>Fri, 20 Nov 2026 05:00:00 +0100</pubDate></item></channel></rss>"
    )
}

const PAGES: &str = "article_pages = true\n";

#[test]
fn a_preview_that_waits_for_a_page_keeps_nobody_from_anything() {
    for postgres in Postgres::and_without() {
        let web = FeedServer::start();
        let page = web.stall("/page");
        let store = match &postgres {
            Some(postgres) => format!("[store]\nurl = \"{}\"\n", postgres.url("postgres")),
            None => String::new(),
        };
        let config = newsletter()
            + &store
            + "[[feed]]\nurl = \"feed.xml\"\n"
            + PAGES
            + "[[subscriber]]\naddress = \"anna@example.org\"\n[[subscriber]]\naddress = \"ben@example.org\"\n";
        let project = Project::with_config(&config);
        std::fs::write(project.path("feed.xml"), feed_to(&page)).unwrap();
        project.run(&["collect"]).expect(0).silent();

        let mut waiting: Vec<_> = [
            vec!["preview"],
            vec!["explain"],
            vec!["send", "--to", "zoe@example.org"],
        ]
        .iter()
        .map(|arguments| {
            let mut command = project.command(arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
        web.wait_for("/page", waiting.len());

        // They have read the configuration; a send that waits as well would show nothing.
        project.edit_config(PAGES, "");
        project
            .run(&["subscribers", "remove", "ben@example.org"])
            .expect(0);
        project
            .run(&["subscribers", "add", "--confirmed", "cleo@example.org"])
            .expect(0);
        project.run(&["send"]).expect(0).silent();
        assert_eq!(project.maildir().len(), 2, "anna and cleo");
        for process in &mut waiting {
            assert!(process.try_wait().unwrap().is_none(), "it waits");
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

#[test]
fn who_leaves_while_a_preview_waits_has_left_at_once() {
    let web = FeedServer::start();
    let page = web.stall("/page");
    let pages = Pages::start("");
    let noon = feed_to(&page).replace("05:00:00", "12:00:00");
    std::fs::write(pages.project.path("slow.xml"), noon).unwrap();
    let more = format!("[[feed]]\nurl = \"slow.xml\"\n{PAGES}");
    let config = std::fs::read_to_string(pages.project.path("config.toml")).unwrap();
    let config = config.replace("2026-11-20T07:05", "2026-11-20T18:05") + &more;
    std::fs::write(pages.project.path("preview.toml"), config).unwrap();
    let mut preview = pages
        .project
        .command(&["preview", "--config", "preview.toml"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    web.wait_for("/page", 1);
    for n in 0..5 {
        let address = format!("reader-{n}@example.org");
        let who = pages.subscriber(&address);
        let one_click = [("List-Unsubscribe", "One-Click")];
        pages.post(&who.unsubscribe, &one_click).expect(200);
        assert_eq!(pages.state_of(&address), "unsubscribed");
    }
    assert!(preview.try_wait().unwrap().is_none(), "it waits");
    preview.kill().unwrap();
    preview.wait().unwrap();
}

/// A project with the store that version 6 of the schema has left: two items are covered by an edition, one came after it, one is
/// announced for May; anna and ben are subscribed, cleo has left.
fn older() -> Project {
    let config = newsletter()
        + "[[feed]]\nurl = \"feed.xml\"\n[[subscriber]]\naddress = \"anna@example.org\"\n";
    let project = Project::with_config(&config);
    std::fs::write(
        project.path("feed.xml"),
        feed_to("https://quelle.example/1"),
    )
    .unwrap();
    let packed = include_bytes!("../stores/store-6.db.gz");
    let mut store = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut store)
        .unwrap();
    std::fs::write(project.path("tidings.db"), store).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(
        project.path("tidings.db"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    project.edit_config("2026-11-20T07:05:00+01:00", "2026-11-21T07:05:00+01:00");
    project
}

#[test]
fn an_older_store_is_read_and_not_changed_by_who_only_looks() {
    let project = older();
    let before = std::fs::read(project.path("tidings.db")).unwrap();
    for command in [
        "preview",
        "preview --edition last",
        "explain",
        "check --offline",
        "feeds list",
        "feeds check",
        "editions list",
        "editions show last",
        "send --to zoe@example.org",
    ] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let ran = project.run(&arguments);
        assert_eq!(ran.code, Some(0), "{command}: {}{}", ran.stdout, ran.stderr);
        let after = std::fs::read(project.path("tidings.db")).unwrap();
        assert!(before == after, "{command} has changed it");
        for suffix in ["-wal", "-shm"] {
            assert!(
                !project.path(&format!("tidings.db{suffix}")).exists(),
                "{command}"
            );
        }
    }
    let explained = project.run(&["explain"]).expect(0).stdout;
    assert!(explained.contains("KI hört Wale"), "{explained}");
    assert!(!explained.contains("KI zählt Vögel"), "{explained}");
}

#[test]
fn an_older_store_goes_on_where_it_was() {
    let project = older();
    project.run(&["send"]).expect(0).silent();
    let mails = project.maildir();
    assert_eq!(mails.len(), 2, "anna and ben");
    let mail = std::fs::read_to_string(&mails[0]).unwrap();
    assert!(
        mail.contains("KI h=C3=B6rt Wale") && !mail.contains("segeln"),
        "{mail}"
    );
    project.edit_config("2026-11-21T07:05:00+01:00", "2027-05-21T07:05:00+02:00");
    project.run(&["send"]).expect(0);
    assert_eq!(project.maildir().len(), 4, "the fair in May");
}

#[test]
fn an_operator_can_decide_when_a_store_is_brought_up_to_date() {
    let project = older();
    let config = std::fs::read_to_string(project.path("config.toml")).unwrap();
    let manual = config + "[store]\nmigrate = \"manual\"\n";
    std::fs::write(project.path("config.toml"), manual).unwrap();
    let told = project.run(&["send"]).expect(1).stderr;
    assert!(told.contains("run `tidings store migrate`"), "{told}");
    let done = project.run(&["store", "migrate"]).expect(0).stdout;
    assert_eq!(done, "tidings.db was brought up to date.\n");
    let done = project.run(&["store", "migrate"]).expect(0).stdout;
    assert_eq!(done, "tidings.db is up to date.\n");
    project.run(&["send"]).expect(0).silent();
}

#[test]
fn what_postgresql_says_is_told_once_and_with_a_cure() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    postgres.sql("CREATE ROLE guest LOGIN");
    for (url, expected) in [
        (
            postgres.url("nowhere"),
            "tidings: opening the store the database localhost/nowhere: database \"nowhere\" does not exist: make it with `createdb`, \
             or name another one (store.url)\n",
        ),
        (
            postgres.url("postgres").replace("tidings@", "guest@"),
            "tidings: opening the store the database localhost/postgres: permission denied for schema public: give this user the rights: \
             GRANT ALL ON ALL TABLES IN SCHEMA public, and CREATE ON SCHEMA public\n",
        ),
        (
            "postgres://tidings@127.0.0.1:1/tidings".to_owned(),
            "tidings: opening the store the database 127.0.0.1:1/tidings: the database server cannot be reached (Connection refused (os error \
             111)): is it running, and are the host and the port right (store.url)?\n",
        ),
    ] {
        let config =
            newsletter() + &format!("[store]\nurl = \"{url}\"\n[[feed]]\nurl = \"feed.xml\"\n");
        let project = Project::with_config(&config);
        let told = project.run(&["send"]).expect(1).stderr;
        assert_eq!(told, expected);
    }
}
