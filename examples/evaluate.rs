//! Measures ranking on labelled data: reads `DIR/items.jsonl` and writes one JSON object a line.
//!
//! ```text
//! evaluate topic   DIR    {"topic","id","score"}    the topics are in DIR/../topics.json
//! evaluate cluster DIR    {"id","cluster"}
//! evaluate pairs   DIR    {"a","b","score"}         for each line of DIR/pairs.tsv
//! evaluate mlt     DIR    {"query","id","score"}    for each id in DIR/mlt_queries.tsv
//! evaluate rank    DIR    {"id","score"}            votes of the days before in DIR/engagement.tsv
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use tidings::model::{FeedKey, Item, ItemKey, Keyword, Topic, TopicId, Vocabulary, Vote};
use tidings::rank::{self, Interest, Query, Searched, Similarity, Tongue};

/// How many answers a query may have.
const ANSWERS: usize = 1_000;

/// A line of `items.jsonl`. A missing value is an empty text.
#[derive(Deserialize)]
struct Line {
    id: String,
    title: String,
    summary: String,
    url: String,
    source: String,
    published: String,
    lang: String,
}

impl Line {
    fn item(&self) -> Item {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let published = moment(&self.published);
        Item {
            key: ItemKey::of(&self.id),
            feeds: BTreeSet::from([FeedKey(self.source.clone())]),
            source: self.source.clone(),
            title: self.title.clone(),
            url: some(&self.url),
            summary: self.summary.chars().take(Item::SUMMARY_CHARS).collect(),
            words: 0,
            author: None,
            categories: Vec::new(),
            language: some(&self.lang),
            published: published.unwrap_or_default(),
            dated: published.is_some(),
            image: None,
            comments_url: None,
            comments: None,
            mark: None,
            relayed: false,
            arrived: published.unwrap_or_default(),
        }
    }
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let exact = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
    let local =
        || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").map(|moment| moment.and_utc());
    exact.or_else(|_| local()).ok()
}

/// The rows of a file of tab-separated values, as columns by name.
fn rows(path: &Path) -> anyhow::Result<Vec<HashMap<String, String>>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let row = |line: &str| {
        names
            .iter()
            .zip(line.split('\t'))
            .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
            .collect()
    };
    Ok(lines.map(row).collect())
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, folder] = arguments.as_slice() else {
        bail!("usage: evaluate topic|cluster|pairs|mlt|rank DIR");
    };
    let folder = PathBuf::from(folder);
    let path = folder.join("items.jsonl");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let lines: Vec<Line> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let items: Vec<Item> = lines.iter().map(Line::item).collect();
    let languages: BTreeSet<Tongue> = lines
        .iter()
        .filter_map(|line| Tongue::from_tag(&line.lang))
        .collect();
    let languages: Vec<Tongue> = languages.into_iter().collect();
    let places: HashMap<&str, usize> = lines
        .iter()
        .enumerate()
        .map(|(place, line)| (line.id.as_str(), place))
        .collect();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());

    match task.as_str() {
        "topic" => {
            let path = folder.join("../topics.json");
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("reading {}", path.display()))?;
            let words: BTreeMap<String, Vec<String>> = serde_json::from_str(&text)?;
            let topics: Vec<Topic> = words
                .iter()
                .map(|(name, words)| topic(name, words))
                .collect::<anyhow::Result<_>>()?;
            let relevance = rank::relevance(&items, &topics, &languages);
            for (name, values) in words.keys().zip(relevance) {
                for (line, score) in lines.iter().zip(values).filter(|(_, score)| *score > 0.0) {
                    writeln!(
                        out,
                        "{}",
                        json!({"topic": name, "id": line.id, "score": score})
                    )?;
                }
            }
        }
        "cluster" => {
            for (cluster, story) in rank::stories(&items, &Vocabulary::default(), &languages)
                .into_iter()
                .enumerate()
            {
                for place in story {
                    writeln!(
                        out,
                        "{}",
                        json!({"id": lines[place].id, "cluster": cluster})
                    )?;
                }
            }
        }
        "pairs" => {
            let similarity = Similarity::of(items.iter(), &languages);
            for row in rows(&folder.join("pairs.tsv"))? {
                let score =
                    similarity.between(places[row["a"].as_str()], places[row["b"].as_str()]);
                writeln!(
                    out,
                    "{}",
                    json!({"a": row["a"], "b": row["b"], "score": score})
                )?;
            }
        }
        "mlt" => {
            let searched = Searched::of(items.iter(), &languages);
            for row in rows(&folder.join("mlt_queries.tsv"))? {
                let query = Query::like(
                    std::iter::once(&items[places[row["id"].as_str()]]),
                    &languages,
                );
                let mut found: Vec<(usize, f32)> = searched
                    .scores(&query)
                    .into_iter()
                    .enumerate()
                    .filter(|(_, score)| *score > 0.0)
                    .collect();
                found.sort_by(|a, b| b.1.total_cmp(&a.1));
                for (place, score) in found.into_iter().take(ANSWERS) {
                    writeln!(
                        out,
                        "{}",
                        json!({"query": row["id"], "id": lines[place].id, "score": score})
                    )?;
                }
            }
        }
        "rank" => {
            let mut days: BTreeMap<String, Vec<Vote>> = BTreeMap::new();
            let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for row in rows(&folder.join("engagement.tsv"))? {
                let line = &lines[places[row["id"].as_str()]];
                ids.entry(row["group"].clone())
                    .or_default()
                    .push(line.id.clone());
                days.entry(row["group"].clone()).or_default().push(Vote {
                    source: line.source.clone(),
                    title: line.title.clone(),
                    language: Some(line.lang.clone()),
                    count: row["points"].parse()?,
                });
            }
            let mut interest = Interest::default();
            for (votes, ids) in days.values().zip(ids.values()) {
                for (vote, id) in votes.iter().zip(ids) {
                    let score =
                        interest.expected(&vote.title, &vote.source, vote.language.as_deref());
                    writeln!(out, "{}", json!({"id": id, "score": score}))?;
                }
                // A day's votes are known when it is over.
                votes.iter().for_each(|vote| interest.learn(vote));
            }
        }
        other => bail!("there is no task “{other}”"),
    }
    Ok(())
}

fn topic(name: &str, words: &[String]) -> anyhow::Result<Topic> {
    let keywords: Result<Vec<Keyword>, String> =
        words.iter().map(|word| Keyword::parse(word)).collect();
    Ok(Topic {
        id: TopicId(name.to_owned()),
        title: name.to_owned(),
        keywords: keywords.map_err(anyhow::Error::msg)?,
        exclude: Vec::new(),
        stories: 10,
        feeds: Vec::new(),
    })
}
