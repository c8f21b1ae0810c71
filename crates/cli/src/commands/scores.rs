//! The scores of `meanflow eval` that compare rows, pixels or features.

use crate::{
    args::{Eval, Usage, ensure_usage, twice},
    commands::{
        features::{Extractor, Need, Part, Side},
        output::{Output, Score},
        runs::is_run,
        source,
    },
};
use anyhow::{Context, ensure};
use meanflow_metrics::{Given, Measure, MetricError, Named, Real, Settings, Source, Space, Value};
use meanflow_train::{Kinds, config::Variant, eval::most_compared};
use serde_json::{Map, json};
use std::path::Path;

/// Sets the key of the choice of real samples apart.
const REAL: u64 = 0x7265_616c;

/// The real side, with what every output says of it.
pub struct Reference {
    pub side: Side,
    pub digest: String,
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

    pub fn open<K: Kinds>(args: &Eval, path: &Path) -> anyhow::Result<Self> {
        if is_run(path) {
            return Err(Usage(format!("--real {}: is a run; give real data", path.display())).into());
        }
        Self::new(args, source::open::<K>(path)?)
    }

    /// What the run itself is scored against: held-out samples where its data has some, else all of its data.
    pub fn of_run<K: Kinds>(args: &Eval, variant: &Variant<K>, count: usize) -> anyhow::Result<Self> {
        let data = variant.data.open()?;
        let source = match data.held_out(most_compared(data.shape(), count), 1)? {
            Some(values) => source::of_values(values, data.shape()),
            None => source::of_dataset(data)?,
        };
        Self::new(args, source)
    }
}

/// Computes what is asked for of one set of samples.
pub fn score(
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
            let score = Score {
                reference: real.map(|real| real.digest.clone()),
                ..Score::new("fd".to_owned(), Value::alone(value))
            };
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
    if let Some(real) = real.filter(|real| !matches!(real.side.source, Source::Statistics(_))) {
        let of_real = needs(&|named| args.floor || named.measure != Measure::Frechet, &mut comparisons());
        extractor.prepare(&real.side, &of_real).context("the real data")?;
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
            let rows = extractor.rows(&real.side, Part::of(&named)).context("the real data");
            match rows.and_then(|rows| Ok(named.measure.floor(rows.view(), n, &settings)?)) {
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
                reference: compared.map(|real| real.digest.clone()),
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
