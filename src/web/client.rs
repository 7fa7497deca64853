//! Who asks: from where, and in which language.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use ipnet::IpNet;

use crate::model::Language;

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// From where a request came. What a proxy says counts when it is trusted, and of what it passes on, what the next one said counts when that
/// is trusted as well; all else anybody could have written.
pub(super) fn ip_of(peer: Peer, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|network| network.contains(ip));
    let mut ip = peer.0.ip().to_canonical();
    let lines = headers.get_all("x-forwarded-for");
    let lines: Vec<&str> = lines.iter().filter_map(|line| line.to_str().ok()).collect();
    // The last one to add to it stands at the end.
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops {
        if !is_trusted(&ip) {
            break;
        }
        let Some(before) = address(hop.trim()) else {
            break;
        };
        ip = before.to_canonical();
    }
    ip
}

/// An address as proxies write it: alone or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().map(|socket| socket.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

/// The language of `offered` that a browser asks for most (RFC 9110 12.5.4), or the first.
pub(super) fn language_of(headers: &HeaderMap, offered: &[Language]) -> Language {
    let wanted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut best: Option<(f32, Language)> = None;
    for part in wanted.split(',').take(20) {
        let (tag, weight) = part.split_once(';').unwrap_or((part, "q=1"));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        let weight: f32 = weight.parse().unwrap_or(0.0);
        let language = Language::from_tag(tag).filter(|language| offered.contains(language));
        if let Some(language) = language
            && weight > best.map_or(0.0, |(best, _)| best)
        {
            best = Some((weight, language));
        }
    }
    let first = offered.first().copied().unwrap_or(Language::En);
    best.map_or(first, |(_, language)| language)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn ip(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let peer = Peer(format!("{peer}:4711").parse().unwrap());
        ip_of(peer, &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_came_from() {
        assert_eq!(ip("192.0.2.1", &["203.0.113.9"], &[]), "192.0.2.1");
        assert_eq!(
            ip("192.0.2.1", &["203.0.113.9"], &["10.0.0.0/8"]),
            "192.0.2.1"
        );
        assert_eq!(
            ip("10.0.0.1", &["203.0.113.9"], &["10.0.0.0/8"]),
            "203.0.113.9"
        );
        // What the reader wrote before the proxy added to it.
        let forged = "127.0.0.1, 198.51.100.7, 203.0.113.9";
        assert_eq!(ip("10.0.0.1", &[forged], &["10.0.0.0/8"]), "203.0.113.9");
        let two = ["198.51.100.7, 203.0.113.9", "10.1.1.1"];
        assert_eq!(ip("10.0.0.1", &two, &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(ip("10.0.0.1", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(ip("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(
            ip("10.0.0.1", &["[2001:db8::1]:443"], &["10.0.0.0/8"]),
            "2001:db8::1"
        );
    }

    #[test]
    fn a_browser_gets_its_best_language_of_those_that_there_are() {
        let offered = [Language::De, Language::En];
        let language = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::ACCEPT_LANGUAGE,
                HeaderValue::from_str(text).unwrap(),
            );
            language_of(&headers, &offered)
        };
        assert_eq!(language("en-US,en;q=0.9,de;q=0.8"), Language::En);
        assert_eq!(language("fr, de;q=0.2, en;q=0.1"), Language::De);
        assert_eq!(language("fr"), Language::De);
        assert_eq!(language("*;q=garbage,,;"), Language::De);
        assert_eq!(language_of(&HeaderMap::new(), &offered), Language::De);
    }
}
