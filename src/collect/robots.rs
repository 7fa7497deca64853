//! What the owner of a site lets programs read (`robots.txt`, RFC 9309).

use chrono::{DateTime, Utc};
use url::Url;

use super::fetch::Fetcher;
use crate::model::FetchFailure;

/// What a host lets us read (RFC 9309).
#[derive(Debug, Default)]
pub(super) struct Robots {
    /// Patterns, and whether they allow.
    rules: Vec<(String, bool)>,
    /// Nothing may be read.
    closed: bool,
}

impl Robots {
    /// Fetches the rules of the host of `page`.
    pub(super) async fn fetch(fetcher: &Fetcher, page: &Url, wall: DateTime<Utc>) -> Self {
        let Ok(url) = page.join("/robots.txt") else {
            return Self::default();
        };
        match fetcher.fetch_page(&url, wall).await {
            Ok(answer) => Self::parse(&String::from_utf8_lossy(&answer.bytes), "tidings"),
            // Section 2.3.1: without the file all is allowed; with a host in trouble, nothing.
            Err(FetchFailure::Status(400..=499) | FetchFailure::Gone) => Self::default(),
            Err(_) => Self {
                closed: true,
                ..Self::default()
            },
        }
    }

    /// Reads the rules for `agent`, in lower case, or else those for everybody.
    fn parse(text: &str, agent: &str) -> Self {
        let (mut own, mut general) = (None, None);
        let (mut agents, mut in_rules): (Vec<String>, bool) = (Vec::new(), true);
        for line in text.trim_start_matches('\u{feff}').lines().take(10_000) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "user-agent" => {
                    if std::mem::take(&mut in_rules) {
                        agents.clear();
                    }
                    agents.push(value.to_ascii_lowercase());
                }
                key @ ("allow" | "disallow") => {
                    in_rules = true;
                    let rule = (value.to_owned(), key == "allow");
                    for group in [
                        (&mut own, agents.iter().any(|name| name == agent)),
                        (&mut general, agents.iter().any(|name| name == "*")),
                    ] {
                        if let (rules, true) = group {
                            let rules: &mut Vec<_> = rules.get_or_insert_default();
                            // An empty pattern matches nothing.
                            rules.extend(
                                Some(rule.clone()).filter(|(pattern, _)| !pattern.is_empty()),
                            );
                        }
                    }
                }
                _ => {}
            }
        }
        Self {
            rules: own.or(general).unwrap_or_default(),
            closed: false,
        }
    }

    /// The longest pattern that matches decides; of two as long, the one that allows.
    pub(super) fn allow(&self, url: &Url) -> bool {
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let best = self
            .rules
            .iter()
            .filter(|(pattern, _)| matches(pattern, path))
            .max_by_key(|(pattern, allows)| (pattern.len(), *allows));
        !self.closed && best.is_none_or(|(_, allows)| *allows)
    }
}

/// Whether `pattern` matches the beginning of `path`: `*` stands for anything, `$` at its end for the end.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, to_end) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    for (place, part) in parts.iter().enumerate() {
        let is_last = place + 1 == parts.len();
        rest = if is_last && to_end {
            return rest.ends_with(part);
        } else if let Some(at) = rest.find(part) {
            &rest[at + part.len()..]
        } else {
            return false;
        };
    }
    !to_end || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        Url::parse("https://example.org")
            .unwrap()
            .join(path)
            .unwrap()
    }

    #[test]
    fn robots_txt_is_kept() {
        let robots = Robots::parse(
            "User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /private\nDisallow: /*.pdf$\nAllow: /private/open # yes\n",
            "tidings",
        );
        for (path, allowed) in [
            ("/", true),
            ("/private", false),
            ("/private/x", false),
            ("/private/open/x", true),
            ("/a/b.pdf", false),
            ("/a/b.pdf?x", true),
        ] {
            assert_eq!(robots.allow(&url(path)), allowed, "{path}");
        }
        let own = Robots::parse(
            "User-agent: *\nUser-agent: Tidings\nDisallow:\nUser-agent: *\nDisallow: /",
            "tidings",
        );
        assert!(own.allow(&url("/x")), "a group of our own counts alone");
        assert!(!Robots::parse("user-agent:*\ndisallow:/", "tidings").allow(&url("/x")));
        assert!(Robots::parse("", "tidings").allow(&url("/x")));
    }
}
