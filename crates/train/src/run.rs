//! One variant from its first step, or its last checkpoint, to its scores.

use crate::{
    Kinds, TrainError,
    checkpoint::{self, Checkpoint, Expected, Progress},
    config::{Comparison, Difference, Variant},
    env::{self, Host},
    folder::{Folder, Log, read_if_present, write_atomic, write_in_need},
    inputs, known,
    progress::{Event, Observer, Watched},
    resume, scored, start,
    step::{LearnedWeight, Trainer},
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{DType, Tensor},
};
use meanflow_core::{
    Streams,
    objective::{Objectives, TrainBackend},
    precision::Precision,
};
use meanflow_data::{Cursor, Dataset, Loader, LoaderConfig};
use meanflow_nets::{Net, Networks as _};
use meanflow_optim::idle_pattern;
use meanflow_score::{
    Judge, ScoreError, classifier,
    within::{self, At, Evaluation, Labelled},
};
use meanflow_state::{Named, StateError, parameters, with_parameters};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Trained to its last step and scored.
    Finished {
        /// Scores that could not be computed, over the whole run.
        failed_scores: u64,
    },
    /// It was finished before; nothing was done.
    Unchanged {
        /// Scores that could not be computed then.
        failed_scores: u64,
    },
    /// Stopped on request, with a checkpoint at this step.
    Interrupted {
        /// Updates done.
        step: u64,
    },
}

impl Outcome {
    /// Scores that could not be computed; of a run that was stopped, it is not known yet.
    pub fn failed_scores(self) -> u64 {
        match self {
            Self::Finished { failed_scores } | Self::Unchanged { failed_scores } => failed_scores,
            Self::Interrupted { .. } => 0,
        }
    }
}

/// Trains and scores `variant` in the folder `path`, going on from the newest checkpoint.
///
/// A checkpoint is written and the run ends when `stop` becomes true.
///
/// # Errors
/// See [`TrainError`]; whatever happens, the newest checkpoint stays usable.
pub fn run<B: TrainBackend, K: Kinds>(
    comparison: &Comparison<K>,
    variant: &Variant<K>,
    path: &Path,
    host: &Host,
    device: &B::Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let folder = Folder::open(path)?;
    let changes = resume::check_unchanged(path, variant)?;
    if let Some(failed_scores) = resume::finished(path, variant)?
        && !checkpoint::newest_is_damaged(path)?
    {
        inputs::check_finished(path, variant, observer)?;
        // Nothing is computed from it, and the report reads it there.
        if !changes.is_empty() && changes.iter().all(|change| change.key.starts_with("published.")) {
            write_atomic(&folder.join("config.toml"), variant.resolved.to_toml().as_bytes())?;
        }
        if let Some(Difference { key, .. }) = changes.iter().find(|change| change.key.starts_with("eval.")) {
            let text = format!("`{key}` changed after the end: `meanflow eval` scores the run anew");
            observer.on(Event::Note { text: &text });
        }
        return Ok(Outcome::Unchanged { failed_scores });
    }
    let outcome = go_on::<B, K>(comparison, variant, &folder, &changes, host, device, observer, stop);
    match &outcome {
        // The run is as it was; only this start was refused.
        Ok(_) | Err(TrainError::OtherData { .. } | TrainError::OtherWeights { .. }) => {}
        // The error itself matters more than one of writing it down, on a full disk for instance.
        Err(error) => {
            let _ = mark_failed(&folder, error);
        }
    }
    outcome
}

#[allow(clippy::too_many_arguments)] // those of `run`, opened
fn go_on<B: TrainBackend, K: Kinds>(
    comparison: &Comparison<K>,
    variant: &Variant<K>,
    folder: &Folder,
    changes: &[Difference],
    host: &Host,
    device: &B::Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    if let Some(aside) = resume::set_aside(folder, variant)? {
        let text = format!(
            "there is no checkpoint any more, so {} begins again; what was there is in {}",
            variant.name,
            aside.display()
        );
        observer.on(Event::Note { text: &text });
    }
    let (config, resolved) = (folder.join("config.toml"), variant.resolved.to_toml());
    let begins = !resume::has_checkpoints(folder.path())?;
    if begins {
        // Before anything can fail, so that a report knows what failed.
        write_atomic(&config, resolved.as_bytes())?;
    } else {
        if let Some(aside) = env::set_aside_unreadable(folder.path())? {
            let text = format!(
                "the record of earlier starts cannot be read and is kept as {}; whether the data is the same is not known",
                aside.display()
            );
            observer.on(Event::Note { text: &text });
        }
        inputs::check_weights(folder.path(), variant)?;
    }
    let data = variant.data.open()?;
    if !begins {
        inputs::check_data(folder.path(), data.as_ref())?;
    }
    let mut run = Run::<B, K>::open(variant, folder, data.clone(), device, observer)?;
    let judge = variant
        .eval
        .classifier
        .as_ref()
        .map(|path| -> Result<Judge, TrainError> { Ok(Judge::new(classifier::read(path)?, path)?) });
    let watched = Watched::<B::InnerBackend>::new(device, observer, stop);
    let prediction = variant.objective.facts().prediction();
    let evaluation = Evaluation::new(&variant.eval, prediction, judge.transpose()?, &data, &watched)?;
    known::write(folder, variant.description)?;
    let from = run.checkpoint.map_or(env::From::Scratch, env::From::Checkpoint);
    env::add_start(folder.path(), host, comparison, variant, data.as_ref(), from, changes)?;
    // Only now: a kill before would take the record of what changed with it.
    if read_if_present(&config)?.is_none_or(|bytes| bytes != resolved.as_bytes()) {
        write_atomic(&config, resolved.as_bytes())?;
    }
    watched.on(Event::Start {
        variant: &variant.name,
        parameters: run.parameters,
        step: run.progress.step,
        steps: variant.train.steps,
        batch: variant.train.batch,
    });
    evaluation.real_grid(data.as_ref(), variant.eval.grid, folder.path())?;
    let outcome = run.train(&evaluation, &watched)?;
    run.write_status(match outcome {
        Outcome::Interrupted { .. } => "interrupted",
        Outcome::Finished { .. } | Outcome::Unchanged { .. } => "finished",
    })?;
    Ok(outcome)
}

/// `status.json` says `failed` and why, at the step it told last.
fn mark_failed(folder: &Folder, error: &TrainError) -> Result<(), TrainError> {
    let file = folder.join("status.json");
    let known = read_if_present(&file)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut status = known.filter(Value::is_object).unwrap_or_else(|| json!({"step": 0, "images": 0}));
    status["state"] = "failed".into();
    status["error"] = error.to_string().into();
    write_in_need(&file, format!("{status}\n").as_bytes())
}

/// A run in progress.
struct Run<'a, B: TrainBackend, K: Kinds> {
    variant: &'a Variant<K>,
    folder: &'a Folder,
    device: &'a B::Device,
    trainer: Option<Trainer<B, K>>,
    loader: Loader,
    log: Log,
    parameters: usize,
    progress: Progress,
    checkpoint: Option<u64>,
    /// Measurements that are still on the device, of the steps that end at `progress.step`.
    pending: Vec<Tensor<B::InnerBackend, 1>>,
}

impl<'a, B: TrainBackend, K: Kinds> Run<'a, B, K> {
    /// From the newest checkpoint in the folder, or from the start.
    fn open(
        variant: &'a Variant<K>,
        folder: &'a Folder,
        data: Arc<dyn Dataset>,
        device: &'a B::Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainError> {
        if variant.train.precision == Precision::Bf16 && !B::supports_dtype(device, DType::BF16) {
            let problem = "this device does not compute in bfloat16; set train.precision to \"f32\"";
            return Err(TrainError::Request(problem.to_owned()));
        }
        let mut net: Net<B, K::Net> =
            variant.net.init(data.shape(), data.classes(), &Streams::new(variant.seed), device)?;
        if let Some((key, pattern)) = idle_pattern(&variant.optimizer, &net) {
            let problem = format!("no parameter of the network fits `{pattern}` of `{key}`");
            return Err(TrainError::Request(problem));
        }
        checkpoint::remove_unfinished(&folder.join("checkpoints"))?;
        let expected = Expected {
            steps: variant.train.steps,
            batch: variant.train.batch as u64,
            log: &folder.join("metrics.jsonl"),
        };
        let newest = checkpoint::newest_sound(&folder.join("checkpoints"), &expected)?;
        if newest.is_none() {
            net = start::from(net, variant, folder.path(), data.as_ref(), device, observer)?;
        }
        let parameters = net.num_params();
        let said = variant.net.parameters(data.shape(), data.classes());
        if said != parameters {
            let text = format!("the network has {parameters} parameters, and its `parameters` says {said}");
            observer.on(Event::Note { text: &text });
        }
        let mut trainer = Trainer::new(net, variant);
        let (trainer, progress, checkpoint) = match newest {
            None => {
                scored::clear(&folder.join("checkpoints"))?;
                trainer.load_teachers(variant, data.shape(), device)?;
                (trainer, Progress { names: variant.measures(), ..Progress::default() }, None)
            }
            Some((stored, aside)) => {
                let (progress, step) = (stored.progress.clone(), stored.progress.step);
                if !aside.files.is_empty() {
                    observer.on(Event::Damaged { aside: &aside, step });
                }
                let path = folder.join(&format!("checkpoints/step-{step:08}.safetensors"));
                let trainer = restore(trainer, stored).map_err(|error| TrainError::State { path, error })?;
                let found = fs::metadata(folder.join("metrics.jsonl")).map_or(0, |log| log.len());
                let progress = scored::with_mark(&folder.join("checkpoints"), progress, found)?;
                (trainer, progress, Some(step))
            }
        };
        resume::remove_later_samples(&folder.join("samples"), &progress)?;
        let loader = LoaderConfig {
            batch: variant.train.batch,
            seed: variant.seed,
            flip: variant.data.flip(),
            augment: variant.data.augment(),
            prefetch: 4,
        };
        let loader = Loader::new(data.clone(), loader, Cursor::after(progress.images, data.len()))?;
        let log = Log::open(&folder.join("metrics.jsonl"), progress.log_bytes)?;
        Ok(Self {
            variant,
            folder,
            device,
            trainer: Some(trainer),
            loader,
            log,
            parameters,
            progress,
            checkpoint,
            pending: Vec::new(),
        })
    }

    fn train(
        &mut self,
        evaluation: &Evaluation,
        watched: &Watched<'_, B::InnerBackend>,
    ) -> Result<Outcome, TrainError> {
        let (train, eval) = (&self.variant.train, &self.variant.eval);
        self.write_status("running")?;
        if self.progress.unscored && !self.score(evaluation, watched)? {
            return Ok(Outcome::Interrupted { step: self.progress.step });
        }
        let mut clock = Instant::now();
        while self.progress.step < train.steps {
            let batch = self.loader.next_batch()?;
            let trainer = self.trainer.take().expect("put back below");
            let (trainer, measured) = trainer.step(self.variant, self.progress.step, batch, self.device);
            self.trainer = Some(trainer);
            self.pending.push(measured);
            self.progress.step += 1;
            self.progress.images += train.batch as u64;
            let step = self.progress.step;
            watched.on(Event::Step { step });

            let last = step == train.steps;
            let (logs, scores) =
                (step.is_multiple_of(train.log) || last, step.is_multiple_of(eval.every) || last);
            let interrupted = watched.stop.load(Ordering::Relaxed);
            let saves = step.is_multiple_of(train.checkpoint) || scores || interrupted;
            if logs || saves {
                self.read_measured()?;
                self.progress.secs += clock.elapsed().as_secs_f64();
                if logs {
                    self.write_log(watched)?;
                }
                if saves {
                    self.progress.unscored = scores;
                    self.save(watched)?;
                }
                if interrupted || scores && !self.score(evaluation, watched)? {
                    return Ok(Outcome::Interrupted { step });
                }
                clock = Instant::now();
            }
        }
        Ok(Outcome::Finished { failed_scores: self.progress.failed_scores })
    }

    /// Reads what the last steps measured; a loss or gradient that is not finite ends the run.
    fn read_measured(&mut self) -> Result<(), TrainError> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let first = self.progress.step - pending.len() as u64 + 1;
        let values: Vec<f32> = Tensor::cat(pending, 0).into_data().iter::<f32>().collect();
        let names = self.variant.measures();
        for (index, row) in values.chunks_exact(names.len()).enumerate() {
            // The loss comes first, the norm of the gradient last.
            if let Some(&loss) = [row[0], row[row.len() - 1]].iter().find(|value| !value.is_finite()) {
                let (step, checkpoint) = (first + index as u64, self.checkpoint);
                return Err(TrainError::Diverged { step, loss, checkpoint });
            }
            let finite = |value: &f32| value.is_finite().then_some(*value);
            self.progress.window.push(row.iter().map(finite).collect());
        }
        Ok(())
    }

    /// One line with the means of the steps since the last one.
    fn write_log(&mut self, watched: &Watched<'_, B::InnerBackend>) -> Result<(), TrainError> {
        let window = std::mem::take(&mut self.progress.window);
        let mean = |name: &str| {
            let index = self.progress.names.iter().position(|known| known == name)?;
            let values: Vec<f64> =
                window.iter().filter_map(|row| row.get(index).copied().flatten()).map(f64::from).collect();
            (!values.is_empty()).then(|| (values.iter().sum::<f64>() / values.len() as f64) as f32)
        };
        let Progress { step, images, secs, .. } = self.progress;
        let mut line = json!({"kind": "train", "step": step, "images": images, "secs": secs});
        for name in &self.progress.names {
            line[name] = json!(mean(name));
        }
        line["lr"] = json!(self.variant.optimizer.learning_rate(step - 1));
        self.log.append(&line)?;
        if let Some(loss) = mean("loss") {
            watched.on(Event::Train { step, loss, raw: mean("raw") });
        }
        Ok(())
    }

    /// Scores the step of the newest checkpoint and marks it as scored. `false`: it was asked to stop before that, and the
    /// scores are still due.
    fn score(
        &mut self,
        evaluation: &Evaluation,
        watched: &Watched<'_, B::InnerBackend>,
    ) -> Result<bool, TrainError> {
        let trainer = self.trainer.as_ref().expect("present between steps");
        let raw = trainer.net.valid();
        let mut nets: Vec<Labelled<'_, B::InnerBackend, K::Net>> =
            self.variant.ema.iter().map(|ema| ema.label.as_str()).zip(&trainer.averages).collect();
        if nets.is_empty() {
            nets.push(("none", &raw));
        }
        let Progress { step, images, .. } = self.progress;
        let at = At { step, images, last: step == self.variant.train.steps };
        let lines = match evaluation.run(&nets, at, self.folder.path(), self.device, watched) {
            Err(ScoreError::Stopped) => return Ok(false),
            lines => lines?,
        };
        lines.iter().try_for_each(|line| self.log.append(line))?;
        self.progress.log_bytes = self.log.sync()?;
        self.progress.failed_scores +=
            lines.iter().filter(|line| line["kind"] == within::FAILED).count() as u64;
        self.progress.unscored = false;
        scored::mark(&self.folder.join("checkpoints"), &self.progress)?;
        Ok(true)
    }

    fn save(&mut self, watched: &Watched<'_, B::InnerBackend>) -> Result<(), TrainError> {
        self.progress.log_bytes = self.log.sync()?;
        let trainer = self.trainer.as_ref().expect("present between steps");
        let mut tensors = Named::new();
        let mut add = |prefix: &str, part: Named| {
            tensors.extend(part.into_iter().map(|(name, data)| (format!("{prefix}{name}"), data)));
        };
        add("net.", parameters(&trainer.net));
        for (index, average) in trainer.averages.iter().enumerate() {
            add(&format!("ema.{index}."), parameters(average));
        }
        for (index, teacher) in trainer.teachers.iter().enumerate() {
            add(&format!("teacher.{index}."), parameters(teacher));
        }
        add("optimizer.", trainer.optim.state(&trainer.net));
        if let Some(LearnedWeight { module, optim }) = &trainer.weight {
            add("weight.", parameters(module));
            add("weight-optimizer.", optim.state(module));
        }
        let ema = self.variant.ema.iter().map(|ema| ema.label.clone()).collect();
        let folder = self.folder.join("checkpoints");
        Checkpoint { progress: self.progress.clone(), ema, tensors }.save(&folder)?;
        self.checkpoint = Some(self.progress.step);
        checkpoint::prune(&folder, self.variant.train.keep_last, self.variant.train.keep_every)?;
        watched.on(Event::Checkpoint { step: self.progress.step });
        self.write_status("running")
    }

    fn write_status(&self, state: &str) -> Result<(), TrainError> {
        let Progress { step, images, failed_scores, .. } = self.progress;
        let mut status = json!({
            "state": state, "step": step, "images": images, "parameters": self.parameters,
            "flops_an_image": self.variant.flops_an_image(),
        });
        if failed_scores > 0 {
            status["failed_scores"] = failed_scores.into();
        }
        write_atomic(&self.folder.join("status.json"), format!("{status}\n").as_bytes())
    }
}

/// `trainer` with the state of a checkpoint.
fn restore<B: TrainBackend, K: Kinds>(
    trainer: Trainer<B, K>,
    mut stored: Checkpoint,
) -> Result<Trainer<B, K>, StateError> {
    let net = with_parameters(trainer.net, stored.take("net."))?;
    let averages = trainer.averages.into_iter().enumerate();
    let averages =
        averages.map(|(index, average)| with_parameters(average, stored.take(&format!("ema.{index}."))));
    let averages = averages.collect::<Result<_, _>>()?;
    let teachers = trainer.teachers.into_iter().enumerate();
    let teachers =
        teachers.map(|(index, teacher)| with_parameters(teacher, stored.take(&format!("teacher.{index}."))));
    let teachers = teachers.collect::<Result<_, _>>()?;
    let optim = trainer.optim.with_state(&net, stored.take("optimizer."))?;
    let weight = match trainer.weight {
        None => None,
        Some(LearnedWeight { module, optim }) => {
            let module = with_parameters(module, stored.take("weight."))?;
            let optim = optim.with_state(&module, stored.take("weight-optimizer."))?;
            Some(LearnedWeight { module, optim })
        }
    };
    Ok(Trainer { net, averages, teachers, optim, weight, ..trainer })
}
