//! Resizing of one channel, each as the tools do it whose numbers are to be met.

/// How pictures come to 299×299 in [−1, 1] for the FID's network. The choice moves a FID by tenths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InceptionResize {
    /// Old TensorFlow's bilinear, then `(x − 128)/128`: the original FID, torch-fidelity, ADM, EDM, the MeanFlow code.
    #[default]
    Tf1,
    /// Bilinear with half-pixel centres on x/255, then `2x − 1`: pytorch-fid.
    PytorchFid,
}

impl InceptionResize {
    /// The names of the rules.
    pub const NAMES: [(&str, Self); 2] = [("tf1", Self::Tf1), ("pytorch-fid", Self::PytorchFid)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, rule)| *rule == self).map_or("", |(name, _)| name)
    }

    /// A plane of bytes as floats, `[height, width]`, to `[side, side]` in [−1, 1].
    pub fn plane(self, plane: &[f32], size: [usize; 2], side: usize, out: &mut [f32]) {
        match self {
            Self::Tf1 => {
                bilinear_tf1(plane, size, side, out);
                out.iter_mut().for_each(|x| *x = (*x - 128.0) / 128.0);
            }
            Self::PytorchFid => {
                let unit: Vec<f32> = plane.iter().map(|x| x / 255.0).collect();
                bilinear_half_pixel(&unit, size, side, out);
                out.iter_mut().for_each(|x| *x = 2.0 * *x - 1.0);
            }
        }
    }
}

/// Bilinear at `src = j·size/side`, without the shift by half a pixel: `tf.image.resize_bilinear` of TensorFlow 1.
pub fn bilinear_tf1(plane: &[f32], size: [usize; 2], side: usize, out: &mut [f32]) {
    bilinear(plane, size, side, out, |j, scale| j * scale);
}

/// Bilinear at `src = (j + ½)·size/side − ½`, at least 0, without antialiasing: PyTorch's `interpolate`.
pub fn bilinear_half_pixel(plane: &[f32], size: [usize; 2], side: usize, out: &mut [f32]) {
    bilinear(plane, size, side, out, |j, scale| ((j + 0.5) * scale - 0.5).max(0.0));
}

fn bilinear(
    plane: &[f32],
    [height, width]: [usize; 2],
    side: usize,
    out: &mut [f32],
    source: impl Fn(f32, f32) -> f32,
) {
    let taps = |size: usize| -> Vec<(usize, usize, f32)> {
        let scale = size as f32 / side as f32;
        (0..side)
            .map(|j| {
                let at = source(j as f32, scale);
                let first = (at as usize).min(size - 1);
                (first, (first + 1).min(size - 1), at - first as f32)
            })
            .collect()
    };
    let columns = taps(width);
    for (row, (top, bottom, down)) in out.chunks_exact_mut(side).zip(taps(height)) {
        let (top, bottom) = (&plane[top * width..][..width], &plane[bottom * width..][..width]);
        for (value, &(left, right, across)) in row.iter_mut().zip(&columns) {
            let along = |row: &[f32]| row[left] * (1.0 - across) + row[right] * across;
            *value = along(top) * (1.0 - down) + along(bottom) * down;
        }
    }
}

/// Cubic convolution (R. G. Keys, 1981; a = −½) with the window widened when shrinking, weights renormalised at the edges,
/// and the result rounded to bytes after each axis, first along rows, with weights in fixed point: Pillow's `BICUBIC`, to the bit
/// (for tall pictures that shrink, Pillow 13 goes along columns first).
pub fn bicubic(plane: &[f32], [height, width]: [usize; 2], side: usize, out: &mut [f32]) {
    let columns = cubic_taps(width, side);
    let mut narrow = vec![0.0; height * side];
    for (row, to) in plane.chunks_exact(width).zip(narrow.chunks_exact_mut(side)) {
        for (value, (first, weights)) in to.iter_mut().zip(&columns) {
            *value = byte(weights.iter().zip(&row[*first..]).map(|(w, x)| w * *x as i64).sum());
        }
    }
    for (to, (first, weights)) in out.chunks_exact_mut(side).zip(cubic_taps(height, side)) {
        for (column, value) in to.iter_mut().enumerate() {
            let rows = narrow[first * side..].chunks_exact(side);
            *value = byte(weights.iter().zip(rows).map(|(w, row)| w * row[column] as i64).sum());
        }
    }
}

/// Bits after the point of a weight.
const BITS: u32 = 22;

fn byte(sum: i64) -> f32 {
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as f32
}

/// For each output position the first input position and the weights from there on.
fn cubic_taps(size: usize, side: usize) -> Vec<(usize, Vec<i64>)> {
    let scale = size as f64 / side as f64;
    let stretch = scale.max(1.0);
    let support = 2.0 * stretch;
    (0..side)
        .map(|j| {
            let centre = (j as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5) as usize).min(size);
            let weights: Vec<f64> =
                (first..last).map(|i| keys((i as f64 + 0.5 - centre) / stretch)).collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: &f64| (weight / sum * f64::from(1 << BITS)).round() as i64;
            (first, weights.iter().map(fixed).collect())
        })
        .collect()
}

fn keys(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_bilinears_differ_by_the_shift() {
        // A ramp of two pixels to four.
        let mut out = [0.0; 16];
        bilinear_tf1(&[0.0, 4.0, 0.0, 4.0], [2, 2], 4, &mut out);
        assert_eq!(out[..4], [0.0, 2.0, 4.0, 4.0]);
        bilinear_half_pixel(&[0.0, 4.0, 0.0, 4.0], [2, 2], 4, &mut out);
        assert_eq!(out[..4], [0.0, 1.0, 3.0, 4.0]);
    }

    /// Checksums of what Pillow 13.0.0 makes of the same bytes.
    #[test]
    fn bicubic_is_pillows() {
        for (height, width, expected) in
            [(16, 16, 609_963), (32, 32, 666_569), (64, 64, 443_971), (28, 28, 817_703), (250, 300, 857_561)]
        {
            let plane: Vec<f32> =
                (0..height * width).map(|i: usize| ((i * i * 7 + i * 13) % 256) as f32).collect();
            let mut out = vec![0.0; 224 * 224];
            bicubic(&plane, [height, width], 224, &mut out);
            let sum: u64 = out.iter().zip(1..).map(|(value, place)| place * *value as u64).sum();
            assert_eq!(sum % 1_000_003, expected, "{height}×{width}");
        }
    }

    #[test]
    fn bicubic_keeps_what_needs_no_change() {
        let plane: Vec<f32> = (0..36).map(|x| (x * 7) as f32).collect();
        let mut out = vec![0.0; 36];
        bicubic(&plane, [6, 6], 6, &mut out);
        assert_eq!(out, plane);
        let mut flat = vec![0.0; 50 * 50];
        bicubic(&[77.0; 30], [5, 6], 50, &mut flat);
        assert!(flat.iter().all(|&x| x == 77.0));
        // Halving a step: Keys' kernel of twice the width over samples at ±½, ±1½, ±2½, ±3½.
        let step: Vec<f32> = (0..16).map(|x| if x % 16 < 8 { 0.0 } else { 200.0 }).collect();
        let wide: Vec<f32> = (0..16).flat_map(|_| step.clone()).collect();
        let mut half = vec![0.0; 64];
        bicubic(&wide, [16, 16], 8, &mut half);
        let weights: Vec<f64> =
            [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5].map(|x: f64| keys(x / 2.0)).to_vec();
        let sum: f64 = weights.iter().sum();
        let expected = (200.0 * weights[5..].iter().sum::<f64>() / sum).round().clamp(0.0, 255.0) as f32;
        assert_eq!(half[3], expected);
    }
}
