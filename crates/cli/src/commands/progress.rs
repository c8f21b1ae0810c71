//! Progress of work whose length is known: a bar on a terminal, a line now and then elsewhere.

use indicatif::ProgressBar;
use std::time::{Duration, Instant};

/// Time between plain lines.
const PAUSE: Duration = Duration::from_secs(10);

pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
    spoken: Instant,
}

impl Progress {
    pub fn new(what: &'static str, all: usize) -> Self {
        Self { bar: ProgressBar::new(all as u64), what, spoken: Instant::now() }
    }

    /// So many are done.
    pub fn at(&mut self, done: usize) {
        self.bar.set_position(done as u64);
        if self.bar.is_hidden() && self.spoken.elapsed() > PAUSE {
            say!("{}: {done} of {}", self.what, self.bar.length().unwrap_or(0));
            self.spoken = Instant::now();
        }
    }

    /// So many more are done.
    pub fn more(&mut self, some: usize) {
        self.at(self.bar.position() as usize + some);
    }

    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
