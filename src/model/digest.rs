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

/// The links that differ from reader to reader.
///
/// Each is a URL whose reserved characters are percent-encoded, so that it stands in HTML and in text as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalLinks {
    /// Ends the subscription.
    pub unsubscribe: String,
}

impl PersonalLinks {
    /// Stands for [`Self::unsubscribe`] in a rendered body. No feed, configuration or name can write it: text from
    /// outside never has private-use characters ([`is_unwanted`](crate::model::is_unwanted)), nor does a URL.
    pub const UNSUBSCRIBE: &'static str = "\u{e000}unsubscribe\u{e001}";
}

/// A body of a mail with places for personal links. It is cut into pieces once, so that filling it in for a
/// reader is a matter of copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// What stands between the places: one piece more than there are places.
    pieces: Vec<String>,
}

impl Body {
    /// The body of a rendered text, in which [`PersonalLinks::UNSUBSCRIBE`] stands for a place.
    pub fn new(rendered: &str) -> Self {
        let pieces = rendered.split(PersonalLinks::UNSUBSCRIBE);
        Self {
            pieces: pieces.map(str::to_owned).collect(),
        }
    }

    /// The body for one reader.
    pub fn fill(&self, links: &PersonalLinks) -> String {
        self.pieces.join(&links.unsubscribe)
    }

    /// What stands between the personal links.
    pub fn pieces(&self) -> &[String] {
        &self.pieces
    }

    /// How many personal links it has.
    pub fn places(&self) -> usize {
        self.pieces.len() - 1
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
    fn a_body_is_filled_in_wherever_a_link_belongs() {
        let place = PersonalLinks::UNSUBSCRIBE;
        let links = PersonalLinks {
            unsubscribe: "https://example.org/u/1".into(),
        };
        for (rendered, places, filled) in [
            (format!("a {place} b"), 1, "a https://example.org/u/1 b"),
            (
                format!("{place}{place}"),
                2,
                "https://example.org/u/1https://example.org/u/1",
            ),
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
