//! Bodies as they go over the wire. A digest is encoded once for all who get it; what differs from reader to reader is
//! encoded for each and put between.

use lettre::message::Body as Wire;
use lettre::message::header::ContentTransferEncoding::QuotedPrintable;
use sha2::{Digest as _, Sha256};

use super::dkim::{BodyHash, relaxed};
use crate::model::{Body, Digest, Letter, PersonalLinks};

/// What a line of quoted-printable may have, without its end (RFC 2045 6.7).
const LINE: usize = 76;

/// A line that goes on in the next one.
const SOFT_BREAK: &[u8] = b"=\r\n";

/// A digest, or a letter, whose bodies are encoded and put together.
#[derive(Debug, Clone)]
pub struct EncodedDigest {
    pub(super) subject: String,
    /// What stands between the parts of the body.
    pub(super) boundary: String,
    /// The whole body, in pieces between which a personal link goes. All but the last end with a line.
    pieces: Vec<Vec<u8>>,
    /// The same pieces as they are signed.
    canonical: Vec<Vec<u8>>,
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
        let canonical = pieces.iter().map(|piece| relaxed(piece)).collect();
        Self {
            subject: subject.to_owned(),
            boundary,
            pieces,
            canonical,
        }
    }

    /// How many bytes the body has for a reader with links of usual length.
    pub(super) fn size(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len() + 100).sum()
    }

    /// Writes the body for one reader at the end of `mail`.
    pub(super) fn fill(&self, links: &PersonalLinks, mail: &mut Vec<u8>) {
        let link = open_ended(&links.unsubscribe);
        for (place, piece) in self.pieces.iter().enumerate() {
            if place > 0 {
                mail.extend_from_slice(&link);
            }
            mail.extend_from_slice(piece);
        }
    }

    /// The hash of the body for one reader, as it is signed.
    pub(super) fn hash(&self, links: &PersonalLinks) -> BodyHash {
        let link = relaxed(&open_ended(&links.unsubscribe));
        let mut hash = BodyHash::new();
        for (place, piece) in self.canonical.iter().enumerate() {
            if place > 0 {
                hash.update(&link);
            }
            hash.update(piece);
        }
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

/// A body in quoted-printable, in pieces between which personal links go. All pieces but the last end in a soft break.
fn encoded_pieces(body: &Body) -> Vec<Vec<u8>> {
    let (last, others) = match body.pieces().split_last() {
        Some((last, others)) => (last.as_str(), others),
        None => ("", &[][..]),
    };
    let mut pieces: Vec<Vec<u8>> = others.iter().map(|piece| open_ended(piece)).collect();
    pieces.push(encoded(last));
    pieces
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

    proptest! {
        #[test]
        fn a_body_that_is_filled_in_reads_as_if_it_were_encoded_whole(
            parts in prop::collection::vec("[a-z =.äß€\n👋]{0,90}", 1..4),
            link in "https://example\\.org/[a-z0-9=%?&]{0,120}",
        ) {
            let rendered = parts.join(PersonalLinks::UNSUBSCRIBE);
            let links = PersonalLinks { unsubscribe: link };
            let body = Body::new(&rendered);
            let wire = encoded_pieces(&body).join(&open_ended(&links.unsubscribe)[..]);
            prop_assert_eq!(decoded(&wire), body.fill(&links));
            for line in std::str::from_utf8(&wire).unwrap().split("\r\n") {
                prop_assert!(line.len() <= LINE, "{}", line);
            }
        }

        #[test]
        fn the_hash_of_pieces_is_the_hash_of_the_whole(
            parts in prop::collection::vec("[a-z =.ä\n]{0,90}", 1..4),
            link in "https://example\\.org/[a-z0-9=%?&]{0,120}",
        ) {
            let rendered = Body::new(&parts.join(PersonalLinks::UNSUBSCRIBE));
            let links = PersonalLinks { unsubscribe: link };
            let digest = EncodedDigest::of("S", &rendered, &rendered);
            let mut whole = Vec::new();
            digest.fill(&links, &mut whole);
            let mut hash = BodyHash::new();
            hash.update(&relaxed(&whole));
            prop_assert_eq!(digest.hash(&links).finish(), hash.finish());
        }
    }
}
