//! Bodies as they go over the wire. A digest is encoded once for all who get it; what differs from reader to reader is
//! encoded for each and put between.

use std::sync::Arc;

use lettre::message::Body as Wire;
use lettre::message::header::ContentTransferEncoding::QuotedPrintable;
use sha2::{Digest as _, Sha256};

use super::dkim::{BodyHash, relaxed};
use crate::model::{Body, Digest, Letter, Personal, PersonalLinks};

/// What a line of quoted-printable may have, without its end (RFC 2045 6.7).
const LINE: usize = 76;

/// A line that goes on in the next one.
const SOFT_BREAK: &[u8] = b"=\r\n";

/// Bytes of a body in pieces, between which something personal goes.
#[derive(Debug, Clone, Default)]
struct Pieces {
    /// One more than there are places. All but the last end with a line.
    pieces: Vec<Vec<u8>>,
    /// The same pieces as they are signed.
    canonical: Vec<Vec<u8>>,
    places: Vec<Personal>,
}

/// A digest, or a letter, whose bodies are encoded and put together.
#[derive(Debug, Clone)]
pub struct EncodedDigest {
    pub(super) subject: String,
    /// What stands between the parts of the body.
    pub(super) boundary: String,
    /// The whole body.
    body: Pieces,
}

/// News of a story that somebody follows, encoded: what goes into the digest of each who does.
#[derive(Debug, Clone)]
pub struct EncodedNews {
    html: Pieces,
    text: Pieces,
}

impl EncodedNews {
    /// Encodes a section of both bodies.
    pub fn new(html: &Body, text: &Body) -> Self {
        let [html, text] = [html, text].map(|body| {
            let mut pieces = encoded_pieces(body);
            // Something follows in any case.
            if let (Some(last), Some((text, _))) = (pieces.last_mut(), body.parts().last()) {
                *last = open_ended(text);
            }
            Pieces::new(pieces, places(body))
        });
        Self { html, text }
    }

    /// About how many bytes it has in the HTML body.
    pub(super) fn html_size(&self) -> usize {
        self.html.size()
    }
}

/// What is put into a digest for one reader.
#[derive(Debug, Clone, Default)]
pub struct ForReader {
    /// Their links.
    pub links: PersonalLinks,
    /// News of what they follow.
    pub news: Vec<Arc<EncodedNews>>,
}

impl Pieces {
    fn new(pieces: Vec<Vec<u8>>, places: Vec<Personal>) -> Self {
        let canonical = pieces.iter().map(|piece| relaxed(piece)).collect();
        Self {
            pieces,
            canonical,
            places,
        }
    }

    fn size(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len() + 100).sum()
    }

    /// Gives one part after the other, with what is personal between: the pieces as they are signed, or as they are sent.
    fn each(&self, reader: &Encoded<'_>, signed: bool, put: &mut impl FnMut(&[u8])) {
        let pieces = if signed {
            &self.canonical
        } else {
            &self.pieces
        };
        for (number, piece) in pieces.iter().enumerate() {
            put(piece);
            match self.places.get(number) {
                Some(Personal::FollowedHtml) => {
                    for news in reader.news {
                        news.html.each(reader, signed, put);
                    }
                }
                Some(Personal::FollowedText) => {
                    for news in reader.news {
                        news.text.each(reader, signed, put);
                    }
                }
                Some(Personal::Unsubscribe) => put(&reader.links[0]),
                Some(Personal::Preferences) => put(&reader.links[1]),
                Some(Personal::Follow) => put(&reader.links[2]),
                None => {}
            }
        }
    }
}

/// What is put between, encoded once however often it is.
struct Encoded<'a> {
    links: [Vec<u8>; 3],
    news: &'a [Arc<EncodedNews>],
}

impl<'a> Encoded<'a> {
    fn new(reader: &'a ForReader, signed: bool) -> Self {
        let places = [
            Personal::Unsubscribe,
            Personal::Preferences,
            Personal::Follow,
        ];
        Self {
            links: places.map(|place| match reader.links.at(place) {
                "" => Vec::new(),
                link if signed => relaxed(&open_ended(link)),
                link => open_ended(link),
            }),
            news: &reader.news,
        }
    }
}

impl EncodedDigest {
    /// Encodes `digest`.
    pub fn new(digest: &Digest) -> Self {
        Self::of(&digest.subject, &digest.text, &digest.html)
    }

    /// Encodes `letter`, which is for one reader only.
    pub(super) fn letter(letter: &Letter) -> Self {
        Self::of(
            &letter.subject,
            &Body::new(&letter.text),
            &Body::new(&letter.html),
        )
    }

    fn of(subject: &str, text: &Body, html: &Body) -> Self {
        let places = [places(text), places(html)].concat();
        let (text, html) = (encoded_pieces(text), encoded_pieces(html));
        let boundary = boundary(&html);
        // Plain first: a reader shows the last part that it can (RFC 2046 5.1.4).
        let mut pieces = vec![part("", &boundary, "text/plain")];
        append(&mut pieces, text);
        append(&mut pieces, vec![part("\r\n", &boundary, "text/html")]);
        append(&mut pieces, html);
        append(
            &mut pieces,
            vec![format!("\r\n--{boundary}--\r\n").into_bytes()],
        );
        Self {
            subject: subject.to_owned(),
            boundary,
            body: Pieces::new(pieces, places),
        }
    }

    /// About how many bytes the body has for a reader.
    pub(super) fn size(&self) -> usize {
        self.body.size()
    }

    /// Writes the body for one reader at the end of `mail`.
    pub(super) fn fill(&self, reader: &ForReader, mail: &mut Vec<u8>) {
        let encoded = Encoded::new(reader, false);
        self.body
            .each(&encoded, false, &mut |part| mail.extend_from_slice(part));
    }

    /// The hash of the body for one reader, as it is signed.
    pub(super) fn hash(&self, reader: &ForReader) -> BodyHash {
        let encoded = Encoded::new(reader, true);
        let mut hash = BodyHash::new();
        self.body
            .each(&encoded, true, &mut |part| hash.update(part));
        hash
    }
}

/// The beginning of a part, after the end of the one before.
fn part(before: &str, boundary: &str, kind: &str) -> Vec<u8> {
    format!(
        "{before}--{boundary}\r\nContent-Type: {kind}; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    .into_bytes()
}

/// Puts pieces behind others: the first of them goes on where the last of those ends.
fn append(pieces: &mut Vec<Vec<u8>>, more: Vec<Vec<u8>>) {
    let mut more = more.into_iter();
    if let (Some(last), Some(first)) = (pieces.last_mut(), more.next()) {
        last.extend(first);
    }
    pieces.extend(more);
}

fn places(body: &Body) -> Vec<Personal> {
    body.parts().filter_map(|(_, place)| place).collect()
}

/// A body in quoted-printable, in pieces between which something personal goes. All pieces but the last end in a soft break.
fn encoded_pieces(body: &Body) -> Vec<Vec<u8>> {
    let encode = |(piece, place): (&str, Option<Personal>)| match place {
        Some(_) => open_ended(piece),
        None => encoded(piece),
    };
    body.parts().map(encode).collect()
}

fn encoded(text: &str) -> Vec<u8> {
    Wire::new_with_encoding(text.to_owned(), QuotedPrintable)
        .expect("quoted-printable takes any text")
        .into_vec()
}

/// `text`, encoded so that something can follow in its last line.
fn open_ended(text: &str) -> Vec<u8> {
    let mut bytes = encoded(text);
    let line = bytes
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count();
    // The soft break must fit into the line, too; what it would push out goes into a line of its own.
    if line >= LINE {
        let sign = if bytes[bytes.len() - 3] == b'=' { 3 } else { 1 };
        let place = bytes.len() - sign;
        bytes.splice(place..place, SOFT_BREAK.iter().copied());
    }
    bytes.extend_from_slice(SOFT_BREAK);
    bytes
}

/// Our own boundary, because a random one would make each try another mail. With "=_" it cannot occur in a quoted-printable
/// body (RFC 2045 6.7).
fn boundary(html: &[Vec<u8>]) -> String {
    let mut hash = Sha256::new();
    for piece in html {
        hash.update(piece);
    }
    let hash: String = hash
        .finalize()
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("=_tidings_{hash}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a mail program makes of quoted-printable (RFC 2045 6.7).
    fn decoded(bytes: &[u8]) -> String {
        let text = std::str::from_utf8(bytes).unwrap().replace("=\r\n", "");
        let mut decoded = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            if *first == b'=' {
                let code = std::str::from_utf8(&after[..2]).unwrap();
                decoded.push(u8::from_str_radix(code, 16).unwrap());
                rest = &after[2..];
            } else {
                decoded.push(*first);
                rest = after;
            }
        }
        String::from_utf8(decoded).unwrap().replace("\r\n", "\n")
    }

    /// A body of these parts, with one personal thing after the other between them.
    fn rendered(parts: &[String]) -> String {
        let mut text = String::new();
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                text.push_str(Personal::ALL[number % 4].mark());
            }
            text.push_str(part);
        }
        text
    }

    fn reader(link: String, news: &[String]) -> ForReader {
        let links = PersonalLinks {
            preferences: link.replace("example", "choices.example"),
            follow: "0123456789abcdefghjkmnpqrstvw".into(),
            unsubscribe: link,
        };
        let news = Body::new(&rendered(&news[..news.len().min(3)]));
        ForReader {
            links,
            news: vec![Arc::new(EncodedNews::new(&news, &news))],
        }
    }

    proptest! {
        #[test]
        fn a_body_that_is_filled_in_reads_as_if_it_were_encoded_whole(
            parts in prop::collection::vec("[a-z =.äß€\n👋]{0,90}", 1..6),
            news in prop::collection::vec("[a-z =.äß€\n👋]{0,90}", 1..3),
            link in "https://example\\.org/[a-z0-9=%?&]{0,120}",
        ) {
            let body = Body::new(&rendered(&parts));
            let reader = reader(link, &news);
            let news = Body::new(&rendered(&news)).fill(&reader.links);
            let mut whole = String::new();
            for (piece, place) in body.parts() {
                whole.push_str(piece);
                match place {
                    Some(Personal::FollowedHtml) => whole.push_str(&news),
                    Some(place) => whole.push_str(reader.links.at(place)),
                    None => {}
                }
            }
            let mut wire = Vec::new();
            let pieces = Pieces::new(encoded_pieces(&body), places(&body));
            pieces.each(&Encoded::new(&reader, false), false, &mut |part| wire.extend_from_slice(part));
            prop_assert_eq!(decoded(&wire), whole);
            for line in std::str::from_utf8(&wire).unwrap().split("\r\n") {
                prop_assert!(line.len() <= LINE, "{}", line);
            }
        }

        #[test]
        fn the_hash_of_pieces_is_the_hash_of_the_whole(
            parts in prop::collection::vec("[a-z =.ä\n]{0,90}", 1..6),
            news in prop::collection::vec("[a-z =.ä\n]{0,90}", 1..3),
            link in "https://example\\.org/[a-z0-9=%?&]{0,120}",
        ) {
            let body = Body::new(&rendered(&parts));
            let reader = reader(link, &news);
            let digest = EncodedDigest::of("S", &body, &body);
            let mut whole = Vec::new();
            digest.fill(&reader, &mut whole);
            let mut hash = BodyHash::new();
            hash.update(&relaxed(&whole));
            prop_assert_eq!(digest.hash(&reader).finish(), hash.finish());
        }
    }
}
