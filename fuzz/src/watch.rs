//! Ends the process at an input that takes too long or too much: there is no other way to stop a reader.

use std::{
    process,
    sync::{Mutex, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Time that an input may take.
pub const MOST: Duration = Duration::from_secs(10);

/// What is being read, and since when.
static CURRENT: Mutex<Option<(String, Instant)>> = Mutex::new(None);

/// Notes what is being read.
pub(crate) fn begin(what: String) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(thread::spawn(look)));
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some((what, Instant::now()));
}

/// Notes that it was read, and says how long that took.
pub(crate) fn end() -> Duration {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).take();
    current.map_or(Duration::ZERO, |(_, since)| since.elapsed())
}

fn look() {
    loop {
        thread::sleep(Duration::from_millis(200));
        let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if current.is_some_and(|(_, since)| since.elapsed() > MOST) {
            give_up(&format!("more than {MOST:?}"));
        }
    }
}

/// Says what is being read and what is wrong, and ends the process.
pub(crate) fn give_up(why: &str) -> ! {
    // The lock may be held by the thread that allocates.
    let what = CURRENT.try_lock().ok().and_then(|current| current.clone()).map(|(what, _)| what);
    eprintln!("{}: {why}", what.unwrap_or_else(|| "an unknown input".to_owned()));
    process::abort();
}
