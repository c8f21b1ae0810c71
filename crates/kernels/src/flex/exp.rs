//! The exponential function and the logistic function, free of branches, so that a loop over them is vectorised.

/// `1.5·2²³`: a sum with it has no bits below one, so its last bits are the nearest integer.
const ROUND: f32 = 12_582_912.0;
/// `ln 2` in two parts, of which the first has so few bits that its multiples are exact.
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Where the result leaves the normal numbers.
const LIMITS: [f32; 2] = [-87.0, 88.0];

/// `eˣ` within two units in the last place; it is zero below −87, `e⁸⁸` above 88, and NaN stays.
///
/// `x = k·ln 2 + r` with `|r| ≤ ln 2/2`, so `eˣ = 2ᵏ·eʳ`, and `eʳ` is a polynomial (Cephes' `expf`).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let [low, high] = LIMITS;
    let (below, x) = (x < low, if x < low { low } else { x });
    let x = if x > high { high } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = x - k * LN2[0] - k * LN2[1];
    let mut p = 1.987_569_1e-4;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127).wrapping_shl(23));
    let result = (p * r * r + r + 1.0) * power;
    if below { 0.0 } else { result }
}

/// `σ(x) = 1/(1 + e⁻ˣ)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_to_the_last_places() {
        let mut worst = 0f64;
        for i in -86_999..88_000 {
            let x = i as f32 * 1e-3;
            worst = worst.max((f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs());
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
        assert_eq!([exp(0.0), exp(f32::NEG_INFINITY), sigmoid(0.0), sigmoid(100.0)], [1.0, 0.0, 0.5, 1.0]);
        assert!(sigmoid(-1e30) < 1e-37 && exp(f32::NAN).is_nan());
    }
}
