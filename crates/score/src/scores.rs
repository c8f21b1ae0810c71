//! The scores of one set of samples against real data.

use crate::{
    Machine, ScoreError,
    error::{Of, ensure, ensure_request, twice},
    features::{Extractor, Need, Part, Side},
    home::{Home, Run},
    judge::labels_of,
    output::{Output, Score},
    reference::most_compared,
    request::Request,
    source,
};
use meanflow_data::{Dataset, Gaussians};
use meanflow_metrics::{
    Classes, Given, Input, MetricError, Mixture, Named, Real, Reference, Samples, Space, Taken, Value, apart,
};
use ndarray::{ArrayView2, Axis};
use serde_json::{Map, Value as Json, json};
use std::{path::Path, sync::Arc};

/// Sets the key of the choice of real samples apart.
const REAL: u64 = 0x7265_616c;

/// Real data, with what every output says of it.
pub(crate) struct RealData {
    pub side: Side,
    pub digest: String,
}

impl RealData {
    /// All of the source, or as many as are asked for; another key than that of the samples' choice, which may be of the same.
    fn new(request: &Request, source: Input) -> Result<Self, ScoreError> {
        let digest = source.digest()?;
        let all = source.len().unwrap_or(0);
        let count = request.real_samples.unwrap_or(all);
        ensure_request(source.len().is_some() || request.real_samples.is_none(), || {
            "--real holds statistics, of which --real-samples chooses none".to_owned()
        })?;
        ensure(count <= all, || format!("the real data has {all} samples, --real-samples asks for {count}"))?;
        let chosen = Input::choice(all, count, request.settings.seed ^ REAL);
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

    /// All of a labelled set.
    pub fn of_labelled(data: Arc<dyn Dataset>) -> Result<Self, ScoreError> {
        let labels = labels_of(&*data, 0..data.len()).of(|| "the real data".to_owned())?;
        let classes = data.classes().unwrap_or(0);
        let source = source::of_dataset(data)?;
        let (digest, all) = (source.digest()?, (0..labels.len()).collect());
        Ok(Self { side: Side::new(source, all, None).labelled(labels, classes), digest })
    }
}

/// The density of a data set.
pub(crate) fn density(data: &dyn Dataset) -> Result<Real, ScoreError> {
    let Some(Gaussians { centres, std }) = data.gaussians() else {
        return Err(ScoreError::Request(MetricError::NeedsDensity.to_string()));
    };
    let centres = ArrayView2::from_shape((centres.len(), 2), centres.as_flattened()).expect("pairs");
    Ok(Real::Density(Arc::new(Mixture::new(centres, std)?)))
}

type Opens<'a> = dyn Fn() -> Result<Arc<dyn Dataset>, ScoreError> + 'a;

/// What samples are scored against.
pub(crate) struct Against<'a> {
    /// What most metrics compare with; `None` where none of them is asked for.
    pub real: Option<&'a RealData>,
    /// Labelled real data, which metrics of classes compare with.
    pub labelled: &'a Opens<'a>,
    /// The data whose density is asked for.
    pub density: &'a Opens<'a>,
}

/// Scores samples of an input: where, with what, by whom.
pub(crate) struct Scoring<'a, M> {
    pub machine: &'a M,
    pub request: &'a Request,
    pub extractor: &'a Extractor,
    pub input: &'a Path,
}

impl<M: Machine> Scoring<'_, M> {
    /// Computes what is asked for of one set of samples.
    pub fn score(&self, samples: &Side, against: &Against) -> Result<Output, ScoreError> {
        let Self { request, extractor, input, .. } = *self;
        let (real, settings) = (against.real, &request.settings);
        let of_input = || input.display().to_string();
        let output = |scores, n| Output {
            input: of_input(),
            nfe: None,
            of: self.chosen(samples, real),
            scores,
            n,
            reference_n: real.and_then(|real| real.side.count()),
            nearest: None,
            failures: Vec::new(),
        };
        let given = match &samples.source {
            Input::Images(_) => Given::Images,
            Input::Rows(_) => Given::Rows,
            Input::Statistics(statistics) => {
                let Some(Input::Statistics(other)) = real.map(|real| &real.side.source) else {
                    let what = "holds statistics; they compare with statistics only";
                    return Err(ScoreError::Unfit(format!("{} {what}", input.display())));
                };
                ensure_request(request.metrics.as_deref().is_none_or(|names| names == ["fd"]), || {
                    "of two files of statistics there is only `fd`".to_owned()
                })?;
                let value = Value::alone(statistics.distance(other)?.distance);
                let reference = real.map(|real| real.digest.clone());
                return Ok(output(vec![Score { reference, ..Score::new("fd".to_owned(), value) }], None));
            }
        };
        let wanted = self.wanted(given, &samples.source)?;
        self.prepare(&wanted, samples, real)?;
        let (mut scores, mut failures) = (Vec::new(), Vec::new());
        let n = samples.indices.len();
        for named in &wanted {
            let of_score = || format!("{}: {}", input.display(), named.label);
            let found = self.against(named, against).and_then(|(compared, digest)| {
                let reference = named.metric.reference(&compared, settings)?;
                Ok((self.values(&reference, named, samples)?, compared, digest))
            });
            let (values, compared, digest) = match found.of(of_score) {
                Ok(found) => found,
                Err(error) => {
                    failures.push(error);
                    continue;
                }
            };
            let floors = match real.filter(|_| request.floor && of_main(named)) {
                None => Ok(Vec::new()),
                Some(real) => self.floor(named, &real.side, n),
            };
            let floors = floors.of(|| format!("{}: the floor of {}", input.display(), named.label));
            let floors = floors.unwrap_or_else(|error| {
                failures.push(error);
                Vec::new()
            });
            let count = match &compared {
                Real::Labelled(_, labels) => Some(labels.len()),
                _ => real.filter(|_| of_main(named)).and_then(|real| real.side.count()),
            };
            let equal = named.metric.needs_equal_sizes();
            for value in values {
                let mut how = extractor.how(named.space);
                if !value.by_class.is_empty() {
                    how.insert("by_class".to_owned(), json!(value.by_class));
                }
                scores.push(Score {
                    name: named.part(value.part),
                    reference: digest.clone(),
                    floor: floors.iter().find(|floor| floor.part == value.part).map(|floor| floor.value),
                    value,
                    real: count.map(|real| if equal { real.min(n) } else { real }),
                    how,
                    better: named.metric.better(),
                });
            }
        }
        Ok(Output { failures, ..output(scores, Some(n)) })
    }

    /// Looks at samples and real data with every network that is needed, once each.
    fn prepare(&self, wanted: &[Named], samples: &Side, real: Option<&RealData>) -> Result<(), ScoreError> {
        let Self { machine, request, extractor, input } = *self;
        let comparisons = || wanted.iter().filter(|named| of_main(named));
        let needs = |rows: &dyn Fn(&Named) -> bool, wanted: &mut dyn Iterator<Item = &Named>| -> Vec<Need> {
            wanted.map(|named| Need { part: Part::of(named), rows: rows(named) }).collect()
        };
        if let Some(real) = real {
            for named in comparisons() {
                let of_score = || format!("{}: {}", input.display(), named.label);
                same_kind(&samples.source, &real.side.source, named.space).of(of_score)?;
                if let Input::Statistics(statistics) = &real.side.source {
                    let enough = named.metric.takes_statistics();
                    enough.then_some(()).ok_or(MetricError::NeedsRows).of(of_score)?;
                    extractor.fits(samples, statistics, named).of(of_score)?;
                }
            }
        }
        let of_samples = needs(&|named| !self.statistics_do(named), &mut wanted.iter());
        extractor.prepare(machine, samples, &of_samples).of(|| input.display().to_string())?;
        if let Some(real) = real.filter(|real| !matches!(real.side.source, Input::Statistics(_))) {
            let rows = |named: &Named| request.floor || !named.metric.takes_statistics();
            let of_real = needs(&rows, &mut comparisons());
            extractor.prepare(machine, &real.side, &of_real).of(|| "the real data".to_owned())?;
        }
        Ok(())
    }

    /// Whether a metric needs no more than mean and covariance of the samples.
    fn statistics_do(&self, named: &Named) -> bool {
        named.metric.takes_statistics() && named.metric.needs_real() && self.request.settings.repeats < 2
    }

    /// The real side of a metric, and its digest where there is one.
    fn against(&self, named: &Named, against: &Against) -> Result<(Real, Option<String>), ScoreError> {
        let Self { machine, extractor, .. } = *self;
        let of_real = || "the real data".to_owned();
        match named.metric.taken() {
            Taken::Density => Ok((density(&*(against.density)()?)?, None)),
            _ if !named.metric.needs_real() => Ok((Real::None, None)),
            Taken::Classes => {
                let RealData { side, digest } = RealData::of_labelled((against.labelled)()?)?;
                let rows = extractor.rows(machine, &side, Part::Classes).of(of_real)?;
                let labels = side.labels.map(|labels| labels.of).unwrap_or_default();
                Ok((Real::Labelled(rows, labels), Some(digest)))
            }
            _ => {
                let Some(real) = against.real else { return Ok((Real::None, None)) };
                let digest = Some(real.digest.clone());
                if let Input::Statistics(statistics) = &real.side.source {
                    return Ok((Real::Statistics(Arc::new(statistics.clone())), digest));
                }
                let part = Part::of(named);
                if named.metric.takes_statistics() {
                    let statistics = extractor.statistics(machine, &real.side, part).of(of_real)?;
                    return Ok((Real::Statistics(Arc::new((*statistics).clone())), digest));
                }
                Ok((Real::Rows(extractor.rows(machine, &real.side, part).of(of_real)?), digest))
            }
        }
    }

    /// The numbers of one score.
    fn values(&self, reference: &Reference, named: &Named, side: &Side) -> Result<Vec<Value>, ScoreError> {
        let Self { machine, extractor, .. } = *self;
        let part = Part::of(named);
        if self.statistics_do(named) {
            let own = extractor.statistics(machine, side, part)?;
            let none = ArrayView2::from_shape((0, own.dimension()), &[]).expect("no rows");
            return Ok(reference.evaluate(&Samples { rows: none, statistics: Some(&own), classes: None })?);
        }
        let rows = extractor.rows(machine, side, part)?;
        let seen = side.seen();
        let classes = side.labels.as_ref().filter(|_| part == Part::Classes);
        let classes = classes.map(|labels| Classes { asked: &labels.of, seen: &seen, count: labels.count });
        Ok(reference.evaluate(&Samples { rows: rows.view(), statistics: None, classes })?)
    }

    /// What real samples score: as many as are scored, at most half, against the rest.
    fn floor(&self, named: &Named, real: &Side, n: usize) -> Result<Vec<Value>, ScoreError> {
        let rows =
            self.extractor.rows(self.machine, real, Part::of(named)).of(|| "the real data".to_owned())?;
        let settings = &self.request.settings;
        let [chosen, rest] = apart(rows.nrows(), n, settings.seed);
        let rest = Real::Rows(rows.select(Axis(0), &rest).into_shared());
        let others = rows.select(Axis(0), &chosen);
        Ok(named.metric.reference(&rest, settings)?.floor(&others.view().into())?)
    }

    /// The key of what was chosen, if it was.
    fn chosen(&self, samples: &Side, real: Option<&RealData>) -> Map<String, Json> {
        let part = |side: &Side| side.source.len().is_some_and(|all| side.indices.len() < all);
        let any = part(samples) || real.is_some_and(|real| part(&real.side));
        any.then(|| ("seed".to_owned(), json!(self.request.settings.seed))).into_iter().collect()
    }

    /// The scores asked for, or the defaults.
    fn wanted(&self, given: Given, source: &Input) -> Result<Vec<Named>, ScoreError> {
        let known = &self.request.known;
        let names = match &self.request.metrics {
            Some(names) => names.clone(),
            None => Named::unasked(known, shape(source), false),
        };
        let weights = self.extractor.inception();
        let resolve =
            |name: &String| Named::resolve(known, name, given, weights).map_err(ScoreError::Request);
        let wanted: Vec<Named> = names.iter().map(resolve).collect::<Result<_, _>>()?;
        twice("--metrics", &wanted.iter().map(|named| named.label.as_str()).collect::<Vec<_>>())?;
        for (named, name) in wanted.iter().zip(&names).filter(|(named, name)| named.label != **name) {
            self.machine.note(&format!("{name}: of these samples it is called {}", named.label));
        }
        Ok(wanted)
    }
}

/// Whether a metric compares with the data that most of them compare with.
fn of_main(named: &Named) -> bool {
    named.metric.needs_real() && named.metric.taken() != Taken::Classes
}

/// Shape of a sample.
fn shape(source: &Input) -> [usize; 3] {
    match source {
        Input::Images(images) => images.shape(),
        Input::Rows(rows) => [rows.ncols(), 1, 1],
        Input::Statistics(statistics) => [statistics.dimension(), 1, 1],
    }
}

/// Pixels compare with pixels of the same size, rows with rows.
fn same_kind(samples: &Input, real: &Input, space: Space) -> Result<(), ScoreError> {
    let unfit = |words: &str| Err(ScoreError::Unfit(words.to_owned()));
    match (samples, real) {
        (Input::Images(a), Input::Images(b)) if space == Space::Given => {
            let ([c, h, w], [rc, rh, rw]) = (a.shape(), b.shape());
            ensure(a.shape() == b.shape(), || {
                format!("samples are {c}×{h}×{w}, the real data is {rc}×{rh}×{rw}")
            })
        }
        (Input::Images(_), Input::Rows(_)) => unfit("samples are pictures, the real data is rows"),
        (Input::Rows(_), Input::Images(_)) => unfit("samples are rows, the real data is pictures"),
        _ => Ok(()),
    }
}
