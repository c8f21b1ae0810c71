//! `meanflow bench`.

use crate::{
    Done,
    args::{Bench, DeviceKind, Usage, ensure_usage},
    device::{Cpu, Work, describe, dispatch},
};
use indicatif::ProgressBar;
use meanflow_core::objective::{Objectives, TrainBackend};
use meanflow_nets::Networks;
use meanflow_train::{
    Kinds,
    bench::{Job, Product, Yardstick, on_the_processor, time},
    config::{Comparison, Variant},
    env::peak_memory,
};
use std::path::Path;

/// Times steps, or ratios of steps.
pub fn run<K: Kinds>(args: Bench) -> anyhow::Result<Done> {
    if let Some(file) = &args.experiment {
        return variants::<K>(&args, file);
    }
    let Some(yardstick) = Yardstick::named(&args.net) else {
        let known = Yardstick::NAMES.join(", ");
        return Err(Usage(format!("no yardstick is called `{}`; there are {known}; for a network of your own give an experiment file", args.net)).into());
    };
    let microbatches = args
        .microbatches
        .unwrap_or(if args.on.device == DeviceKind::Cpu { 2 } else { 1 })
        .clamp(1, args.batch.max(1));
    if let Some(count) = args.pairs {
        let words = "--pairs compares backends of the processor; leave out --device";
        ensure_usage(args.on.device == DeviceKind::Cpu, || words.to_owned())?;
        return ratios(&yardstick, args.batch, microbatches, count);
    }
    let wanted = |name: &str| args.objective.as_ref().is_none_or(|asked| asked == name);
    for (name, job, rows) in Job::NAMES.into_iter().filter(|(name, ..)| wanted(name)) {
        let variant = yardstick.variant(job, args.batch, microbatches);
        let times = dispatch(args.on.device, Step { variant, job, steps: args.steps })?;
        tell!(
            "meanflow {} {} {} {name} jvp_rows={rows} batch={} microbatches={microbatches} params={} median_ms={:.1} min_ms={:.1} peak_mb={}",
            env!("CARGO_PKG_VERSION"),
            describe(args.on.device).replace(' ', ""),
            args.net,
            args.batch,
            yardstick.parameters(),
            times[times.len() / 2],
            times[0],
            peak(),
        );
    }
    Ok(Done::Yes)
}

/// The step of every chosen variant, and how often it evaluates the network.
fn variants<K: Kinds>(args: &Bench, file: &Path) -> anyhow::Result<Done> {
    let comparison = Comparison::<K>::load(file, &[])?;
    for variant in comparison.chosen(&args.variant)? {
        let cost = variant.objective.facts().cost();
        let step = Step { variant: variant.clone(), job: Job::Step, steps: args.steps };
        let times = dispatch(args.on.device, step)?;
        tell!(
            "{} {} net={} batch={} taped={:.2} dual={:.2} plain={:.2} median_ms={:.1} min_ms={:.1} peak_mb={}",
            variant.name,
            variant.objective.name(),
            variant.net.name(),
            variant.train.batch,
            cost.passes - cost.dual,
            cost.dual,
            cost.plain,
            times[times.len() / 2],
            times[0],
            peak(),
        );
    }
    Ok(Done::Yes)
}

struct Step<K: Kinds> {
    variant: Variant<K>,
    job: Job,
    steps: usize,
}

impl<K: Kinds> Work for Step<K> {
    type Output = Vec<f64>;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Vec<f64>> {
        let mut product = Product::<B, K>::new(self.variant, self.job, device)?;
        let bar = ProgressBar::new(self.steps as u64 + 3);
        let times = time(&mut product, self.steps.max(1), || bar.inc(1));
        bar.finish_and_clear();
        Ok(times)
    }
}

/// The most memory that this process has held, in millions of bytes.
fn peak() -> String {
    peak_memory().map_or_else(|| "unknown".to_owned(), |bytes| (bytes / 1_000_000).to_string())
}

/// Interleaved pairs on the processor.
fn ratios(yardstick: &Yardstick, batch: usize, microbatches: usize, count: usize) -> anyhow::Result<Done> {
    let count = count.max(1);
    let bar = ProgressBar::new(2 * count as u64);
    for (name, ratios) in on_the_processor::<Cpu>(yardstick, batch, microbatches, count, || bar.inc(1))? {
        let (last, middle) = (ratios.len() - 1, ratios[ratios.len() / 2]);
        tell!("{name} pairs={count} median={middle:.3} min={:.3} max={:.3}", ratios[0], ratios[last]);
    }
    bar.finish_and_clear();
    Ok(Done::Yes)
}
