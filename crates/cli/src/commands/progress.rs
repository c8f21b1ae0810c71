//! Progress of work whose length is known: a bar on a terminal, a line now and then elsewhere.

use crate::{
    args::DeviceKind,
    device::{self, dispatch},
    watch::PAUSE,
};
use indicatif::ProgressBar;
use meanflow_core::objective::TrainBackend;
use meanflow_score::{Machine, ScoreError, Work};
use std::{cell::RefCell, time::Instant};

/// A device, and on the terminal how far it has come.
pub struct Shown {
    device: DeviceKind,
    progress: RefCell<Progress>,
}

struct Progress {
    bar: ProgressBar,
    what: String,
    spoken: Instant,
}

impl Shown {
    pub fn new(device: DeviceKind) -> Self {
        let progress = Progress { bar: ProgressBar::hidden(), what: String::new(), spoken: Instant::now() };
        Self { device, progress: RefCell::new(progress) }
    }
}

impl Machine for Shown {
    fn run<W: Work>(&self, work: W) -> Result<W::Output, ScoreError> {
        dispatch(self.device, Plain(work)).map_err(ScoreError::outside)?
    }

    fn begin(&self, what: &str, parts: usize) {
        let (bar, what) = (ProgressBar::new(parts as u64), what.to_owned());
        *self.progress.borrow_mut() = Progress { bar, what, spoken: Instant::now() };
    }

    fn more(&self, parts: usize) -> Result<(), ScoreError> {
        let progress = &mut *self.progress.borrow_mut();
        progress.bar.inc(parts as u64);
        if progress.bar.is_hidden() && progress.spoken.elapsed() > PAUSE {
            let (done, all) = (progress.bar.position(), progress.bar.length().unwrap_or(0));
            say!("{}: {done} of {all}", progress.what);
            progress.spoken = Instant::now();
        }
        Ok(())
    }

    fn end(&self) {
        self.progress.borrow().bar.finish_and_clear();
    }

    fn note(&self, text: &str) {
        say!("{text}");
    }
}

/// Work that differentiates nothing.
struct Plain<W>(W);

impl<W: Work> device::Work for Plain<W> {
    type Output = Result<W::Output, ScoreError>;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Self::Output> {
        Ok(self.0.on::<B::InnerBackend>(device))
    }
}
