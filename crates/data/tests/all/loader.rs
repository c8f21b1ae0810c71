//! The loader: every sample once an epoch, and one sequence however it is cut, resumed or prefetched.

use std::sync::Arc;

use meanflow_data::{Cursor, DataError, Dataset, HostBatch, Loader, LoaderConfig};
use proptest::prelude::*;

/// Sample i is the 1×1×2 image (i, i + ½), so that both its index and its mirroring can be read off; its
/// label is i mod 3.
struct Numbers {
    count: usize,
    broken: Option<usize>,
}

impl Dataset for Numbers {
    fn name(&self) -> &str {
        "numbers"
    }

    fn len(&self) -> usize {
        self.count
    }

    fn shape(&self) -> [usize; 3] {
        [1, 1, 2]
    }

    fn classes(&self) -> Option<usize> {
        Some(3)
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        if self.broken == Some(index) {
            return Err(DataError::NoBatches { batch: 0, items: index });
        }
        sample.copy_from_slice(&[index as f32, index as f32 + 0.5]);
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(index % 3)
    }

    fn digest(&self) -> String {
        String::new()
    }

    fn held_out(&self, _count: usize, _seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}

fn loader(count: usize, config: LoaderConfig, cursor: Cursor) -> Loader {
    Loader::new(Arc::new(Numbers { count, broken: None }), config, cursor).expect("a valid loader")
}

/// Index, mirroring and label of each of the first `samples` samples.
fn sequence(loader: &mut Loader, samples: usize) -> Vec<(usize, bool, usize)> {
    let mut found = Vec::new();
    while found.len() < samples {
        let HostBatch { samples, shape, labels, .. } = loader.next_batch().expect("data in memory");
        let labels = labels.expect("labels");
        assert_eq!(shape, [labels.len(), 1, 1, 2]);
        found.extend(
            samples.chunks(2).zip(labels).map(|(pair, label)| (pair[0] as usize, pair[0] > pair[1], label)),
        );
    }
    found.truncate(samples);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_sample_comes_once_an_epoch(count in 1usize..40, batch in 1usize..60, seed: u64, flip: bool, prefetch in 0usize..3) {
        let config = LoaderConfig { batch, seed, flip, augment: None, prefetch };
        let all = sequence(&mut loader(count, config, Cursor::default()), 3 * count);
        for epoch in all.chunks(count) {
            let mut indices: Vec<_> = epoch.iter().map(|&(index, ..)| index).collect();
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..count).collect::<Vec<_>>());
            prop_assert!(epoch.iter().all(|&(index, mirrored, label)| label == index % 3 && (flip || !mirrored)));
        }
    }

    #[test]
    fn prefetch_and_batch_size_do_not_change_the_sequence(count in 1usize..40, batches in prop::array::uniform2(1usize..60), seed: u64, prefetch in 1usize..5) {
        let config = |batch, prefetch| LoaderConfig { batch, seed, flip: true, augment: None, prefetch };
        let direct = sequence(&mut loader(count, config(batches[0], 0), Cursor::default()), 150);
        let threaded = sequence(&mut loader(count, config(batches[1], prefetch), Cursor::default()), 150);
        prop_assert_eq!(direct, threaded);
    }

    #[test]
    fn a_resumed_loader_goes_on_as_if_never_stopped(count in 1usize..40, batch in 1usize..60, seed: u64, before in 0usize..9, prefetch in 0usize..4) {
        let config = LoaderConfig { batch, seed, flip: true, augment: None, prefetch };
        let mut whole = loader(count, config, Cursor::default());
        for _ in 0..before {
            whole.next_batch().expect("data in memory");
        }
        prop_assert_eq!(whole.cursor(), Cursor::after((before * batch) as u64, count));
        let mut resumed = loader(count, config, whole.cursor());
        for _ in 0..4 {
            prop_assert_eq!(whole.next_batch().expect("data in memory"), resumed.next_batch().expect("data in memory"));
            prop_assert_eq!(whole.cursor(), resumed.cursor());
        }
    }
}

#[test]
fn epochs_seeds_and_mirrorings_differ() {
    let count = 1_000;
    let config = |seed| LoaderConfig { batch: 100, seed, flip: true, augment: None, prefetch: 2 };
    let all = sequence(&mut loader(count, config(7), Cursor::default()), 2 * count);
    let (first, second) = all.split_at(count);
    let order = |epoch: &[(usize, bool, usize)]| epoch.iter().map(|&(index, ..)| index).collect::<Vec<_>>();
    assert!(!order(first).is_sorted());
    assert_ne!(order(first), order(second));
    assert_ne!(order(&sequence(&mut loader(count, config(8), Cursor::default()), count)), order(first));

    // Half of the samples are mirrored (the deviation of the count is 16), and which half is chosen anew each
    // epoch.
    let mirrored = |epoch: &[(usize, bool, usize)]| {
        let mut by_index = vec![false; count];
        epoch.iter().for_each(|&(index, mirrored, _)| by_index[index] = mirrored);
        by_index
    };
    let (one, two) = (mirrored(first), mirrored(second));
    for halves in [one.iter().filter(|&&m| m).count(), one.iter().zip(&two).filter(|(a, b)| a == b).count()] {
        assert!((430..570).contains(&halves), "{halves}");
    }
}

#[test]
fn what_cannot_be_loaded_is_an_error() {
    let new = |count, batch, position| {
        let config = LoaderConfig { batch, seed: 0, flip: false, augment: None, prefetch: 0 };
        Loader::new(Arc::new(Numbers { count, broken: None }), config, Cursor { epoch: 0, position }).err()
    };
    assert!(matches!(new(5, 0, 0), Some(DataError::NoBatches { batch: 0, items: 5 })));
    assert!(matches!(new(0, 4, 0), Some(DataError::NoBatches { batch: 4, items: 0 })));
    assert!(matches!(new(5, 4, 5), Some(DataError::Cursor { position: 5, items: 5 })));
    assert!(new(5, 4, 4).is_none());
}

#[test]
fn an_error_of_the_dataset_reaches_the_caller_from_the_thread() {
    for prefetch in [0, 3] {
        let config = LoaderConfig { batch: 2, seed: 0, flip: false, augment: None, prefetch };
        let mut loader =
            Loader::new(Arc::new(Numbers { count: 6, broken: Some(4) }), config, Cursor::default())
                .expect("a valid loader");
        let errors: Vec<_> = (0..3).filter_map(|_| loader.next_batch().err()).collect();
        assert!(matches!(errors[0], DataError::NoBatches { items: 4, .. }), "{errors:?}");
    }
}

#[test]
fn rows_are_chosen_with_their_labels() {
    let batch = HostBatch {
        samples: vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5],
        shape: [3, 2, 1, 1],
        labels: Some(vec![7, 8, 9]),
        augment: None,
    };
    let chosen = batch.select(&[2, 0, 2, 1]);
    assert_eq!(chosen.samples, [2.0, 2.5, 0.0, 0.5, 2.0, 2.5, 1.0, 1.5]);
    assert_eq!((chosen.shape, chosen.labels), ([4, 2, 1, 1], Some(vec![9, 7, 9, 8])));
}
