//! `tidings preview --serve` as a process, and what its page asks for.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::Project;

/// A served preview on a port of its own; ends with the test.
pub(crate) struct Studio {
    process: Child,
    /// Where it is, without the slash at the end.
    pub(crate) url: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Studio {
    pub(crate) fn start(project: &Project) -> Self {
        let mut process = project
            .command(&["preview", "--serve"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let url = url
            .unwrap_or_else(|| panic!("{line}"))
            .trim_end_matches('/');
        // The client wants a crypto provider though nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            url: url.to_owned(),
            process,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    /// Status and body of a path, asked for with that `Host`.
    pub(crate) fn get_as(&self, host: Option<&str>, path: &str) -> (u16, String) {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.get_as(None, path)
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The first state from now on for which `wanted` holds.
    pub(crate) fn state_when(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut version = 0;
        loop {
            let state = self.json(&format!("/state?after={version}"));
            if wanted(&state) {
                return state;
            }
            let newer = state["version"].as_u64().unwrap();
            assert!(newer > version, "nothing changed: {state}");
            version = newer;
        }
    }

    pub(crate) fn post(&self, path: &str) -> u16 {
        self.post_from(None, path)
    }

    /// The status of a path, posted to by a page of that origin.
    pub(crate) fn post_from(&self, origin: Option<&str>, path: &str) -> u16 {
        let mut request = self.client.post(format!("{}{path}", self.url));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = self.runtime.block_on(request.send()).unwrap();
        answer.status().as_u16()
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
