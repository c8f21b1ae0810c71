//! Batches in a keyed order, prefetched by a background thread, resumable at any point.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use chacha20::rand_core::Rng;
use rayon::prelude::*;

use crate::augment::{self, EdmConfig};
use crate::dataset::{Dataset, View};
use crate::error::DataError;
use crate::{order, random};

/// How to make batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoaderConfig {
    /// Samples a batch. More than the dataset holds is fine: the batch then spans several epochs.
    pub batch: usize,
    /// The run's seed.
    pub seed: u64,
    /// Mirror half of the samples left to right, anew each epoch.
    pub flip: bool,
    /// Warp the samples after that, anew each epoch.
    pub augment: Option<EdmConfig>,
    /// Batches to have ready; 0 makes each one when it is asked for, without a thread. The batches are the
    /// same.
    pub prefetch: usize,
}

/// Where a loader is in its sequence of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Epochs completed.
    pub epoch: u64,
    /// Samples of the current epoch handed out, below the dataset's length.
    pub position: u64,
}

impl Cursor {
    /// Where a loader over `items` samples is after `images` of them: the cursor of step k is
    /// `Cursor::after(k · batch, len)`.
    ///
    /// # Panics
    /// If `items` is 0.
    pub fn after(images: u64, items: usize) -> Self {
        let items = items as u64;
        Self { epoch: images / items, position: images % items }
    }
}

/// A batch on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostBatch {
    /// Samples, row after row.
    pub samples: Vec<f32>,
    /// `[batch, channels, height, width]`.
    pub shape: [usize; 4],
    /// Classes of the samples, if the dataset has labels.
    pub labels: Option<Vec<usize>>,
    /// What augmentation did to each sample, `[batch, 6]`, if there is augmentation.
    pub augment: Option<Vec<f32>>,
}

impl HostBatch {
    /// The rows of these numbers, in their order, each with its label.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn select(&self, rows: &[usize]) -> Self {
        let [count, channels, height, width] = self.shape;
        fn chosen<T: Copy>(values: &[T], count: usize, rows: &[usize]) -> Vec<T> {
            let each = values.len() / count;
            rows.iter().flat_map(|row| &values[row * each..][..each]).copied().collect()
        }
        Self {
            samples: chosen(&self.samples, count, rows),
            shape: [rows.len(), channels, height, width],
            labels: self.labels.as_ref().map(|labels| chosen(labels, count, rows)),
            augment: self.augment.as_ref().map(|augment| chosen(augment, count, rows)),
        }
    }

    /// The groups `index`, `index + parts`, `index + 2·parts`, … of this batch, a group being `group` rows.
    ///
    /// # Panics
    /// If `group` does not divide the batch.
    pub fn part(&self, index: usize, parts: usize, group: usize) -> Self {
        let [rows, channels, height, width] = self.shape;
        assert!(rows.is_multiple_of(group), "groups of {group} rows do not make a batch of {rows}");
        let groups = rows / group;
        fn chosen<T: Copy>(values: &[T], groups: usize, index: usize, parts: usize) -> Vec<T> {
            let group = values.len() / groups;
            values.chunks_exact(group).skip(index).step_by(parts).flatten().copied().collect()
        }
        Self {
            samples: chosen(&self.samples, groups, index, parts),
            shape: [(index..groups).step_by(parts).len() * group, channels, height, width],
            labels: self.labels.as_ref().map(|labels| chosen(labels, groups, index, parts)),
            augment: self.augment.as_ref().map(|augment| chosen(augment, groups, index, parts)),
        }
    }
}

/// An endless sequence of full batches.
///
/// Each epoch goes through every sample once, in an [`order`] keyed by (seed, epoch); a batch that
/// reaches the end of an epoch goes on with the next one, so no sample is dropped. What is drawn for a sample
/// is keyed by (seed, epoch, index). The sequence therefore depends on the dataset, the seed and the cursor
/// alone, not on prefetching, on the number of threads or on where a run was interrupted.
pub struct Loader {
    source: Batches,
    cursor: Cursor,
}

type Made = Result<(HostBatch, Cursor), DataError>;

enum Batches {
    Direct(Box<Maker>),
    Thread { ready: Option<Receiver<Made>>, worker: Option<JoinHandle<()>> },
}

impl Loader {
    /// A loader that goes on from `cursor`; `Cursor::default()` is the beginning.
    ///
    /// # Errors
    /// [`DataError::NoBatches`] for batch size 0 or an empty dataset, [`DataError::Cursor`] if the cursor
    /// does not fit the dataset, and [`DataError::LoaderStopped`] if the thread cannot be started.
    pub fn new(dataset: Arc<dyn Dataset>, config: LoaderConfig, cursor: Cursor) -> Result<Self, DataError> {
        let items = dataset.len();
        if config.batch == 0 || items == 0 {
            return Err(DataError::NoBatches { batch: config.batch, items });
        }
        if cursor.position >= items as u64 {
            return Err(DataError::Cursor { position: cursor.position, items });
        }
        let mut maker = Maker::new(dataset, config, cursor);
        if config.prefetch == 0 {
            return Ok(Self { source: Batches::Direct(Box::new(maker)), cursor });
        }
        let (sender, ready) = sync_channel(config.prefetch);
        let work = move || {
            // Ends after an error, or when the loader is dropped and the channel closes.
            loop {
                let made = maker.make();
                let failed = made.is_err();
                if sender.send(made).is_err() || failed {
                    break;
                }
            }
        };
        let worker = thread::Builder::new()
            .name("meanflow-loader".to_owned())
            .spawn(work)
            .map_err(|error| DataError::LoaderStopped { reason: error.to_string() })?;
        Ok(Self { source: Batches::Thread { ready: Some(ready), worker: Some(worker) }, cursor })
    }

    /// The next batch, always a full one.
    ///
    /// # Errors
    /// Those of [`Dataset::read`]; after one, the loader stays stopped.
    pub fn next_batch(&mut self) -> Result<HostBatch, DataError> {
        let (batch, cursor) = match &mut self.source {
            Batches::Direct(maker) => maker.make()?,
            Batches::Thread { ready, .. } => {
                let made = ready.as_ref().and_then(|ready| ready.recv().ok());
                made.unwrap_or_else(|| {
                    Err(DataError::LoaderStopped { reason: "it panicked or had failed before".to_owned() })
                })?
            }
        };
        self.cursor = cursor;
        Ok(batch)
    }

    /// Where the next batch begins, whatever has been prefetched: a loader made with this cursor goes on in
    /// its place.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if let Batches::Thread { ready, worker } = &mut self.source {
            // Closing the channel first is what ends the thread.
            drop(ready.take());
            if let Some(worker) = worker.take() {
                // A panic of the thread has already been reported as `LoaderStopped`.
                let _ = worker.join();
            }
        }
    }
}

/// Makes one batch after another.
struct Maker {
    dataset: Arc<dyn Dataset>,
    config: LoaderConfig,
    cursor: Cursor,
    epoch: Epoch,
}

/// The random choices of one epoch.
struct Epoch {
    order: Vec<usize>,
    mirrored: Vec<bool>,
}

impl Epoch {
    fn new(config: &LoaderConfig, dataset: &dyn Dataset, epoch: u64) -> Self {
        let order = order::of_epoch(dataset, config.seed, epoch);
        let mut flips = random::keyed(config.seed, "data flips", epoch);
        let mirrored =
            if config.flip { order.iter().map(|_| flips.next_u32() & 1 == 1).collect() } else { Vec::new() };
        Self { order, mirrored }
    }
}

impl Maker {
    fn new(dataset: Arc<dyn Dataset>, config: LoaderConfig, cursor: Cursor) -> Self {
        let epoch = Epoch::new(&config, &*dataset, cursor.epoch);
        Self { dataset, config, cursor, epoch }
    }

    fn make(&mut self) -> Made {
        let shape = self.dataset.shape();
        let rows: Vec<(usize, View)> = (0..self.config.batch).map(|_| self.next()).collect();
        let labels = self.dataset.classes().map(|_| {
            let label = |&(index, _): &(usize, View)| self.dataset.label(index);
            rows.iter().map(|row| label(row).expect("a dataset with classes labels every sample")).collect()
        });
        let size: usize = shape.iter().product();
        let mut samples = vec![0.0; self.config.batch * size];
        let mut done = vec![[0.0; augment::LABELS]; self.config.batch];
        let made: Vec<Result<(), DataError>> = samples
            .par_chunks_exact_mut(size)
            .zip(&rows)
            .zip(&mut done)
            .with_min_len(4)
            .map(|((sample, &(index, view)), done)| self.read(index, view, sample, done))
            .collect();
        // The first in the order of the batch, whichever thread was faster.
        made.into_iter().collect::<Result<(), _>>()?;
        let augment = self.config.augment.map(|_| done.into_flattened());
        let shape = [self.config.batch, shape[0], shape[1], shape[2]];
        Ok((HostBatch { samples, shape, labels, augment }, self.cursor))
    }

    fn read(
        &self,
        index: usize,
        view: View,
        sample: &mut [f32],
        done: &mut [f32; augment::LABELS],
    ) -> Result<(), DataError> {
        self.dataset.read_view(index, view, sample)?;
        if let Some(config) = &self.config.augment {
            let draw = config.draw(&mut random::of_sample(view.seed, "augment", view.epoch, index));
            augment::apply_one(sample, self.dataset.shape(), &draw);
            *done = draw.labels();
        }
        Ok(())
    }

    /// The next sample of the sequence.
    fn next(&mut self) -> (usize, View) {
        let index = self.epoch.order[self.cursor.position as usize];
        let mirrored = self.config.flip && self.epoch.mirrored[index];
        let view = View { seed: self.config.seed, epoch: self.cursor.epoch, mirrored };
        self.cursor.position += 1;
        if self.cursor.position == self.dataset.len() as u64 {
            self.cursor = Cursor { epoch: self.cursor.epoch + 1, position: 0 };
            self.epoch = Epoch::new(&self.config, &*self.dataset, self.cursor.epoch);
        }
        (index, view)
    }
}
