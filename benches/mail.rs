//! Makes the mails of a digest of 60 KB, signed and not, on one core and on all, and prints how long each takes; and how many
//! signatures of RSA with 2,048 bits all cores can make when they do nothing else. Needs `openssl` for the keys.
//!
//!     cargo bench --bench mail

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use tidings::deliver::{DkimOptions, EncodedDigest, Recipient, Sender, Signer};
use tidings::model::{
    Address, Body, CadenceId, Digest, Edition, Language, Newsletter, Personal, TokenKeys, Window,
};

/// How long each thing is measured.
const MEASURED: Duration = Duration::from_secs(3);

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = |name: &str, arguments: &[&str]| {
        let path = folder.path().join(name);
        let made = Command::new("openssl")
            .arg("genpkey")
            .args(arguments)
            .arg("-out")
            .arg(&path)
            .output();
        assert!(
            made.is_ok_and(|made| made.status.success()),
            "openssl makes a key"
        );
        DkimOptions {
            domain: "example.org".into(),
            selector: name.into(),
            key_file: path,
        }
    };
    let rsa = key(
        "rsa",
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    );
    let ed25519 = key("ed25519", &["-algorithm", "ed25519"]);
    let digest = EncodedDigest::new(&digest());
    let edition = edition();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("signed with        one core, µs a mail   {cores} cores, mails a second");
    for (name, keys) in [
        ("nothing", vec![]),
        ("Ed25519", vec![ed25519.clone()]),
        ("RSA-2048", vec![rsa.clone()]),
        ("both", vec![rsa.clone(), ed25519]),
    ] {
        let sender = Sender {
            newsletter: newsletter(),
            signer: Signer::new(&keys).expect("keys"),
            returns: None,
            tokens: TokenKeys::new(&[], &[]),
        };
        let address = Address::parse("anna.muster@example.net").expect("an address");
        let recipient = Recipient {
            address: &address,
            name: "Anna Müster",
            token: "4f9c2b7d8e1a4f9c",
            language: Language::De,
            known: Some(Recipient::NOBODY),
        };
        let mail = || {
            black_box(
                sender
                    .message(&edition, &digest, &recipient, Vec::new())
                    .expect("a mail"),
            );
        };
        let one = 1e6 / a_second(1, &mail);
        println!("{name:12} {one:23.1} {:28.0}", a_second(cores, &mail));
    }
    let pem = PrivatePkcs8KeyDer::from_pem_file(&rsa.key_file).expect("a key");
    let pair = RsaKeyPair::from_pkcs8(pem.secret_pkcs8_der()).expect("a key");
    let sign = || {
        let mut signature = vec![0; pair.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        pair.sign(&RSA_PKCS1_SHA256, &random, &[7; 1000], &mut signature)
            .expect("a signature");
        black_box(signature);
    };
    println!(
        "RSA-2048 signatures and nothing else, {cores} cores: {:.0} a second",
        a_second(cores, &sign)
    );
}

/// How often `work` is done in a second by so many threads.
fn a_second(threads: usize, work: &(impl Fn() + Sync)) -> f64 {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let started = Instant::now();
                    let mut done = 0u32;
                    while started.elapsed() < MEASURED {
                        work();
                        done += 1;
                    }
                    f64::from(done) / started.elapsed().as_secs_f64()
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"))
            .sum()
    })
}

/// A digest of 47 KB HTML and 12 KB text.
fn digest() -> Digest {
    let line =
        "<p style=\"margin:0 0 8px 0;color:#1c1b19\">Die Prüfung der Größe ergab eine Lücke.</p>\n";
    let place = Personal::Unsubscribe.mark();
    Digest {
        subject: "Sprachmodelle lernen rechnen, Behörden lernen prüfen".into(),
        html: Body::new(&(line.repeat(480) + &format!("<a href=\"{place}\">Abmelden</a>"))),
        text: Body::new(&("Die Prüfung ergab eine Lücke.\n".repeat(400) + place)),
    }
}

fn edition() -> Edition {
    let cadence = CadenceId("daily".into());
    let slot = DateTime::from_timestamp(1_800_000_000, 0).expect("a moment of the year 2027");
    Edition {
        id: Edition::id_of("morgenlage", &cadence, slot),
        newsletter: "morgenlage".into(),
        cadence,
        slot,
        window: Window {
            since: slot - TimeDelta::days(1),
            until: slot,
        },
        created_at: slot,
        covers: None,
        sections: Vec::new(),
        blocks: Vec::new(),
        followed: Vec::new(),
    }
}

fn newsletter() -> Newsletter {
    let address = || Address::parse("digest@example.org").expect("an address");
    Newsletter {
        id: "morgenlage".into(),
        title: "Morgenlage".into(),
        tagline: String::new(),
        language: Language::De,
        timezone: chrono_tz::Europe::Berlin,
        from_name: "Morgenlage".into(),
        from: address(),
        reply_to: address(),
        unsubscribe: address(),
        imprint: vec!["Muster Verlag GmbH".into()],
        url: None,
        browser_url: None,
        preferences_url: None,
        unsubscribe_url: Some("https://example.org/u/{token}".into()),
        follow_url: None,
        story_url: None,
        pages_url: None,
        archive_url: None,
    }
}
