//! Places that people know by name, as the addresses of their feeds.

use url::Url;

/// A kind of place, as the configuration calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A search in Google News.
    GoogleNews,
    /// A search in Bing News.
    BingNews,
    /// A list of Hacker News, or a search in it.
    HackerNews,
    /// A subreddit, several, or a user.
    Reddit,
    /// A channel, a playlist or a handle.
    YouTube,
    /// The releases, tags or commits of a repository.
    GitHub,
    /// An account or a tag of a Mastodon server.
    Mastodon,
    /// Categories of arXiv, or a search in it.
    Arxiv,
    /// An account of Bluesky.
    Bluesky,
}

impl Source {
    /// All of them with the keys that stand for them in the configuration.
    pub const ALL: [(&'static str, Self); 9] = [
        ("google_news", Self::GoogleNews),
        ("bing_news", Self::BingNews),
        ("hacker_news", Self::HackerNews),
        ("reddit", Self::Reddit),
        ("youtube", Self::YouTube),
        ("github", Self::GitHub),
        ("mastodon", Self::Mastodon),
        ("arxiv", Self::Arxiv),
        ("bluesky", Self::Bluesky),
    ];

    /// What may stand there.
    pub fn hint(self) -> &'static str {
        match self {
            Self::GoogleNews | Self::BingNews => {
                "Words to search for, such as \"künstliche Intelligenz\"."
            }
            Self::HackerNews => {
                "One of frontpage, newest, best, ask, show, or words to search for."
            }
            Self::Reddit => {
                "As in \"r/rust\", \"r/rust/top\", \"r/rust+programming\" or \"u/name\"."
            }
            Self::YouTube => {
                "The id of a channel (\"UC…\") or playlist (\"PL…\"), or a handle (\"@name\")."
            }
            Self::GitHub => "As in \"owner/repository\", or with /tags or /commits behind it.",
            Self::Mastodon => "An account (\"@name@server\") or a tag (\"#tag@server\").",
            Self::Arxiv => {
                "Categories such as \"cs.AI\" or \"cs.AI+cs.CL\", or words to search for."
            }
            Self::Bluesky => "A handle, such as \"name.bsky.social\".",
        }
    }

    /// The address of the feed that `text` names. `language` and `country` narrow a search for news; without a country,
    /// the one where the language is mostly read.
    ///
    /// # Errors
    /// When `text` names nothing of this kind.
    pub fn feed_url(
        self,
        text: &str,
        language: &str,
        country: Option<&str>,
    ) -> Result<Url, String> {
        let text = text.trim();
        let url = match self {
            Self::GoogleNews => {
                let (language, country) = locale(language, country);
                let interface = if language == "en" {
                    format!("en-{country}")
                } else {
                    language.clone()
                };
                search(
                    "https://news.google.com/rss/search",
                    &[
                        ("q", text),
                        ("hl", &interface),
                        ("gl", &country),
                        ("ceid", &format!("{country}:{language}")),
                    ],
                )
            }
            Self::BingNews => {
                let (language, country) = locale(language, country);
                search(
                    "https://www.bing.com/news/search",
                    &[
                        ("q", text),
                        ("format", "rss"),
                        ("setlang", &language),
                        ("cc", &country),
                    ],
                )
            }
            Self::HackerNews => match text {
                "frontpage" | "newest" | "best" | "ask" | "show" => {
                    Url::parse(&format!("https://hnrss.org/{text}")).ok()
                }
                words => search("https://hnrss.org/newest", &[("q", words)]),
            },
            Self::Reddit => reddit(text),
            Self::YouTube => match text {
                handle if handle.starts_with('@') && is_name(&handle[1..], "._-·") => {
                    Url::parse(&format!("https://www.youtube.com/{handle}")).ok()
                }
                id if id.starts_with("UC") && is_name(id, "_-") => search(
                    "https://www.youtube.com/feeds/videos.xml",
                    &[("channel_id", id)],
                ),
                id if id.starts_with("PL") && is_name(id, "_-") => search(
                    "https://www.youtube.com/feeds/videos.xml",
                    &[("playlist_id", id)],
                ),
                _ => None,
            },
            Self::GitHub => {
                let parts: Vec<&str> = text.split('/').collect();
                let (owner, repository, list) = match *parts.as_slice() {
                    [owner, repository] => (owner, repository, "releases"),
                    [owner, repository, list @ ("releases" | "tags" | "commits")] => {
                        (owner, repository, list)
                    }
                    _ => ("", "", ""),
                };
                (is_name(owner, "-") && is_name(repository, "._-"))
                    .then(|| {
                        Url::parse(&format!(
                            "https://github.com/{owner}/{repository}/{list}.atom"
                        ))
                        .ok()
                    })
                    .flatten()
            }
            Self::Mastodon => mastodon(text),
            Self::Arxiv => {
                let is_category = |part: &str| {
                    part.contains(['.', '-']) && is_name(part, ".-") && part.is_ascii()
                };
                if text.split('+').all(is_category) {
                    Url::parse(&format!("https://rss.arxiv.org/rss/{text}")).ok()
                } else {
                    let query = format!("all:\"{}\"", text.replace('"', ""));
                    search(
                        "https://export.arxiv.org/api/query",
                        &[
                            ("search_query", &query),
                            ("sortBy", "submittedDate"),
                            ("sortOrder", "descending"),
                            ("max_results", "50"),
                        ],
                    )
                }
            }
            Self::Bluesky => {
                let handle = text.trim_start_matches('@');
                (handle.contains('.') && is_name(handle, ".-"))
                    .then(|| Url::parse(&format!("https://bsky.app/profile/{handle}/rss")).ok())
                    .flatten()
            }
        };
        url.ok_or_else(|| format!("“{text}” is not what this can be"))
    }
}

fn search(address: &str, pairs: &[(&str, &str)]) -> Option<Url> {
    Url::parse_with_params(address, pairs).ok()
}

fn locale(language: &str, country: Option<&str>) -> (String, String) {
    let mut parts = language.split(['-', '_']);
    let language = parts.next().unwrap_or_default().to_ascii_lowercase();
    let from_tag = parts.next().filter(|region| region.len() == 2);
    let mostly = if language == "en" { "US" } else { &language };
    let country = country.or(from_tag).unwrap_or(mostly).to_ascii_uppercase();
    (language, country)
}

fn reddit(text: &str) -> Option<Url> {
    let parts: Vec<&str> = text.trim_matches('/').split('/').collect();
    let path = match *parts.as_slice() {
        ["u" | "user", name] if is_name(name, "_-") => format!("user/{name}/.rss"),
        [name] | ["r", name] if name != "r" && is_name(name, "_+") => format!("r/{name}/.rss"),
        ["r", name, "top"] if is_name(name, "_+") => format!("r/{name}/top/.rss?t=day"),
        ["r", name, list @ ("new" | "hot" | "rising")] if is_name(name, "_+") => {
            format!("r/{name}/{list}/.rss")
        }
        _ => return None,
    };
    Url::parse(&format!("https://www.reddit.com/{path}")).ok()
}

fn mastodon(text: &str) -> Option<Url> {
    let (name, server) = text.trim_start_matches(['@', '#']).split_once('@')?;
    if !is_name(name, "_.-") || !is_name(server, ".-") || !server.contains('.') {
        return None;
    }
    let path = if text.starts_with('#') {
        format!("tags/{name}.rss")
    } else {
        format!("@{name}.rss")
    };
    Url::parse(&format!("https://{server}/{path}")).ok()
}

/// Letters, digits and some others.
fn is_name(text: &str, others: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses() {
        use Source as S;
        for (source, text, language, url) in [
            (
                S::GoogleNews,
                "KI & Recht",
                "de",
                "https://news.google.com/rss/search?q=KI+%26+Recht&hl=de&gl=DE&ceid=DE%3Ade",
            ),
            (
                S::GoogleNews,
                "AI",
                "en",
                "https://news.google.com/rss/search?q=AI&hl=en-US&gl=US&ceid=US%3Aen",
            ),
            (
                S::GoogleNews,
                "KI",
                "de-AT",
                "https://news.google.com/rss/search?q=KI&hl=de&gl=AT&ceid=AT%3Ade",
            ),
            (
                S::BingNews,
                "KI",
                "de",
                "https://www.bing.com/news/search?q=KI&format=rss&setlang=de&cc=DE",
            ),
            (
                S::HackerNews,
                "frontpage",
                "en",
                "https://hnrss.org/frontpage",
            ),
            (
                S::HackerNews,
                "language model",
                "en",
                "https://hnrss.org/newest?q=language+model",
            ),
            (
                S::Reddit,
                "r/rust",
                "en",
                "https://www.reddit.com/r/rust/.rss",
            ),
            (
                S::Reddit,
                "/r/rust/top/",
                "en",
                "https://www.reddit.com/r/rust/top/.rss?t=day",
            ),
            (
                S::Reddit,
                "u/anna",
                "en",
                "https://www.reddit.com/user/anna/.rss",
            ),
            (
                S::YouTube,
                "UCabc_-1",
                "en",
                "https://www.youtube.com/feeds/videos.xml?channel_id=UCabc_-1",
            ),
            (
                S::YouTube,
                "PLabc",
                "en",
                "https://www.youtube.com/feeds/videos.xml?playlist_id=PLabc",
            ),
            (
                S::YouTube,
                "@anna.berg",
                "en",
                "https://www.youtube.com/@anna.berg",
            ),
            (
                S::GitHub,
                "rust-lang/rust",
                "en",
                "https://github.com/rust-lang/rust/releases.atom",
            ),
            (
                S::GitHub,
                "rust-lang/rust/tags",
                "en",
                "https://github.com/rust-lang/rust/tags.atom",
            ),
            (
                S::Mastodon,
                "@anna@social.example",
                "de",
                "https://social.example/@anna.rss",
            ),
            (
                S::Mastodon,
                "#ki@social.example",
                "de",
                "https://social.example/tags/ki.rss",
            ),
            (
                S::Arxiv,
                "cs.AI+cs.CL",
                "en",
                "https://rss.arxiv.org/rss/cs.AI+cs.CL",
            ),
            (
                S::Bluesky,
                "@anna.bsky.social",
                "en",
                "https://bsky.app/profile/anna.bsky.social/rss",
            ),
        ] {
            assert_eq!(
                source.feed_url(text, language, None).unwrap().as_str(),
                url,
                "{text}"
            );
        }
        let search = S::Arxiv.feed_url("language models", "en", None).unwrap();
        assert!(
            search
                .as_str()
                .contains("search_query=all%3A%22language+models%22")
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for (source, text) in [
            (Source::Reddit, "r/"),
            (Source::Reddit, "r/a/b/c"),
            (Source::YouTube, "anna"),
            (Source::GitHub, "rust"),
            (Source::GitHub, "a/b/issues"),
            (Source::Mastodon, "anna"),
            (Source::Mastodon, "@anna@server/../x"),
            (Source::Bluesky, "anna"),
        ] {
            assert!(source.feed_url(text, "en", None).is_err(), "{text}");
        }
    }
}
