//! Results that are written without being cleared first.

use std::mem::MaybeUninit;

/// A vector of `length` numbers that `fill` writes, every one of them.
///
/// In debug builds each number is NaN before, so that a test sees one that was not written.
pub(super) fn written(length: usize, fill: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(length);
    let places = &mut numbers.spare_capacity_mut()[..length];
    if cfg!(debug_assertions) {
        places.fill(MaybeUninit::new(f32::NAN));
    }
    fill(places);
    // SAFETY: every kernel writes all numbers of its result, which its tests see by the NaN above.
    #[allow(unsafe_code)]
    unsafe {
        numbers.set_len(length);
    }
    numbers
}
