//! What the DNS says about the sender, and what it should say: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989), MX and PTR.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::Finding;
use crate::config::Config;
use crate::deliver::{DnsRecord, MailerOptions};

/// How many names above the sender's own are asked for a DMARC record (RFC 9989 4.10).
const TREE: usize = 8;

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Asks a name server.
struct Dns(TokioResolver);

/// What came of a question: nothing is an answer, too.
type Answer<T> = anyhow::Result<Vec<T>>;

impl Dns {
    /// Asks the server at that address, or those of the machine.
    fn new(server: Option<SocketAddr>) -> anyhow::Result<Self> {
        let mut builder = match server {
            None => TokioResolver::builder_tokio().context("reading which name server to ask")?,
            Some(address) => {
                let mut server = NameServerConfig::udp_and_tcp(address.ip());
                for connection in &mut server.connections {
                    connection.port = address.port();
                }
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = LIMIT;
        options.attempts = 1;
        Ok(Self(builder.build().context("setting up the DNS")?))
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Answer<T> {
        // With the dot at its end nothing is put behind it.
        match self.0.lookup(format!("{name}."), kind).await {
            Ok(found) => Ok(found
                .answers()
                .iter()
                .filter_map(|record| read(&record.data))
                .collect()),
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
            Err(error) => Err(error).with_context(|| format!("asking the DNS for {name}")),
        }
    }

    async fn texts(&self, name: &str) -> Answer<String> {
        self.ask(name, RecordType::TXT, |data| match data {
            // Long texts come in pieces, which belong together without a space (RFC 7208 3.3).
            RData::TXT(text) => Some(
                text.txt_data
                    .iter()
                    .map(|piece| String::from_utf8_lossy(piece))
                    .collect(),
            ),
            _ => None,
        })
        .await
    }

    async fn exchanges(&self, name: &str) -> Answer<String> {
        self.ask(name, RecordType::MX, |data| match data {
            RData::MX(exchange) => Some(exchange.exchange.to_string()),
            _ => None,
        })
        .await
    }

    async fn names(&self, address: IpAddr) -> Answer<String> {
        let name = Name::from(address).to_string();
        self.ask(
            name.trim_end_matches('.'),
            RecordType::PTR,
            |data| match data {
                RData::PTR(name) => Some(name.to_string().trim_end_matches('.').to_owned()),
                _ => None,
            },
        )
        .await
    }

    async fn addresses(&self, name: &str) -> Answer<IpAddr> {
        let mut found = self
            .ask(name, RecordType::A, |data| match data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                _ => None,
            })
            .await?;
        let sixes = self
            .ask(name, RecordType::AAAA, |data| match data {
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            })
            .await?;
        found.extend(sixes);
        Ok(found)
    }
}

/// Asks for everything that a receiver of our mail would ask for.
pub(super) async fn look(
    config: &Config,
    keys: &[DnsRecord],
    server: Option<SocketAddr>,
) -> Vec<Finding> {
    let dns = match Dns::new(server) {
        Ok(dns) => dns,
        Err(error) => return vec![Finding::bad("dns", format!("{error:#}"))],
    };
    let from = config.newsletter.from.domain();
    let returns = envelope_domain(config);
    let mut findings = vec![spf(&dns, config, returns).await];
    for key in keys {
        findings.push(dkim(&dns, key).await);
    }
    if keys.is_empty() && !is_related(returns, from) {
        findings.push(Finding::bad(
            "alignment",
            format!(
                "neither a signature of ours nor {returns}, to which bounces go, speaks for {from}: have your mail server \
                 sign, or see delivery.dkim"
            ),
        ));
    }
    findings.push(dmarc(&dns, config, from).await);
    let mut domains = vec![
        ("answers", config.newsletter.reply_to.domain()),
        ("requests to leave", config.newsletter.unsubscribe.domain()),
        ("bounces", returns),
    ];
    domains.dedup_by_key(|(_, domain)| *domain);
    for (what, domain) in domains {
        findings.push(exchange(&dns, what, domain).await);
    }
    if let MailerOptions::Smtp(relays) = &config.delivery.mailer {
        for relay in relays {
            findings.extend(pointer(&dns, &relay.host, is_related(&relay.host, from)).await);
        }
    }
    findings
}

/// What belongs into the DNS whatever is there already, as far as that can be said without asking.
pub(super) fn records(config: &Config) -> Vec<Finding> {
    let domain = envelope_domain(config);
    vec![
        Finding::good(
            "spf",
            format!("{domain} must say who may send for it: add all other servers that do, and your provider's include"),
        )
        .with(spf_record(config, domain)),
        Finding::good(
            "dmarc",
            "what to do with mail that only pretends; go on to p=reject when the reports are well".to_owned(),
        )
        .with(dmarc_record(config)),
    ]
}

/// The domain of the sender on the envelope.
fn envelope_domain(config: &Config) -> &str {
    let returns = config.delivery.returns.as_ref();
    returns.unwrap_or(&config.newsletter.from).domain()
}

fn spf_record(config: &Config, domain: &str) -> DnsRecord {
    let relays = match &config.delivery.mailer {
        MailerOptions::Smtp(relays) => relays.as_slice(),
        _ => &[],
    };
    let hosts: String = relays
        .iter()
        .filter(|relay| relay.host.parse::<IpAddr>().is_err())
        .map(|relay| format!(" a:{}", relay.host))
        .collect();
    DnsRecord {
        name: domain.to_owned(),
        // Not -all: who copies it may have forgotten a server.
        value: format!("v=spf1 mx{hosts} ~all"),
    }
}

fn dmarc_record(config: &Config) -> DnsRecord {
    DnsRecord {
        name: format!("_dmarc.{}", config.newsletter.from.domain()),
        value: format!(
            "v=DMARC1; p=none; rua=mailto:{}",
            config.newsletter.reply_to.as_str()
        ),
    }
}

/// Whether two domains have an owner in common, as far as their names tell (RFC 9989 4.4: relaxed alignment).
fn is_related(one: &str, other: &str) -> bool {
    let below = |one: &str, other: &str| one.ends_with(&format!(".{other}"));
    let owner = |domain: &str| {
        let labels: Vec<&str> = domain.rsplit('.').take(2).collect();
        labels.join(".")
    };
    one == other || below(one, other) || below(other, one) || owner(one) == owner(other)
}

/// Whether the domain of the envelope says who may send for it.
async fn spf(dns: &Dns, config: &Config, domain: &str) -> Finding {
    let record = spf_record(config, domain);
    let texts = match dns.texts(domain).await {
        Ok(texts) => texts,
        Err(error) => return Finding::bad("spf", format!("{error:#}")),
    };
    let is_spf = |text: &&String| *text == "v=spf1" || text.starts_with("v=spf1 ");
    let found: Vec<&String> = texts.iter().filter(is_spf).collect();
    match found.as_slice() {
        [] => Finding::bad(
            "spf",
            format!("{domain} does not say who may send for it; publish this, with all servers that send"),
        )
        .with(record),
        // RFC 7208 4.5.
        [_, _, ..] => Finding::bad(
            "spf",
            format!("{domain} has {} SPF records, which is as good as none: make them one", found.len()),
        ),
        [one] => {
            let terms: Vec<&str> = one.split_whitespace().skip(1).collect();
            let everybody = |term: &&&str| matches!(**term, "all" | "+all");
            if terms.iter().find(everybody).is_some() {
                return Finding::bad(
                    "spf",
                    format!("{domain} lets everybody send for it: {one}"),
                )
                .with(record);
            }
            let ends = terms.iter().any(|term| {
                term.ends_with("all") || term.to_ascii_lowercase().starts_with("redirect=")
            });
            let asks = terms.iter().filter(|term| {
                let term = term.trim_start_matches(['+', '-', '~', '?']).to_ascii_lowercase();
                let name = term.split([':', '/', '=']).next().unwrap_or_default();
                matches!(name, "include" | "a" | "mx" | "ptr" | "exists" | "redirect")
            });
            // RFC 7208 4.6.4; those of included records count, too.
            if asks.count() > 10 {
                return Finding::bad(
                    "spf",
                    format!("{domain} makes receivers ask the DNS more than ten times, which is as good as none: {one}"),
                );
            }
            if !ends {
                return Finding::bad(
                    "spf",
                    format!("{domain} does not say what holds for all others; end it with -all or ~all: {one}"),
                );
            }
            Finding::good("spf", format!("{domain}: {one}"))
        }
    }
}

/// Whether our key is published.
async fn dkim(dns: &Dns, key: &DnsRecord) -> Finding {
    let texts = match dns.texts(&key.name).await {
        Ok(texts) => texts,
        Err(error) => return Finding::bad("dkim", format!("{error:#}")),
    };
    let of = |text: &str, tag: &str| -> Option<String> {
        let tags = text.split(';').filter_map(|part| part.split_once('='));
        let mut tags = tags.filter(|(name, _)| name.trim() == tag);
        let value = tags.next()?.1;
        Some(value.split_whitespace().collect())
    };
    let ours = of(&key.value, "p");
    if texts.iter().any(|text| of(text, "p") == ours) {
        let testing = texts
            .iter()
            .any(|text| of(text, "t").is_some_and(|flags| flags.contains('y')));
        let says = if testing {
            "is published, but marked as a test (t=y), so that it counts for nothing"
        } else {
            "is published"
        };
        return Finding {
            well: !testing,
            ..Finding::good("dkim", format!("{} {says}", key.name))
        };
    }
    let says = if texts.is_empty() {
        format!("{} is not published", key.name)
    } else {
        format!("{} is the half of another key", key.name)
    };
    Finding::bad("dkim", says).with(key.clone())
}

/// Whether the domain of the sender says what to do with mail that is not from it.
async fn dmarc(dns: &Dns, config: &Config, from: &str) -> Finding {
    let record = dmarc_record(config);
    for domain in tree(from) {
        let texts = match dns.texts(&format!("_dmarc.{domain}")).await {
            Ok(texts) => texts,
            Err(error) => return Finding::bad("dmarc", format!("{error:#}")),
        };
        let mut found = texts.iter().filter(|text| {
            let version = text.split(';').next().unwrap_or_default();
            version.split_whitespace().collect::<String>() == "v=DMARC1"
        });
        let Some(text) = found.next() else { continue };
        if found.next().is_some() {
            return Finding::bad(
                "dmarc",
                format!("{domain} has more than one DMARC record, which is as good as none"),
            );
        }
        let has_policy =
            text.split(';')
                .filter_map(|tag| tag.split_once('='))
                .any(|(name, value)| {
                    name.trim().eq_ignore_ascii_case("p")
                        && ["none", "quarantine", "reject"].contains(&value.trim())
                });
        return if has_policy {
            Finding::good("dmarc", format!("{domain}: {text}"))
        } else {
            Finding::bad(
                "dmarc",
                format!("{domain} says nothing of use (p=none, quarantine or reject): {text}"),
            )
            .with(record)
        };
    }
    Finding::bad(
        "dmarc",
        format!(
            "{from} does not say what to do with mail that only pretends to be from it, which large providers want; \
             begin with this, and go on to p=reject when the reports are well"
        ),
    )
    .with(record)
}

/// The names at which a DMARC record may be: the domain and those above it, of a long one only the last (RFC 9989 4.10).
fn tree(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let mut names = vec![domain.to_owned()];
    let first = labels.len().saturating_sub(TREE - 1).max(1);
    names.extend((first..labels.len()).map(|start| labels[start..].join(".")));
    names
}

/// Whether mail to a domain reaches anybody.
async fn exchange(dns: &Dns, what: &str, domain: &str) -> Finding {
    let found = async {
        let exchanges = dns.exchanges(domain).await?;
        // RFC 5321 5.1: without an MX record the domain itself takes the mail.
        let hosts = if exchanges.is_empty() {
            dns.addresses(domain).await?.len()
        } else {
            exchanges.len()
        };
        anyhow::Ok((exchanges, hosts))
    };
    match found.await {
        Err(error) => Finding::bad("mx", format!("{error:#}")),
        // RFC 7505.
        Ok((exchanges, _)) if exchanges.iter().any(|name| name == ".") => Finding::bad(
            "mx",
            format!("{domain} takes no mail at all, and {what} go there"),
        ),
        Ok((_, 0)) => Finding::bad(
            "mx",
            format!("{domain} has no mail server, and {what} go there"),
        )
        .with_kind(
            DnsRecord {
                name: domain.to_owned(),
                value: "10 mail.example.org.".to_owned(),
            },
            "MX",
        ),
        Ok((exchanges, _)) if exchanges.is_empty() => {
            Finding::good("mx", format!("{domain} takes mail itself"))
        }
        Ok((exchanges, _)) => Finding::good(
            "mx",
            format!(
                "{domain}: {}",
                exchanges.join(" ").replace(". ", " ").trim_end_matches('.')
            ),
        ),
    }
}

/// Whether the addresses of a mail server have names, and these names the addresses (RFC 1912 2.1). A relay of a provider may send
/// from others; then that is its business.
async fn pointer(dns: &Dns, host: &str, is_ours: bool) -> Vec<Finding> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![address]),
        Err(_) => dns.addresses(host).await,
    };
    let addresses = match addresses {
        Ok(addresses) => addresses,
        Err(error) => return vec![Finding::bad("ptr", format!("{error:#}"))],
    };
    let mut findings = Vec::new();
    for address in addresses {
        if address.is_loopback() {
            continue;
        }
        let confirmed = async {
            let names = dns.names(address).await?;
            for name in &names {
                if dns.addresses(name).await?.contains(&address) {
                    return anyhow::Ok((Some(name.clone()), names));
                }
            }
            Ok((None, names))
        };
        let finding = match confirmed.await {
            Err(error) => Finding::bad("ptr", format!("{error:#}")),
            Ok((Some(name), _)) => Finding::good("ptr", format!("{address} is {name}")),
            Ok((None, names)) if names.is_empty() => Finding::bad(
                "ptr",
                format!("{address} ({host}) has no name; whoever runs it must give it one (PTR)"),
            ),
            Ok((None, names)) => Finding::bad(
                "ptr",
                format!(
                    "{address} ({host}) is called {}, which does not lead back to it",
                    names.join(", ")
                ),
            ),
        };
        // What a provider takes mail with need not be what it sends with.
        findings.push(Finding {
            well: finding.well || !is_ours,
            ..finding
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_a_domain_is_walked_to_its_top_in_eight_steps() {
        assert_eq!(
            tree("a.example.org"),
            ["a.example.org", "example.org", "org"]
        );
        assert_eq!(tree("localhost"), ["localhost"]);
        let deep = tree("a.b.c.d.e.f.g.h.i.j.mail.example.com");
        assert_eq!(deep.len(), TREE);
        assert_eq!(deep[1], "g.h.i.j.mail.example.com");
        assert_eq!(deep[7], "com");
    }
}
