//! `meanflow train-classifier`.

use crate::{
    Done,
    args::{TrainClassifier, ensure_usage},
    device::{Work, dispatch},
};
use indicatif::{ProgressBar, ProgressStyle};
use meanflow_core::objective::TrainBackend;
use meanflow_data::Dataset;
use meanflow_score::{
    ScoreError,
    classifier::{Classifier, Training, train, write},
};
use meanflow_train::{Kinds, config::Comparison};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Trains, prints the accuracy of the test and writes the file.
pub fn run<K: Kinds>(args: TrainClassifier) -> anyhow::Result<Done> {
    let out = args.out.display();
    ensure_usage(args.out.extension().is_some_and(|ending| ending == "safetensors"), || {
        format!("--out {out}: give a file that ends in .safetensors")
    })?;
    // Said now, not after the training.
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    ensure_usage(folder.is_none_or(|folder| folder.is_dir()), || {
        format!("--out {out}: there is no such folder")
    })?;
    let comparison = Comparison::<K>::load(&args.experiment, &args.set)?;
    let data = &comparison.variants[0].data;
    let training =
        Training { epochs: args.epochs, seed: args.seed, flip: data.flip(), ..Training::default() };
    let trained = dispatch(args.on.device, Train { data: data.open()?, training })?;
    write(&trained, &args.out)?;
    let Classifier { accuracy, tested, trained, .. } = &trained;
    say!("trained on {trained} pictures, {} times each; tested on {tested} others", args.epochs);
    tell!("accuracy {accuracy}\nn {tested}");
    Ok(Done::Yes)
}

struct Train {
    data: Arc<dyn Dataset>,
    training: Training,
}

/// Time between plain lines of progress.
const PAUSE: Duration = Duration::from_secs(10);

impl Work for Train {
    type Output = Classifier;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Classifier> {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("  {bar:30} {pos}/{len} steps, {per_sec}, {eta} left {msg}");
        bar.set_style(style.expect("a fixed template"));
        let mut spoken = Instant::now();
        let trained: Result<Classifier, ScoreError> =
            train::<B>(self.data, &self.training, device, |step, steps, loss| {
                bar.set_length(steps);
                bar.set_position(step);
                bar.set_message(format!("loss {loss:.3}"));
                if bar.is_hidden() && spoken.elapsed() > PAUSE {
                    say!("step {step} of {steps}, loss {loss:.3}");
                    spoken = Instant::now();
                }
            });
        bar.finish_and_clear();
        Ok(trained?)
    }
}
