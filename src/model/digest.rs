//! An edition rendered for an audience.

use super::Address;

/// An edition rendered for an audience: one value for everybody who made the same choices.
///
/// Where a personal link belongs, the bodies hold [`Digest::UNSUBSCRIBE`]; [`Digest::personal`] puts the
/// link in, so that an edition is rendered once and not once per subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// One line, without control characters.
    pub subject: String,
    /// The HTML body.
    pub html: String,
    /// The plain-text body, lines separated by `\n`.
    pub text: String,
}

impl Digest {
    /// Stands for the subscriber's link to unsubscribe. No feed can write it: text from outside never has
    /// private-use characters ([`is_unwanted`](crate::model::is_unwanted)), nor does a URL.
    pub const UNSUBSCRIBE: &'static str = "\u{e000}unsubscribe\u{e001}";

    /// The HTML and text bodies for one subscriber. `unsubscribe` is a URL whose reserved characters are
    /// percent-encoded, so it stands in HTML and in text as it is.
    pub fn personal(&self, unsubscribe: &str) -> (String, String) {
        (
            self.html.replace(Self::UNSUBSCRIBE, unsubscribe),
            self.text.replace(Self::UNSUBSCRIBE, unsubscribe),
        )
    }
}

/// The link that asks `mailbox` to unsubscribe `subscriber`: a mail that names them in its subject.
pub fn unsubscribe_by_mail(mailbox: &Address, subscriber: &Address) -> String {
    format!(
        "mailto:{}?subject=unsubscribe%20{}",
        percent_encoded(mailbox.as_str()),
        percent_encoded(subscriber.as_str())
    )
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
            unsubscribe_by_mail(&mailbox, &subscriber),
            "mailto:leave%2Blist@example.org?subject=unsubscribe%20o%27neil%26co%2Bx@example.org"
        );
    }
}
