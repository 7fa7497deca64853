//! Makes one of the lists in `src/rank/frequencies`: reads lines `word TAB frequency` and writes `LANGUAGE.fst`.

use std::collections::BTreeMap;
use std::io::BufRead as _;

use anyhow::Context as _;
use tidings::rank::terms;

fn main() -> anyhow::Result<()> {
    let tag = std::env::args()
        .nth(1)
        .context("usage: word_frequencies LANGUAGE < LIST")?;
    let mut frequencies: BTreeMap<String, f64> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (word, frequency) = line.rsplit_once('\t').context("a line without a tab")?;
        if let [term] = terms(word, &tag).as_slice() {
            *frequencies.entry(term.clone()).or_default() += frequency.parse::<f64>()?;
        }
    }
    let mut list = fst::MapBuilder::memory();
    for (term, frequency) in &frequencies {
        list.insert(term, (-100.0 * frequency.log10()).round() as u64)?;
    }
    let path = format!("src/rank/frequencies/{tag}.fst");
    std::fs::write(&path, list.into_inner()?).with_context(|| format!("writing {path}"))?;
    println!("{path}: {} terms", frequencies.len());
    Ok(())
}
