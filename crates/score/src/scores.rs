//! The scores of `meanflow eval` that compare rows, pixels or features.

use crate::{
    Machine, ScoreError,
    error::{Of, ensure, ensure_request, twice},
    features::{Extractor, Need, Part, Side},
    home::{Home, Run},
    output::{Output, Score},
    reference::most_compared,
    request::Request,
    source,
};
use meanflow_metrics::{Given, Measure, MetricError, Named, Real, Settings, Source, Space, Value};
use serde_json::{Map, json};
use std::path::Path;

/// Sets the key of the choice of real samples apart.
const REAL: u64 = 0x7265_616c;

/// The real side, with what every output says of it.
pub(crate) struct Reference {
    pub side: Side,
    pub digest: String,
}

impl Reference {
    /// All of the source, or as many as are asked for; another key than that of the samples' choice, which may be of the same.
    fn new(request: &Request, source: Source) -> Result<Self, ScoreError> {
        let digest = source.digest()?;
        let all = source.len().unwrap_or(0);
        let count = request.real_samples.unwrap_or(all);
        ensure_request(source.len().is_some() || request.real_samples.is_none(), || {
            "--real holds statistics, of which --real-samples chooses none".to_owned()
        })?;
        ensure(count <= all, || format!("the real data has {all} samples, --real-samples asks for {count}"))?;
        let chosen = Source::choice(all, count, request.settings.seed ^ REAL);
        Ok(Self { side: Side::new(source, chosen, Some(digest.clone())), digest })
    }

    pub fn open(
        home: &impl Home,
        machine: &impl Machine,
        request: &Request,
        path: &Path,
    ) -> Result<Self, ScoreError> {
        let is_run = home.runs(path)?.iter().any(|run| run == path);
        ensure_request(!is_run, || format!("--real {}: is a run; give real data", path.display()))?;
        Self::new(request, source::open(home, machine, path)?)
    }

    /// What the run itself is scored against: held-out samples where its data has some, else all of its data.
    pub fn of_run(request: &Request, run: &dyn Run, count: usize) -> Result<Self, ScoreError> {
        let data = run.data()?;
        let source = match data.held_out(most_compared(data.shape(), count), 1)? {
            Some(values) => source::of_values(values, data.shape()),
            None => source::of_dataset(data)?,
        };
        Self::new(request, source)
    }
}

/// Computes what is asked for of one set of samples.
pub(crate) fn score(
    machine: &impl Machine,
    request: &Request,
    extractor: &Extractor,
    input: &Path,
    samples: &Side,
    real: Option<&Reference>,
) -> Result<Output, ScoreError> {
    let settings = request.settings;
    let output = |scores, n| Output {
        input: input.display().to_string(),
        nfe: None,
        of: chosen(request, samples, real),
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
                let input = input.display();
                return Err(ScoreError::Unfit(format!(
                    "{input} holds statistics; they compare with statistics only"
                )));
            };
            ensure_request(request.metrics.as_deref().is_none_or(|names| names == ["fd"]), || {
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
    let wanted = wanted(machine, request, given, extractor)?;
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
            same_kind(&samples.source, &real.side.source, named.space).of(of_score)?;
            if let Source::Statistics(statistics) = &real.side.source {
                let enough = named.measure.takes_statistics();
                enough.then_some(()).ok_or(MetricError::NeedsRows).of(of_score)?;
                extractor.fits(samples, statistics, named).of(of_score)?;
            }
        }
    }
    let of_samples = needs(&|named| !statistics_do(named), &mut wanted.iter());
    extractor.prepare(machine, samples, &of_samples).of(of_input)?;
    if let Some(real) = real.filter(|real| !matches!(real.side.source, Source::Statistics(_))) {
        let of_real = needs(&|named| request.floor || named.measure != Measure::Frechet, &mut comparisons());
        extractor.prepare(machine, &real.side, &of_real).of(|| "the real data".to_owned())?;
    }
    let (mut scores, mut failures) = (Vec::new(), Vec::new());
    for named in wanted {
        let of_score = || format!("{}: {}", input.display(), named.label);
        let compared = real.filter(|_| named.measure.needs_real());
        let values =
            match values(machine, extractor, &settings, samples, compared.map(|real| &real.side), &named) {
                Ok(values) => values,
                Err(error) => {
                    failures.extend(Err::<(), _>(error).of(of_score).err());
                    continue;
                }
            };
        let mut floors = Vec::new();
        if let Some(real) = compared.filter(|_| request.floor) {
            let rows =
                extractor.rows(machine, &real.side, Part::of(&named)).of(|| "the real data".to_owned());
            match rows.and_then(|rows| Ok(named.measure.floor(rows.view(), n, &settings)?)) {
                Ok(found) => floors = found,
                Err(error) => {
                    let what = || format!("{}: the floor of {}", input.display(), named.label);
                    failures.extend(Err::<(), _>(error).of(what).err());
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
fn chosen(request: &Request, samples: &Side, real: Option<&Reference>) -> Map<String, serde_json::Value> {
    let part = |side: &Side| side.source.len().is_some_and(|all| side.indices.len() < all);
    let any = part(samples) || real.is_some_and(|real| part(&real.side));
    any.then(|| ("seed".to_owned(), json!(request.settings.seed))).into_iter().collect()
}

/// The numbers of one score.
fn values(
    machine: &impl Machine,
    extractor: &Extractor,
    settings: &Settings,
    samples: &Side,
    real: Option<&Side>,
    named: &Named,
) -> Result<Vec<Value>, ScoreError> {
    let part = Part::of(named);
    let Some(real) = real else {
        let rows = extractor.rows(machine, samples, part)?;
        return Ok(named.measure.evaluate(rows.view(), Real::None, settings)?);
    };
    if named.measure == Measure::Frechet {
        let computed;
        let side = match &real.source {
            Source::Statistics(statistics) => statistics,
            _ => {
                computed = extractor.statistics(machine, real, part).of(|| "the real data".to_owned())?;
                &*computed
            }
        };
        if settings.repeats < 2 {
            let own = extractor.statistics(machine, samples, part)?;
            return Ok(vec![Value::alone(own.distance(side)?.distance)]);
        }
        let rows = extractor.rows(machine, samples, part)?;
        return Ok(named.measure.evaluate(rows.view(), Real::Statistics(side), settings)?);
    }
    let rows = extractor.rows(machine, samples, part)?;
    let real = extractor.rows(machine, real, part).of(|| "the real data".to_owned())?;
    Ok(named.measure.evaluate(rows.view(), Real::Rows(real.view()), settings)?)
}

/// The scores asked for, or the defaults.
fn wanted(
    machine: &impl Machine,
    request: &Request,
    given: Given,
    extractor: &Extractor,
) -> Result<Vec<Named>, ScoreError> {
    let names: Vec<String> = match &request.metrics {
        Some(names) => names.clone(),
        None => Named::defaults(given).iter().map(|name| (*name).to_owned()).collect(),
    };
    let resolve = |name: &String| Named::resolve(name, given, extractor.inception());
    let wanted = names.iter().map(|name| resolve(name).map_err(ScoreError::Request));
    let wanted: Vec<Named> = wanted.collect::<Result<_, _>>()?;
    twice("--metrics", &wanted.iter().map(|named| named.label.as_str()).collect::<Vec<_>>())?;
    for (named, name) in wanted.iter().zip(&names).filter(|(named, name)| named.label != **name) {
        machine.note(&format!("{name}: of these samples it is called {}", named.label));
    }
    Ok(wanted)
}

/// Pixels compare with pixels of the same size, rows with rows.
fn same_kind(samples: &Source, real: &Source, space: Space) -> Result<(), ScoreError> {
    let unfit = |words: &str| Err(ScoreError::Unfit(words.to_owned()));
    match (samples, real) {
        (Source::Images(a), Source::Images(b)) if space == Space::Given => {
            let ([c, h, w], [rc, rh, rw]) = (a.shape(), b.shape());
            ensure(a.shape() == b.shape(), || {
                format!("samples are {c}×{h}×{w}, the real data is {rc}×{rh}×{rw}")
            })
        }
        (Source::Images(_), Source::Rows(_)) => unfit("samples are pictures, the real data is rows"),
        (Source::Rows(_), Source::Images(_)) => unfit("samples are rows, the real data is pictures"),
        _ => Ok(()),
    }
}
