//! A mail address that has been parsed once and stays proven.

use std::fmt;

/// An address that a mail can be sent to: `local@domain`, the domain in its ASCII form.
///
/// Limits are those of RFC 5321 4.5.3.1: 64 octets before the `@`, 255 after it. The domain goes
/// through IDNA (`münchen.de` becomes `xn--mnchen-3ya.de`), so only a non-ASCII local part ever needs
/// SMTPUTF8. `Debug` hides the local part: an address must not reach a log line (see [`crate`]).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or more than one.
    #[error("an address has one @, as in anna@example.org")]
    At,
    /// The part before the `@` is empty, too long or has characters that no mail server takes.
    #[error(
        "the part before the @ is empty, longer than 64 characters or has a character that is not allowed there"
    )]
    Local,
    /// The part after the `@` is not a domain.
    #[error("the part after the @ is not a domain name")]
    Domain,
}

impl Address {
    /// Parses `text`, ignoring white space around it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, domain) = text.trim().rsplit_once('@').ok_or(AddressError::At)?;
        let allowed = |c: char| {
            c.is_ascii_alphanumeric()
                || "!#$%&'*+-/=?^_`{|}~.".contains(c)
                || (!c.is_ascii() && c.is_alphanumeric())
        };
        if local.contains('@') {
            return Err(AddressError::At);
        }
        if local.is_empty() || local.len() > 64 || !local.chars().all(allowed) {
            return Err(AddressError::Local);
        }
        if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
            return Err(AddressError::Local);
        }
        let Ok(url::Host::Domain(domain)) = url::Host::parse(domain) else {
            return Err(AddressError::Domain);
        };
        let label =
            |l: &str| !l.is_empty() && l.len() <= 63 && !l.starts_with('-') && !l.ends_with('-');
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if domain.len() > 255 || !domain.chars().all(plain) || !domain.split('.').all(label) {
            return Err(AddressError::Domain);
        }
        let address = format!("{local}@{domain}");
        // What lettre does not take cannot be mailed, however right it looks.
        address
            .parse::<lettre::Address>()
            .map_err(|_| AddressError::Domain)?;
        Ok(Self(address))
    }

    /// Parses what a stranger has put into a public form: only what can be an address on the internet, and no trick.
    ///
    /// # Errors
    /// Beside those of [`parse`](Self::parse): when the domain has no dot or is for special use (RFC 6761, RFC 6762, RFC 9476), when a
    /// spreadsheet would take the address for a formula, and when a letter of it becomes another one in lower case, as U+212A becomes `k`.
    pub fn parse_public(text: &str) -> Result<Self, AddressError> {
        const SPECIAL: [&str; 6] = ["alt", "internal", "invalid", "local", "localhost", "onion"];
        let address = Self::parse(text)?;
        let is_public = address
            .domain()
            .rsplit_once('.')
            .is_some_and(|(_, last)| !SPECIAL.contains(&last));
        if !is_public {
            return Err(AddressError::Domain);
        }
        let folds = |c: char| !c.is_ascii() && c.to_lowercase().any(|lower| lower.is_ascii());
        if address.0.starts_with(['=', '+', '-', '@']) || address.0.chars().any(folds) {
            return Err(AddressError::Local);
        }
        Ok(address)
    }

    /// The address as it is written into a mail.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The same mailbox with a tag: `local+tag@domain`.
    ///
    /// # Errors
    /// When that is too long.
    pub fn tagged(&self, tag: &str) -> Result<Self, AddressError> {
        let (local, domain) = self.0.rsplit_once('@').ok_or(AddressError::At)?;
        Self::parse(&format!("{local}+{tag}@{domain}"))
    }

    /// The form under which two spellings are one mailbox: lower case throughout.
    ///
    /// RFC 5321 lets a server tell `Anna@` from `anna@`; no provider does, and a reader who signs up
    /// twice must not get two mails.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl Address {
    /// The form under which addresses count that lead to one mailbox: without a tag (`anna+news@`), and at Gmail without full stops. It is for limits
    /// only; at some hosts a plus sign is part of a name.
    pub fn mailbox(&self) -> String {
        let key = self.key();
        let (local, domain) = key.rsplit_once('@').unwrap_or((&key, ""));
        let plain = local.split('+').next().unwrap_or(local);
        let domain = if domain == "googlemail.com" {
            "gmail.com"
        } else {
            domain
        };
        match domain {
            "gmail.com" => format!("{}@{domain}", plain.replace('.', "")),
            _ => format!("{plain}@{domain}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address(…@{})", self.domain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_form_takes_what_can_be_an_address_on_the_internet() {
        for text in ["anna@example.org", "änne@example.org", "a+b@example.co.uk"] {
            assert!(Address::parse_public(text).is_ok(), "{text}");
        }
        for text in [
            "root@localhost",
            "admin@intranet",
            "x@gmail",
            "a@printer.local",
            "=cmd@evil.example",
            "mi\u{212a}el@example.org",
        ] {
            assert!(
                Address::parse(text).is_ok() && Address::parse_public(text).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_is_trimmed_and_its_domain_made_ascii() {
        assert_eq!(
            Address::parse(" Anna@München.de ").unwrap().as_str(),
            "Anna@xn--mnchen-3ya.de"
        );
        assert_eq!(
            Address::parse("anna+news@example.org").unwrap().as_str(),
            "anna+news@example.org"
        );
        assert_eq!(
            Address::parse("root@localhost").unwrap().domain(),
            "localhost"
        );
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_the_part_that_is_wrong() {
        for (text, error) in [
            ("anna", AddressError::At),
            ("a@b@example.org", AddressError::At),
            ("@example.org", AddressError::Local),
            ("an na@example.org", AddressError::Local),
            ("a..b@example.org", AddressError::Local),
            ("anna\r\nBcc: x@example.org", AddressError::Local),
            ("anna@", AddressError::Domain),
            ("anna@[127.0.0.1]", AddressError::Domain),
            ("anna@127.0.0.1", AddressError::Domain),
            ("anna@-x.org", AddressError::Domain),
            ("anna@exa mple.org", AddressError::Domain),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(
            Address::parse(&format!("{}@example.org", "a".repeat(65))),
            Err(AddressError::Local)
        );
        let long = format!("a@{}.org", ["b".repeat(62).as_str(); 4].join("."));
        assert_eq!(
            Address::parse(&long),
            Err(AddressError::Domain),
            "255 characters are one too many"
        );
    }

    #[test]
    fn two_spellings_of_one_mailbox_have_one_key() {
        assert_eq!(
            Address::parse("Anna@Example.org").unwrap().key(),
            "anna@example.org"
        );
    }

    #[test]
    fn tags_and_full_stops_make_no_other_mailbox() {
        let mailbox = |text: &str| Address::parse(text).unwrap().mailbox();
        assert_eq!(mailbox("Anna+news@example.org"), "anna@example.org");
        assert_eq!(mailbox("a.n.na+x@googlemail.com"), "anna@gmail.com");
        assert_ne!(mailbox("a.nna@example.org"), "anna@example.org");
    }

    #[test]
    fn debug_output_hides_the_local_part() {
        assert_eq!(
            format!("{:?}", Address::parse("anna@example.org").unwrap()),
            "Address(…@example.org)"
        );
    }
}
