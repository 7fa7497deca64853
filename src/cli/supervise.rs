//! Background work that goes on: what ends is started again, and whoever asks is told.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::watch;

use crate::web::Health;

/// How long after its end work is started again, at first and at most.
const PAUSE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Runs `work` until it is told to stop, and again whenever it ends before, by a panic or otherwise. It is said to be down from its end until
/// it has run for as long as the pause before it.
pub(super) async fn supervise<F>(
    name: &'static str,
    health: Arc<Health>,
    mut stop: watch::Receiver<bool>,
    mut work: impl FnMut() -> F,
) where
    F: Future<Output = ()>,
{
    let mut pause = PAUSE[0];
    loop {
        let started = Instant::now();
        let mut running = std::pin::pin!(AssertUnwindSafe(work()).catch_unwind());
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = tokio::time::sleep(pause) => {
                health.is_up(name);
                running.await
            }
        };
        if *stop.borrow() {
            return;
        }
        if started.elapsed() > PAUSE[1] {
            pause = PAUSE[0];
        }
        let how = match ended {
            Ok(()) => "ended before its time",
            Err(_) => "panicked",
        };
        let said = format!("{how}; it is started again in {} s", pause.as_secs());
        tracing::error!("The work “{name}” {said}.");
        health.is_down(name, said);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        pause = (pause * 2).min(PAUSE[1]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_or_ends_is_told_of_and_started_again() {
        let health = Arc::new(Health::default());
        let (stop, stopped) = watch::channel(false);
        let (runs, seen) = (Arc::new(AtomicU32::new(0)), health.clone());
        let work = {
            let (runs, stopped) = (runs.clone(), stopped.clone());
            move || {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                let mut stopped = stopped.clone();
                let seen = seen.clone();
                async move {
                    match run {
                        0 => panic!("a mistake"),
                        1 => assert!(
                            seen.trouble().iter().any(|said| said.contains("panicked")),
                            "it is told until it is well again"
                        ),
                        _ => {
                            let _ = stopped.wait_for(|stop| *stop).await;
                        }
                    }
                }
            }
        };
        let supervised = tokio::spawn(supervise("letters", health.clone(), stopped, work));
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(runs.load(Ordering::Relaxed), 3);
        assert_eq!(health.trouble(), [""; 0]);
        stop.send(true).unwrap();
        supervised.await.unwrap();
    }
}
