//! The section about the pages for readers.

use std::net::{IpAddr, SocketAddr};

use chrono::TimeDelta;
use ipnet::IpNet;
use url::Url;

use super::read::Table;
use super::values::{language, not_empty, web_url};
use crate::model::{Language, Newsletter};
use crate::web::{Access, ServeOptions, Welcome};

/// Where it listens unless told otherwise: a proxy on this machine is what speaks to the world, with TLS.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// Sign-ups from one network in an hour.
const PER_NETWORK: i64 = 20;

/// For how long a link that confirms is good.
const CONFIRM_WITHIN: TimeDelta = TimeDelta::hours(48);

pub(super) fn serve(mut table: Table<'_, '_>, home: Language) -> Option<ServeOptions> {
    if !table.exists() {
        return None;
    }
    let url = table.required(
        "url",
        "The address of the pages as readers have it: url = \"https://news.example.org/\".",
        |text| {
            let mut url = web_url(text)?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(format!("“{text}” is more than where the pages begin"));
            }
            if !url.path().ends_with('/') {
                url.set_path(&format!("{}/", url.path()));
            }
            Ok(url)
        },
    );
    let hint = "An address of this machine and a port: \"127.0.0.1:8080\".";
    let socket = |text: &str| {
        text.parse::<SocketAddr>()
            .map_err(|_| format!("“{text}” is no address with a port"))
    };
    let listen = table.parsed("listen", hint, socket);
    let metrics = table.parsed("metrics", hint, socket);
    let says_proxies = table.get("trusted_proxies").is_some();
    let mut trusted_proxies = Vec::new();
    for (text, span) in table.texts("trusted_proxies") {
        match network(&text) {
            Some(network) => trusted_proxies.push(network),
            None => table.wrong_at(
                span,
                "trusted_proxies",
                format!("“{text}” is neither an address nor a network"),
                "Write \"10.0.0.1\" or \"10.0.0.0/8\".",
            ),
        }
    }
    let archive = table.parsed("archive", "One of: public, private, off.", |text| {
        Ok(match text {
            "public" => Access::Public,
            "private" => Access::Private,
            "off" => Access::Off,
            _ => return Err(format!("“{text}” is not who may read it")),
        })
    });
    let welcome = table.parsed("welcome", "One of: none, letter, edition.", |text| {
        Ok(match text {
            "none" => Welcome::None,
            "letter" => Welcome::Letter,
            "edition" => Welcome::Edition,
            _ => return Err(format!("“{text}” is not what newcomers can get")),
        })
    });
    let mut languages = vec![home];
    for (text, span) in table.texts("languages") {
        match language(&text) {
            Ok(language) if languages.contains(&language) => {}
            Ok(language) => languages.push(language),
            Err(what) => {
                let hint = format!("One of: {}.", Language::known());
                table.wrong_at(span, "languages", what, hint);
            }
        }
    }
    let privacy_url = table.parsed("privacy_url", "The whole address: \"https://…\".", web_url);
    let consent = table.parsed(
        "consent",
        "What somebody agrees to who signs up, as a sentence of theirs.",
        not_empty,
    );
    let confirm_within = table.duration("confirm_within");
    let per_network = table.number("sign_ups_per_network", 1..1_000_001);
    let send_every = table.duration("send_every");
    table.done();
    let listen = listen.unwrap_or_else(|| LISTEN.into());
    if !says_proxies && listen.ip().is_loopback() {
        // Whom nobody but this machine can reach, a proxy on it is in front of.
        trusted_proxies.extend(["127.0.0.0/8", "::1"].into_iter().filter_map(network));
    }
    Some(ServeOptions {
        url: url?,
        listen,
        metrics,
        trusted_proxies,
        archive: archive.unwrap_or_default(),
        languages,
        privacy_url,
        consent,
        confirm_within: confirm_within
            .and_then(|span| TimeDelta::from_std(span).ok())
            .unwrap_or(CONFIRM_WITHIN),
        welcome: welcome.unwrap_or_default(),
        per_network: u32::try_from(per_network.unwrap_or(PER_NETWORK)).unwrap_or(u32::MAX),
        send_every,
    })
}

/// A network, or a single address as one.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).ok()
}

/// The addresses of the pages, where the newsletter names no others.
pub(super) fn link_pages(newsletter: &mut Newsletter, serve: &ServeOptions) {
    let page = |path: &str| format!("{}{path}", serve.url);
    let token = Newsletter::TOKEN;
    let links: [(&mut Option<String>, String); 3] = [
        (&mut newsletter.unsubscribe_url, page(&format!("u/{token}"))),
        (&mut newsletter.preferences_url, page(&format!("p/{token}"))),
        (
            &mut newsletter.follow_url,
            page(&format!("follow/{token}/{}", Newsletter::STORY)),
        ),
    ];
    for (link, page) in links {
        link.get_or_insert(page);
    }
    let key = match serve.archive {
        Access::Private => format!("?key={}", Newsletter::KEY),
        Access::Public | Access::Off => String::new(),
    };
    if serve.archive != Access::Off {
        let edition = page(&format!("editions/{}{key}", Newsletter::EDITION));
        newsletter.browser_url.get_or_insert(edition);
        let story = page(&format!("stories/{}{key}", Newsletter::STORY));
        newsletter.story_url.get_or_insert(story);
        let archive = page(&format!("archive{key}"));
        newsletter.archive_url.get_or_insert(archive);
    }
    newsletter.pages_url.get_or_insert(page(""));
    newsletter.url.get_or_insert_with(|| Url::clone(&serve.url));
}
