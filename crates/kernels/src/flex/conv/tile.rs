//! The two inner loops, and the choice of their sizes for this machine.

use super::{
    super::lanes::{Lanes, Portable, Set},
    frame::Frame,
};

/// Outputs of a convolution at places side by side.
pub(super) struct Places<'a> {
    /// An image in its frame.
    pub(super) framed: &'a [f32],
    pub(super) frame: Frame,
    /// Distances of the taps.
    pub(super) taps: &'a [usize],
    /// Weights of [`Sizes::outputs`] outputs: `[inputs, taps, outputs]`.
    pub(super) weight: &'a [f32],
    /// A number for each of the outputs.
    pub(super) bias: &'a [f32],
    /// `[outputs, tiles·places]`.
    pub(super) out: &'a mut [f32],
}

/// Products of one image with itself: `Σ lanes[p, o]·framed[p + distance]` over the pixels `p`.
pub(super) struct Products<'a> {
    /// `[pixels, columns]`, of which a multiple of [`Sizes::columns`].
    pub(super) lanes: &'a [f32],
    pub(super) columns: usize,
    pub(super) framed: &'a [f32],
    pub(super) frame: Frame,
    pub(super) distances: [usize; DISTANCES],
    /// `[DISTANCES, columns]`, added to.
    pub(super) out: &'a mut [f32],
}

/// Distances that [`Products`] takes at once: the taps of a 3×3 kernel.
pub(super) const DISTANCES: usize = 9;

/// Sizes of the loops on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    set: Set,
    /// Outputs of a tile.
    pub(super) outputs: usize,
    /// Places of a tile.
    pub(super) places: usize,
    /// Columns at once in [`Products`].
    pub(super) columns: usize,
}

impl Sizes {
    pub(super) fn of_this_machine() -> Self {
        let set = Set::of_this_machine();
        match set {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Self { set, outputs: 8, places: 48, columns: 32 },
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Self { set, outputs: 4, places: 24, columns: 8 },
            Set::Portable => Self { set, outputs: 4, places: 16, columns: 8 },
        }
    }

    /// Fills `at.out`.
    #[allow(unsafe_code)]
    pub(super) fn fill(&self, at: Places) {
        let tiles = at.frame.places().div_ceil(self.places);
        let inputs = at.weight.len() / (at.taps.len() * self.outputs);
        assert!(at.out.len() >= self.outputs * tiles * self.places && at.bias.len() == self.outputs);
        // The last tap of the last place of the last channel.
        let last = (inputs - 1) * at.frame.plane() + at.taps[at.taps.len() - 1] + tiles * self.places;
        assert!(last <= at.framed.len());
        // SAFETY: the bounds were checked above, and this machine has the instructions of the set.
        unsafe {
            match self.set {
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => fill_avx512(at, tiles),
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => fill_avx2(at, tiles),
                Set::Portable => fill::<Portable, 4, 2>(at, tiles),
            }
        }
    }

    /// Adds to `of.out`.
    #[allow(unsafe_code)]
    pub(super) fn add(&self, of: Products) {
        assert!(of.columns.is_multiple_of(self.columns) && of.lanes.len() >= of.frame.pixels() * of.columns);
        assert!(of.out.len() >= DISTANCES * of.columns);
        let furthest = of.distances.iter().max().copied().unwrap_or(0);
        assert!((of.frame.height - 1) * of.frame.pitch() + of.frame.width + furthest <= of.framed.len());
        // SAFETY: the bounds were checked above, and this machine has the instructions of the set.
        unsafe {
            match self.set {
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => add_avx512(of),
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => add_avx2(of),
                Set::Portable => add::<Portable, 1>(of),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[allow(unsafe_code)]
unsafe fn fill_avx512(at: Places, tiles: usize) {
    // SAFETY: as promised to this function.
    unsafe { fill::<core::arch::x86_64::__m512, 8, 3>(at, tiles) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[allow(unsafe_code)]
unsafe fn fill_avx2(at: Places, tiles: usize) {
    // SAFETY: as promised to this function.
    unsafe { fill::<core::arch::x86_64::__m256, 4, 3>(at, tiles) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[allow(unsafe_code)]
unsafe fn add_avx512(of: Products) {
    // SAFETY: as promised to this function.
    unsafe { add::<core::arch::x86_64::__m512, 2>(of) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[allow(unsafe_code)]
unsafe fn add_avx2(of: Products) {
    // SAFETY: as promised to this function.
    unsafe { add::<core::arch::x86_64::__m256, 1>(of) }
}

/// Tiles of `O` outputs by `V` vectors of places; the sums of a tile stay in registers.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn fill<L: Lanes, const O: usize, const V: usize>(at: Places, tiles: usize) {
    let (places, stride) = (V * L::WIDTH, tiles * V * L::WIDTH);
    let inputs = at.weight.len() / (at.taps.len() * O);
    for tile in 0..tiles {
        // SAFETY: the caller has checked that every tap of every place is in the frame, and the sizes of all slices.
        unsafe {
            let mut sums = [[L::splat(0.0); V]; O];
            for (sums, bias) in sums.iter_mut().zip(at.bias) {
                *sums = [L::splat(*bias); V];
            }
            let mut weight = at.weight.as_ptr();
            for input in 0..inputs {
                let from = at.framed.as_ptr().add(input * at.frame.plane() + tile * places);
                for tap in at.taps {
                    let mut x = [L::splat(0.0); V];
                    for (v, x) in x.iter_mut().enumerate() {
                        *x = L::load(from.add(tap + v * L::WIDTH));
                    }
                    for (o, sums) in sums.iter_mut().enumerate() {
                        let weight = L::splat(*weight.add(o));
                        for (sum, x) in sums.iter_mut().zip(x) {
                            *sum = sum.add_product(x, weight);
                        }
                    }
                    weight = weight.add(O);
                }
            }
            for (o, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    sum.store(at.out.as_mut_ptr().add(o * stride + tile * places + v * L::WIDTH));
                }
            }
        }
    }
}

/// `DISTANCES` by `V` vectors of columns; the sums of all pixels stay in registers.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add<L: Lanes, const V: usize>(of: Products) {
    let (pitch, frame) = (of.frame.pitch(), of.frame);
    for column in (0..of.columns).step_by(V * L::WIDTH) {
        // SAFETY: the caller has checked that every distance from every pixel is in the frame, and the sizes of all slices.
        unsafe {
            let mut sums = [[L::splat(0.0); V]; DISTANCES];
            let mut lanes = of.lanes.as_ptr().add(column);
            for row in 0..frame.height {
                let mut from = of.framed.as_ptr().add(row * pitch);
                for _ in 0..frame.width {
                    let mut values = [L::splat(0.0); V];
                    for (v, value) in values.iter_mut().enumerate() {
                        *value = L::load(lanes.add(v * L::WIDTH));
                    }
                    for (sums, distance) in sums.iter_mut().zip(of.distances) {
                        let x = L::splat(*from.add(distance));
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = sum.add_product(value, x);
                        }
                    }
                    (lanes, from) = (lanes.add(of.columns), from.add(1));
                }
            }
            for (index, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    let to = of.out.as_mut_ptr().add(index * of.columns + column + v * L::WIDTH);
                    sum.add_product(L::load(to), L::splat(1.0)).store(to);
                }
            }
        }
    }
}
