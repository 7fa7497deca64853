//! A digest or a letter becomes a message: the headers that its sender owes, and both bodies.

use std::time::SystemTime;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use sha2::{Digest as _, Sha256};

use super::encoded::{self, EncodedDigest};
use crate::model::{
    Address, Edition, Language, Letter, Newsletter, PersonalLinks, unsubscribe_by_mail,
};

/// Who a message is for.
#[derive(Debug, Clone)]
pub struct Recipient<'a> {
    /// Their address.
    pub address: &'a Address,
    /// Their name; may be empty.
    pub name: &'a str,
    /// A public name for this recipient, part of the Message-ID: the same for every try.
    pub token: &'a str,
    /// The language that they read.
    pub language: Language,
}

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The envelope's sender.
    pub from: Address,
    /// The envelope's only recipient.
    pub to: Address,
    /// Its `Message-ID`, with angle brackets.
    pub message_id: String,
    /// Its `Date`.
    pub date: DateTime<Utc>,
    /// Headers and bodies, lines ended by CRLF.
    pub bytes: Vec<u8>,
}

/// Makes the message that brings `digest`, a rendering of `edition`, to `recipient`.
///
/// The same arguments give the same bytes: a second try carries the same `Message-ID`, `Date` and boundary,
/// by which a mailbox can tell that it has the mail already.
///
/// # Errors
/// When an address or a name cannot stand in a header.
pub fn message(
    newsletter: &Newsletter,
    edition: &Edition,
    digest: &EncodedDigest,
    recipient: &Recipient<'_>,
) -> anyhow::Result<Mail> {
    let links = PersonalLinks {
        unsubscribe: unsubscribe_by_mail(&newsletter.unsubscribe, recipient.address),
    };
    let feedback = format!(
        "{}:{}:{}:tidings",
        edition.slot.format("%Y%m%d"),
        edition.cadence,
        newsletter.id
    );
    let content = Content {
        id: format!("{}.{}", edition.id, recipient.token),
        date: edition.created_at,
        subject: &digest.subject,
        html: digest.html.fill(&links),
        text: digest.text.fill(&links),
        headers: vec![
            ("List-Id", list_id(newsletter)),
            ("List-Unsubscribe", format!("<{}>", links.unsubscribe)),
            ("Feedback-ID", feedback),
            ("Precedence", "bulk".to_owned()),
        ],
    };
    assemble(newsletter, recipient, content)
}

/// Makes the message that brings `letter` to `recipient`, whose token makes it one of a kind. It belongs to no list: who gets
/// one has not subscribed yet, has just left, or runs the list.
///
/// # Errors
/// When an address or a name cannot stand in a header.
pub fn letter_message(
    newsletter: &Newsletter,
    letter: &Letter,
    recipient: &Recipient<'_>,
    date: DateTime<Utc>,
) -> anyhow::Result<Mail> {
    let content = Content {
        id: format!("{}.{}", newsletter.id, recipient.token),
        date,
        subject: &letter.subject,
        html: encoded::body(&letter.html),
        text: encoded::body(&letter.text),
        headers: Vec::new(),
    };
    assemble(newsletter, recipient, content)
}

/// What differs from mail to mail.
struct Content<'a> {
    /// The part of the Message-ID before the domain.
    id: String,
    date: DateTime<Utc>,
    subject: &'a str,
    html: Body,
    text: Body,
    /// Beside those that every mail has.
    headers: Vec<(&'static str, String)>,
}

fn assemble(
    newsletter: &Newsletter,
    recipient: &Recipient<'_>,
    content: Content<'_>,
) -> anyhow::Result<Mail> {
    let message_id = format!("<{}@{}>", content.id, newsletter.from.domain());
    let from = mailbox(&newsletter.from_name, &newsletter.from).context("the sender")?;
    let reply_to = mailbox("", &newsletter.reply_to).context("the address for answers")?;
    let to = mailbox(recipient.name, recipient.address).context("the recipient")?;
    let mut builder = Message::builder()
        .from(from)
        .reply_to(reply_to)
        .to(to)
        .subject(content.subject)
        .date(SystemTime::from(content.date))
        .message_id(Some(message_id.clone()));
    let common = [
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "OOF, AutoReply".to_owned()),
        ("Content-Language", recipient.language.tag().to_owned()),
    ];
    for (name, value) in content.headers.into_iter().chain(common) {
        builder = builder.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str(name),
            value,
        ));
    }
    // Plain first: a reader shows the last part that it can (RFC 2046 5.1.4).
    let body = MultiPart::alternative()
        .boundary(boundary(&message_id))
        .singlepart(
            SinglePart::builder()
                .content_type(ContentType::TEXT_PLAIN)
                .body(content.text),
        )
        .singlepart(
            SinglePart::builder()
                .content_type(ContentType::TEXT_HTML)
                .body(content.html),
        );
    let message = builder
        .multipart(body)
        .context("putting the message together")?;
    Ok(Mail {
        from: newsletter.from.clone(),
        to: recipient.address.clone(),
        message_id,
        date: content.date,
        bytes: message.formatted(),
    })
}

/// RFC 2919: a name in a domain that we own, the same for ever. The phrase before it is for people; only a
/// plain one goes in, because not every client decodes an encoded one there.
fn list_id(newsletter: &Newsletter) -> String {
    let id = format!("<{}.{}>", newsletter.id, newsletter.from.domain());
    let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == '-';
    if newsletter.title.chars().all(plain) {
        format!("{} {id}", newsletter.title)
    } else {
        id
    }
}

fn mailbox(name: &str, address: &Address) -> anyhow::Result<Mailbox> {
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    Ok(Mailbox::new(name, address.as_str().parse()?))
}

/// Our own boundary, because lettre's is random. With "=_" it cannot occur in a quoted-printable body
/// (RFC 2045 6.7).
fn boundary(message_id: &str) -> String {
    let hash: String = Sha256::digest(message_id)
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("=_tidings_{hash}")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::model::{self, CadenceId, Window};

    fn newsletter() -> Newsletter {
        let address = |text: &str| Address::parse(text).expect("an address");
        Newsletter {
            id: "bote".into(),
            title: "Der Bote".into(),
            tagline: String::new(),
            language: Language::De,
            timezone: chrono_tz::Europe::Berlin,
            from_name: "Bote, \"der\" Große".into(),
            from: address("bote@example.org"),
            reply_to: address("redaktion@example.org"),
            unsubscribe: address("ab@example.org"),
            imprint: vec!["Muster".into()],
            url: None,
            browser_url: None,
            preferences_url: None,
        }
    }

    fn mail(name: &str, subject: &str) -> Mail {
        let cadence = CadenceId("daily".into());
        let edition = Edition {
            id: Edition::id_of("bote", &cadence, DateTime::UNIX_EPOCH),
            newsletter: "bote".into(),
            cadence,
            slot: DateTime::UNIX_EPOCH,
            window: Window {
                since: DateTime::UNIX_EPOCH,
                until: DateTime::UNIX_EPOCH + TimeDelta::days(1),
            },
            created_at: DateTime::UNIX_EPOCH,
            sections: Vec::new(),
            blocks: Vec::new(),
        };
        let digest = model::Digest {
            subject: subject.into(),
            html: model::Body::new(&format!(
                "<p>Grüße <a href=\"{}\">x</a></p>",
                PersonalLinks::UNSUBSCRIBE
            )),
            text: model::Body::new("Grüße\n.\nein Punkt allein\n"),
        };
        let anna = Address::parse("anna@example.org").unwrap();
        let recipient = Recipient {
            address: &anna,
            name,
            token: "abc",
            language: Language::De,
        };
        message(
            &newsletter(),
            &edition,
            &EncodedDigest::new(&digest),
            &recipient,
        )
        .unwrap()
    }

    #[test]
    fn a_message_has_all_that_a_bulk_sender_owes() {
        let mail = mail("Anna", "Überschrift");
        insta::assert_snapshot!(String::from_utf8(mail.bytes).unwrap().replace("\r\n", "\n"));
        assert_eq!(
            mail.message_id,
            "<bote.daily.19700101T000000Z.abc@example.org>"
        );
    }

    #[test]
    fn a_letter_is_on_no_list() {
        let letter = Letter {
            subject: "Willkommen".into(),
            html: "<p>Grüße</p>".into(),
            text: "Grüße".into(),
        };
        let anna = Address::parse("anna@example.org").unwrap();
        let recipient = Recipient {
            address: &anna,
            name: "",
            token: "welcome-1",
            language: Language::De,
        };
        let mail =
            letter_message(&newsletter(), &letter, &recipient, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(mail.message_id, "<bote.welcome-1@example.org>");
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(text.contains("Auto-Submitted: auto-generated\r\n"));
        assert!(!text.contains("List-") && !text.contains("Precedence"));
    }

    #[test]
    fn the_same_delivery_gives_the_same_bytes() {
        assert_eq!(mail("Anna", "S").bytes, mail("Anna", "S").bytes);
    }

    #[test]
    fn a_long_subject_is_folded_and_every_line_is_short_enough() {
        let mail = mail(&"Ä".repeat(80), &"Überschriften ".repeat(20));
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(
            text.lines()
                .all(|line| line.len() <= 78 || line.starts_with("List-Unsubscribe")),
            "{text}"
        );
    }
}
