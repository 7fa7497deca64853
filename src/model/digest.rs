//! Rendered mails: a digest for everybody who made the same choices, a letter for one person.

use super::Address;

/// An edition rendered for an audience: one value for everybody who made the same choices. What differs from
/// reader to reader is filled into its bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// One line, without control characters.
    pub subject: String,
    /// The HTML body.
    pub html: Body,
    /// The plain-text body, lines separated by `\n`.
    pub text: Body,
}

/// A mail that is about one person and no edition: confirmation, welcome, goodbye, report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One line, without control characters.
    pub subject: String,
    /// The HTML body.
    pub html: String,
    /// The plain-text body, lines separated by `\n`.
    pub text: String,
}

/// What differs from reader to reader in a digest that many get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Personal {
    /// The link that ends the subscription.
    Unsubscribe,
    /// The link to what the reader has chosen.
    Preferences,
    /// The token in the links that follow a story.
    Follow,
    /// News of the stories that the reader follows, in the HTML body.
    FollowedHtml,
    /// The same in the text body.
    FollowedText,
}

impl Personal {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Unsubscribe,
        Self::Preferences,
        Self::Follow,
        Self::FollowedHtml,
        Self::FollowedText,
    ];

    /// What stands for it in a rendered body. No feed, configuration or name can write it: text from outside never has
    /// private-use characters ([`is_unwanted`](crate::model::is_unwanted)), nor does a URL.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Unsubscribe => "\u{e000}unsubscribe\u{e001}",
            Self::Preferences => "\u{e000}preferences\u{e001}",
            Self::Follow => "\u{e000}follow\u{e001}",
            // Between the rows of a table nothing else may stand than a comment.
            Self::FollowedHtml => "<!--\u{e000}followed\u{e001}-->",
            Self::FollowedText => "\u{e000}followed\u{e001}",
        }
    }
}

/// The links that differ from reader to reader.
///
/// Each is a URL, or a part of one, whose reserved characters are percent-encoded, so that it stands in HTML and in text as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonalLinks {
    /// Ends the subscription.
    pub unsubscribe: String,
    /// Leads to what they have chosen.
    pub preferences: String,
    /// The token in links that follow a story.
    pub follow: String,
}

impl PersonalLinks {
    /// What goes to a place; nothing where no link does.
    pub fn at(&self, place: Personal) -> &str {
        match place {
            Personal::Unsubscribe => &self.unsubscribe,
            Personal::Preferences => &self.preferences,
            Personal::Follow => &self.follow,
            Personal::FollowedHtml | Personal::FollowedText => "",
        }
    }
}

/// A body of a mail with places for what is personal. It is cut into pieces once, so that filling it in for a
/// reader is a matter of copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// What stands between the places: one piece more than there are places.
    pieces: Vec<String>,
    places: Vec<Personal>,
}

impl Body {
    /// What is in every mark.
    const BEGINS: char = '\u{e000}';

    /// The body of a rendered text, in which [`Personal::mark`] stands for a place.
    pub fn new(rendered: &str) -> Self {
        let (mut pieces, mut places) = (Vec::new(), Vec::new());
        let mut rest = rendered;
        let mut looked = 0;
        while let Some(found) = rest[looked..].find(Self::BEGINS) {
            let found = looked + found;
            let standing = Personal::ALL.into_iter().find_map(|place| {
                let before = place.mark().find(Self::BEGINS)?;
                let start = found.checked_sub(before)?;
                rest.get(start..)?
                    .starts_with(place.mark())
                    .then_some((start, place))
            });
            let Some((start, place)) = standing else {
                looked = found + Self::BEGINS.len_utf8();
                continue;
            };
            pieces.push(rest[..start].to_owned());
            places.push(place);
            rest = &rest[start + place.mark().len()..];
            looked = 0;
        }
        pieces.push(rest.to_owned());
        Self { pieces, places }
    }

    /// The body for one reader, who follows nothing.
    pub fn fill(&self, links: &PersonalLinks) -> String {
        let mut text = String::new();
        for (piece, place) in self.parts() {
            text.push_str(piece);
            text.push_str(place.map_or("", |place| links.at(place)));
        }
        text
    }

    /// What stands between the places, each with the place behind it; the last has none.
    pub fn parts(&self) -> impl Iterator<Item = (&str, Option<Personal>)> {
        let places = self.places.iter().copied().map(Some).chain([None]);
        self.pieces.iter().map(String::as_str).zip(places)
    }

    /// How many places it has.
    pub fn places(&self) -> usize {
        self.places.len()
    }
}

/// The link that asks `mailbox` to unsubscribe `subscriber`: a mail that names them in its subject, for whoever reads it, and with a
/// `token` for a program that does.
pub fn unsubscribe_by_mail(mailbox: &Address, subscriber: &Address, token: Option<&str>) -> String {
    let mut link = format!(
        "mailto:{}?subject=unsubscribe%20{}",
        percent_encoded(mailbox.as_str()),
        percent_encoded(subscriber.as_str())
    );
    if let Some(token) = token {
        link.push_str("%20");
        link.push_str(&percent_encoded(token));
    }
    link
}

/// Everything but letters, digits and `@ . - _` percent-encoded (RFC 6068 2).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"@.-_".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_to_unsubscribe_is_safe_in_html_and_in_a_url() {
        let mailbox = Address::parse("leave+list@example.org").unwrap();
        let subscriber = Address::parse("o'neil&co+x@example.org").unwrap();
        assert_eq!(
            unsubscribe_by_mail(&mailbox, &subscriber, None),
            "mailto:leave%2Blist@example.org?subject=unsubscribe%20o%27neil%26co%2Bx@example.org"
        );
    }

    #[test]
    fn a_body_is_filled_in_wherever_something_personal_belongs() {
        let [leave, choose] = [Personal::Unsubscribe, Personal::Preferences].map(Personal::mark);
        let followed = Personal::FollowedHtml.mark();
        let links = PersonalLinks {
            unsubscribe: "https://example.org/u/1".into(),
            preferences: "https://example.org/p/2".into(),
            ..PersonalLinks::default()
        };
        for (rendered, places, filled) in [
            (format!("a {leave} b"), 1, "a https://example.org/u/1 b"),
            (
                format!("{choose}{leave}"),
                2,
                "https://example.org/p/2https://example.org/u/1",
            ),
            (format!("<tr></tr>{followed}<tr>"), 1, "<tr></tr><tr>"),
            ("none".to_owned(), 0, "none"),
        ] {
            let body = Body::new(&rendered);
            assert_eq!(
                (body.places(), body.fill(&links).as_str()),
                (places, filled)
            );
        }
    }
}
