//! What people try who mean no good: none of it changes another person's data, and none of it sends more than one mail.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tidings::model::Purpose;

use crate::support::{Pages, Subscriber};

const PURPOSES: [Purpose; 9] = [
    Purpose::Bounce,
    Purpose::Unsubscribe,
    Purpose::Undo,
    Purpose::Preferences,
    Purpose::Follow,
    Purpose::Confirm,
    Purpose::Move,
    Purpose::Form,
    Purpose::Archive,
];

/// What is known of a person, without what only looking at it would add.
fn all(pages: &Pages, address: &str) -> serde_json::Value {
    pages.person(address)
}

#[test]
fn a_token_for_one_thing_is_good_for_nothing_else() {
    let pages = Pages::start("");
    let anna = pages.subscriber("anna@example.org");
    let keys = pages.keys();
    let id = keys
        .open(Purpose::Preferences, Subscriber::token(&anna.preferences))
        .unwrap();
    let story = pages.get("topics/ki").expect(200);
    let story = story.find(&format!("{}stories/", pages.url));
    let story = Subscriber::token(&story).to_owned();
    let before = all(&pages, "anna@example.org");
    for (page, purpose) in [
        ("u/{}", Purpose::Unsubscribe),
        ("undo/{}", Purpose::Undo),
        ("p/{}", Purpose::Preferences),
        ("p/{}/address", Purpose::Preferences),
        ("confirm/{}", Purpose::Confirm),
        ("move/{}", Purpose::Move),
        (&*format!("follow/{{}}/{story}"), Purpose::Follow),
    ] {
        let good = keys.seal(purpose, id);
        let foreign = PURPOSES
            .into_iter()
            .filter(|other| *other != purpose)
            .map(|other| keys.seal(other, id));
        let another = keys.seal(purpose, 4711);
        let mut forged = good.clone();
        forged.replace_range(12..13, if &good[12..13] == "0" { "1" } else { "0" });
        let mut tokens: Vec<String> = foreign.collect();
        tokens.extend([
            good[..28].to_owned(),
            format!("{good}0"),
            forged,
            another,
            "%00".to_owned(),
            "..%2f..%2fetc%2fpasswd".to_owned(),
            "%F0%9F%91%8B".to_owned(),
        ]);
        for token in tokens {
            let path = page.replace("{}", &token);
            let answer = pages.post(
                &path,
                &[("address", "evil@example.org"), ("cadence", "weekly")],
            );
            assert!(
                matches!(answer.status, 200 | 400 | 404),
                "{path}: {}",
                answer.status
            );
        }
    }
    assert_eq!(all(&pages, "anna@example.org"), before);
    assert_eq!(pages.smtp.messages(), 2, "one to confirm, one to greet");
}

#[test]
fn a_link_that_is_too_old_confirms_nothing() {
    let pages = Pages::start("confirm_within = \"1s\"");
    pages.sign_up("anna@example.org").expect(200);
    let link = pages.letter(1, "anna@example.org", &format!("{}confirm/", pages.url));
    let patience = Instant::now();
    // A second is over soon.
    while pages.get(&link).status == 200 {
        assert!(patience.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
    pages.post(&link, &[]).expect(404);
    assert_eq!(pages.state_of("anna@example.org"), "unknown");
}

#[test]
fn no_field_smuggles_a_header_or_mark_up() {
    let pages = Pages::start("");
    let evil = "<script>alert(1)</script>\r\nBcc: all@example.org\r\n\r\nText";
    let token = pages.form_token(10);
    for field in [
        "address", "topic", "cadence", "language", "lang", "form", "follow", "token",
    ] {
        let mut fields: Vec<(&str, &str)> =
            vec![("address", "anna@example.org"), ("token", &token)];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, evil));
        let page = pages.post("subscribe", &fields);
        assert!(matches!(page.status, 200 | 422), "{field}: {}", page.status);
        assert!(!page.body.contains("<script"), "{field}: {}", page.body);
    }
    for address in [
        "anna@example.org\r\nBcc: x@example.org",
        "\"<b>\"@example.org",
        "a@b@example.org",
        "anna@example.org\0",
        &"a".repeat(5_000),
    ] {
        pages
            .post("subscribe", &[("address", address), ("token", &token)])
            .expect(422);
    }
    let evil = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>();
    for path in [
        format!("search?q={evil}"),
        format!("?lang={evil}"),
        format!("u/{evil}"),
        format!("stories/{evil}"),
        format!("topics/{evil}"),
        format!("archive?after={evil}"),
        format!("editions/{evil}"),
    ] {
        let page = pages.get(&path);
        assert!(
            !page.body.contains("<script") && page.header("bcc").is_empty(),
            "{path}: {}",
            page.body
        );
    }
    pages.smtp.wait_for(1);
    let (mail, _) = pages.smtp.mail("anna@example.org");
    let mail = String::from_utf8_lossy(&mail).into_owned();
    assert!(!mail.contains("Bcc") && !mail.contains("script"), "{mail}");
    assert_eq!(pages.smtp.messages(), 1);
}

#[test]
fn no_page_leads_away() {
    let pages = Pages::start("");
    let token = pages.form_token(10);
    let elsewhere = "https://evil.example/";
    for path in [
        "",
        "subscribe",
        "u/nix",
        "//evil.example/",
        "/\\evil.example",
        "search?q=x&next=https://evil.example/",
        "u/nix?redirect=https://evil.example/",
    ] {
        for answer in [
            pages.get(path),
            pages.post(
                path,
                &[
                    ("address", "anna@example.org"),
                    ("token", &token),
                    ("next", elsewhere),
                    ("redirect", elsewhere),
                ],
            ),
        ] {
            assert!(
                !(300..400).contains(&answer.status),
                "{path}: {}",
                answer.status
            );
            assert_eq!(answer.header("location"), "", "{path}");
            assert!(!answer.body.contains("href=\"https://evil"), "{path}");
        }
    }
}

#[test]
fn a_page_of_somebody_elses_presses_no_button() {
    let pages = Pages::start("");
    let anna = pages.subscriber("anna@example.org");
    let before = all(&pages, "anna@example.org");
    let own = pages.url.trim_end_matches('/').to_owned();
    for headers in [
        [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        [
            ("sec-fetch-site", "same-site"),
            ("origin", "https://sub.example"),
        ],
        [("accept", "*/*"), ("origin", "https://evil.example")],
    ] {
        for path in [
            anna.preferences.clone(),
            format!("{}/address", anna.preferences),
        ] {
            let fields = [("cadence", "weekly"), ("address", "evil@example.org")];
            pages.post_from(&path, &fields, &headers).expect(403);
        }
    }
    assert_eq!(all(&pages, "anna@example.org"), before);
    // Our own pages do, in browsers old and new.
    for headers in [
        [("sec-fetch-site", "same-origin"), ("origin", "null")],
        [("accept", "*/*"), ("origin", &*own)],
    ] {
        pages
            .post_from(&anna.preferences, &[("cadence", "weekly")], &headers)
            .expect(200);
    }
    // One click comes from anywhere.
    let elsewhere = [
        ("origin", "https://mail.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    pages
        .post_from(&anna.unsubscribe, &[], &elsewhere)
        .expect(200);
    assert_eq!(pages.state_of("anna@example.org"), "unsubscribed");
}

#[test]
fn nobody_is_bombed_by_ten_thousand_sign_ups_of_one_address_or_from_one_network() {
    let pages = Pages::start("trusted_proxies = [\"127.0.0.1\"]\nsign_ups_per_network = 5");
    let token = pages.form_token(10);
    // One address, from as many networks as there are.
    let (mut taken, mut refused) = (0, 0);
    for number in 0..10_000u32 {
        let from = format!(
            "{}.{}.{}.1",
            1 + number % 200,
            number / 200 % 250,
            number % 250
        );
        let fields = [("address", "victim@example.org"), ("token", &*token)];
        let answer = pages.post_from("subscribe", &fields, &[("x-forwarded-for", &*from)]);
        assert_eq!(answer.status, 200);
        taken += 1;
        // And from one network, ever another address.
        if number % 20 == 0 {
            let address = format!("victim{number}@example.org");
            let fields = [("address", &*address), ("token", &*token)];
            let answer =
                pages.post_from("subscribe", &fields, &[("x-forwarded-for", "203.0.113.9")]);
            refused += u32::from(answer.status == 429);
        }
    }
    assert_eq!((taken, refused), (10_000, 495));
    pages.smtp.wait_for(6);
    let mails = pages.smtp.taken();
    assert!(mails.values().all(|number| *number == 1), "{mails:?}");
    assert_eq!(mails.len(), 6, "{mails:?}");
    assert!(
        pages.person("victim@example.org")["sign_ups"]
            .as_array()
            .unwrap()
            .len()
            <= 3
    );
}

#[test]
fn machines_that_fill_in_every_field_or_at_once_sign_nobody_up() {
    let pages = Pages::start("");
    let token = pages.form_token(10);
    let trapped = [
        ("address", "anna@example.org"),
        ("token", &*token),
        ("note", "https://spam.example"),
    ];
    let told = pages.post("subscribe", &trapped).expect(200);
    assert!(
        told.body.contains("anna@example.org") && told.body.contains("Stimmt alles?"),
        "a person whose browser has filled it in only looks once more: {}",
        told.body
    );
    pages
        .post(
            "subscribe",
            &[("address", "bert@example.org"), ("token", &token)],
        )
        .expect(200);
    let fresh = pages.form_token(0);
    let fast = pages
        .post(
            "subscribe",
            &[("address", "cara@example.org"), ("token", &fresh)],
        )
        .expect(200);
    assert!(
        fast.body.contains(&fresh) && fast.body.contains("cara@example.org"),
        "{}",
        fast.body
    );
    let old = pages.form_token(90_000);
    let again = pages
        .post(
            "subscribe",
            &[("address", "dora@example.org"), ("token", &old)],
        )
        .expect(200);
    assert!(!again.body.contains(&old));
    pages.smtp.wait_for(1);
    assert_eq!(
        pages.smtp.taken().into_keys().collect::<Vec<_>>(),
        ["bert@example.org"]
    );
}

#[test]
fn no_answer_tells_whether_an_address_is_known() {
    let pages = Pages::start("sign_ups_per_network = 100000");
    pages.subscriber("known@example.org");
    let token = pages.form_token(10);
    let mut answers = Vec::new();
    for number in 0..20 {
        let stranger = format!("stranger{number}@example.org");
        for address in ["known@example.org", &stranger] {
            let answer = pages.post("subscribe", &[("address", address), ("token", &token)]);
            answers.push((answer.status, answer.body, answer.headers.len()));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[test]
fn a_body_of_ten_megabytes_is_not_read() {
    let pages = Pages::start("");
    let anna = pages.subscriber("anna@example.org");
    let body = vec![b'a'; 10_000_000];
    for path in ["subscribe".to_owned(), anna.preferences.clone()] {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let address = path.trim_start_matches(&pages.url);
        let mut stream = TcpStream::connect(
            pages
                .url
                .trim_start_matches("http://")
                .trim_end_matches('/'),
        )
        .unwrap();
        let head = format!(
            "POST /{address} HTTP/1.1\r\nHost: x\r\n{}: {}\r\nContent-Length: {}\r\n\r\n",
            kind[0].0,
            kind[0].1,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // More than it reads, and less than what two sockets hold: it answers before it hangs up.
        stream.write_all(&body[..200_000]).unwrap();
        let mut answer = [0u8; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413");
    }
    assert_eq!(pages.state_of("anna@example.org"), "confirmed");
    // What counts there is the address of the page only.
    let answer = pages.ask(
        "POST",
        &anna.unsubscribe,
        &[("content-type", "text/plain")],
        vec![b'x'; 5_000],
    );
    answer.expect(200);
    assert_eq!(pages.state_of("anna@example.org"), "unsubscribed");
}

#[test]
fn those_who_are_slow_keep_nobody_waiting() {
    let pages = Pages::start("");
    let host = pages
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(&host).unwrap();
        stream
            .write_all(b"POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Le")
            .unwrap();
        slow.push(stream);
    }
    let started = Instant::now();
    pages.get("").expect(200);
    assert!(started.elapsed() < Duration::from_secs(5));
    // They are hung up on.
    let mut first = slow.remove(0);
    first
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut rest = Vec::new();
    let _ = first.read_to_end(&mut rest);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn only_a_trusted_proxy_says_where_somebody_comes_from() {
    for (trusted, expected) in [
        ("trusted_proxies = [\"192.0.2.1\"]", "127.0.0.1"),
        ("", "203.0.113.9"),
        ("trusted_proxies = [\"127.0.0.0/8\"]", "203.0.113.9"),
    ] {
        let pages = Pages::start(trusted);
        let token = pages.form_token(10);
        let fields = [("address", "anna@example.org"), ("token", &*token)];
        let forwarded = [("x-forwarded-for", "10.9.9.9, 203.0.113.9")];
        pages
            .post_from("subscribe", &fields, &forwarded)
            .expect(200);
        assert_eq!(
            pages.person("anna@example.org")["sign_ups"][0]["ip"],
            expected
        );
    }
}

#[test]
fn a_program_that_follows_every_link_changes_nothing() {
    let pages = Pages::start("welcome = \"edition\"");
    pages.subscriber("anna@example.org");
    pages.project.run(&["send"]).expect(0);
    pages.smtp.wait_for(3);
    let links_in = |text: &str| -> Vec<String> {
        text.split(|c: char| c.is_whitespace() || "\"<>()'".contains(c))
            .filter(|part| part.starts_with(&pages.url))
            .map(|part| part.replace("&amp;", "&").replace("&#38;", "&"))
            .collect()
    };
    let (mail, _) = pages.smtp.mail("anna@example.org");
    let mail = mail_parser::MessageParser::default().parse(&mail).unwrap();
    let mut waiting = links_in(&mail.body_html(0).unwrap());
    waiting.extend(links_in(&mail.body_text(0).unwrap()));
    waiting.push(pages.url.clone());
    assert!(
        waiting.iter().any(|link| link.contains("/follow/"))
            && waiting.iter().any(|link| link.contains("/u/")),
        "{waiting:?}"
    );
    let before = all(&pages, "anna@example.org");
    let mails = pages.smtp.messages();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(link) = waiting.pop() {
        // Addresses of forms are links to a program that does not know better.
        if seen.len() < 400 && seen.insert(link.clone()) {
            waiting.extend(links_in(&pages.get(&link).body));
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
    assert_eq!(all(&pages, "anna@example.org"), before);
    assert_eq!(pages.smtp.messages(), mails);
}
