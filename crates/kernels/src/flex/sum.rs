//! Sums in an order that depends on their length alone.

/// Partial sums that run side by side: a vector register or several.
const LANES: usize = 16;

/// `Σ term(a, b, …)` over the numbers of slices of one length.
#[inline(always)]
pub(super) fn sum<const N: usize>(slices: [&[f32]; N], term: impl Fn([f32; N]) -> f32) -> f32 {
    let length = slices[0].len();
    let mut lanes = [0f32; LANES];
    let whole = length / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let block = slices.map(|slice| &slice[start..start + LANES]);
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(block.map(|block| block[lane]));
        }
    }
    let rest: f64 = (whole..length).map(|i| f64::from(term(slices.map(|slice| slice[i])))).sum();
    (lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>() + rest) as f32
}
