//! The widest vectors of the machine, without a separate build for each machine.

/// A loop that the compiler vectorises; `run` must be `#[inline(always)]`, so that it takes on the features of its caller.
pub(super) trait Loop {
    type Output;

    fn run(self) -> Self::Output;
}

/// Runs a loop as it was compiled for this machine.
///
/// No version contracts a product and a sum, so all of them give the same bits.
pub(super) fn widest<L: Loop>(work: L) -> L::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the machine has the feature.
            #[allow(unsafe_code)]
            return unsafe { avx512(work) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has the feature.
            #[allow(unsafe_code)]
            return unsafe { avx2(work) };
        }
    }
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512<L: Loop>(work: L) -> L::Output {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<L: Loop>(work: L) -> L::Output {
    work.run()
}
