//! `tidings serve` as a process, and what browsers and programs ask of it.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tidings::model::{Purpose, TokenKeys};
use tidings::store::{Store, StoreUrl};

use super::{Manners, Postgres, Project, Smtp, newsletter, rss};

/// The pages of a project on a port of their own, and the mail server that its letters go to; both end with the test.
pub(crate) struct Pages {
    process: Child,
    pub(crate) project: Project,
    pub(crate) smtp: Smtp,
    /// Where they are, with the slash at the end.
    pub(crate) url: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// Asserts the status, showing the page when it is another.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The first attribute or text that begins so, up to a quote or space.
    pub(crate) fn find(&self, start: &str) -> String {
        found(&self.body, start)
    }
}

/// What begins so in a text, up to a quote, a space or a bracket.
pub(crate) fn found(text: &str, start: &str) -> String {
    let at = text
        .find(start)
        .unwrap_or_else(|| panic!("no {start} in {text}"));
    let rest = &text[at..];
    let end = rest.find(['"', ' ', '\n', '\r', '<', '>']);
    rest[..end.unwrap_or(rest.len())].to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Pages {
    /// The pages of a newsletter in German and English with two topics, cadences and feeds, of which an edition is out. `more` goes into the section
    /// `[serve]`.
    pub(crate) fn start(more: &str) -> Self {
        let smtp = Self::mail_server();
        let delivery = format!(
            "[delivery]\nmailer = \"smtp\"\n[delivery.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
            smtp.port
        );
        Self::with(more, &delivery, smtp)
    }

    /// The same, with letters in the Maildir of the project.
    pub(crate) fn start_with_maildir() -> Self {
        let unlimited = "sign_ups_per_network = 1000";
        Self::with(unlimited, "[delivery]\n", Self::mail_server())
    }

    /// The same, with the store in PostgreSQL.
    pub(crate) fn start_on(postgres: &Postgres) -> Self {
        let store = format!("[store]\nurl = \"{}\"\n", postgres.url("postgres"));
        Self::with("", &format!("{store}[delivery]\n"), Self::mail_server())
    }

    /// Another process that serves the same pages at another port.
    pub(crate) fn second(&self) -> Self {
        let project = Project::beside(&self.project);
        let port = free_port();
        let listen = self.url.trim_start_matches("http://").trim_end_matches('/');
        project.edit_config(
            &format!("listen = \"{listen}\""),
            &format!("listen = \"127.0.0.1:{port}\""),
        );
        let mut pages = Self::of(project, Self::mail_server(), port);
        pages.url.clone_from(&self.url);
        pages
    }

    /// Tells it to read its configuration again.
    pub(crate) fn hang_up(&self) {
        let pid = self.process.id().to_string();
        let kill = std::process::Command::new("kill")
            .args(["-HUP", &pid])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Waits until a page is as `is_so` says.
    pub(crate) fn wait_for(&self, path: &str, is_so: impl Fn(&Reply) -> bool) -> Reply {
        let started = Instant::now();
        loop {
            let reply = self.get(path);
            if is_so(&reply) {
                return reply;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{reply:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn mail_server() -> Smtp {
        Smtp::start(Manners {
            keeps: true,
            ..Manners::default()
        })
    }

    /// The pages below a path, sending what is due by themselves.
    pub(crate) fn start_below(path: &str) -> Self {
        let mut pages = Self::start("send_every = \"1s\"");
        let url = pages.url.clone();
        pages.project.edit_config(
            &format!("url = \"{url}\""),
            &format!("url = \"{url}{path}\""),
        );
        pages.url = format!("{url}{path}/");
        pages.restart();
        pages
    }

    fn with(more: &str, delivery: &str, smtp: Smtp) -> Self {
        let port = free_port();
        let config = newsletter().replace("Prüfstück & Söhne", "Der <b>Bote</b>")
            + "[[topic]]\nid = \"netz\"\ntitle = \"Netz & <i>Recht</i>\"\nkeywords = [\"Netz\"]\n\
               [cadence.weekly]\ncron = \"0 7 * * 5\"\n[[feed]]\nurl = \"feed.xml\"\n"
            + &format!(
                "[serve]\nurl = \"http://127.0.0.1:{port}/\"\nlisten = \"127.0.0.1:{port}\"\nlanguages = [\"en\"]\n{more}\n{delivery}"
            );
        let project = Project::with_config(&config);
        let feed = [
            (
                "KI hilft <i>Ärzten</i> bei der Diagnose",
                "Ein Sprachmodell liest Röntgenbilder. Das spart Zeit.",
            ),
            (
                "Das Netz wird schneller",
                "Neue Kabel im Meer verbinden zwei Länder miteinander.",
            ),
        ];
        std::fs::write(
            project.path("feed.xml"),
            rss("Kurier", &feed)
                .replace("<i>", "&lt;i&gt;")
                .replace("</i>", "&lt;/i&gt;"),
        )
        .unwrap();
        project.run(&["send"]).expect(0);
        Self::of(project, smtp, port)
    }

    fn of(project: Project, smtp: Smtp, port: u16) -> Self {
        let process = Self::spawn(&project);
        // The client wants a crypto provider though nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let mut pages = Self {
            process,
            project,
            smtp,
            url: format!("http://127.0.0.1:{port}/"),
            client: client.build().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        };
        pages.wait_until_ready();
        pages
    }

    fn spawn(project: &Project) -> Child {
        project
            .command(&["serve"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn wait_until_ready(&mut self) {
        let patience = Instant::now();
        loop {
            let asked = self.client.get(format!("{}ready", self.url)).send();
            if self
                .runtime
                .block_on(asked)
                .is_ok_and(|answer| answer.status() == 200)
            {
                return;
            }
            if self.process.try_wait().unwrap().is_some()
                || patience.elapsed() > Duration::from_secs(20)
            {
                panic!("it does not serve: {}", self.said());
            }
            std::thread::yield_now();
        }
    }

    /// Starts it again, after it was killed.
    pub(crate) fn restart(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.process = Self::spawn(&self.project);
        self.wait_until_ready();
    }

    /// Ends it as a service manager does, and gives what it said meanwhile.
    pub(crate) fn stop(&mut self) -> (Option<i32>, String) {
        let pid = self.process.id().to_string();
        std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap();
        let code = self.process.wait().unwrap().code();
        (code, self.said())
    }

    fn said(&mut self) -> String {
        let mut said = String::new();
        let _ = self.process.kill();
        if let Some(mut errors) = self.process.stderr.take() {
            errors.read_to_string(&mut said).unwrap();
        }
        said
    }

    /// The keys of its tokens.
    pub(crate) fn keys(&self) -> TokenKeys {
        let url = StoreUrl::Sqlite(self.project.path("tidings.db"));
        self.runtime.block_on(async {
            let store = Store::open(&url, "test").await.unwrap();
            store.token_keys().await.unwrap()
        })
    }

    /// A token for a form that was handed out so many seconds ago.
    pub(crate) fn form_token(&self, seconds: i64) -> String {
        let now = chrono::Utc::now().timestamp();
        self.keys().seal(Purpose::Form, now - seconds)
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Reply {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}{path}", self.url),
        };
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            sent.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let request = self
            .client
            .request(method.parse().unwrap(), url)
            .headers(sent)
            .body(body);
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            Reply {
                status: answer.status().as_u16(),
                headers: answer.headers().clone(),
                body: answer.text().await.unwrap(),
            }
        })
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], Vec::new())
    }

    /// Sends a form.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.post_from(path, fields, &[])
    }

    /// Sends a form with more headers.
    pub(crate) fn post_from(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend(headers);
        self.ask("POST", path, &all, body.into_bytes())
    }

    /// Signs up as a person does.
    pub(crate) fn sign_up(&self, address: &str) -> Reply {
        let token = self.form_token(10);
        self.post(
            "subscribe",
            &[("address", address), ("token", &token), ("lang", "de")],
        )
    }

    /// What of the latest letter to `address` begins so, when `letters` have gone out in all.
    pub(crate) fn letter(&self, letters: usize, address: &str, start: &str) -> String {
        self.smtp.wait_for(letters);
        found(&self.letter_text(address), start)
    }

    /// The text part of the latest letter to an address.
    pub(crate) fn letter_text(&self, address: &str) -> String {
        let (mail, _) = self.smtp.mail(address);
        let mail = mail_parser::MessageParser::default().parse(&mail).unwrap();
        mail.body_text(0).unwrap().into_owned()
    }

    /// Signs up and confirms: the pages of the newcomer, by the first letters of the path (`p/`, `u/`). The letters before it count.
    pub(crate) fn subscriber(&self, address: &str) -> Subscriber {
        let before = self.smtp.messages();
        self.sign_up(address).expect(200);
        let link = self.letter(before + 1, address, &format!("{}confirm/", self.url));
        let done = self.post(&link, &[]).expect(200);
        let unsubscribe = self.letter(before + 2, address, &format!("{}u/", self.url));
        Subscriber {
            preferences: done.find(&format!("{}p/", self.url)),
            unsubscribe,
        }
    }

    /// What is known of a person.
    pub(crate) fn person(&self, address: &str) -> serde_json::Value {
        let exported = self.project.run(&["subscribers", "export", address]);
        exported.expect(0).json()
    }

    /// Whether somebody is confirmed, has left, or is unknown.
    pub(crate) fn state_of(&self, address: &str) -> String {
        let exported = self.project.run(&["subscribers", "export", address]);
        match exported.code {
            Some(0) => {
                let state = &exported.json()["subscription"]["state"];
                state.as_str().unwrap_or("unknown").to_owned()
            }
            _ => "unknown".to_owned(),
        }
    }
}

/// The links of somebody who has signed up.
pub(crate) struct Subscriber {
    pub(crate) preferences: String,
    pub(crate) unsubscribe: String,
}

impl Subscriber {
    /// The token of a link.
    pub(crate) fn token(link: &str) -> &str {
        link.rsplit('/').next().unwrap()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
