//! Tokens: a number that only we can have written, for one purpose, short enough for the local part of an address.
//!
//! The number is no secret; the seal keeps others from writing one of their own. Keys can be changed: one seals, and those before it
//! still open what they have sealed.

use ring::hmac;
use subtle::ConstantTimeEq as _;

/// What a token is good for, and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To tell which delivery a bounce is about. The number is the delivery's.
    Bounce,
    /// To end a subscription. The number is the subscriber's.
    Unsubscribe,
    /// To take that back. The number is the subscriber's.
    Undo,
    /// To see and change what a subscriber gets. The number is the subscriber's.
    Preferences,
    /// To follow a story, and to stop that. The number is the subscriber's.
    Follow,
    /// To confirm a sign-up. The number is the sign-up's.
    Confirm,
    /// To confirm a new address. The number is the change's.
    Move,
    /// To tell when a form was handed out. The number is the second.
    Form,
    /// To read an archive that is not public. The number is always 0.
    Archive,
}

impl Purpose {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Bounce => b"tidings bounce\0",
            Self::Unsubscribe => b"tidings unsubscribe\0",
            Self::Undo => b"tidings undo\0",
            Self::Preferences => b"tidings preferences\0",
            Self::Follow => b"tidings follow\0",
            Self::Confirm => b"tidings confirm\0",
            Self::Move => b"tidings move\0",
            Self::Form => b"tidings form\0",
            Self::Archive => b"tidings archive\0",
        }
    }
}

/// How many bytes of the seal go into a token. Guessing one takes 2^80 mails.
const SEAL: usize = 10;

/// Crockford's base 32 in lower case, because mail servers lower-case what we put into addresses.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How many characters a token has: 8 bytes of number and the seal.
pub const TOKEN_LENGTH: usize = ((8 + SEAL) * 8).div_ceil(5);

/// The keys of tokens: the one that seals, and those that sealed before it.
#[derive(Clone)]
pub struct TokenKeys {
    current: hmac::Key,
    retired: Vec<hmac::Key>,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKeys")
    }
}

impl TokenKeys {
    /// The key that is made of `secret`, 32 random bytes, and those made of `retired`, which only open.
    pub fn new(secret: &[u8], retired: &[Vec<u8>]) -> Self {
        let key = |secret: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            current: key(secret),
            retired: retired.iter().map(|secret| key(secret)).collect(),
        }
    }

    /// The token for `number`: always the same, as long as the key is.
    pub fn seal(&self, purpose: Purpose, number: i64) -> String {
        let mut bytes = number.to_be_bytes().to_vec();
        let seal = hmac::sign(&self.current, &message(purpose, number));
        bytes.extend_from_slice(&seal.as_ref()[..SEAL]);
        base32(&bytes)
    }

    /// The number in a token that was sealed for `purpose`; upper and lower case are the same.
    pub fn open(&self, purpose: Purpose, token: &str) -> Option<i64> {
        let bytes = from_base32(token)?;
        let (number, seal) = bytes.split_at_checked(8)?;
        let number = i64::from_be_bytes(number.try_into().ok()?);
        let seal: &[u8; SEAL] = seal.try_into().ok()?;
        // Whichever key fits, all are tried, and in constant time: how long it takes must not say how many bytes were right.
        let keys = std::iter::once(&self.current).chain(&self.retired);
        let fits = keys.fold(false, |fits, key| {
            let expected = hmac::sign(key, &message(purpose, number));
            fits | bool::from(expected.as_ref()[..SEAL].ct_eq(seal))
        });
        fits.then_some(number)
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
            let (key, other) = (TokenKeys::new(&[1; 32], &[]), TokenKeys::new(&[2; 32], &[]));
            let token = key.seal(Purpose::Bounce, number);
            prop_assert_eq!(token.len(), TOKEN_LENGTH);
            prop_assert_eq!(key.open(Purpose::Bounce, &token), Some(number));
            prop_assert_eq!(key.open(Purpose::Bounce, &token.to_uppercase()), Some(number));
            for purpose in [
                Purpose::Unsubscribe, Purpose::Undo, Purpose::Preferences, Purpose::Follow, Purpose::Confirm,
                Purpose::Move, Purpose::Form, Purpose::Archive,
            ] {
                prop_assert_eq!(key.open(purpose, &token), None);
            }
            prop_assert_eq!(other.open(Purpose::Bounce, &token), None);
            prop_assert_eq!(key.open(Purpose::Bounce, &token[..at]), None);
            let changed = if token.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut forged = token.clone();
            forged.replace_range(at..=at, changed);
            prop_assert_eq!(key.open(Purpose::Bounce, &forged), None);
        }
    }

    #[test]
    fn a_key_that_was_changed_still_opens_and_one_that_was_dropped_does_not() {
        let old = TokenKeys::new(&[1; 32], &[]).seal(Purpose::Unsubscribe, 7);
        let changed = TokenKeys::new(&[3; 32], &[vec![2; 32], vec![1; 32]]);
        assert_eq!(changed.open(Purpose::Unsubscribe, &old), Some(7));
        assert_ne!(changed.seal(Purpose::Unsubscribe, 7), old);
        let dropped = TokenKeys::new(&[3; 32], &[vec![2; 32]]);
        assert_eq!(dropped.open(Purpose::Unsubscribe, &old), None);
    }
}
