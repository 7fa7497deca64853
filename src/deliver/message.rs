//! A digest or a letter becomes a message: the headers that its sender owes, both bodies, and the signature.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0,
};
use lettre::message::{Mailbox, Message};

use super::dkim::Signer;
use super::encoded::{EncodedDigest, EncodedNews, ForReader};
use crate::model::{
    Address, DeliveryId, Edition, Language, Letter, Newsletter, PersonalLinks, Purpose,
    SubscriberId, TokenKeys, unsubscribe_by_mail,
};

/// Who sends: what all messages of a newsletter have in common.
#[derive(Debug)]
pub struct Sender {
    /// The publication.
    pub newsletter: Newsletter,
    /// Signs what goes out.
    pub signer: Signer,
    /// Where mail servers report what they could not deliver, if not to the address in `From`. Each delivery has an address of its
    /// own there (VERP): `bounce+TOKEN@…`.
    pub returns: Option<Address>,
    /// Seals the tokens.
    pub tokens: TokenKeys,
}

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
    /// Who they are in the store; none for a letter to somebody who is not.
    pub known: Option<(DeliveryId, SubscriberId)>,
}

impl Recipient<'_> {
    /// Who stands for the readers in a preview and in a test copy: nobody in the store.
    pub const NOBODY: (DeliveryId, SubscriberId) = (DeliveryId(0), SubscriberId(0));
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
    /// Headers and bodies, all ASCII, lines ended by CRLF.
    pub bytes: Vec<u8>,
}

impl Sender {
    /// The links of `recipient`, in the headers and in both bodies.
    pub fn links(&self, recipient: &Recipient<'_>) -> PersonalLinks {
        let newsletter = &self.newsletter;
        let token = |purpose| {
            let (_, subscriber) = recipient.known?;
            Some(self.tokens.seal(purpose, subscriber.0))
        };
        let link = |pattern: &Option<String>, purpose| {
            let pattern = pattern.as_ref()?;
            Some(pattern.replace(Newsletter::TOKEN, &token(purpose)?))
        };
        PersonalLinks {
            unsubscribe: link(&newsletter.unsubscribe_url, Purpose::Unsubscribe)
                .unwrap_or_else(|| self.unsubscribe_by_mail(recipient)),
            preferences: link(&newsletter.preferences_url, Purpose::Preferences)
                .unwrap_or_default(),
            follow: match newsletter.follow_url {
                Some(_) => token(Purpose::Follow).unwrap_or_default(),
                None => String::new(),
            },
        }
    }

    fn unsubscribe_token(&self, recipient: &Recipient<'_>) -> Option<String> {
        let (_, subscriber) = recipient.known?;
        Some(self.tokens.seal(Purpose::Unsubscribe, subscriber.0))
    }

    fn unsubscribe_by_mail(&self, recipient: &Recipient<'_>) -> String {
        unsubscribe_by_mail(
            &self.newsletter.unsubscribe,
            recipient.address,
            self.unsubscribe_token(recipient).as_deref(),
        )
    }

    /// Makes the message that brings `digest`, a rendering of `edition`, to `recipient`, with `news` of what they follow.
    ///
    /// The same arguments give the same bytes: a second try carries the same `Message-ID`, `Date`, boundary and signature,
    /// by which a mailbox can tell that it has the mail already.
    ///
    /// # Errors
    /// When an address or a name cannot stand in a header.
    pub fn message(
        &self,
        edition: &Edition,
        digest: &EncodedDigest,
        recipient: &Recipient<'_>,
        news: Vec<Arc<EncodedNews>>,
    ) -> anyhow::Result<Mail> {
        let newsletter = &self.newsletter;
        let feedback = format!(
            "{}:{}:{}:tidings",
            edition.slot.format("%Y%m%d"),
            edition.cadence,
            newsletter.id
        );
        let mut headers = vec![("List-Id", list_id(newsletter))];
        let links = self.links(recipient);
        let by_mail = self.unsubscribe_by_mail(recipient);
        // RFC 8058 3.1: the one-click address is one of HTTPS.
        if !links.unsubscribe.starts_with("https://") {
            headers.push(("List-Unsubscribe", format!("<{by_mail}>")));
        } else {
            // One click on a button of the mail program is a POST to the first address.
            let both = format!("<{}>, <{by_mail}>", links.unsubscribe);
            headers.push(("List-Unsubscribe", both));
            let post = "List-Unsubscribe=One-Click".to_owned();
            headers.push(("List-Unsubscribe-Post", post));
        }
        if let Some(url) = &newsletter.url {
            headers.push(("List-Help", format!("<{url}>")));
        }
        headers.push(("Feedback-ID", feedback));
        headers.push(("Precedence", "bulk".to_owned()));
        let content = Content {
            id: format!("{}.{}", edition.id, recipient.token),
            date: edition.created_at,
            digest,
            reader: ForReader { links, news },
            headers,
        };
        self.assemble(recipient, content)
    }

    /// Makes the message that brings `letter` to `recipient`, whose token makes it one of a kind. It belongs to no list: who gets
    /// one has not subscribed yet, has just left, or runs the list.
    ///
    /// # Errors
    /// When an address or a name cannot stand in a header.
    pub fn letter(
        &self,
        letter: &Letter,
        recipient: &Recipient<'_>,
        date: DateTime<Utc>,
    ) -> anyhow::Result<Mail> {
        let content = Content {
            id: format!("{}.{}", self.newsletter.id, recipient.token),
            date,
            digest: &EncodedDigest::letter(letter),
            reader: ForReader::default(),
            headers: Vec::new(),
        };
        self.assemble(recipient, content)
    }

    fn assemble(&self, recipient: &Recipient<'_>, content: Content<'_>) -> anyhow::Result<Mail> {
        let newsletter = &self.newsletter;
        let message_id = format!("<{}@{}>", content.id, newsletter.from.domain());
        let from = mailbox(&newsletter.from_name, &newsletter.from).context("the sender")?;
        let reply_to = mailbox("", &newsletter.reply_to).context("the address for answers")?;
        let to = mailbox(recipient.name, recipient.address).context("the recipient")?;
        let mut builder = Message::builder()
            .from(from)
            .reply_to(reply_to)
            .to(to)
            .subject(&*content.digest.subject)
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
        let kind = format!(
            "multipart/alternative; boundary=\"{}\"",
            content.digest.boundary
        );
        // The body is put behind the headers by us: it is large, and ready.
        let message = builder
            .header(MIME_VERSION_1_0)
            .header(ContentType::parse(&kind).context("the type of the message")?)
            .header(ContentTransferEncoding::SevenBit)
            .body(String::new())
            .context("putting the message together")?;
        let headers = message.headers().to_string();
        let signature = if self.signer.is_empty() {
            String::new()
        } else {
            let hash = content.digest.hash(&content.reader);
            self.signer.sign(&headers, hash, content.date)?
        };
        let mut bytes =
            Vec::with_capacity(signature.len() + headers.len() + 2 + content.digest.size());
        bytes.extend_from_slice(signature.as_bytes());
        bytes.extend_from_slice(headers.as_bytes());
        bytes.extend_from_slice(b"\r\n");
        content.digest.fill(&content.reader, &mut bytes);
        Ok(Mail {
            from: self.return_address(recipient)?,
            to: recipient.address.clone(),
            message_id,
            date: content.date,
            bytes,
        })
    }

    /// The sender on the envelope, to whom a mail server reports what it could not deliver.
    fn return_address(&self, recipient: &Recipient<'_>) -> anyhow::Result<Address> {
        let Some(returns) = &self.returns else {
            return Ok(self.newsletter.from.clone());
        };
        let Some((delivery, _)) = recipient.known else {
            return Ok(returns.clone());
        };
        let token = self.tokens.seal(Purpose::Bounce, delivery.0);
        returns.tagged(&token).context("the address for bounces")
    }
}

/// What differs from mail to mail.
struct Content<'a> {
    /// The part of the Message-ID before the domain.
    id: String,
    date: DateTime<Utc>,
    digest: &'a EncodedDigest,
    reader: ForReader,
    /// Beside those that every mail has.
    headers: Vec<(&'static str, String)>,
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::model::{self, CadenceId, Personal, Window};

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
            follow_url: None,
            story_url: None,
            pages_url: None,
            archive_url: None,
            unsubscribe_url: None,
        }
    }

    fn sender() -> Sender {
        Sender {
            newsletter: newsletter(),
            signer: Signer::new(&[]).unwrap(),
            returns: None,
            tokens: TokenKeys::new(&[7; 32], &[]),
        }
    }

    fn mail(name: &str, subject: &str) -> Mail {
        mail_from(&sender(), name, subject)
    }

    fn mail_from(sender: &Sender, name: &str, subject: &str) -> Mail {
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
            covers: None,
            sections: Vec::new(),
            blocks: Vec::new(),
            followed: Vec::new(),
        };
        let digest = model::Digest {
            subject: subject.into(),
            html: model::Body::new(&format!(
                "<p>Grüße <a href=\"{}\">x</a></p>",
                Personal::Unsubscribe.mark()
            )),
            text: model::Body::new("Grüße\n.\nein Punkt allein\n"),
        };
        let anna = Address::parse("anna@example.org").unwrap();
        let recipient = Recipient {
            address: &anna,
            name,
            token: "abc",
            language: Language::De,
            known: Some((DeliveryId(7), SubscriberId(9))),
        };
        let digest = EncodedDigest::new(&digest);
        sender
            .message(&edition, &digest, &recipient, Vec::new())
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
    fn a_reader_leaves_with_one_click_and_bounces_come_back_to_the_delivery() {
        let sender = Sender {
            newsletter: Newsletter {
                unsubscribe_url: Some("https://example.org/u/{token}".into()),
                ..newsletter()
            },
            returns: Some(Address::parse("bounce@bounces.example.org").unwrap()),
            ..sender()
        };
        let mail = mail_from(&sender, "", "S");
        let token = sender.tokens.seal(Purpose::Unsubscribe, 9);
        let text = String::from_utf8(mail.bytes).unwrap();
        for part in [
            format!("\r\nList-Unsubscribe: <https://example.org/u/{token}>,"),
            "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".to_owned(),
        ] {
            assert!(text.contains(&part), "{part}: {text}");
        }
        let body = text.replace("=\r\n", "");
        assert!(
            body.contains(&format!("href=3D\"https://example.org/u/{token}\"")),
            "{body}"
        );
        let (local, domain) = mail.from.as_str().split_once('@').unwrap();
        assert_eq!(domain, "bounces.example.org");
        let tag = local.strip_prefix("bounce+").unwrap();
        assert_eq!(sender.tokens.open(Purpose::Bounce, tag), Some(7));
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
            known: None,
        };
        let mail = sender()
            .letter(&letter, &recipient, DateTime::UNIX_EPOCH)
            .unwrap();
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
