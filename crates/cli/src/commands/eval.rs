//! `meanflow eval`.

use crate::{
    Done,
    args::{Eval, Usage, ensure_usage, twice},
    commands::{
        classify::{Judge, Labelled, labels_of},
        density::Asked,
        features::{Extractor, Part, Side},
        nearest::{self, Drawn},
        output::{Output, print_json, print_lines},
        progress::Progress,
        runs::{is_run, within},
        scores::{Reference, score},
        source,
    },
    device::{Work, dispatch},
};
use anyhow::{Context, ensure};
use meanflow_core::objective::TrainBackend;
use meanflow_metrics::{Given, Measure, Named, Source, Statistics, networks::LITE0_PATH};
use meanflow_train::{
    Kinds,
    config::Variant,
    known::variant_of,
    model::Model,
    sample::{self, Request, Samples},
};
use serde_json::{Map, json};
use std::path::{Path, PathBuf};

/// Scores every input and prints the numbers, each input's when they are there.
pub fn run<K: Kinds>(mut args: Eval) -> anyhow::Result<Done> {
    check(&mut args)?;
    let extractor = Extractor::new(&args)?;
    if let Some(path) = &args.write_stats {
        write_statistics::<K>(&args, &extractor, path)?;
        return Ok(Done::Yes);
    }
    let judge = Judge::new(&mut args)?;
    let density = Asked::new(&mut args);
    // A classifier, a density or the inception score alone compares with nothing.
    let compares =
        args.metrics.as_ref().is_none_or(|names| names.iter().any(|name| Named::is_comparison(name)));
    let jobs = jobs::<K>(&args, compares)?;
    let takes_real = compares || args.nearest.is_some();
    let real = args
        .real
        .as_deref()
        .filter(|_| takes_real)
        .map(|path| Reference::open::<K>(&args, path))
        .transpose()?;
    let statistics = real.as_ref().is_some_and(|real| matches!(real.side.source, Source::Statistics(_)));
    ensure_usage(!(args.floor && statistics), || {
        "--floor needs the real data itself, and --real holds statistics".to_owned()
    })?;
    let scorer = Scorer { args: &args, extractor, judge, density, real, compares };
    let several = jobs.iter().map(|job| job.nfe.len().max(1)).sum::<usize>() > 1;
    let (mut outputs, mut failures) = (Vec::new(), Vec::new());
    for job in &jobs {
        let done = scorer.job(job, &mut |mut output| {
            failures.append(&mut output.failures);
            if output.scores.is_empty() && output.nearest.is_none() {
                return;
            }
            if !args.json {
                print_lines(&output, several);
            }
            outputs.push(output);
        });
        failures.extend(done.err());
    }
    if args.json && !outputs.is_empty() {
        print_json(&outputs);
    }
    match failures.len() {
        0 => Ok(Done::Yes),
        1 => Err(failures.remove(0)),
        _ => {
            let all: Vec<String> = failures.iter().map(|error| format!("{error:#}")).collect();
            anyhow::bail!("{} problems\n  {}", all.len(), all.join("\n  "))
        }
    }
}

/// Options that contradict each other or the inputs are found before any work.
fn check(args: &mut Eval) -> anyhow::Result<()> {
    for name in args.metrics.iter_mut().flatten() {
        *name = name.trim().to_owned();
    }
    let names = args.metrics.as_deref().unwrap_or_default();
    ensure_usage(args.metrics.as_ref().is_none_or(|names| !names.is_empty()), || {
        "--metrics names no score".to_owned()
    })?;
    ensure_usage(!names.iter().any(String::is_empty), || "--metrics has an empty name".to_owned())?;
    twice("--metrics", names)?;
    twice("--nfe", args.nfe.as_deref().unwrap_or_default())?;
    ensure_usage(args.efflite0.is_file() || args.efflite0.as_os_str() == LITE0_PATH, || {
        format!("--efflite0 {}: there is no such file", args.efflite0.display())
    })?;
    if let Some(path) = &args.nearest {
        let is_png = path.extension().is_some_and(|ending| ending == "png");
        ensure_usage(is_png || path.as_os_str() == AUTO, || {
            format!("--nearest {}: give a file that ends in .png, or `{AUTO}` for a run", path.display())
        })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        ensure_usage(folder.is_none_or(Path::is_dir), || {
            format!("--nearest {}: there is no such folder", path.display())
        })?;
    }
    Ok(())
}

/// `--nearest auto`: where the report finds the picture.
const AUTO: &str = "auto";

/// One input.
struct Job<K: Kinds> {
    path: PathBuf,
    /// Of a run; none of data.
    variant: Option<Variant<K>>,
    /// Evaluations a sample of a run; none of data.
    nfe: Vec<usize>,
}

/// The inputs, each run of an experiment's folder by itself.
fn jobs<K: Kinds>(args: &Eval, compares: bool) -> anyhow::Result<Vec<Job<K>>> {
    let paths = args.inputs.iter().map(|path| runs_or_data(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let paths = paths.concat();
    twice("the list of inputs", &paths)?;
    let mut jobs = Vec::new();
    for path in paths {
        if is_run(&path) {
            let variant = variant_of::<K>(&path)?;
            let nfe = args.nfe.clone().unwrap_or_else(|| variant.eval.nfe.clone());
            jobs.push(Job { path, variant: Some(variant), nfe });
            continue;
        }
        ensure!(path.exists(), "{}: there is no such file or folder", path.display());
        ensure_usage(args.real.is_some() || !compares, || {
            format!("{}: give the real data with --real", path.display())
        })?;
        jobs.push(Job { path, variant: None, nfe: Vec::new() });
    }
    let runs = jobs.iter().filter(|job| job.variant.is_some()).count();
    ensure_usage(runs > 0 || args.nfe.is_none(), || "--nfe is for runs, and no input is one".to_owned())?;
    if let Some(path) = &args.nearest {
        let automatic = path.as_os_str() == AUTO;
        ensure_usage(automatic || jobs.len() == 1, || {
            format!("--nearest FILE is for one input; `{AUTO}` puts a picture into each run")
        })?;
        ensure_usage(!automatic || runs == jobs.len(), || {
            format!("--nearest {AUTO} puts the picture into a run; give a file for other inputs")
        })?;
    }
    Ok(jobs)
}

/// What is asked of every input.
struct Scorer<'a> {
    args: &'a Eval,
    extractor: Extractor,
    judge: Option<Judge>,
    density: Option<Asked>,
    /// The real data of `--real`.
    real: Option<Reference>,
    /// Whether there are scores that compare with real data.
    compares: bool,
}

impl Scorer<'_> {
    /// Scores one input, for each number of evaluations.
    fn job<K: Kinds>(&self, job: &Job<K>, output: &mut dyn FnMut(Output)) -> anyhow::Result<()> {
        match &job.variant {
            Some(variant) => self.of_run(job, variant, output),
            None => self.of_data::<K>(&job.path, output),
        }
    }

    fn of_run<K: Kinds>(
        &self,
        job: &Job<K>,
        variant: &Variant<K>,
        done: &mut dyn FnMut(Output),
    ) -> anyhow::Result<()> {
        let (args, input) = (self.args, &job.path);
        let count = args.samples.unwrap_or(variant.eval.samples);
        let own;
        let real = match &self.real {
            Some(real) => Some(real),
            None if self.compares => {
                own = Reference::of_run(args, variant, count)?;
                Some(&own)
            }
            None => None,
        };
        for (place, &nfe) in job.nfe.iter().enumerate() {
            let (source, step, of) = drawn::<K>(args, input, count, nfe)?;
            let samples = Side::new(source, (0..count).collect(), None);
            let scored = score(args, &self.extractor, input, &samples, real)?;
            let mut output =
                Output { nfe: Some(nfe), of: of.into_iter().chain(scored.of.clone()).collect(), ..scored };
            if let Some(judge) = &self.judge {
                let judged = judge_run(args, judge, input, variant, &samples, &mut output);
                output.failures.extend(judged.err());
            }
            if let Some(density) = &self.density {
                let data = || match &args.real {
                    Some(path) => source::labelled::<K>(path),
                    None => Ok(variant.data.open()?),
                };
                let found = data().and_then(|data| output.of_density(density, &samples, &*data));
                output.failures.extend(found.with_context(|| input.display().to_string()).err());
            }
            // Of the fewest evaluations, which are given first.
            if let Some(path) = args.nearest.as_ref().filter(|_| place == 0) {
                let path =
                    if path.as_os_str() == AUTO { input.join("samples/nearest.png") } else { path.clone() };
                let found =
                    nearest_of_run(args, &self.extractor, variant, &samples, Drawn { step, nfe }, &path);
                match found.with_context(|| input.display().to_string()) {
                    Ok(found) => output.nearest = Some(found),
                    Err(error) => output.failures.push(error),
                }
            }
            done(output);
        }
        Ok(())
    }

    fn of_data<K: Kinds>(&self, input: &Path, done: &mut dyn FnMut(Output)) -> anyhow::Result<()> {
        let args = self.args;
        let samples = side::<K>(args, input)?;
        let mut output = score(args, &self.extractor, input, &samples, self.real.as_ref())?;
        if let Some(judge) = &self.judge {
            let judged = judge_data::<K>(args, judge, input, &samples, &mut output);
            output.failures.extend(judged.err());
        }
        if let Some(density) = &self.density {
            density.points(&samples.source).with_context(|| input.display().to_string())?;
            let real = args.real.as_deref().unwrap_or(input);
            let found =
                source::labelled::<K>(real).and_then(|data| output.of_density(density, &samples, &*data));
            output.failures.extend(found.with_context(|| input.display().to_string()).err());
        }
        if let Some(path) = &args.nearest {
            let needs_real = || Usage(format!("{}: give the real data with --real", input.display()));
            let real = self.real.as_ref().ok_or_else(needs_real)?;
            output.nearest = Some(nearest::write(&self.extractor, &samples, &real.side, None, None, path)?);
        }
        done(output);
        Ok(())
    }
}

/// A run, each run of an experiment's folder, or what else the path is.
fn runs_or_data(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let runs = if path.is_dir() { within(path)? } else { Vec::new() };
    Ok(if runs.is_empty() { vec![path.to_owned()] } else { runs })
}

/// The samples of a file or folder, as many as are asked for.
fn side<K: Kinds>(args: &Eval, path: &Path) -> anyhow::Result<Side> {
    let source = source::open::<K>(path)?;
    let all = source.len().unwrap_or(0);
    let n = args.samples.unwrap_or(all);
    ensure_usage(source.len().is_some() || args.samples.is_none(), || {
        format!("{} holds statistics, of which --samples chooses none", path.display())
    })?;
    ensure!(
        n <= all || source.len().is_none(),
        "{} holds {all} samples, --samples asks for {n}",
        path.display()
    );
    let indices = Source::choice(all, n.min(all), args.seed);
    let digest = matches!(source, Source::Images(_)).then(|| source.digest()).transpose()?;
    Ok(Side::new(source, indices, digest))
}

/// Writes mean and covariance of the one input, in the space of the one Fréchet distance that is named.
fn write_statistics<K: Kinds>(args: &Eval, extractor: &Extractor, path: &Path) -> anyhow::Result<()> {
    ensure_usage(source::takes_statistics(path), || {
        format!("--write-stats {}: statistics go into an .npz, .h5 or .hdf5 file", path.display())
    })?;
    let [input] = &args.inputs[..] else {
        return Err(Usage("--write-stats takes one input".to_owned()).into());
    };
    ensure_usage(args.real.is_none(), || "--write-stats takes no --real".to_owned())?;
    ensure_usage(!is_run(input), || {
        format!("{}: is a run; --write-stats writes statistics of data", input.display())
    })?;
    let side = side::<K>(args, input)?;
    let given = match &side.source {
        Source::Images(_) => Given::Images,
        Source::Rows(_) => Given::Rows,
        Source::Statistics(statistics) => return source::write_statistics(statistics, path),
    };
    let names = match (&args.metrics, given) {
        (None, Given::Rows) => &["fd".to_owned()][..],
        (None, Given::Images) => &["fid".to_owned()],
        (Some(names), _) => &names[..],
    };
    let [name] = names else {
        return Err(Usage("--write-stats takes one Fréchet distance in --metrics".to_owned()).into());
    };
    let named = Named::resolve(name, given, extractor.inception()).map_err(Usage)?;
    ensure_usage(named.measure == Measure::Frechet, || format!("{name} does not compare statistics"))?;
    let statistics = extractor.statistics(&side, Part::of(&named))?;
    let origin = Some(extractor.origin(&side, named.space));
    let statistics = Statistics { origin, ..(*statistics).clone() };
    source::write_statistics(&statistics, path)?;
    tell!("dimension {}", statistics.dimension());
    tell!("n {}", side.indices.len());
    tell!("statistics {}", statistics.digest());
    Ok(())
}

/// The nearest training pictures of a run's samples, beside those of held-out pictures where its data has some.
fn nearest_of_run<K: Kinds>(
    args: &Eval,
    extractor: &Extractor,
    variant: &Variant<K>,
    samples: &Side,
    drawn: Drawn,
    path: &Path,
) -> anyhow::Result<nearest::Found> {
    let data = variant.data.open()?;
    let held = data.held_out(samples.indices.len(), 1)?.map(|values| {
        let source = source::of_values(values, data.shape());
        let all = (0..source.len().unwrap_or(0)).collect();
        Side::new(source, all, None)
    });
    let (count, digest) = (data.len(), data.digest());
    let chosen = Source::choice(count, args.nearest_of.min(count), args.seed);
    let training = Side::new(source::of_dataset(data)?, chosen, Some(digest));
    nearest::write(extractor, samples, &training, held.as_ref(), Some(drawn), path)
}

/// What the classifier says of a run's samples, whose classes were asked for in turn. Real pictures are those that the run's
/// data sets aside, else all of it.
fn judge_run<K: Kinds>(
    args: &Eval,
    judge: &Judge,
    input: &Path,
    variant: &Variant<K>,
    samples: &Side,
    output: &mut Output,
) -> anyhow::Result<()> {
    let of_input = || input.display().to_string();
    let classes =
        variant.description.classes.context("its samples have no classes").with_context(of_input)?;
    let labels = samples.indices.iter().map(|row| row % classes).collect();
    let labelled = Labelled { source: &samples.source, indices: &samples.indices, labels };
    let real = || match &args.real {
        Some(path) => source::labelled::<K>(path),
        None => {
            let data = variant.data.open()?;
            Ok(data.set_aside().unwrap_or(data))
        }
    };
    output.judged(judge.scores(&labelled, classes, real).with_context(of_input)?, samples.indices.len());
    Ok(())
}

/// What the classifier says of data with labels.
fn judge_data<K: Kinds>(
    args: &Eval,
    judge: &Judge,
    input: &Path,
    samples: &Side,
    output: &mut Output,
) -> anyhow::Result<()> {
    let of_input = || input.display().to_string();
    let data = source::labelled::<K>(input)?;
    let labels = labels_of(&*data, samples.indices.iter().copied()).with_context(of_input)?;
    let labelled = Labelled { source: &samples.source, indices: &samples.indices, labels };
    let real = || match &args.real {
        Some(path) => source::labelled::<K>(path),
        None => Err(Usage(format!("{}: give the real data with --real", input.display())).into()),
    };
    let scores = judge.scores(&labelled, data.classes().unwrap_or(0), real).with_context(of_input)?;
    output.judged(scores, samples.indices.len());
    Ok(())
}

/// Samples of a run, from the noise of its own evaluation unless there is a key, and the step of its weights.
fn drawn<K: Kinds>(
    args: &Eval,
    run: &Path,
    count: usize,
    nfe: usize,
) -> anyhow::Result<(Source, u64, Map<String, serde_json::Value>)> {
    let seed = args.noise;
    let request = Request {
        count,
        nfe,
        solver: None,
        class: None,
        omega: None,
        interval: None,
        times: None,
        adaptive: None,
        seed,
    };
    let model = Model::<K>::open(run, args.ema.as_deref())?;
    let samples = dispatch(args.on.device, Draw { model, request })?;
    let [_, channels, height, width] = samples.shape;
    let of = [
        ("step", json!(samples.step)),
        ("ema", json!(samples.ema)),
        ("solver", json!(samples.solver.name())),
        ("noise", json!(samples.seed)),
    ];
    let of = of.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok((source::of_values(samples.values, [channels, height, width]), samples.step, of))
}

struct Draw<K: Kinds> {
    model: Model<K>,
    request: Request,
}

impl<K: Kinds> Work for Draw<K> {
    type Output = Samples;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Samples> {
        let mut progress = Progress::new("sampling", self.request.count);
        let samples = sample::sample::<B::InnerBackend, K>(self.model, &self.request, device, |done, _| {
            progress.at(done);
        })?;
        progress.finish();
        Ok(samples)
    }
}
