//! Signatures by which a receiver knows the sender again: DKIM (RFC 6376) with RSA and SHA-256 (RFC 8301), and beside it with
//! Ed25519 (RFC 8463), relaxed in headers and body.
//!
//! On ring, and not with lettre's own signer: that one puts a second signature in the place of the first, hashes the whole
//! body anew for each reader, and is several times slower.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

/// The headers that are signed where they are there (RFC 6376 5.4.1; RFC 8058 4 for the two of `List-Unsubscribe`).
const SIGNED: [&str; 16] = [
    "from",
    "reply-to",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-id",
    "list-help",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "feedback-id",
    "auto-submitted",
    "content-language",
];

/// Headers that nobody may add on the way (“oversigned”, RFC 6376 8.15): they are named once more than they are there.
const OVERSIGNED: [&str; 9] = [
    "from",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
];

/// A key and where its other half is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimOptions {
    /// The domain that signs.
    pub domain: String,
    /// The name of the key under it.
    pub selector: String,
    /// A PEM file with the private key.
    pub key_file: PathBuf,
}

/// Signs mails, with each of its keys.
pub struct Signer {
    keys: Vec<Key>,
}

struct Key {
    domain: String,
    selector: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// A record that must be in the DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    /// Its name.
    pub name: String,
    /// The text of the TXT record.
    pub value: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.keys.iter().map(Key::name);
        f.debug_list().entries(names).finish()
    }
}

impl Signer {
    /// Reads the keys.
    ///
    /// # Errors
    /// When a file cannot be read, or holds no key that DKIM knows.
    pub fn new(options: &[DkimOptions]) -> anyhow::Result<Self> {
        let keys = options.iter().map(|options| {
            let pair = Pair::read(&options.key_file)
                .with_context(|| format!("the DKIM key {}", options.key_file.display()))?;
            Ok(Key {
                domain: options.domain.clone(),
                selector: options.selector.clone(),
                pair,
            })
        });
        Ok(Self {
            keys: keys.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Whether there is any key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What the DNS must say about the keys.
    pub fn records(&self) -> Vec<DnsRecord> {
        let record = |key: &Key| DnsRecord {
            name: key.name(),
            value: key.pair.record(),
        };
        self.keys.iter().map(record).collect()
    }

    /// The headers that sign a mail with these `headers` and this body; they go before the others.
    ///
    /// # Errors
    /// When ring refuses to sign.
    pub(super) fn sign(
        &self,
        headers: &str,
        body: BodyHash,
        at: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        let body = body.finish();
        let fields = fields(headers);
        // Which headers are signed, and what they say; the lowest of several comes first (RFC 6376 5.4.2), but we write each once.
        let mut names: Vec<&str> = Vec::new();
        let mut signed = Vec::new();
        for name in SIGNED {
            if let Some(field) = fields
                .iter()
                .find(|field| field.0.eq_ignore_ascii_case(name))
            {
                names.push(name);
                relaxed_header(field.0, field.1, &mut signed);
            }
        }
        names.extend(OVERSIGNED);
        let mut signatures = String::new();
        for key in &self.keys {
            let unsigned = key.header(&names, &body, at);
            let mut data = signed.clone();
            relaxed_header("dkim-signature", &unsigned, &mut data);
            // The signature itself comes without its line end (RFC 6376 3.7).
            data.truncate(data.len() - 2);
            let signature = BASE64.encode(key.pair.sign(&data)?);
            signatures.push_str("DKIM-Signature: ");
            signatures.push_str(&unsigned);
            for line in signature.as_bytes().chunks(72) {
                signatures.push_str("\r\n ");
                signatures.push_str(std::str::from_utf8(line)?);
            }
            signatures.push_str("\r\n");
        }
        Ok(signatures)
    }
}

impl Key {
    fn name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The value of the header, up to where the signature goes.
    fn header(&self, names: &[&str], body: &[u8; 32], at: DateTime<Utc>) -> String {
        let names = names
            .chunks(4)
            .map(|names| names.join(":"))
            .collect::<Vec<_>>()
            .join(":\r\n ");
        format!(
            "v=1; a={}; c=relaxed/relaxed;\r\n d={}; s={}; t={};\r\n h={names};\r\n bh={};\r\n b=",
            self.pair.algorithm(),
            self.domain,
            self.selector,
            at.timestamp(),
            BASE64.encode(body),
        )
    }
}

impl Pair {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read(path).context("it cannot be read")?;
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| anyhow::anyhow!("it holds no private key in PEM form"))?;
        let rsa = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => {
                if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
                {
                    return Ok(Self::Ed25519(pair));
                }
                RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            }
            _ => anyhow::bail!("DKIM takes RSA and Ed25519 keys, and it is another"),
        };
        // ring takes no RSA key of less than 2,048 bits, which is the least that RFC 8301 asks signers for.
        rsa.map(|pair| Self::Rsa(Box::new(pair))).map_err(|error| {
            anyhow::anyhow!("it is no Ed25519 key and no RSA key of 2,048 to 4,096 bits ({error})")
        })
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    fn sign(&self, data: &[u8]) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let random = ring::rand::SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, data, &mut signature)
                    .map_err(|_| anyhow::anyhow!("ring did not sign"))?;
                Ok(signature)
            }
            // RFC 8463 3: what is signed is the hash.
            Self::Ed25519(pair) => {
                let hash = ring::digest::digest(&ring::digest::SHA256, data);
                Ok(pair.sign(hash.as_ref()).as_ref().to_vec())
            }
        }
    }

    /// The text that publishes the other half (RFC 6376 3.6.1, RFC 8463 4.2).
    fn record(&self) -> String {
        match self {
            Self::Rsa(pair) => {
                let key = subject_public_key(pair.public().as_ref());
                format!("v=DKIM1; k=rsa; p={}", BASE64.encode(key))
            }
            Self::Ed25519(pair) => {
                let key = BASE64.encode(pair.public_key().as_ref());
                format!("v=DKIM1; k=ed25519; p={key}")
            }
        }
    }
}

/// An RSA public key (RFC 8017 A.1.1) as a SubjectPublicKeyInfo (RFC 5280 4.1.2.7), which is what `p=` holds.
fn subject_public_key(key: &[u8]) -> Vec<u8> {
    // rsaEncryption, with no parameters.
    const ALGORITHM: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let element = |tag: u8, content: &[u8]| {
        // Keys of 2,048 bits and more are longer than what a shorter length can say, and shorter than 64 KiB.
        let length = u16::try_from(content.len()).expect("an RSA key has less than 64 KiB");
        let mut bytes = vec![tag, 0x82];
        bytes.extend(length.to_be_bytes());
        bytes.extend_from_slice(content);
        bytes
    };
    let bits = element(0x03, &[&[0], key].concat());
    element(0x30, &[&ALGORITHM[..], &bits].concat())
}

/// The hash of a body, as it is made.
#[derive(Clone)]
pub(super) struct BodyHash(ring::digest::Context);

impl BodyHash {
    pub(super) fn new() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }

    /// Adds a part that is in canonical form already.
    pub(super) fn update(&mut self, canonical: &[u8]) {
        self.0.update(canonical);
    }

    pub(super) fn finish(self) -> [u8; 32] {
        let digest = self.0.finish();
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

/// Whole lines of a body in canonical form (RFC 6376 3.4.4), but for empty lines at its end, which our bodies do not have: white
/// space becomes one space, and none stands before the end of a line.
pub(super) fn relaxed(lines: &[u8]) -> Vec<u8> {
    let mut canonical = Vec::with_capacity(lines.len());
    let mut space = false;
    for &byte in lines {
        match byte {
            b' ' | b'\t' => space = true,
            b'\r' => {
                space = false;
                canonical.push(byte);
            }
            _ => {
                if space {
                    canonical.push(b' ');
                    space = false;
                }
                canonical.push(byte);
            }
        }
    }
    if space {
        canonical.push(b' ');
    }
    canonical
}

/// The fields of a header block, name and value with its folds.
fn fields(headers: &str) -> Vec<(&str, &str)> {
    let mut fields = Vec::new();
    let mut start = 0;
    let bytes = headers.as_bytes();
    while start < bytes.len() {
        let mut end = start;
        loop {
            end = headers[end..]
                .find("\r\n")
                .map_or(bytes.len(), |at| end + at + 2);
            if !matches!(bytes.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        if let Some((name, value)) = headers[start..end].split_once(':') {
            fields.push((name, value));
        }
        start = end;
    }
    fields
}

/// Writes a header in canonical form (RFC 6376 3.4.2).
fn relaxed_header(name: &str, value: &str, canonical: &mut Vec<u8>) {
    canonical.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
    canonical.push(b':');
    let mut words = value
        .split([' ', '\t', '\r', '\n'])
        .filter(|word| !word.is_empty());
    if let Some(first) = words.next() {
        canonical.extend_from_slice(first.as_bytes());
    }
    for word in words {
        canonical.push(b' ');
        canonical.extend_from_slice(word.as_bytes());
    }
    canonical.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_headers_become_canonical_as_in_the_example_of_the_standard() {
        // RFC 6376 3.4.5.
        assert_eq!(relaxed(b" C \r\nD \t E\r\n"), b" C\r\nD E\r\n");
        let mut canonical = Vec::new();
        for (name, value) in fields("A: X\r\nB : Y\t\r\n\tZ  \r\n") {
            relaxed_header(name.trim_end(), value, &mut canonical);
        }
        assert_eq!(canonical, b"a:X\r\nb:Y Z\r\n");
    }
}
