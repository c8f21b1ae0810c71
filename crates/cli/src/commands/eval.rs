//! `meanflow eval`.

use crate::{
    Done,
    args::{Eval, Usage},
    commands::{
        classify::{Judge, Judged, Labelled, labels_of},
        density::Asked,
        features::{Extractor, Need, Part, Side},
        nearest,
        progress::Progress,
        runs::{is_run, within},
        source,
    },
    device::{Work, dispatch},
};
use anyhow::{Context, ensure};
use meanflow_core::objective::TrainBackend;
use meanflow_data::Dataset;
use meanflow_metrics::{
    Given, Measure, MetricError, Named, Real, Settings, Source, Space, Statistics, Value,
    networks::LITE0_PATH,
};
use meanflow_train::{
    config::Variant,
    eval::most_compared,
    model::variant_of,
    sample::{self, Request, Samples},
};
use ndarray::Axis;
use serde_json::{Map, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Scores every input and prints the numbers, each input's when they are there.
pub fn run(mut args: Eval) -> anyhow::Result<Done> {
    check(&mut args)?;
    let extractor = Extractor::new(&args)?;
    if let Some(path) = &args.write_stats {
        write_statistics(&args, &extractor, path)?;
        return Ok(Done::Yes);
    }
    let judge = Judge::new(&mut args)?;
    let density = Asked::new(&mut args);
    // A classifier, a density or the inception score alone compares with nothing.
    let compares =
        args.metrics.as_ref().is_none_or(|names| names.iter().any(|name| Named::is_comparison(name)));
    let jobs = jobs(&args, compares)?;
    let takes_real = compares || args.nearest.is_some();
    let real =
        args.real.as_deref().filter(|_| takes_real).map(|path| Reference::open(&args, path)).transpose()?;
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

/// Refuses what is given twice, which would be computed twice and be one entry of the JSON.
fn twice<T: PartialEq + std::fmt::Debug>(what: &str, items: &[T]) -> anyhow::Result<()> {
    let again = items.iter().enumerate().find(|(place, item)| items[..*place].contains(item));
    ensure_usage(again.is_none(), || format!("{what} has {:?} twice", again.expect("just seen").1))
}

/// `--nearest auto`: where the report finds the picture.
const AUTO: &str = "auto";

/// One input.
struct Job {
    path: PathBuf,
    /// Of a run; none of data.
    variant: Option<Variant>,
    /// Evaluations a sample of a run; none of data.
    nfe: Vec<usize>,
}

/// The inputs, each run of an experiment's folder by itself.
fn jobs(args: &Eval, compares: bool) -> anyhow::Result<Vec<Job>> {
    let paths = args.inputs.iter().map(|path| runs_or_data(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let paths = paths.concat();
    twice("the list of inputs", &paths)?;
    let mut jobs = Vec::new();
    for path in paths {
        if is_run(&path) {
            let variant = variant_of(&path)?;
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
    fn job(&self, job: &Job, output: &mut dyn FnMut(Output)) -> anyhow::Result<()> {
        match &job.variant {
            Some(variant) => self.of_run(job, variant, output),
            None => self.of_data(&job.path, output),
        }
    }

    fn of_run(&self, job: &Job, variant: &Variant, done: &mut dyn FnMut(Output)) -> anyhow::Result<()> {
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
            let (source, of) = drawn(args, input, count, nfe)?;
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
                    Some(path) => source::labelled(path),
                    None => Ok(variant.data.open()?),
                };
                let found = data().and_then(|data| output.of_density(density, &samples, &*data));
                output.failures.extend(found.with_context(|| input.display().to_string()).err());
            }
            // Of the fewest evaluations, which are given first.
            if let Some(path) = args.nearest.as_ref().filter(|_| place == 0) {
                let path =
                    if path.as_os_str() == AUTO { input.join("samples/nearest.png") } else { path.clone() };
                let found = nearest_of_run(args, &self.extractor, variant, &samples, nfe, &path);
                match found.with_context(|| input.display().to_string()) {
                    Ok(found) => output.nearest = Some(found),
                    Err(error) => output.failures.push(error),
                }
            }
            done(output);
        }
        Ok(())
    }

    fn of_data(&self, input: &Path, done: &mut dyn FnMut(Output)) -> anyhow::Result<()> {
        let args = self.args;
        let samples = side(args, input)?;
        let mut output = score(args, &self.extractor, input, &samples, self.real.as_ref())?;
        if let Some(judge) = &self.judge {
            let judged = judge_data(args, judge, input, &samples, &mut output);
            output.failures.extend(judged.err());
        }
        if let Some(density) = &self.density {
            density.fits(&samples.source).with_context(|| input.display().to_string())?;
            let real = args.real.as_deref().unwrap_or(input);
            let found = source::labelled(real).and_then(|data| output.of_density(density, &samples, &*data));
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
fn side(args: &Eval, path: &Path) -> anyhow::Result<Side> {
    let source = source::open(path)?;
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
fn write_statistics(args: &Eval, extractor: &Extractor, path: &Path) -> anyhow::Result<()> {
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
    let side = side(args, input)?;
    let given = match side.source {
        Source::Images(_) => Given::Images,
        Source::Rows(_) => Given::Rows,
        Source::Statistics(_) => {
            let Source::Statistics(statistics) = &side.source else { unreachable!("just seen") };
            return source::write_statistics(statistics, path);
        }
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

/// Sets the key of the choice of real samples apart.
const REAL: u64 = 0x7265_616c;
/// And that of the floor.
const FLOOR: u64 = 0x666c_6f6f;

/// The real side, with what every output says of it.
struct Reference {
    side: Side,
    digest: String,
}

impl Reference {
    /// All of the source, or as many as are asked for; another key than that of the samples' choice, which may be of the same.
    fn new(args: &Eval, source: Source) -> anyhow::Result<Self> {
        let digest = source.digest()?;
        let all = source.len().unwrap_or(0);
        let count = args.real_samples.unwrap_or(all);
        ensure_usage(source.len().is_some() || args.real_samples.is_none(), || {
            "--real holds statistics, of which --real-samples chooses none".to_owned()
        })?;
        ensure!(count <= all, "the real data has {all} samples, --real-samples asks for {count}");
        let chosen = Source::choice(all, count, args.seed ^ REAL);
        Ok(Self { side: Side::new(source, chosen, Some(digest.clone())), digest })
    }

    fn open(args: &Eval, path: &Path) -> anyhow::Result<Self> {
        if is_run(path) {
            return Err(Usage(format!("--real {}: is a run; give real data", path.display())).into());
        }
        Self::new(args, source::open(path)?)
    }

    /// What the run itself is scored against: held-out samples where its data has some, else all of its data.
    fn of_run(args: &Eval, variant: &Variant, count: usize) -> anyhow::Result<Self> {
        let data = variant.data.open()?;
        let source = match data.held_out(most_compared(data.shape(), count), 1)? {
            Some(values) => source::of_values(values, data.shape()),
            None => source::of_dataset(data)?,
        };
        Self::new(args, source)
    }
}

/// The nearest training pictures of a run's samples, beside those of held-out pictures where its data has some.
fn nearest_of_run(
    args: &Eval,
    extractor: &Extractor,
    variant: &Variant,
    samples: &Side,
    nfe: usize,
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
    nearest::write(extractor, samples, &training, held.as_ref(), Some(nfe), path)
}

/// What the classifier says of a run's samples, whose classes were asked for in turn. Real pictures are those that the run's
/// data sets aside, else all of it.
fn judge_run(
    args: &Eval,
    judge: &Judge,
    input: &Path,
    variant: &Variant,
    samples: &Side,
    output: &mut Output,
) -> anyhow::Result<()> {
    let of_input = || input.display().to_string();
    let classes =
        variant.description.classes.context("its samples have no classes").with_context(of_input)?;
    let labels = samples.indices.iter().map(|row| row % classes).collect();
    let labelled = Labelled { source: &samples.source, indices: &samples.indices, labels };
    let real = || match &args.real {
        Some(path) => source::labelled(path),
        None => {
            let data = variant.data.open()?;
            Ok(data.set_aside().unwrap_or(data))
        }
    };
    output.judged(judge.scores(&labelled, classes, real).with_context(of_input)?, samples.indices.len());
    Ok(())
}

/// What the classifier says of data with labels.
fn judge_data(
    args: &Eval,
    judge: &Judge,
    input: &Path,
    samples: &Side,
    output: &mut Output,
) -> anyhow::Result<()> {
    let of_input = || input.display().to_string();
    let data = source::labelled(input)?;
    let labels = labels_of(&*data, samples.indices.iter().copied()).with_context(of_input)?;
    let labelled = Labelled { source: &samples.source, indices: &samples.indices, labels };
    let real = || match &args.real {
        Some(path) => source::labelled(path),
        None => Err(Usage(format!("{}: give the real data with --real", input.display())).into()),
    };
    let scores = judge.scores(&labelled, data.classes().unwrap_or(0), real).with_context(of_input)?;
    output.judged(scores, samples.indices.len());
    Ok(())
}

/// Samples of a run, from the noise of its own evaluation unless there is a key.
fn drawn(
    args: &Eval,
    run: &Path,
    count: usize,
    nfe: usize,
) -> anyhow::Result<(Source, Map<String, serde_json::Value>)> {
    let (ema, seed) = (args.ema.clone(), args.noise);
    let request = Request { count, nfe, solver: None, ema, class: None, omega: None, interval: None, seed };
    let samples = dispatch(args.on.device, Draw { run, request })?;
    let [_, channels, height, width] = samples.shape;
    let serde_json::Value::Object(of) = json!({
        "run": run, "nfe": nfe, "step": samples.step, "ema": samples.ema, "solver": samples.solver.name(),
        "noise": samples.seed,
    }) else {
        unreachable!("an object was written");
    };
    Ok((source::of_values(samples.values, [channels, height, width]), of))
}

struct Draw<'a> {
    run: &'a Path,
    request: Request,
}

impl Work for Draw<'_> {
    type Output = Samples;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Samples> {
        let mut progress = Progress::new("sampling", self.request.count);
        let samples = sample::sample::<B::InnerBackend>(self.run, &self.request, device, |done, _| {
            progress.at(done);
        })?;
        progress.finish();
        Ok(samples)
    }
}

/// What was computed of one input.
struct Output {
    input: String,
    nfe: Option<usize>,
    /// What run the samples are of and how they were drawn, and the key of what was chosen.
    of: Map<String, serde_json::Value>,
    scores: Vec<Score>,
    n: Option<usize>,
    /// How many real samples there are.
    reference_n: Option<usize>,
    /// Digest of the real data, where something was compared with it.
    reference: Option<String>,
    nearest: Option<nearest::Found>,
    /// Scores that could not be computed.
    failures: Vec<anyhow::Error>,
}

impl Output {
    /// Adds what a classifier said of `n` samples.
    fn judged(&mut self, scores: Vec<Judged>, n: usize) {
        self.n = Some(n);
        for Judged { name, value, interval, reference, how } in scores {
            self.reference = self.reference.take().or(reference);
            let value = Value { interval, ..Value::alone(value) };
            self.scores.push(Score { name, value, floor: None, real: None, how });
        }
    }

    /// Adds what a density says.
    fn of_density(&mut self, asked: &Asked, samples: &Side, data: &dyn Dataset) -> anyhow::Result<()> {
        for (name, value) in asked.scores(&samples.source, &samples.indices, data)? {
            self.scores.push(Score { name, value, floor: None, real: None, how: Map::new() });
        }
        self.n = Some(samples.indices.len());
        Ok(())
    }
}

struct Score {
    name: String,
    value: Value,
    /// The same of real samples.
    floor: Option<f64>,
    /// Real samples it was computed from, where the source says.
    real: Option<usize>,
    /// How pictures came to the network, in words.
    how: Map<String, serde_json::Value>,
}

fn score(
    args: &Eval,
    extractor: &Extractor,
    input: &Path,
    samples: &Side,
    real: Option<&Reference>,
) -> anyhow::Result<Output> {
    let settings = Settings {
        seed: args.seed,
        repeats: args.repeats,
        neighbours: args.neighbours,
        kid_subsets: args.kid_subsets,
        kid_size: args.kid_size,
        ..Settings::default()
    };
    let output = |scores, n| Output {
        input: input.display().to_string(),
        nfe: None,
        of: chosen(args, samples, real),
        scores,
        n,
        reference_n: real.and_then(|real| real.side.count()),
        reference: real.map(|real| real.digest.clone()),
        nearest: None,
        failures: Vec::new(),
    };
    let given = match &samples.source {
        Source::Images(_) => Given::Images,
        Source::Rows(_) => Given::Rows,
        Source::Statistics(statistics) => {
            let Some(Source::Statistics(other)) = real.map(|real| &real.side.source) else {
                anyhow::bail!("{} holds statistics; they compare with statistics only", input.display());
            };
            ensure_usage(args.metrics.as_deref().is_none_or(|names| names == ["fd"]), || {
                "of two files of statistics there is only `fd`".to_owned()
            })?;
            let value = statistics.distance(other)?.distance;
            let (name, value) = ("fd".to_owned(), Value::alone(value));
            let score = Score { name, value, floor: None, real: None, how: Map::new() };
            return Ok(output(vec![score], None));
        }
    };
    let wanted = wanted(args, given, extractor)?;
    let n = samples.indices.len();
    let of_input = || input.display().to_string();
    let comparisons = || wanted.iter().filter(|named| named.measure.needs_real());
    let statistics_do = |named: &Named| named.measure == Measure::Frechet && settings.repeats < 2;
    let needs = |rows: &dyn Fn(&Named) -> bool, wanted: &mut dyn Iterator<Item = &Named>| -> Vec<Need> {
        wanted.map(|named| Need { part: Part::of(named), rows: rows(named) }).collect()
    };
    if let Some(real) = real {
        for named in comparisons() {
            let of_score = || format!("{}: {}", input.display(), named.label);
            same_kind(&samples.source, &real.side.source, named.space).with_context(of_score)?;
            if let Source::Statistics(statistics) = &real.side.source {
                let enough = named.measure.takes_statistics();
                enough.then_some(()).ok_or(MetricError::NeedsRows).with_context(of_score)?;
                extractor.fits(samples, statistics, named).with_context(of_score)?;
            }
        }
    }
    let of_samples = needs(&|named| !statistics_do(named), &mut wanted.iter());
    extractor.prepare(samples, &of_samples).with_context(of_input)?;
    if let Some(real) = real {
        let given_statistics = matches!(real.side.source, Source::Statistics(_));
        ensure_usage(!(args.floor && given_statistics), || {
            "--floor needs the real data itself, and --real holds statistics".to_owned()
        })?;
        if !given_statistics {
            let of_real = needs(&|named| args.floor || named.measure != Measure::Frechet, &mut comparisons());
            extractor.prepare(&real.side, &of_real).context("the real data")?;
        }
    }
    let (mut scores, mut failures) = (Vec::new(), Vec::new());
    for named in wanted {
        let compared = real.filter(|_| named.measure.needs_real());
        let values = match values(extractor, &settings, samples, compared.map(|real| &real.side), &named) {
            Ok(values) => values,
            Err(error) => {
                failures.push(error.context(format!("{}: {}", input.display(), named.label)));
                continue;
            }
        };
        let mut floors = Vec::new();
        if let Some(real) = compared.filter(|_| args.floor) {
            match floor(extractor, &settings, &real.side, &named, n) {
                Ok(found) => floors = found,
                Err(error) => {
                    failures.push(error.context(format!(
                        "{}: the floor of {}",
                        input.display(),
                        named.label
                    )));
                }
            }
        }
        let equal = named.measure.needs_equal_sizes();
        let count = compared.and_then(|real| real.side.count());
        for value in values {
            scores.push(Score {
                name: named.part(value.part),
                floor: floors.iter().find(|floor| floor.part == value.part).map(|floor| floor.value),
                value,
                real: count.map(|real| if equal { real.min(n) } else { real }),
                how: extractor.how(named.space),
            });
        }
    }
    Ok(Output { failures, ..output(scores, Some(n)) })
}

/// The key of what was chosen, if it was.
fn chosen(args: &Eval, samples: &Side, real: Option<&Reference>) -> Map<String, serde_json::Value> {
    let part = |side: &Side| side.source.len().is_some_and(|all| side.indices.len() < all);
    let any = part(samples) || real.is_some_and(|real| part(&real.side));
    any.then(|| ("seed".to_owned(), json!(args.seed))).into_iter().collect()
}

/// Real samples against real samples: a keyed choice of as many as `n`, at most half, and the rest.
fn floor(
    extractor: &Extractor,
    settings: &Settings,
    real: &Side,
    named: &Named,
    n: usize,
) -> anyhow::Result<Vec<Value>> {
    let rows = extractor.rows(real, Part::of(named)).context("the real data")?;
    let count = n.min(rows.nrows() / 2);
    let chosen = Source::choice(rows.nrows(), count, settings.seed ^ FLOOR);
    let taken: BTreeSet<usize> = chosen.iter().copied().collect();
    let rest: Vec<usize> = (0..rows.nrows()).filter(|row| !taken.contains(row)).collect();
    let (some, rest) = (rows.select(Axis(0), &chosen), rows.select(Axis(0), &rest));
    let settings = Settings { repeats: 0, ..*settings };
    Ok(named.measure.evaluate(some.view(), Real::Rows(rest.view()), &settings)?)
}

/// The numbers of one score.
fn values(
    extractor: &Extractor,
    settings: &Settings,
    samples: &Side,
    real: Option<&Side>,
    named: &Named,
) -> anyhow::Result<Vec<Value>> {
    let part = Part::of(named);
    let Some(real) = real else {
        let rows = extractor.rows(samples, part)?;
        return Ok(named.measure.evaluate(rows.view(), Real::None, settings)?);
    };
    if named.measure == Measure::Frechet {
        let computed;
        let side = match &real.source {
            Source::Statistics(statistics) => statistics,
            _ => {
                computed = extractor.statistics(real, part).context("the real data")?;
                &*computed
            }
        };
        if settings.repeats < 2 {
            let own = extractor.statistics(samples, part)?;
            return Ok(vec![Value::alone(own.distance(side)?.distance)]);
        }
        let rows = extractor.rows(samples, part)?;
        return Ok(named.measure.evaluate(rows.view(), Real::Statistics(side), settings)?);
    }
    let rows = extractor.rows(samples, part)?;
    let real = extractor.rows(real, part).context("the real data")?;
    Ok(named.measure.evaluate(rows.view(), Real::Rows(real.view()), settings)?)
}

fn ensure_usage(holds: bool, message: impl FnOnce() -> String) -> anyhow::Result<()> {
    if holds { Ok(()) } else { Err(Usage(message()).into()) }
}

/// The scores asked for, or the defaults.
fn wanted(args: &Eval, given: Given, extractor: &Extractor) -> anyhow::Result<Vec<Named>> {
    let names: Vec<String> = match &args.metrics {
        Some(names) => names.clone(),
        None => Named::defaults(given).iter().map(|name| (*name).to_owned()).collect(),
    };
    let resolve = |name: &String| Named::resolve(name, given, extractor.inception());
    let wanted = names.iter().map(|name| resolve(name).map_err(|message| Usage(message).into()));
    let wanted: Vec<Named> = wanted.collect::<anyhow::Result<_>>()?;
    twice("--metrics", &wanted.iter().map(|named| named.label.as_str()).collect::<Vec<_>>())?;
    for (named, name) in wanted.iter().zip(&names).filter(|(named, name)| named.label != **name) {
        say!("{name}: of these samples it is called {}", named.label);
    }
    Ok(wanted)
}

/// Pixels compare with pixels of the same size, rows with rows.
fn same_kind(samples: &Source, real: &Source, space: Space) -> anyhow::Result<()> {
    match (samples, real) {
        (Source::Images(a), Source::Images(b)) if space == Space::Given => {
            let ([c, h, w], [rc, rh, rw]) = (a.shape(), b.shape());
            ensure!(a.shape() == b.shape(), "samples are {c}×{h}×{w}, the real data is {rc}×{rh}×{rw}");
            Ok(())
        }
        (Source::Images(_), Source::Rows(_)) => anyhow::bail!("samples are pictures, the real data is rows"),
        (Source::Rows(_), Source::Images(_)) => anyhow::bail!("samples are rows, the real data is pictures"),
        _ => Ok(()),
    }
}

/// One number a line after its name; then the samples' number, the real data's digest and what pictures went through. Where
/// there are several inputs, each begins with its name.
fn print_lines(output: &Output, several: bool) {
    if several {
        tell!("input {}", output.input);
        if let Some(nfe) = output.nfe {
            tell!("nfe {nfe}");
        }
    }
    for score in &output.scores {
        tell!("{} {}", score.name, score.value.value);
        if let Some([low, high]) = score.value.interval {
            tell!("{}.low {low}\n{}.high {high}", score.name, score.name);
        }
        if let Some(floor) = score.floor {
            tell!("{}.floor {floor}", score.name);
        }
        // Of sets of equal size, how many were compared.
        let compared = score.value.with.iter().find(|(name, _)| *name == "n").map(|(_, n)| *n as usize);
        if let Some(n) = compared.filter(|n| output.n != Some(*n)) {
            tell!("{}.n {n}", score.name);
        }
    }
    if let Some(n) = output.n {
        tell!("n {n}");
    }
    if let Some(reference) = &output.reference {
        tell!("reference {reference}");
    }
    if let Some(n) = output.reference_n {
        tell!("reference_n {n}");
    }
    for (key, value) in output.of.iter().filter(|(key, _)| !["run", "nfe"].contains(&key.as_str())) {
        tell!("{key} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    let mut settings = BTreeSet::new();
    for key in ["quantise", "resize", "weights"] {
        settings.extend(output.scores.iter().filter_map(|score| Some((key, score.how.get(key)?.as_str()?))));
    }
    for (key, value) in settings {
        tell!("{key} {value}");
    }
    if let Some(nearest) = &output.nearest {
        say!("{}: nearest of {} by {}", nearest.path.display(), nearest.searched, nearest.space);
        if let Some(found) = &nearest.compared {
            tell!("nearest.samples {}\nnearest.held_out {}", found.samples, found.held_out);
            tell!("nearest.close {}", found.close);
        }
    }
}

/// An object of the scores; with several inputs, an object of such by input.
fn print_json(outputs: &[Output]) {
    let of = |output: &Output| -> serde_json::Value {
        let scores = output.scores.iter().map(|score| {
            let mut object = Map::new();
            object.insert("value".to_owned(), json!(score.value.value));
            object.insert("interval".to_owned(), json!(score.value.interval));
            object.insert("n".to_owned(), json!(output.n));
            object.insert("reference".to_owned(), json!(output.reference));
            object.insert("reference_n".to_owned(), json!(score.real));
            for (name, value) in &score.value.with {
                // Counts and keys are whole.
                let whole = value.fract() == 0.0 && value.abs() < 1e15;
                let value = if whole { json!(*value as i64) } else { json!(value) };
                object.insert((*name).to_owned(), value);
            }
            object.extend(score.floor.map(|floor| ("floor".to_owned(), json!(floor))));
            object.extend(output.of.clone());
            object.extend(score.how.clone());
            (score.name.clone(), serde_json::Value::Object(object))
        });
        let nearest = output.nearest.as_ref().map(|nearest| {
            let object = json!({
                "picture": nearest.path, "space": nearest.space, "searched": nearest.searched,
                "samples": nearest.compared.map(|found| found.samples),
                "held_out": nearest.compared.map(|found| found.held_out),
                "close": nearest.compared.map(|found| found.close),
            });
            ("nearest".to_owned(), object)
        });
        serde_json::Value::Object(scores.chain(nearest).collect())
    };
    let key = |output: &Output| match output.nfe {
        Some(nfe) => format!("{}@{nfe}", output.input),
        None => output.input.clone(),
    };
    match outputs {
        [only] => tell!("{:#}", of(only)),
        several => {
            let all: Map<_, _> = several.iter().map(|output| (key(output), of(output))).collect();
            tell!("{:#}", serde_json::Value::Object(all));
        }
    }
}
