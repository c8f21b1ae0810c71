//! The inner loop of a product, and the choice of its sizes for this machine.

use std::mem::MaybeUninit;

use super::{
    super::lanes::{Lanes, Portable, Set},
    Matrix,
};

/// A tile of the result: the rows of `a` times one panel.
pub(super) struct Tile<'a, 'b> {
    /// At most [`Sizes::rows`] rows, each in one piece.
    pub(super) a: Matrix<'a>,
    /// `[a.columns, Sizes::columns]`.
    pub(super) b: &'a [f32],
    /// Distance of two rows of `b`.
    pub(super) pitch: usize,
    pub(super) out: &'b mut [MaybeUninit<f32>],
    /// Columns of `out`, at most [`Sizes::columns`].
    pub(super) columns: usize,
    /// Distance of two rows of `out`.
    pub(super) out_pitch: usize,
    /// Whether to add to `out`.
    pub(super) add: bool,
}

/// Sizes of a tile on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    set: Set,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Sizes {
    pub(super) fn of_this_machine() -> Self {
        let set = Set::of_this_machine();
        match set {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Self { set, rows: 12, columns: 32 },
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Self { set, rows: 6, columns: 16 },
            Set::Portable => Self { set, rows: 4, columns: 16 },
        }
    }

    /// Fills `tile.out`, or adds to it.
    #[allow(unsafe_code)]
    pub(super) fn multiply(&self, tile: Tile) {
        let Matrix { values, pitches, rows, columns: depth } = tile.a;
        assert!((1..=self.rows).contains(&rows) && tile.columns <= self.columns && depth > 0);
        assert!((rows - 1) * pitches[0] + (depth - 1) * pitches[1] < values.len());
        assert!((depth - 1) * tile.pitch + self.columns <= tile.b.len());
        assert!((rows - 1) * tile.out_pitch + tile.columns <= tile.out.len());
        // SAFETY: the bounds were checked above, and this machine has the instructions of the set.
        unsafe {
            match self.set {
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => avx512(tile),
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => avx2(tile),
                Set::Portable => rows_of::<Portable, 4, 2>(tile),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[allow(unsafe_code)]
unsafe fn avx512(tile: Tile) {
    use core::arch::x86_64::__m512;
    // SAFETY: as promised to this function.
    unsafe {
        match tile.a.rows {
            1..=4 => rows_of::<__m512, 4, 2>(tile),
            5..=8 => rows_of::<__m512, 8, 2>(tile),
            _ => rows_of::<__m512, 12, 2>(tile),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx2(tile: Tile) {
    // SAFETY: as promised to this function.
    unsafe { rows_of::<core::arch::x86_64::__m256, 6, 2>(tile) }
}

/// `R` rows by two vectors, whose sums stay in registers.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn rows_of<L: Lanes, const R: usize, const V: usize>(tile: Tile) {
    let Matrix { values, pitches: [pitch, step], rows, columns: depth } = tile.a;
    // SAFETY: the caller has checked that the rows and the panel hold `depth` products, and the size of `out`.
    unsafe {
        // Rows that are not there repeat the last one.
        let a: [*const f32; R] = core::array::from_fn(|row| values.as_ptr().add(row.min(rows - 1) * pitch));
        let mut b = tile.b.as_ptr();
        let mut sums = [[L::splat(0.0); V]; R];
        let mut k = 0;
        for _ in 0..depth {
            let right: [L; V] = core::array::from_fn(|v| L::load(b.add(v * L::WIDTH)));
            for (sums, a) in sums.iter_mut().zip(&a) {
                let left = L::splat(*a.add(k));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = sum.add_product(left, right);
                }
            }
            (k, b) = (k + step, b.add(tile.pitch));
        }
        let out = tile.out.as_mut_ptr().cast::<f32>();
        for (row, sums) in sums.into_iter().enumerate().take(rows) {
            let to = out.add(row * tile.out_pitch);
            if tile.columns == V * L::WIDTH {
                for (half, sum) in sums.into_iter().enumerate() {
                    let to = to.add(half * L::WIDTH);
                    let sum = if tile.add { L::load(to).add_product(sum, L::splat(1.0)) } else { sum };
                    sum.store(to);
                }
            } else {
                let mut line = [0.0; 64];
                for (v, sum) in sums.into_iter().enumerate() {
                    sum.store(line.as_mut_ptr().add(v * L::WIDTH));
                }
                for (column, value) in line.iter().enumerate().take(tile.columns) {
                    let to = to.add(column);
                    *to = if tile.add { *to + value } else { *value };
                }
            }
        }
    }
}
