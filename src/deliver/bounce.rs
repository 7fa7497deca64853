//! Mail that comes back: reports of failed deliveries (RFC 3464), complaints (RFC 5965) and requests to leave.
//!
//! All of it is hostile until it names one of our mails by a sealed token, or by the Message-ID, in which the name of its subscriber
//! is a random one. Whose address a report speaks of decides nothing: anybody can write that.

use mail_parser::{Message, MessageParser, MimeHeaders as _, PartType};

use super::outcome::judge_report;
use crate::model::{Bounce, DeliveryId, EditionId, Purpose, SubscriberId, TOKEN_LENGTH, TokenKeys};

/// What a mail that came in means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// Our mail did not reach its mailbox, or was called spam there.
    Bounced {
        /// Which mail.
        mail: Named,
        /// What that says about the address.
        bounce: Bounce,
        /// What the server said.
        detail: String,
    },
    /// A subscriber wants to leave.
    Unsubscribe(SubscriberId),
    /// Nothing that a program has to do with.
    Ignored(&'static str),
}

/// How a report names one of our mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By the token in the address that it was returned to.
    Token(DeliveryId),
    /// By its Message-ID: the edition, and the subscriber's public name.
    MessageId(EditionId, String),
}

/// How our own mails can be told.
#[derive(Debug)]
pub struct Ours<'a> {
    /// Opens the tokens.
    pub tokens: &'a TokenKeys,
    /// The domain of our Message-IDs.
    pub domain: &'a str,
}

/// Says what a mail means that came in for `recipient`, where that is known.
pub fn read_inbound(bytes: &[u8], recipient: Option<&str>, ours: &Ours<'_>) -> Inbound {
    let Some(message) = MessageParser::default().parse(bytes) else {
        return Inbound::Ignored("it is no mail");
    };
    let report = report_type(&message);
    match report.as_deref() {
        Some("delivery-status") => read_status(&message, recipient, ours),
        Some("feedback-report") => read_complaint(&message, recipient, ours),
        Some(_) => Inbound::Ignored("it is a report of another kind"),
        None => read_request(&message, recipient, ours),
    }
}

/// `report-type` of a `multipart/report` (RFC 6522), in lower case.
fn report_type(message: &Message<'_>) -> Option<String> {
    let kind = message.content_type()?;
    let is_report = kind.ctype().eq_ignore_ascii_case("multipart")
        && kind
            .subtype()
            .is_some_and(|subtype| subtype.eq_ignore_ascii_case("report"));
    let report = kind.attribute("report-type").filter(|_| is_report)?;
    Some(report.to_ascii_lowercase())
}

/// A report of what became of a mail.
fn read_status(message: &Message<'_>, recipient: Option<&str>, ours: &Ours<'_>) -> Inbound {
    let Some(status) = part_text(message, "delivery-status") else {
        return Inbound::Ignored("it is a report without a status");
    };
    // The first block is about the whole message, each other one about a recipient; we have one recipient a message.
    let failed = blocks(&status).into_iter().find(|block| {
        value(block, "action").is_some_and(|action| action.eq_ignore_ascii_case("failed"))
    });
    let Some(block) = failed else {
        // Delayed, relayed, delivered, expanded.
        return Inbound::Ignored("it is a report of a delivery that has not failed");
    };
    let Some(mail) = named(message, recipient, ours) else {
        return Inbound::Ignored("it is about none of our mails");
    };
    let code = value(&block, "status").unwrap_or_default();
    let diagnostic = value(&block, "diagnostic-code").unwrap_or_default();
    let detail = [code, diagnostic]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    Inbound::Bounced {
        mail,
        bounce: judge_report(code, diagnostic),
        detail: one_line(&detail),
    }
}

/// A complaint that somebody's mail program has sent for them.
fn read_complaint(message: &Message<'_>, recipient: Option<&str>, ours: &Ours<'_>) -> Inbound {
    let report = part_text(message, "feedback-report").unwrap_or_default();
    let fields = blocks(&report).into_iter().flatten().collect::<Vec<_>>();
    let kind = value(&fields, "feedback-type").unwrap_or("abuse");
    // Somebody has taken a complaint back (RFC 5965 7.3.1).
    if kind.eq_ignore_ascii_case("not-spam") {
        return Inbound::Ignored("it says that a mail was no spam");
    }
    // The mail was sent from the address with the token.
    let sender = value(&fields, "original-mail-from");
    match named(message, sender.or(recipient), ours) {
        Some(mail) => Inbound::Bounced {
            mail,
            bounce: Bounce::Complaint,
            detail: one_line(kind),
        },
        None => Inbound::Ignored("it is about none of our mails"),
    }
}

/// A mail that is no report: a request to leave, or an answer that somebody, or something, has written.
fn read_request(message: &Message<'_>, recipient: Option<&str>, ours: &Ours<'_>) -> Inbound {
    // RFC 3834 2: what answers by itself asks for nothing. Some say so in words of their own.
    let header = |name: &str| message.header_raw(name.to_owned()).map(str::trim);
    let is_automatic = header("Auto-Submitted")
        .is_some_and(|value| !value.to_ascii_lowercase().starts_with("no"))
        || header("X-Autoreply").is_some()
        || header("X-Autorespond").is_some()
        || header("Precedence").is_some_and(|value| {
            ["auto_reply", "bulk", "junk", "list"]
                .iter()
                .any(|word| value.eq_ignore_ascii_case(word))
        });
    if is_automatic {
        return Inbound::Ignored("it was written by a program");
    }
    let subject = message.subject().unwrap_or_default();
    let in_subject = subject
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == TOKEN_LENGTH);
    let in_address = addresses(message, recipient).into_iter().filter_map(tag);
    let tokens = in_subject.map(str::to_owned).chain(in_address);
    for token in tokens {
        if let Some(number) = ours.tokens.open(Purpose::Unsubscribe, &token) {
            return Inbound::Unsubscribe(SubscriberId(number));
        }
    }
    Inbound::Ignored("it is neither a report nor a request")
}

/// The mail of ours that a report is about.
fn named(message: &Message<'_>, recipient: Option<&str>, ours: &Ours<'_>) -> Option<Named> {
    let open = |token: String| ours.tokens.open(Purpose::Bounce, &token);
    let by_address = addresses(message, recipient)
        .into_iter()
        .filter_map(tag)
        .find_map(open);
    if let Some(number) = by_address {
        return Some(Named::Token(DeliveryId(number)));
    }
    // What came back of our mail: all of it, or its headers.
    message.parts.iter().find_map(|part| match &part.body {
        PartType::Message(original) => {
            let sender = original.header_raw("Return-Path").and_then(tag);
            if let Some(number) = sender.and_then(open) {
                return Some(Named::Token(DeliveryId(number)));
            }
            message_id(original.message_id()?, ours)
        }
        PartType::Text(headers) => headers
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| name.eq_ignore_ascii_case("message-id"))
            .find_map(|(_, id)| message_id(id, ours)),
        _ => None,
    })
}

/// The mail with that Message-ID, `edition.subscriber@domain`, if it is one of ours.
fn message_id(id: &str, ours: &Ours<'_>) -> Option<Named> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let (local, domain) = id.rsplit_once('@')?;
    let (edition, subscriber) = local.rsplit_once('.')?;
    domain.eq_ignore_ascii_case(ours.domain).then(|| {
        let edition = EditionId(edition.to_owned());
        Named::MessageId(edition, subscriber.to_owned())
    })
}

/// The addresses that a mail came in for.
fn addresses<'m>(message: &'m Message<'_>, recipient: Option<&'m str>) -> Vec<&'m str> {
    let mut found: Vec<&str> = recipient.into_iter().collect();
    for name in ["X-Original-To", "Delivered-To", "Envelope-To", "To"] {
        let values = message.headers_raw();
        let values = values.filter(|(header, _)| header.eq_ignore_ascii_case(name));
        found.extend(values.map(|(_, value)| value));
    }
    found
}

/// The tag of an address that may stand between other text: `local+TAG@…`.
fn tag(text: &str) -> Option<String> {
    let at = text.find('@')?;
    let tag = text[..at].rsplit_once('+')?.1;
    (tag.len() == TOKEN_LENGTH).then(|| tag.to_owned())
}

/// The text of the part `message/KIND`.
fn part_text(message: &Message<'_>, kind: &str) -> Option<String> {
    let part = message.parts.iter().find(|part| {
        part.content_type().is_some_and(|found| {
            found
                .subtype()
                .is_some_and(|subtype| subtype.eq_ignore_ascii_case(kind))
                && found.ctype().eq_ignore_ascii_case("message")
        })
    })?;
    Some(String::from_utf8_lossy(part.contents()).into_owned())
}

/// Blocks of fields, each a name and a value without its folds (RFC 3464 2.1.1).
fn blocks(text: &str) -> Vec<Vec<(String, String)>> {
    let mut blocks = vec![Vec::new()];
    for line in text.lines() {
        let last = blocks.len() - 1;
        if line.trim().is_empty() {
            blocks.push(Vec::new());
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = blocks[last].last_mut() {
                let value: &mut String = value;
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            blocks[last].push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    blocks
}

fn value<'b>(block: &'b [(String, String)], name: &str) -> Option<&'b str> {
    block
        .iter()
        .find(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Text from outside on one line and not endlessly long.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> TokenKeys {
        TokenKeys::new(&[3; 32], &[])
    }

    fn read(mail: &str, recipient: Option<&str>) -> Inbound {
        let tokens = tokens();
        let ours = Ours {
            tokens: &tokens,
            domain: "example.org",
        };
        read_inbound(mail.replace('\n', "\r\n").as_bytes(), recipient, &ours)
    }

    fn report(action: &str, status: &str, diagnostic: &str, returned: &str) -> String {
        format!(
            "From: MAILER-DAEMON@relay.example\nTo: bounce@bounces.example.org\nSubject: Undelivered\n\
             Auto-Submitted: auto-replied\nMIME-Version: 1.0\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n\
             --b\nContent-Type: text/plain\n\nSorry.\n\
             --b\nContent-Type: message/delivery-status\n\n\
             Reporting-MTA: dns; relay.example\n\n\
             Final-Recipient: rfc822; somebody-else@example.net\nAction: {action}\nStatus: {status}\n\
             Diagnostic-Code: {diagnostic}\n\n{returned}--b--\n"
        )
    }

    fn whole(id: &str) -> String {
        format!("--b\nContent-Type: message/rfc822\n\nMessage-ID: <{id}>\nSubject: News\n\nText\n")
    }

    #[test]
    fn a_report_is_about_the_mail_whose_token_it_came_to() {
        let to = format!(
            "bounce+{}@bounces.example.org",
            tokens().seal(Purpose::Bounce, 42)
        );
        let mail = report("failed", "5.1.1", "smtp; 550 5.1.1 <x> User\n unknown", "");
        let expected = Inbound::Bounced {
            mail: Named::Token(DeliveryId(42)),
            bounce: Bounce::Hard,
            detail: "5.1.1 smtp; 550 5.1.1 <x> User unknown".into(),
        };
        assert_eq!(read(&mail, Some(&to.to_uppercase())), expected);
        let delivered = mail.replace("To: bounce@", &format!("Delivered-To: {to}\nTo: bounce@"));
        assert_eq!(read(&delivered, None), expected);
        let forged = to.replace("bounce+0", "bounce+1");
        let nobody = Inbound::Ignored("it is about none of our mails");
        assert_eq!(read(&mail, Some(&forged)), nobody);
        assert_eq!(read(&mail, None), nobody);
    }

    #[test]
    fn a_report_without_a_token_is_about_the_mail_that_it_returns() {
        let id = "bote.daily.20261120T060000Z.abc@example.org";
        let headers = format!("--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{id}>\n");
        for returned in [whole(id), headers] {
            let Inbound::Bounced { mail, bounce, .. } =
                read(&report("failed", "5.2.2", "", &returned), None)
            else {
                panic!("a bounce: {returned}")
            };
            let edition = EditionId("bote.daily.20261120T060000Z".into());
            assert_eq!(mail, Named::MessageId(edition, "abc".into()));
            assert_eq!(bounce, Bounce::Soft);
        }
        let elsewhere = whole("a.b@example.net");
        assert_eq!(
            read(&report("failed", "5.1.1", "", &elsewhere), None),
            Inbound::Ignored("it is about none of our mails")
        );
    }

    #[test]
    fn a_mail_that_is_late_has_not_bounced() {
        let id = whole("a.b@example.org");
        for action in ["delayed", "delivered", "relayed", "expanded"] {
            assert_eq!(
                read(&report(action, "4.4.1", "", &id), None),
                Inbound::Ignored("it is a report of a delivery that has not failed")
            );
        }
    }

    #[test]
    fn a_complaint_is_about_the_mail_that_it_returns() {
        let complaint = |kind: &str| {
            format!(
                "From: fbl@provider.example\nSubject: complaint\nMIME-Version: 1.0\n\
                 Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n\
                 --b\nContent-Type: text/plain\n\nA complaint.\n\
                 --b\nContent-Type: message/feedback-report\n\n\
                 Feedback-Type: {kind}\nUser-Agent: x/1\nVersion: 1\n\n\
                 {}--b--\n",
                whole("bote.daily.20261120T060000Z.abc@example.org")
            )
        };
        assert!(matches!(
            read(&complaint("abuse"), None),
            Inbound::Bounced {
                bounce: Bounce::Complaint,
                ..
            }
        ));
        assert!(matches!(
            read(&complaint("not-spam"), None),
            Inbound::Ignored(_)
        ));
    }

    #[test]
    fn who_writes_with_their_token_leaves_and_what_answers_by_itself_does_not() {
        let token = tokens().seal(Purpose::Unsubscribe, 7);
        let mail = |subject: &str, header: &str| {
            format!(
                "From: anna@example.net\nTo: leave@example.org\nSubject: {subject}\n{header}\nBye\n"
            )
        };
        let subject = format!("unsubscribe anna@example.net {token}");
        let leaves = Inbound::Unsubscribe(SubscriberId(7));
        assert_eq!(read(&mail(&subject, ""), None), leaves);
        assert_eq!(
            read(
                &mail("bye", ""),
                Some(&format!("leave+{token}@example.org"))
            ),
            leaves
        );
        for header in [
            "Auto-Submitted: auto-replied\n",
            "Precedence: bulk\n",
            "X-Autoreply: yes\n",
        ] {
            let answer = mail(&format!("Out of office: {subject}"), header);
            assert!(matches!(read(&answer, None), Inbound::Ignored(_)));
        }
        let bounce_token = tokens().seal(Purpose::Bounce, 7);
        for subject in ["unsubscribe", &format!("unsubscribe {bounce_token}")] {
            assert!(matches!(
                read(&mail(subject, ""), None),
                Inbound::Ignored(_)
            ));
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_in_is_read_without_a_fault(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
            place in 0..600usize,
            length in 0..40usize,
        ) {
            let tokens = tokens();
            let ours = Ours { tokens: &tokens, domain: "example.org" };
            // A report with a piece of it replaced by anything.
            let mut mail = report("failed", "5.1.1", "x", &whole("a.b@example.org")).into_bytes();
            let place = place.min(mail.len());
            let end = (place + length).min(mail.len());
            mail.splice(place..end, bytes.iter().copied());
            for mail in [&bytes, &mail] {
                let read = read_inbound(mail, Some("b+x@y"), &ours);
                let names_nobody = !matches!(read, Inbound::Unsubscribe(_));
                proptest::prop_assert!(names_nobody);
            }
        }
    }

    #[test]
    fn what_is_no_mail_is_nothing() {
        for bytes in [
            "",
            "\n\n",
            "x",
            "Content-Type: multipart/report; report-type=delivery-status\n\n",
        ] {
            assert!(
                matches!(read(bytes, None), Inbound::Ignored(_)),
                "{bytes:?}"
            );
        }
    }
}
