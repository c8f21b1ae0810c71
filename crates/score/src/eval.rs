//! Scores of runs, pictures and arrays: what `meanflow eval` does.

use crate::{
    Machine, ScoreError, classifier,
    error::{Of, ensure, ensure_request, twice},
    features::{Extractor, Part, Side},
    home::{Home, Run},
    judge::{Judge, labels_of},
    kept,
    nearest::{self, Drawn},
    output::Output,
    request::{AUTO, Request},
    scores::{Against, RealData, Scoring},
    source,
};
use meanflow_metrics::{Given, Input, Metric, Named, Statistics, Taken};
use serde_json::{Map, json};
use std::path::{Path, PathBuf};

/// Scores every input; `done` gets what was computed of each, with whether there are several, when it is there.
///
/// # Errors
/// What is wrong before there is anything to score. What goes wrong with an input or a score is returned, and costs no other.
pub fn eval(
    home: &impl Home,
    machine: &impl Machine,
    mut request: Request,
    mut done: impl FnMut(&Output, bool),
) -> Result<Vec<ScoreError>, ScoreError> {
    request.check()?;
    let extractor = Extractor::new(&request.networks, judge(&request)?)?;
    // Accuracy, a density or the inception score alone compares with nothing.
    let names = request.metrics.as_ref();
    let compares =
        names.is_none_or(|names| names.iter().any(|name| Named::is_comparison(&request.known, name)));
    let jobs = jobs(home, &request, compares)?;
    let takes_real = compares || request.nearest.is_some();
    let real = request.real.as_deref().filter(|_| takes_real);
    let real = real.map(|path| RealData::open(home, machine, &request, path)).transpose()?;
    let statistics = real.as_ref().is_some_and(|real| matches!(real.side.source, Input::Statistics(_)));
    ensure_request(!(request.floor && statistics), || {
        "--floor needs the real data itself, and --real holds statistics".to_owned()
    })?;
    let scorer = Scorer { home, machine, request: &request, extractor, real, compares };
    let several = jobs.iter().map(|job| job.nfe.len().max(1)).sum::<usize>() > 1;
    let mut failures = Vec::new();
    for job in &jobs {
        let ended = scorer.job(job, &mut |mut output| {
            failures.append(&mut output.failures);
            if !output.scores.is_empty() || output.nearest.is_some() {
                done(&output, several);
            }
        });
        failures.extend(ended.err());
    }
    Ok(failures)
}

/// The classifier, if a score asks for one.
fn judge(request: &Request) -> Result<Option<Judge>, ScoreError> {
    let asks = |metric: &&Metric| metric.taken() == Taken::Classes;
    let of_classes: Vec<&str> = request.known.iter().filter(asks).map(|metric| metric.name()).collect();
    let asked = request.metrics.iter().flatten().find(|name| of_classes.contains(&name.as_str()));
    match (asked, &request.classifier) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            let names = of_classes.join(" and ");
            Err(ScoreError::Request(format!("--classifier is for --metrics {names}")))
        }
        (Some(name), None) => Err(ScoreError::Request(format!(
            "`{name}` needs a classifier: `meanflow train-classifier EXPERIMENT.toml --out FILE` makes one, and \
             --classifier FILE gives it"
        ))),
        (Some(_), Some(path)) => Judge::new(classifier::read(path)?, path).map(Some),
    }
}

/// One input.
struct Job<'a> {
    path: PathBuf,
    /// None of data.
    run: Option<Box<dyn Run + 'a>>,
    /// Evaluations a sample of a run; none of data.
    nfe: Vec<usize>,
}

/// The inputs, each run of an experiment's folder by itself.
fn jobs<'a>(home: &'a impl Home, request: &Request, compares: bool) -> Result<Vec<Job<'a>>, ScoreError> {
    let mut paths: Vec<(PathBuf, bool)> = Vec::new();
    for path in &request.inputs {
        let runs = home.runs(path)?;
        match runs.is_empty() {
            true => paths.push((path.clone(), false)),
            false => paths.extend(runs.into_iter().map(|run| (run, true))),
        }
    }
    twice("the list of inputs", &paths.iter().map(|(path, _)| path).collect::<Vec<_>>())?;
    let mut jobs = Vec::new();
    for (path, is_run) in paths {
        if is_run {
            let run = home.run(&path)?;
            let nfe = request.nfe.clone().unwrap_or_else(|| run.nfe().to_vec());
            jobs.push(Job { path, run: Some(run), nfe });
            continue;
        }
        ensure(path.exists(), || format!("{}: there is no such file or folder", path.display()))?;
        ensure_request(request.real.is_some() || !compares, || {
            format!("{}: give the real data with --real", path.display())
        })?;
        jobs.push(Job { path, run: None, nfe: Vec::new() });
    }
    let runs = jobs.iter().filter(|job| job.run.is_some()).count();
    ensure_request(runs > 0 || request.nfe.is_none(), || {
        "--nfe is for runs, and no input is one".to_owned()
    })?;
    if let Some(path) = &request.nearest {
        let automatic = path.as_os_str() == AUTO;
        ensure_request(automatic || jobs.len() == 1, || {
            format!("--nearest FILE is for one input; `{AUTO}` puts a picture into each run")
        })?;
        ensure_request(!automatic || runs == jobs.len(), || {
            format!("--nearest {AUTO} puts the picture into a run; give a file for other inputs")
        })?;
    }
    Ok(jobs)
}

/// What is asked of every input.
struct Scorer<'a, H, M> {
    home: &'a H,
    machine: &'a M,
    request: &'a Request,
    extractor: Extractor,
    /// The real data of `--real`.
    real: Option<RealData>,
    /// Whether there are scores that compare with real data.
    compares: bool,
}

impl<H: Home, M: Machine> Scorer<'_, H, M> {
    /// Scores one input, for each number of evaluations.
    fn job(&self, job: &Job, done: &mut dyn FnMut(Output)) -> Result<(), ScoreError> {
        match &job.run {
            Some(run) => self.of_run(job, &**run, done),
            None => self.of_data(&job.path, done),
        }
    }

    fn of_run(&self, job: &Job, run: &dyn Run, done: &mut dyn FnMut(Output)) -> Result<(), ScoreError> {
        let (request, input) = (self.request, &job.path);
        let of_input = || input.display().to_string();
        let count = request.samples.unwrap_or(run.count());
        let own;
        let real = match &self.real {
            Some(real) => Some(real),
            None if self.compares => {
                own = RealData::of_run(request, run, count)?;
                Some(&own)
            }
            None => None,
        };
        for (place, &nfe) in job.nfe.iter().enumerate() {
            let drawn = run.draw(count, nfe)?;
            let of: [(&str, serde_json::Value); 4] = [
                ("step", json!(drawn.step)),
                ("ema", json!(drawn.ema)),
                ("solver", json!(drawn.solver)),
                ("noise", json!(drawn.noise)),
            ];
            let of: Map<_, _> = of.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let step = drawn.step;
            let all: Vec<usize> = (0..count).collect();
            // Their classes were asked for in turn.
            let labels =
                run.classes().map(|classes| (all.iter().map(|row| row % classes).collect(), classes));
            let samples = Side::new(source::of_values(drawn.values, drawn.shape), all, None);
            let samples = match labels {
                Some((labels, classes)) => samples.labelled(labels, classes),
                None => samples,
            };
            ensure(run.classes().is_some() || !request.asks(Taken::Classes), || {
                "its samples have no classes".to_owned()
            })
            .of(of_input)?;
            let labelled = || match &request.real {
                Some(path) => source::labelled(self.home, path),
                None => {
                    let data = run.data()?;
                    Ok(data.set_aside().unwrap_or(data))
                }
            };
            let density = || match &request.real {
                Some(path) => source::labelled(self.home, path),
                None => run.data(),
            };
            let against = Against { real, labelled: &labelled, density: &density };
            let scored = self.scoring(input).score(&samples, &against)?;
            let mut output =
                Output { nfe: Some(nfe), of: of.into_iter().chain(scored.of.clone()).collect(), ..scored };
            // Of the fewest evaluations, which are given first.
            if let Some(path) = request.nearest.as_ref().filter(|_| place == 0) {
                let path =
                    if path.as_os_str() == AUTO { input.join("samples/nearest.png") } else { path.clone() };
                match self.nearest_of_run(run, &samples, Drawn { step, nfe }, &path).of(of_input) {
                    Ok(found) => output.nearest = Some(found),
                    Err(error) => output.failures.push(error),
                }
            }
            if let Err(error) = kept::append(input, &output, request) {
                self.machine.note(&format!("note: {error}"));
            }
            done(output);
        }
        Ok(())
    }

    fn of_data(&self, input: &Path, done: &mut dyn FnMut(Output)) -> Result<(), ScoreError> {
        let of_input = || input.display().to_string();
        let (request, real) = (self.request, self.real.as_ref());
        let mut samples = side(self.home, self.machine, request, input)?;
        if request.asks(Taken::Classes) {
            let data = source::labelled(self.home, input)?;
            let labels = labels_of(&*data, samples.indices.iter().copied()).of(of_input)?;
            samples = samples.labelled(labels, data.classes().unwrap_or(0));
        }
        let labelled = || match &request.real {
            Some(path) => source::labelled(self.home, path),
            None => Err(self.needs_real(input)),
        };
        let density = || source::labelled(self.home, request.real.as_deref().unwrap_or(input));
        let against = Against { real, labelled: &labelled, density: &density };
        let mut output = self.scoring(input).score(&samples, &against)?;
        if let Some(path) = &request.nearest {
            let real = real.ok_or_else(|| self.needs_real(input))?;
            let (machine, extractor) = (self.machine, &self.extractor);
            output.nearest =
                Some(nearest::write(machine, extractor, &samples, &real.side, None, None, path)?);
        }
        done(output);
        Ok(())
    }

    fn scoring<'b>(&'b self, input: &'b Path) -> Scoring<'b, M> {
        Scoring { machine: self.machine, request: self.request, extractor: &self.extractor, input }
    }

    fn needs_real(&self, input: &Path) -> ScoreError {
        ScoreError::Request(format!("{}: give the real data with --real", input.display()))
    }

    /// The nearest training pictures of a run's samples, beside those of held-out pictures where its data has some.
    fn nearest_of_run(
        &self,
        run: &dyn Run,
        samples: &Side,
        drawn: Drawn,
        path: &Path,
    ) -> Result<nearest::Found, ScoreError> {
        let data = run.data()?;
        let held = data.held_out(samples.indices.len(), 1)?.map(|values| {
            let source = source::of_values(values, data.shape());
            let all = (0..source.len().unwrap_or(0)).collect();
            Side::new(source, all, None)
        });
        let (count, digest) = (data.len(), data.digest());
        let chosen = Input::choice(count, self.request.nearest_of.min(count), self.request.settings.seed);
        let training = Side::new(source::of_dataset(data)?, chosen, Some(digest));
        let (machine, extractor) = (self.machine, &self.extractor);
        nearest::write(machine, extractor, samples, &training, held.as_ref(), Some(drawn), path)
    }
}

/// The samples of a file or folder, as many as are asked for.
fn side(
    home: &impl Home,
    machine: &impl Machine,
    request: &Request,
    path: &Path,
) -> Result<Side, ScoreError> {
    let source = source::open(home, machine, path)?;
    let all = source.len().unwrap_or(0);
    let n = request.samples.unwrap_or(all);
    ensure_request(source.len().is_some() || request.samples.is_none(), || {
        format!("{} holds statistics, of which --samples chooses none", path.display())
    })?;
    ensure(n <= all || source.len().is_none(), || {
        format!("{} holds {all} samples, --samples asks for {n}", path.display())
    })?;
    let indices = Input::choice(all, n.min(all), request.settings.seed);
    let digest = matches!(source, Input::Images(_)).then(|| source.digest()).transpose()?;
    Ok(Side::new(source, indices, digest))
}

/// Mean and covariance that were written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Features.
    pub dimension: usize,
    /// Samples.
    pub n: usize,
    /// Digest of the statistics.
    pub digest: String,
}

/// Writes mean and covariance of the one input, in the space of the one Fréchet distance that is named; `None` if
/// the input was statistics and was copied.
///
/// # Errors
/// A request for anything else, and what is wrong with the input.
pub fn write_statistics(
    home: &impl Home,
    machine: &impl Machine,
    mut request: Request,
    path: &Path,
) -> Result<Option<Written>, ScoreError> {
    request.check()?;
    let extractor = Extractor::new(&request.networks, None)?;
    ensure_request(source::takes_statistics(path), || {
        format!("--write-stats {}: statistics go into an .npz, .h5 or .hdf5 file", path.display())
    })?;
    let [input] = &request.inputs[..] else {
        return Err(ScoreError::Request("--write-stats takes one input".to_owned()));
    };
    ensure_request(request.real.is_none(), || "--write-stats takes no --real".to_owned())?;
    ensure_request(!home.runs(input)?.contains(input), || {
        format!("{}: is a run; --write-stats writes statistics of data", input.display())
    })?;
    let side = side(home, machine, &request, input)?;
    let given = match &side.source {
        Input::Images(_) => Given::Images,
        Input::Rows(_) => Given::Rows,
        Input::Statistics(statistics) => {
            source::write_statistics(statistics, path)?;
            return Ok(None);
        }
    };
    let names = match (&request.metrics, given) {
        (None, Given::Rows) => &["fd".to_owned()][..],
        (None, Given::Images) => &["fid".to_owned()],
        (Some(names), _) => &names[..],
    };
    let [name] = names else {
        let message = "--write-stats takes one Fréchet distance in --metrics";
        return Err(ScoreError::Request(message.to_owned()));
    };
    let named =
        Named::resolve(&request.known, name, given, extractor.inception()).map_err(ScoreError::Request)?;
    ensure_request(named.metric.takes_statistics() && named.metric.needs_real(), || {
        format!("{name} does not compare statistics")
    })?;
    let statistics = extractor.statistics(machine, &side, Part::of(&named))?;
    let origin = Some(extractor.origin(&side, named.space));
    let statistics = Statistics { origin, ..(*statistics).clone() };
    source::write_statistics(&statistics, path)?;
    let (dimension, n, digest) = (statistics.dimension(), side.indices.len(), statistics.digest());
    Ok(Some(Written { dimension, n, digest }))
}
