//! Blocks of a file that were unpacked not long ago, shared by threads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::DataError;

/// The blocks used last, `capacity` of them.
pub(crate) struct BlockCache<T> {
    capacity: usize,
    slots: Mutex<Slots<T>>,
}

struct Slots<T> {
    /// When a block was last asked for, and the block once it is loaded.
    of_blocks: HashMap<usize, (u64, Slot<T>)>,
    now: u64,
}

type Slot<T> = Arc<Mutex<Option<Arc<T>>>>;

impl<T> BlockCache<T> {
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), slots: Mutex::new(Slots { of_blocks: HashMap::new(), now: 0 }) }
    }

    /// The block, loaded if it is not there. Threads that ask for the same block wait for one of them to load
    /// it; others load theirs meanwhile.
    pub fn get(
        &self,
        block: usize,
        load: impl FnOnce() -> Result<T, DataError>,
    ) -> Result<Arc<T>, DataError> {
        let slot = self.slot(block);
        // A thread that panicked while loading has left the slot empty.
        let mut content = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*content {
            return Ok(Arc::clone(loaded));
        }
        let loaded = Arc::new(load()?);
        *content = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    fn slot(&self, block: usize) -> Slot<T> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.now += 1;
        let now = slots.now;
        if let Some((used, slot)) = slots.of_blocks.get_mut(&block) {
            *used = now;
            return Arc::clone(slot);
        }
        if slots.of_blocks.len() == self.capacity {
            let oldest = slots.of_blocks.iter().min_by_key(|(_, (used, _))| *used).map(|(&block, _)| block);
            oldest.map(|oldest| slots.of_blocks.remove(&oldest));
        }
        let slot = Slot::default();
        slots.of_blocks.insert(block, (now, Arc::clone(&slot)));
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_that_was_not_used_for_longest_goes() {
        let cache = BlockCache::new(2);
        let mut loads = Vec::new();
        for block in [1, 2, 1, 3, 1, 2] {
            let got = cache.get(block, || {
                loads.push(block);
                Ok(10 * block)
            });
            assert_eq!(*got.expect("no error"), 10 * block);
        }
        assert_eq!(loads, [1, 2, 3, 2]);
    }

    #[test]
    fn what_failed_is_tried_again() {
        let cache = BlockCache::new(1);
        let error = cache.get(0, || Err(DataError::NoBatches { batch: 0, items: 0 }));
        assert!(error.is_err());
        assert_eq!(*cache.get(0, || Ok(5)).expect("no error"), 5);
    }
}
