//! Connections: taken from systemd or from a port, with an eye on those who are slow.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use listenfd::ListenFd;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use super::app::App;
use super::client::Peer;

/// How many connections there are at a time; more wait to be taken.
const CONNECTIONS: usize = 4_096;

/// For the head of a request, and for silence between two.
const HEAD: Duration = Duration::from_secs(10);

/// How long somebody may not take what they asked for.
const SILENCE: Duration = Duration::from_secs(20);

/// How large a head may be, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// How long those are waited for who are being answered when it is time to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// The socket that systemd has opened for us, or one at `address`.
///
/// # Errors
/// When it cannot be had.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let handed = ListenFd::from_env()
        .take_tcp_listener(0)
        .context("taking the socket that systemd has opened")?;
    match handed {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            Ok(TcpListener::from_std(listener)?)
        }
        None => TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address}")),
    }
}

/// Serves what `routers` shows at a time until it is told to stop; then those are answered who have asked.
///
/// # Errors
/// None: a connection that fails is the trouble of whoever had it.
pub async fn serve(
    listener: TcpListener,
    routers: watch::Receiver<Router>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .pipeline_flush(true);
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await?;
            anyhow::Ok((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            next = next => next?,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors: some will be given back.
                tracing::warn!("A connection could not be taken: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let routers = routers.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            let router = routers.borrow().clone();
            let answer = router.oneshot(request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
        });
        // Whoever does not read what they asked for is hung up on.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(SILENCE));
        let stream = TokioIo::new(Box::pin(stream));
        let connection = graceful.watch(http.serve_connection(stream, service));
        tokio::spawn(async move {
            // Who hangs up, or is too slow, is gone.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let farewell = pin!(graceful.shutdown());
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    Ok(())
}

/// The socket for metrics at `address`.
///
/// # Errors
/// When it cannot be had.
pub async fn listen_for_metrics(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address} for metrics (serve.metrics)"))
}

/// The one page with metrics.
pub fn metrics_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let counts = match app.store.ledger().count_states().await {
        Ok(counts) => counts,
        Err(error) => {
            tracing::warn!("The store does not say how many there are: {error}");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    match app.metrics.text(&counts) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
