//! Which machines a feed may send us to.
//!
//! Addresses of feeds come from lists that somebody found, and any feed may redirect. None of them has business with
//! the machine that Tidings runs on, its network, or the metadata service of a cloud (CWE-918). Every hop is
//! checked: an address that is written as a number here, one with a name when it is resolved, so that there
//! is no moment between the check and the use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// An address that may not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is an address of a private network")]
pub(super) struct Blocked(pub(super) String);

/// A name that no address belongs to.
#[derive(Debug, thiserror::Error)]
#[error("there is no host {0}")]
pub(super) struct Unresolved(pub(super) String);

/// Decides whom we may connect to.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    allow_private: bool,
}

impl Guard {
    pub(super) fn new(allow_private: bool) -> Self {
        Self { allow_private }
    }

    /// Checks an address that is written as a number; names are checked when they are resolved.
    pub(super) fn check(&self, url: &Url) -> Result<(), Blocked> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if self.allow_private || is_public(address) {
            Ok(())
        } else {
            Err(Blocked(address.to_string()))
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<_> = match tokio::net::lookup_host((host.as_str(), 0)).await {
                Ok(found) => found.collect(),
                Err(_) => Vec::new(),
            };
            if found.is_empty() {
                return Err(Unresolved(host).into());
            }
            let allowed: Vec<_> = found
                .into_iter()
                .filter(|address| allow_private || is_public(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(Blocked(host).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public Internet (the registries of special purposes, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        // Shared by providers (RFC 6598), protocol assignments, benchmarks (RFC 2544), multicast and reserved.
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (18..20).contains(&b))
        || a >= 224;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // `::`, `::1`, and IPv4 in old and new clothes: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, benchmarks and ORCHID; documentation; NAT64 for one network.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, ..] | [0x64, 0xff9b, 1, ..] => {
            false
        }
        // What is assigned at all.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_asked() {
        for (address, public) in [
            ("93.184.216.34", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:2800:220:1::1", true),
            ("::1", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:93.184.216.34", true),
            ("::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("2002:7f00:1::", false),
            ("2001:0:1::1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn a_number_in_an_address_is_checked_however_it_is_written() {
        let guard = Guard::new(false);
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            let url = Url::parse(url).unwrap();
            assert!(guard.check(&url).is_err(), "{url}");
            assert!(Guard::new(true).check(&url).is_ok());
        }
        assert!(
            guard
                .check(&Url::parse("https://example.org/").unwrap())
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_name_for_this_machine_is_not_resolved() {
        let resolve = |guard: Guard| guard.resolve("localhost".parse().unwrap());
        let error = resolve(Guard::new(false)).await.err().unwrap();
        assert!(error.downcast_ref::<Blocked>().is_some());
        assert!(resolve(Guard::new(true)).await.unwrap().next().is_some());
    }
}
