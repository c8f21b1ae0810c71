//! Independent work on the processor's cores.
//!
//! Flex runs matrix products on all threads and everything between them on one, so whole pieces of a batch next to each
//! other keep the cores busier than one batch at a time (docs/decisions.md, record 33).

use burn::tensor::backend::Backend;
use std::thread;

/// `work` on every item, in order: next to each other on the processor, one after another on a GPU.
///
/// The results do not depend on the number of threads as long as `work` does not. An item has a thread of its own and is no
/// job of rayon's: a thread that waits for its matrix product could take up another job meanwhile, and with it a tape whose
/// lock it may hold already.
pub fn map<B: Backend, T: Send, R: Send>(
    device: &B::Device,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let (width, work) = (width::<B>(device), &work);
    let mut results = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    while let Some(first) = items.next() {
        let others: Vec<T> = items.by_ref().take(width - 1).collect();
        thread::scope(|scope| {
            let others: Vec<_> = others.into_iter().map(|item| scope.spawn(move || work(item))).collect();
            results.push(work(first));
            for other in others {
                results.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
        });
    }
    results
}

/// Chunks of samples that are worked on at a time at most: memory does not grow with the number of threads.
const MOST: usize = 4;

/// Rows of a chunk that goes through a network without being differentiated. Fixed, so that results do not depend on the
/// machine.
pub const CHUNK: usize = 250;

/// Rows that are in a network at once at most.
pub const ROWS: usize = MOST * CHUNK;

/// How many chunks of samples are worked on at a time.
pub fn chunks<B: Backend>(device: &B::Device) -> usize {
    width::<B>(device).min(MOST)
}

/// How many items [`map`] works on at a time.
fn width<B: Backend>(device: &B::Device) -> usize {
    if on_processor::<B>(device) { rayon::current_num_threads() } else { 1 }
}

/// By name, since decorators do not tell what they stand on in another way.
fn on_processor<B: Backend>(device: &B::Device) -> bool {
    B::name(device).contains("flex")
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn more_threads_take_no_more_memory() {
        let device = Default::default();
        let at = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| chunks::<Flex>(&device))
        };
        assert_eq!([1, 2, 4, 16].map(at), [1, 2, 4, 4]);
    }
}
