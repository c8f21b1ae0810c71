//! `meanflow train-classifier`.

use crate::{
    Done,
    args::{TrainClassifier, ensure_usage},
    commands::progress::Shown,
    device::{Work, dispatch},
};
use meanflow_core::objective::TrainBackend;
use meanflow_data::Dataset;
use meanflow_score::{
    Machine,
    classifier::{Classifier, Training, train, write},
};
use meanflow_train::{Kinds, config::Comparison};
use std::sync::Arc;

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
    let shown = &Shown::new(args.on.device);
    let trained = dispatch(args.on.device, Train { data: data.open()?, training, shown })?;
    write(&trained, &args.out)?;
    let Classifier { accuracy, tested, trained, .. } = &trained;
    say!("trained on {trained} pictures, {} times each; tested on {tested} others", args.epochs);
    tell!("accuracy {accuracy}\nn {tested}");
    Ok(Done::Yes)
}

struct Train<'a> {
    data: Arc<dyn Dataset>,
    training: Training,
    shown: &'a Shown,
}

impl Work for Train<'_> {
    type Output = Classifier;

    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Classifier> {
        let trained = train::<B>(self.data, &self.training, device, |step, steps, _loss| {
            if step == 1 {
                self.shown.begin("steps of the classifier", steps as usize);
            }
            // Only a run can be told to stop between its parts.
            let _ = self.shown.more(1);
        });
        self.shown.end();
        Ok(trained?)
    }
}
