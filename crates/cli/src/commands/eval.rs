//! `meanflow eval`.

use crate::{
    Done,
    args::{Eval, Usage},
    commands::{
        classify::{Judge, Judged, Labelled, labels_of},
        features::{Extractor, Need, Part, Side},
        nearest,
        runs::{is_run, within},
        source,
    },
    device::{Work, dispatch},
};
use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use meanflow_core::objective::TrainBackend;
use meanflow_metrics::{Given, Measure, Named, Real, Settings, Source, Space, Value};
use meanflow_train::{
    config::Variant,
    model::variant_of,
    sample::{self, Request, Samples},
};
use serde_json::{Map, json};
use std::path::{Path, PathBuf};

/// Scores every input and prints the numbers.
pub fn run(mut args: Eval) -> anyhow::Result<Done> {
    let extractor = Extractor::new(&args)?;
    if let Some(path) = &args.write_stats {
        write_statistics(&args, &extractor, path)?;
        return Ok(Done::Yes);
    }
    let judge = Judge::new(&mut args)?;
    // The classifier alone compares with nothing.
    let compares = args.metrics.as_deref() != Some(&[]);
    let real = args.real.as_deref().filter(|_| compares).map(Reference::open).transpose()?;
    let mut outputs = Vec::new();
    let inputs = args.inputs.iter().map(|path| runs_or_data(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let inputs = inputs.concat();
    let one_picture = args.nearest.as_ref().is_none_or(|path| path.as_os_str() == "auto");
    ensure_usage(one_picture || inputs.len() == 1, || {
        "--nearest FILE is for one input; `auto` puts a picture into each run".to_owned()
    })?;
    for input in &inputs {
        if is_run(input) {
            let variant = variant_of(input)?;
            let count = args.samples.unwrap_or(variant.eval.samples);
            let mut shown = false;
            let own;
            let real = match &real {
                Some(real) => Some(real),
                None if compares => {
                    own = Reference::of_run(&variant, count)?;
                    Some(&own)
                }
                None => None,
            };
            for &nfe in args.nfe.as_deref().unwrap_or(&variant.eval.nfe) {
                let samples = Side::new(drawn(&args, input, count, nfe)?, (0..count).collect(), None);
                let mut output =
                    Output { nfe: Some(nfe), ..score(&args, &extractor, input, &samples, real)? };
                if let Some(judge) = &judge {
                    judge_run(&args, judge, input, &variant, &samples, &mut output)?;
                }
                // Of the fewest evaluations, which are given first.
                if let Some(path) = args.nearest.as_ref().filter(|_| !shown) {
                    let automatic = path.as_os_str() == "auto";
                    let path = if automatic { input.join("samples/nearest.png") } else { path.clone() };
                    output.nearest = Some(nearest_of_run(&args, &extractor, &variant, &samples, &path)?);
                    shown = true;
                }
                outputs.push(output);
            }
        } else {
            let needs_real = || Usage(format!("{}: give the real data with --real", input.display()));
            if compares && real.is_none() {
                return Err(needs_real().into());
            }
            let samples = side(&args, input)?;
            let mut output = score(&args, &extractor, input, &samples, real.as_ref())?;
            if let Some(judge) = &judge {
                judge_data(&args, judge, input, &samples, &mut output)?;
            }
            if let Some(path) = &args.nearest {
                let real = real.as_ref().ok_or_else(needs_real)?;
                output.nearest = Some(nearest::write(&extractor, &samples, &real.side, None, path)?);
            }
            outputs.push(output);
        }
    }
    if args.json {
        print_json(&outputs)
    } else {
        print_lines(&outputs)
    }
    Ok(Done::Yes)
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
    ensure_usage(args.real.is_none() && !is_run(input), || {
        "--write-stats writes statistics of its input, which is data; it takes no --real".to_owned()
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
    source::write_statistics(&statistics, path)?;
    tell!("dimension {}", statistics.dimension());
    tell!("n {}", side.indices.len());
    tell!("statistics {}", statistics.digest());
    Ok(())
}

/// The real side, with what every output says of it.
struct Reference {
    side: Side,
    digest: String,
}

impl Reference {
    fn new(source: Source) -> anyhow::Result<Self> {
        let digest = source.digest()?;
        let everything = (0..source.len().unwrap_or(0)).collect();
        Ok(Self { side: Side::new(source, everything, Some(digest.clone())), digest })
    }

    fn open(path: &Path) -> anyhow::Result<Self> {
        if is_run(path) {
            return Err(Usage(format!("--real {}: is a run; give real data", path.display())).into());
        }
        Self::new(source::open(path)?)
    }

    /// What the run itself is scored against: held-out samples where its data has some, else all of its data.
    fn of_run(variant: &Variant, count: usize) -> anyhow::Result<Self> {
        let data = variant.data.open()?;
        Self::new(match data.held_out(count, 1)? {
            Some(values) => source::of_values(values, data.shape()),
            None => source::of_dataset(data)?,
        })
    }
}

/// The nearest training pictures of a run's samples, beside those of held-out pictures where its data has some.
fn nearest_of_run(
    args: &Eval,
    extractor: &Extractor,
    variant: &Variant,
    samples: &Side,
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
    nearest::write(extractor, samples, &training, held.as_ref(), path)
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
fn drawn(args: &Eval, run: &Path, count: usize, nfe: usize) -> anyhow::Result<Source> {
    let (ema, seed) = (args.ema.clone(), args.noise);
    let request = Request { count, nfe, solver: None, ema, class: None, omega: None, interval: None, seed };
    let samples = dispatch(args.on.device, Draw { run, request })?;
    let [_, channels, height, width] = samples.shape;
    Ok(source::of_values(samples.values, [channels, height, width]))
}

struct Draw<'a> {
    run: &'a Path,
    request: Request,
}

impl Work for Draw<'_> {
    type Output = Samples;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Samples> {
        let bar = ProgressBar::new(self.request.count as u64);
        let samples = sample::sample::<B::InnerBackend>(self.run, &self.request, device, |done, _| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        Ok(samples)
    }
}

/// What was computed of one input.
struct Output {
    input: String,
    nfe: Option<usize>,
    scores: Vec<Score>,
    n: Option<usize>,
    /// Digest of the real data, where something was compared with it.
    reference: Option<String>,
    nearest: Option<nearest::Found>,
}

impl Output {
    /// Adds what a classifier said of `n` samples.
    fn judged(&mut self, scores: Vec<Judged>, n: usize) {
        self.n = Some(n);
        for Judged { name, value, how } in scores {
            let value = Value { part: "", value, interval: None, with: Vec::new() };
            self.scores.push(Score { name, value, real: None, how });
        }
    }
}

struct Score {
    name: String,
    value: Value,
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
        scores,
        n,
        reference: real.map(|real| real.digest.clone()),
        nearest: None,
    };
    let Some(real) = real else { return Ok(output(Vec::new(), None)) };
    let given = match &samples.source {
        Source::Images(_) => Given::Images,
        Source::Rows(_) => Given::Rows,
        Source::Statistics(statistics) => {
            let Source::Statistics(other) = &real.side.source else {
                anyhow::bail!("{} holds statistics; they compare with statistics only", input.display());
            };
            ensure_usage(args.metrics.as_deref().is_none_or(|names| names == ["fd"]), || {
                "of two files of statistics there is only `fd`".to_owned()
            })?;
            let value = statistics.distance(other)?.distance;
            let value = Value { part: "", value, interval: None, with: Vec::new() };
            let score = Score { name: "fd".to_owned(), value, real: None, how: Map::new() };
            return Ok(output(vec![score], None));
        }
    };
    let wanted = wanted(args, given, extractor)?;
    let n = samples.indices.len();
    let of_input = || input.display().to_string();
    for named in &wanted {
        if needs_real(named) {
            same_kind(&samples.source, &real.side.source, named.space)
                .with_context(|| format!("{}: {}", input.display(), named.label))?;
        }
    }
    let statistics_do = |named: &Named| named.measure == Measure::Frechet && settings.repeats < 2;
    let needs = |rows: &dyn Fn(&Named) -> bool, wanted: &mut dyn Iterator<Item = &Named>| -> Vec<Need> {
        wanted.map(|named| Need { part: Part::of(named), rows: rows(named) }).collect()
    };
    let of_samples = needs(&|named| !statistics_do(named), &mut wanted.iter());
    extractor.prepare(samples, &of_samples).with_context(of_input)?;
    let given_statistics = matches!(real.side.source, Source::Statistics(_));
    if !given_statistics {
        let mut wanted = wanted.iter().filter(|named| needs_real(named));
        let of_real = needs(&|named| named.measure != Measure::Frechet, &mut wanted);
        extractor.prepare(&real.side, &of_real).context("the real data")?;
    }
    let mut scores = Vec::new();
    for named in wanted {
        let context = || format!("{}: {}", input.display(), named.label);
        let part = Part::of(&named);
        let values = if named.measure == Measure::Frechet {
            let computed;
            let side = match &real.side.source {
                Source::Statistics(statistics) => statistics,
                _ => {
                    computed = extractor.statistics(&real.side, part).context("the real data")?;
                    &*computed
                }
            };
            if statistics_do(&named) {
                let own = extractor.statistics(samples, part).with_context(context)?;
                let value = own.distance(side).with_context(context)?.distance;
                vec![Value { part: "", value, interval: None, with: Vec::new() }]
            } else {
                let rows = extractor.rows(samples, part).with_context(context)?;
                named
                    .measure
                    .evaluate(rows.view(), Real::Statistics(side), &settings)
                    .with_context(context)?
            }
        } else {
            let rows = extractor.rows(samples, part).with_context(context)?;
            let real_rows;
            let side = match &real.side.source {
                Source::Statistics(statistics) => Real::Statistics(statistics),
                _ if !needs_real(&named) => Real::Rows(rows.view()),
                _ => {
                    real_rows = extractor.rows(&real.side, part).context("the real data")?;
                    Real::Rows(real_rows.view())
                }
            };
            named.measure.evaluate(rows.view(), side, &settings).with_context(context)?
        };
        let equal = named.measure.needs_equal_sizes();
        for value in values {
            scores.push(Score {
                name: named.part(value.part),
                value,
                real: real.side.source.len().map(|real| if equal { real.min(n) } else { real }),
                how: extractor.how(named.space),
            });
        }
    }
    Ok(output(scores, Some(n)))
}

/// The inception score asks nothing of the real data.
fn needs_real(named: &Named) -> bool {
    named.measure != Measure::InceptionScore
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
    for (named, name) in wanted.iter().zip(&names).filter(|(named, name)| named.label != **name) {
        say!("{name}: of these samples, with the weights given, it is called {}", named.label);
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

/// One number a line after its name; the samples' number and the real data's digest last. With several inputs, each
/// begins with its name.
fn print_lines(outputs: &[Output]) {
    for output in outputs {
        if outputs.len() > 1 {
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
        }
        if let Some(n) = output.n {
            tell!("n {n}");
        }
        if let Some(reference) = &output.reference {
            tell!("reference {reference}");
        }
        if let Some(nearest) = &output.nearest {
            say!("{}: nearest of {} by {}", nearest.path.display(), nearest.searched, nearest.space);
            if let Some(found) = &nearest.compared {
                tell!("nearest.samples {}\nnearest.held_out {}", found.samples, found.held_out);
                tell!("nearest.close {}", found.close);
            }
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
                object.insert((*name).to_owned(), json!(value));
            }
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
