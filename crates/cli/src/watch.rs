//! Progress on the terminal: bars where there is one, plain lines elsewhere. Everything goes to stderr.

use indicatif::{ProgressBar, ProgressStyle};
use meanflow_train::progress::{Event, Observer};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// Shows a run.
pub struct Watch {
    terminal: bool,
    bar: ProgressBar,
    task: ProgressBar,
    steps: u64,
    begun: (Instant, u64),
    spoken: Instant,
}

/// Time between plain lines of progress.
pub const PAUSE: Duration = Duration::from_secs(10);

impl Watch {
    /// A watch for one variant.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            terminal: std::io::stderr().is_terminal(),
            bar: ProgressBar::hidden(),
            task: ProgressBar::hidden(),
            steps: 0,
            begun: (now, 0),
            spoken: now,
        }
    }

    fn say(&self, line: &str) {
        if self.terminal {
            self.bar.println(line);
        } else {
            say!("{line}");
        }
    }
}

impl Observer for Watch {
    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Start { step, steps, .. } => {
                say!("{event}");
                self.steps = steps;
                self.begun = (Instant::now(), step);
                if self.terminal {
                    let style = "  {bar:30} {pos}/{len} steps, {per_sec}, {eta} left {msg}";
                    self.bar = bar(steps, style).with_position(step);
                    self.bar.reset_eta();
                }
            }
            Event::Step { step } => self.bar.set_position(step),
            Event::Train { step, raw, loss } => {
                let raw = raw.map_or_else(String::new, |raw| format!(", squared error {raw:.4}"));
                self.bar.set_message(format!("loss {loss:.4}{raw}"));
                if !self.terminal && (self.spoken.elapsed() > PAUSE || step == self.steps) {
                    let rate = (step - self.begun.1) as f64 / self.begun.0.elapsed().as_secs_f64();
                    let left = (self.steps - step) as f64 / rate.max(1e-9);
                    say!(
                        "  step {step}/{}: loss {loss:.4}{raw}, {rate:.1} steps/s, {left:.0} s left",
                        self.steps
                    );
                    self.spoken = Instant::now();
                }
            }
            Event::Task { parts, .. } => {
                self.say(&event.to_string());
                if self.terminal {
                    self.task = bar(parts, "  {bar:30} {pos}/{len} parts, {eta} left");
                }
            }
            Event::Parts { count } => {
                self.task.inc(count);
                if self.task.length().is_some_and(|parts| self.task.position() >= parts) {
                    self.task.finish_and_clear();
                }
            }
            Event::Damaged { .. }
            | Event::Note { .. }
            | Event::Weights { .. }
            | Event::Score { .. }
            | Event::ScoreFailed { .. } => self.say(&event.to_string()),
            Event::Checkpoint { .. } => {}
        }
    }
}

fn bar(length: u64, style: &str) -> ProgressBar {
    ProgressBar::new(length).with_style(ProgressStyle::with_template(style).expect("a fixed template"))
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.finish_and_clear();
        self.bar.finish_and_clear();
    }
}
