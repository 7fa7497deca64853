//! Bodies as they go over the wire. A digest is encoded once for all who get it; what differs from reader to reader is
//! encoded for each and put between.

use lettre::message::Body as Wire;
use lettre::message::header::ContentTransferEncoding::QuotedPrintable;

use crate::model::{Body, Digest, PersonalLinks};

/// What a line of quoted-printable may have, without its end (RFC 2045 6.7).
const LINE: usize = 76;

/// A line that goes on in the next one.
const SOFT_BREAK: &[u8] = b"=\r\n";

/// A digest whose bodies are encoded.
#[derive(Debug, Clone)]
pub struct EncodedDigest {
    pub(super) subject: String,
    pub(super) html: EncodedBody,
    pub(super) text: EncodedBody,
}

impl EncodedDigest {
    /// Encodes `digest`.
    pub fn new(digest: &Digest) -> Self {
        Self {
            subject: digest.subject.clone(),
            html: EncodedBody::new(&digest.html),
            text: EncodedBody::new(&digest.text),
        }
    }
}

/// A body in quoted-printable, in pieces between which personal links go. All pieces but the last end in a soft break.
#[derive(Debug, Clone)]
pub(super) struct EncodedBody {
    pieces: Vec<Vec<u8>>,
}

impl EncodedBody {
    fn new(body: &Body) -> Self {
        let (last, others) = match body.pieces().split_last() {
            Some((last, others)) => (last.as_str(), others),
            None => ("", &[][..]),
        };
        let mut pieces: Vec<Vec<u8>> = others.iter().map(|piece| open_ended(piece)).collect();
        pieces.push(encoded(last));
        Self { pieces }
    }

    /// The body for one reader.
    pub(super) fn fill(&self, links: &PersonalLinks) -> Wire {
        let link = open_ended(&links.unsubscribe);
        Wire::dangerous_pre_encoded(self.pieces.join(&link[..]), QuotedPrintable)
    }
}

/// A body that is for one reader only.
pub(super) fn body(text: &str) -> Wire {
    Wire::dangerous_pre_encoded(encoded(text), QuotedPrintable)
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
            let wire = EncodedBody::new(&body).fill(&links).into_vec();
            prop_assert_eq!(decoded(&wire), body.fill(&links));
            for line in std::str::from_utf8(&wire).unwrap().split("\r\n") {
                prop_assert!(line.len() <= LINE, "{}", line);
            }
        }
    }
}
