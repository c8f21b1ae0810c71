//! One variant from its first step, or its last checkpoint, to its scores.

use crate::{
    TrainError,
    checkpoint::{self, Checkpoint, Expected, Progress},
    config::{Comparison, Variant},
    env::{self, Host},
    eval::Evaluation,
    folder::{Folder, Log, read_if_present, write_atomic, write_in_need},
    known, optimizer,
    progress::{Event, Observer},
    state::{Named, StateError, parameters, with_parameters},
    step::Trainer,
    weights,
};
use burn::{
    module::{AutodiffModule, Module},
    tensor::{DType, Tensor},
};
use meanflow_core::{Streams, objective::TrainBackend, precision::Precision};
use meanflow_data::{Cursor, Dataset, Loader, LoaderConfig};
use meanflow_nets::Net;
use serde_json::{Value, json};
use std::{
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
    Finished,
    /// It was finished before; nothing was done.
    Unchanged,
    /// Stopped on request, with a checkpoint at this step.
    Interrupted {
        /// Updates done.
        step: u64,
    },
}

/// Checks that the checkpoints in a run folder, if there are any, are of this very variant.
///
/// # Errors
/// [`TrainError::Changed`] with the keys that differ.
pub fn check_unchanged(path: &Path, variant: &Variant) -> Result<(), TrainError> {
    let file = path.join("config.toml");
    let Some(bytes) = read_if_present(&file)? else { return Ok(()) };
    let checkpoints = path.join("checkpoints");
    if !checkpoints.is_dir() || checkpoint::list(&checkpoints)?.is_empty() {
        return Ok(());
    }
    if bytes == variant.resolved.to_toml().as_bytes() {
        return Ok(());
    }
    // Whether the data is the same, its digest says.
    let before =
        Comparison::load_described(&file, variant.description).map_err(|error| TrainError::NoRun {
            path: path.to_owned(),
            reason: format!("its config.toml cannot be read any more\n{error}"),
        })?;
    let differences = match before.variants.first() {
        Some(before) => Variant::differences(before, variant),
        None => Vec::new(),
    };
    if differences.is_empty() {
        Ok(())
    } else {
        Err(TrainError::Changed { path: path.to_owned(), differences })
    }
}

/// Whether the run in this folder is trained and scored.
///
/// # Errors
/// [`TrainError::Read`].
pub fn is_finished(path: &Path) -> Result<bool, TrainError> {
    let Some(bytes) = read_if_present(&path.join("status.json"))? else { return Ok(false) };
    let status: Option<Value> = serde_json::from_slice(&bytes).ok();
    Ok(status.is_some_and(|status| status["state"] == "finished"))
}

/// Trains and scores `variant` in the folder `path`, going on from the newest checkpoint.
///
/// A checkpoint is written and the run ends when `stop` becomes true.
///
/// # Errors
/// See [`TrainError`]; whatever happens, the newest checkpoint stays usable.
pub fn run<B: TrainBackend>(
    comparison: &Comparison,
    variant: &Variant,
    path: &Path,
    host: &Host,
    device: &B::Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let folder = Folder::open(path)?;
    check_unchanged(path, variant)?;
    if is_finished(path)? && !checkpoint::newest_is_damaged(path)? {
        return Ok(Outcome::Unchanged);
    }
    let data = variant.data.open()?;
    check_same_data(&folder, data.as_ref())?;
    let outcome = go_on::<B>(comparison, variant, &folder, data, host, device, observer, stop);
    if let Err(error) = &outcome {
        // The error itself matters more than one of writing it down, on a full disk for instance.
        let _ = mark_failed(&folder, error);
    }
    outcome
}

#[allow(clippy::too_many_arguments)] // those of `run`, opened
fn go_on<B: TrainBackend>(
    comparison: &Comparison,
    variant: &Variant,
    folder: &Folder,
    data: Arc<dyn Dataset>,
    host: &Host,
    device: &B::Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let mut run = Run::<B>::open(variant, folder, data.clone(), device, observer)?;
    let evaluation = Evaluation::new(variant, data.as_ref(), observer)?;
    // Without a checkpoint there is nothing yet that an older configuration could be mixed with.
    if run.checkpoint.is_none() || read_if_present(&folder.join("config.toml"))?.is_none() {
        write_atomic(&folder.join("config.toml"), variant.resolved.to_toml().as_bytes())?;
    }
    known::write(folder, variant.description)?;
    let from = run.checkpoint.map_or(env::From::Scratch, env::From::Checkpoint);
    env::add_start(folder.path(), host, comparison, variant, data.as_ref(), from)?;
    observer.on(Event::Start {
        variant: &variant.name,
        parameters: run.parameters,
        step: run.progress.step,
        steps: variant.train.steps,
        batch: variant.train.batch,
    });
    evaluation.real_grid(data.as_ref(), variant.eval.grid, folder)?;
    let outcome = run.train(&evaluation, observer, stop)?;
    run.write_status(if outcome == Outcome::Finished { "finished" } else { "interrupted" })?;
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

/// Refuses to go on with other data than the run was started with: the paths in its configuration do not tell.
fn check_same_data(folder: &Folder, data: &dyn Dataset) -> Result<(), TrainError> {
    if checkpoint::list(&folder.join("checkpoints"))?.is_empty() {
        return Ok(());
    }
    let starts = env::starts(folder.path())?;
    let Some(first) = starts.first() else { return Ok(()) };
    match first["data"]["sha256"].as_str() {
        Some(before) if before != data.digest() => Err(TrainError::OtherData {
            path: folder.path().to_owned(),
            before: before.to_owned(),
            now: data.digest(),
        }),
        _ => Ok(()),
    }
}

/// A run in progress.
struct Run<'a, B: TrainBackend> {
    variant: &'a Variant,
    folder: &'a Folder,
    device: &'a B::Device,
    trainer: Option<Trainer<B>>,
    loader: Loader,
    log: Log,
    parameters: usize,
    progress: Progress,
    checkpoint: Option<u64>,
    /// Measurements that are still on the device, of the steps that end at `progress.step`.
    pending: Vec<Tensor<B::InnerBackend, 1>>,
}

impl<'a, B: TrainBackend> Run<'a, B> {
    /// From the newest checkpoint in the folder, or from the start.
    fn open(
        variant: &'a Variant,
        folder: &'a Folder,
        data: Arc<dyn Dataset>,
        device: &'a B::Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainError> {
        if variant.train.precision == Precision::Bf16 && !B::supports_dtype(device, DType::BF16) {
            let problem = "this device does not compute in bfloat16; set train.precision to \"f32\"";
            return Err(TrainError::Request(problem.to_owned()));
        }
        let mut net: Net<B> =
            variant.net.init(data.shape(), data.classes(), &Streams::new(variant.seed), device)?;
        if let Some((key, pattern)) = optimizer::idle_pattern(&variant.optimizer, &net) {
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
        if let (None, Some(path)) = (&newest, &variant.init.weights) {
            let (loaded, report) = weights::load(net, &variant.net, data.shape(), path, &variant.init)?;
            observer.on(Event::Weights { report: &report });
            net = loaded;
        }
        let parameters = net.num_params();
        let trainer = Trainer::new(net, variant);
        let (trainer, progress, checkpoint) = match newest {
            None => {
                let start = Progress { step: 0, images: 0, secs: 0.0, log_bytes: 0, window: Vec::new() };
                (trainer, start, None)
            }
            Some((stored, aside)) => {
                let (progress, step) = (stored.progress.clone(), stored.progress.step);
                if !aside.files.is_empty() {
                    observer.on(Event::Damaged { aside: &aside, step });
                }
                let path = folder.join(&format!("checkpoints/step-{step:08}.safetensors"));
                let trainer = restore(trainer, stored).map_err(|error| TrainError::State { path, error })?;
                (trainer, progress, Some(step))
            }
        };
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
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        let (train, eval) = (&self.variant.train, &self.variant.eval);
        self.write_status("running")?;
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
            observer.on(Event::Step { step });

            let last = step == train.steps;
            let (logs, scores) =
                (step.is_multiple_of(train.log) || last, step.is_multiple_of(eval.every) || last);
            let interrupted = stop.load(Ordering::Relaxed);
            let saves = step.is_multiple_of(train.checkpoint) || last || interrupted;
            if logs || scores || saves {
                self.read_measured()?;
                self.progress.secs += clock.elapsed().as_secs_f64();
                if logs {
                    self.write_log(observer)?;
                }
                // Also before a stop: a resumed run begins after this step and would never score it.
                if scores {
                    self.score(evaluation, observer)?;
                }
                if saves {
                    self.save(observer)?;
                }
                if interrupted && !last {
                    return Ok(Outcome::Interrupted { step });
                }
                clock = Instant::now();
            }
        }
        Ok(Outcome::Finished)
    }

    /// Reads what the last steps measured; a loss or gradient that is not finite ends the run.
    fn read_measured(&mut self) -> Result<(), TrainError> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let first = self.progress.step - pending.len() as u64 + 1;
        let values: Vec<f32> = Tensor::cat(pending, 0).into_data().iter::<f32>().collect();
        for (index, row) in values.chunks_exact(6).enumerate() {
            if let Some(&loss) = [row[0], row[4]].iter().find(|value| !value.is_finite()) {
                let (step, checkpoint) = (first + index as u64, self.checkpoint);
                return Err(TrainError::Diverged { step, loss, checkpoint });
            }
            self.progress.window.push(std::array::from_fn(|i| row[i].is_finite().then_some(row[i])));
        }
        Ok(())
    }

    /// One line with the means of the steps since the last one.
    fn write_log(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let window = std::mem::take(&mut self.progress.window);
        let mean = |i: usize| {
            let values: Vec<f64> = window.iter().filter_map(|row| row[i]).map(f64::from).collect();
            (!values.is_empty()).then(|| (values.iter().sum::<f64>() / values.len() as f64) as f32)
        };
        let Progress { step, images, secs, .. } = self.progress;
        let mut line = json!({
            "kind": "train", "step": step, "images": images, "secs": secs, "loss": mean(0), "raw": mean(1),
            "v": mean(2), "dudt": mean(3), "grad_norm": mean(4),
            "lr": self.variant.optimizer.learning_rate(step - 1),
        });
        if let Some(head) = mean(5) {
            line["head"] = json!(head);
        }
        self.log.append(&line)?;
        if let (Some(loss), Some(raw)) = (mean(0), mean(1)) {
            observer.on(Event::Train { step, loss, raw });
        }
        Ok(())
    }

    fn score(&mut self, evaluation: &Evaluation, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let trainer = self.trainer.as_ref().expect("present between steps");
        let raw = trainer.net.valid();
        let mut nets: Vec<(&str, &Net<B::InnerBackend>)> =
            self.variant.ema.iter().map(|ema| ema.label.as_str()).zip(&trainer.averages).collect();
        if nets.is_empty() {
            nets.push(("none", &raw));
        }
        let lines =
            evaluation.run(&nets, self.variant, self.progress.step, self.folder, self.device, observer)?;
        lines.iter().try_for_each(|line| self.log.append(line))
    }

    fn save(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
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
        add("optimizer.", trainer.optim.state(&trainer.net));
        let ema = self.variant.ema.iter().map(|ema| ema.label.clone()).collect();
        let folder = self.folder.join("checkpoints");
        Checkpoint { progress: self.progress.clone(), ema, tensors }.save(&folder)?;
        self.checkpoint = Some(self.progress.step);
        checkpoint::prune(&folder, self.variant.train.keep_last, self.variant.train.keep_every)?;
        observer.on(Event::Checkpoint { step: self.progress.step });
        self.write_status("running")
    }

    fn write_status(&self, state: &str) -> Result<(), TrainError> {
        let Progress { step, images, .. } = self.progress;
        let status = json!({"state": state, "step": step, "images": images, "parameters": self.parameters});
        write_atomic(&self.folder.join("status.json"), format!("{status}\n").as_bytes())
    }
}

/// `trainer` with the state of a checkpoint.
fn restore<B: TrainBackend>(trainer: Trainer<B>, mut stored: Checkpoint) -> Result<Trainer<B>, StateError> {
    let net = with_parameters(trainer.net, stored.take("net."))?;
    let averages = trainer.averages.into_iter().enumerate();
    let averages =
        averages.map(|(index, average)| with_parameters(average, stored.take(&format!("ema.{index}."))));
    let averages = averages.collect::<Result<_, _>>()?;
    let optim = trainer.optim.with_state(&net, stored.take("optimizer."))?;
    Ok(Trainer { net, averages, optim, ..trainer })
}
