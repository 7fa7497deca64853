//! How fast feeds are read, in megabytes a second on one core, with feed-rs beside it as the measure.
//!
//!     cargo bench --bench parse                      a feed made up for the purpose
//!     cargo bench --bench parse -- feeds/*.xml       your own

use std::hint::black_box;
use std::time::{Duration, Instant};

use tidings::collect::parse::parse;
use url::Url;

fn main() -> anyhow::Result<()> {
    let files: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let feeds: Vec<Vec<u8>> = if files.is_empty() {
        vec![made_up()]
    } else {
        files.iter().map(std::fs::read).collect::<Result<_, _>>()?
    };
    let bytes: usize = feeds.iter().map(Vec::len).sum();
    println!("{} feeds, {:.1} MB", feeds.len(), megabytes(bytes));
    let base = Url::parse("https://example.org/feed.xml")?;
    measure("tidings", bytes, || {
        for feed in &feeds {
            let _ = black_box(parse(feed, None, Some(&base)));
        }
    });
    measure("feed-rs", bytes, || {
        for feed in &feeds {
            let _ = black_box(feed_rs::parser::parse(feed.as_slice()));
        }
    });
    Ok(())
}

/// The best of several rounds: what the machine can do when nothing disturbs it.
fn measure(name: &str, bytes: usize, work: impl Fn()) {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    while begin.elapsed() < Duration::from_secs(3) {
        let round = Instant::now();
        work();
        best = best.min(round.elapsed());
    }
    println!(
        "{name:8} {:7.1} MB/s",
        megabytes(bytes) / best.as_secs_f64()
    );
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// Thirty articles with their text in HTML, as a blog ships them.
fn made_up() -> Vec<u8> {
    let paragraph = "&lt;p&gt;Der &lt;a href=\"/thema?a=1&amp;amp;b=2\"&gt;Bericht&lt;/a&gt; nennt Gründe, die &lt;em&gt;niemand&lt;/em&gt; erwartet hat.&lt;/p&gt;\n";
    let item = |number: usize| {
        format!(
            "<item><title>Nachricht Nummer {number}</title><link>https://example.org/{number}</link><guid>{number}</guid>\
             <dc:creator><![CDATA[Anna Berg]]></dc:creator><pubDate>Fri, 20 Nov 2026 05:00:00 +0100</pubDate>\
             <description>Ein kurzer Anriss.</description><content:encoded>{}</content:encoded></item>\n",
            paragraph.repeat(20)
        )
    };
    let items: String = (0..30).map(item).collect();
    format!(
        "<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\">\
         <channel><title>Bote</title><link>https://example.org/</link>{items}</channel></rss>"
    )
    .into_bytes()
}
