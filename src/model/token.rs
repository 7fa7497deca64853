//! Tokens: a number that only we can have written, for one purpose, short enough for the local part of an address.
//!
//! The number is no secret; the seal keeps others from writing one of their own.

use ring::hmac;

/// What a token is good for, and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To tell which delivery a bounce is about. The number is the delivery's.
    Bounce,
    /// To end a subscription. The number is the subscriber's.
    Unsubscribe,
}

impl Purpose {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Bounce => b"tidings bounce\0",
            Self::Unsubscribe => b"tidings unsubscribe\0",
        }
    }
}

/// How many bytes of the seal go into a token. Guessing one takes 2^80 mails.
const SEAL: usize = 10;

/// Crockford's base 32 in lower case, because mail servers lower-case what we put into addresses.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How many characters a token has: 8 bytes of number and the seal.
pub const TOKEN_LENGTH: usize = ((8 + SEAL) * 8).div_ceil(5);

/// The key that seals tokens.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey")
    }
}

impl TokenKey {
    /// The key that is made of `secret`, 32 random bytes.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The token for `number`: always the same.
    pub fn seal(&self, purpose: Purpose, number: i64) -> String {
        let mut bytes = number.to_be_bytes().to_vec();
        let seal = hmac::sign(&self.0, &message(purpose, number));
        bytes.extend_from_slice(&seal.as_ref()[..SEAL]);
        base32(&bytes)
    }

    /// The number in a token that was sealed with this key for `purpose`; upper and lower case are the same.
    pub fn open(&self, purpose: Purpose, token: &str) -> Option<i64> {
        let bytes = from_base32(token)?;
        let (number, seal) = bytes.split_at_checked(8)?;
        let number = i64::from_be_bytes(number.try_into().ok()?);
        let expected = hmac::sign(&self.0, &message(purpose, number));
        // In constant time: how long it takes must not say how many bytes were right.
        let expected: [u8; SEAL] = expected.as_ref()[..SEAL].try_into().ok()?;
        let differing = expected
            .iter()
            .zip(seal)
            .fold(0, |found, (a, b)| found | (a ^ b));
        (seal.len() == SEAL && std::hint::black_box(differing) == 0).then_some(number)
    }
}

fn message(purpose: Purpose, number: i64) -> Vec<u8> {
    [purpose.word(), &number.to_be_bytes()].concat()
}

fn base32(bytes: &[u8]) -> String {
    let (mut bits, mut have) = (0u32, 0);
    let mut text = String::with_capacity(TOKEN_LENGTH);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        have += 8;
        while have >= 5 {
            have -= 5;
            text.push(char::from(ALPHABET[(bits >> have & 31) as usize]));
        }
    }
    if have > 0 {
        text.push(char::from(ALPHABET[(bits << (5 - have) & 31) as usize]));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    if text.len() != TOKEN_LENGTH {
        return None;
    }
    let (mut bits, mut have) = (0u32, 0);
    let mut bytes = Vec::with_capacity(8 + SEAL);
    for byte in text.bytes() {
        let letter = byte.to_ascii_lowercase();
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        bits = (bits << 5) | u32::try_from(value).ok()?;
        have += 5;
        if have >= 8 {
            have -= 8;
            bytes.push(u8::try_from(bits >> have & 0xff).ok()?);
        }
    }
    // What is left over of the last character says nothing, and must say nothing.
    (bits & ((1 << have) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_opens_for_its_purpose_and_with_its_key_only(number: i64, at in 0..TOKEN_LENGTH) {
            let (key, other) = (TokenKey::new(&[1; 32]), TokenKey::new(&[2; 32]));
            let token = key.seal(Purpose::Bounce, number);
            prop_assert_eq!(token.len(), TOKEN_LENGTH);
            prop_assert_eq!(key.open(Purpose::Bounce, &token), Some(number));
            prop_assert_eq!(key.open(Purpose::Bounce, &token.to_uppercase()), Some(number));
            prop_assert_eq!(key.open(Purpose::Unsubscribe, &token), None);
            prop_assert_eq!(other.open(Purpose::Bounce, &token), None);
            prop_assert_eq!(key.open(Purpose::Bounce, &token[..at]), None);
            let changed = if token.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut forged = token.clone();
            forged.replace_range(at..=at, changed);
            prop_assert_eq!(key.open(Purpose::Bounce, &forged), None);
        }
    }
}
