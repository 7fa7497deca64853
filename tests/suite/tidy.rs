//! Rules about the source itself.

use std::path::{Path, PathBuf};

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                // Tests may use what the product must not.
                let product = text.split("#[cfg(test)]").next().unwrap().to_owned();
                sources.push((name, product));
            }
        }
    }
    sources.sort();
    assert!(sources.len() > 30, "the sources are not where they were");
    sources
}

/// The siblings that a file imports, as in `crate::store`.
fn imports(text: &str) -> Vec<&str> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let after_crate = code.flat_map(|line| line.split("crate::").skip(1));
    after_crate
        .map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap()
        })
        .collect()
}

#[test]
fn a_stage_imports_no_other_stage() {
    let allowed: &[(&str, &[&str])] = &[
        ("model/", &[]),
        ("rank/", &["model"]),
        ("render/", &["model"]),
        ("schedule.rs", &["model"]),
        ("collect/", &["model", "tls"]),
        ("subscribe/", &["model"]),
        ("store/", &["model", "schedule"]),
        ("deliver/", &["model", "store", "config", "tls"]),
        (
            "web/",
            &[
                "model", "store", "config", "render", "rank", "deliver", "schedule", "collect",
            ],
        ),
    ];
    for (name, text) in sources() {
        let Some((_, allowed)) = allowed.iter().find(|(folder, _)| name.starts_with(folder)) else {
            continue;
        };
        let own = name.split('/').next().unwrap();
        for import in imports(&text) {
            assert!(
                import == own || allowed.contains(&import),
                "src/{name} imports crate::{import}"
            );
        }
    }
}

#[test]
fn only_the_command_line_asks_the_clock() {
    for (name, text) in sources() {
        let asks = |calls: &[&str]| calls.iter().any(|call| text.contains(call));
        assert!(
            !asks(&["Utc::now", "Local::now", "SystemTime::now"]) || name == "cli/line/mod.rs",
            "src/{name} asks the clock"
        );
        // How much time has passed is another question, which only who waits for something asks.
        assert!(
            !asks(&["Instant::now"])
                || ["deliver/", "cli/", "web/", "store/pool.rs"]
                    .iter()
                    .any(|waits| name.starts_with(waits)),
            "src/{name} asks for the time that has passed"
        );
    }
}

#[test]
fn only_the_store_speaks_sql() {
    for (name, text) in sources() {
        assert!(
            !text.contains("sqlx") || name.starts_with("store/"),
            "src/{name} uses sqlx"
        );
    }
}
