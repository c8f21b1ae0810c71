//! `meanflow sample`.

use crate::{
    Done,
    args::{Sample, Usage, ensure_usage},
    device::{Work, dispatch},
};
use indicatif::ProgressBar;
use meanflow_core::{Solver, objective::TrainBackend, solver::Spacing};
use meanflow_data::write_samples;
use meanflow_generator::{self as generator, Model, Request, Samples};
use meanflow_nets::Networks;
use meanflow_train::{Kinds, TrainError, trained};

/// Draws samples and writes them.
pub fn run<K: Kinds>(args: Sample) -> anyhow::Result<Done> {
    let kind = args.out.extension().and_then(|extension| extension.to_str());
    ensure_usage(matches!(kind, Some("png" | "csv")), || {
        format!("{}: give a file that ends in .png or .csv", args.out.display())
    })?;
    ensure_usage(args.count > 0, || "-n 0: at least one sample".to_owned())?;
    let request = Request {
        count: args.count,
        nfe: args.nfe,
        solver: solver(args.solver.as_deref())?,
        class: args.class,
        omega: args.omega,
        interval: args.interval.map(|ends| [ends[0], ends[1]]),
        times: args
            .times
            .map(|text| Spacing::parse(&text).map_err(|reason| Usage(format!("--times {text}: {reason}"))))
            .transpose()?,
        adaptive: args.adaptive,
        seed: args.seed,
    };
    let model = trained::open::<K>(&args.run, args.ema.as_deref())?;
    let samples = dispatch(args.on.device, Draw { model, request })?;
    write_samples(&samples.values, samples.shape, &args.out)?;
    if args.adaptive.is_some() {
        say!("{} evaluations a sample", samples.evaluations);
    }
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}

/// The solver of this name.
pub(super) fn solver(name: Option<&str>) -> Result<Option<Solver>, Usage> {
    name.map(|name| Solver::parse(name).map_err(Usage)).transpose()
}

struct Draw<N: Networks> {
    model: Model<N>,
    request: Request,
}

impl<N: Networks> Work for Draw<N> {
    type Output = Samples;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Samples> {
        let bar = ProgressBar::new(self.request.count as u64);
        let samples =
            generator::sample::<B::InnerBackend, N>(self.model, &self.request, device, |done, _| {
                bar.set_position(done as u64);
            });
        bar.finish_and_clear();
        Ok(samples.map_err(TrainError::from)?)
    }
}
