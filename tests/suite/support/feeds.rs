//! A real HTTP server that serves feeds well and badly.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

/// Makes an answer of the headers of a request.
type Script = dyn Fn(&HeaderMap) -> Response<Body> + Send + Sync;

/// What a path answers.
#[derive(Clone)]
enum Answer {
    Script(Arc<Script>),
    Feed(String),
    Status(u16),
    /// Headers, and then nothing for ever.
    Stall,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Answer>>,
    /// The statuses that were sent, by path.
    log: Mutex<Vec<(String, u16)>>,
    /// The headers that came, by path.
    requests: Mutex<Vec<(String, HeaderMap)>>,
    asked: Condvar,
}

/// A server on a port of its own; ends with the test.
pub(crate) struct FeedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

impl FeedServer {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shared = Arc::new(Shared::default());
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            shared,
            _runtime: runtime,
        }
    }

    fn answer(&self, path: &str, answer: Answer) -> String {
        self.shared
            .answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answer);
        format!("http://{}{path}", self.address)
    }

    /// Serves a feed with an ETag, answering 304 to who has it. Returns its address.
    pub(crate) fn feed(&self, path: &str, body: impl Into<String>) -> String {
        self.answer(path, Answer::Feed(body.into()))
    }

    /// Answers with a status and nothing else.
    pub(crate) fn status(&self, path: &str, status: u16) -> String {
        self.answer(path, Answer::Status(status))
    }

    /// Answers with headers, and then with silence.
    pub(crate) fn stall(&self, path: &str) -> String {
        self.answer(path, Answer::Stall)
    }

    /// Answers as `script` says: a status, headers and a body.
    pub(crate) fn script<B: Into<Body>>(
        &self,
        path: &str,
        script: impl Fn(&HeaderMap) -> (u16, Vec<(&'static str, String)>, B) + Send + Sync + 'static,
    ) -> String {
        let script = move |request: &HeaderMap| {
            let (status, headers, body) = script(request);
            let mut response = Response::new(body.into());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().append(name, value.parse().unwrap());
            }
            response
        };
        self.answer(path, Answer::Script(Arc::new(script)))
    }

    /// The headers of all requests for a path.
    pub(crate) fn requests(&self, path: &str) -> Vec<HeaderMap> {
        let requests = self.shared.requests.lock().unwrap();
        let of_path = requests.iter().filter(|(asked, _)| asked == path);
        of_path.map(|(_, headers)| headers.clone()).collect()
    }

    /// Waits until somebody has asked for anything.
    pub(crate) fn wait_for_request(&self) {
        let log = self.shared.log.lock().unwrap();
        let long = Duration::from_secs(30);
        let (_log, waited) = self
            .shared
            .asked
            .wait_timeout_while(log, long, |log| log.is_empty())
            .unwrap();
        assert!(!waited.timed_out(), "nobody asked for anything");
    }

    /// Waits until a path was asked for so many times.
    pub(crate) fn wait_for(&self, path: &str, times: usize) {
        let log = self.shared.log.lock().unwrap();
        let long = Duration::from_secs(60);
        let is_short = |log: &mut Vec<(String, u16)>| {
            log.iter().filter(|(asked, _)| asked == path).count() < times
        };
        let waited = self.shared.asked.wait_timeout_while(log, long, is_short);
        assert!(
            !waited.unwrap().1.timed_out(),
            "{path} was not asked for {times} times"
        );
    }

    /// How often a status was sent.
    pub(crate) fn count(&self, status: u16) -> usize {
        self.shared
            .log
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, sent)| *sent == status)
            .count()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let answer = shared
        .answers
        .lock()
        .unwrap()
        .get(&path)
        .cloned()
        .unwrap_or(Answer::Status(404));
    shared
        .requests
        .lock()
        .unwrap()
        .push((path.clone(), request.headers().clone()));
    let response = match answer {
        Answer::Script(script) => script(request.headers()),
        Answer::Status(status) => empty(status),
        Answer::Stall => {
            let silence = futures::stream::once(async {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Ok::<_, std::io::Error>(Vec::new())
            });
            Response::new(Body::from_stream(silence))
        }
        Answer::Feed(body) => {
            let etag = HeaderValue::from_str(&format!("\"{}\"", body.len())).unwrap();
            if request.headers().get(header::IF_NONE_MATCH) == Some(&etag) {
                empty(304)
            } else {
                let mut response = Response::new(Body::from(body));
                response.headers_mut().insert(header::ETAG, etag);
                response
            }
        }
    };
    shared
        .log
        .lock()
        .unwrap()
        .push((path, response.status().as_u16()));
    shared.asked.notify_all();
    response
}

fn empty(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
