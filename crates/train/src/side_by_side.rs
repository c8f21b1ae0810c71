//! Independent work on the processor's cores.
//!
//! Flex runs matrix products on all threads and everything between them on one, so whole pieces of a batch next to each
//! other keep the cores busier than one batch at a time (docs/decisions.md, record 30).

use burn::tensor::backend::Backend;
use rayon::prelude::*;

/// `work` on every item, in order: next to each other on the processor, one after another on a GPU.
///
/// The results do not depend on the number of threads as long as `work` does not.
pub(crate) fn map<B: Backend, T: Send, R: Send>(
    device: &B::Device,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync + Send,
) -> Vec<R> {
    if items.len() > 1 && on_processor::<B>(device) {
        items.into_par_iter().map(work).collect()
    } else {
        items.into_iter().map(work).collect()
    }
}

/// How many items [`map`] works on at a time.
pub(crate) fn width<B: Backend>(device: &B::Device) -> usize {
    if on_processor::<B>(device) { rayon::current_num_threads() } else { 1 }
}

/// By name, since decorators do not tell what they stand on in another way.
fn on_processor<B: Backend>(device: &B::Device) -> bool {
    B::name(device).contains("flex")
}
