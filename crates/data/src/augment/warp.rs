//! Resampling an image along an affine map, as StyleGAN2-ADA (arXiv 2006.06676, appendix B) and EDM do it:
//! reflect, double the resolution, interpolate linearly, halve the resolution.

use super::Affine;

/// The low-pass filter of the sym6 wavelet (Daubechies, "Ten Lectures on Wavelets", table 6.3). Doubling with
/// it reversed and halving with it again gives back the image.
const SYM6: [f32; 12] = [
    0.015_404_109,
    0.003_490_712,
    -0.117_990_11,
    -0.048_311_74,
    0.491_055_94,
    0.787_641_14,
    0.337_929_42,
    -0.072_637_52,
    -0.021_060_293,
    0.044_724_9,
    0.001_767_712,
    -0.007_800_708_3,
];
/// Pixels by which the filter reaches beyond a pixel.
const REACH: usize = SYM6.len() / 4;

/// Warps the planes of `image`, `[channels, height, width]`: the pixel at `p` becomes what was at `inverse(p)`,
/// in pixels from the centre.
pub(super) fn warp(
    image: &mut [f32],
    [_, height, width]: [usize; 3],
    inverse: Affine,
    [left, right, top, bottom]: Margins,
) {
    let padded = [width + left + right, height + top + bottom];
    let doubled = padded.map(|side| 2 * side);
    // The result at twice the size, with a border for the filter that halves it.
    let grid = [2 * (width + 2 * REACH), 2 * (height + 2 * REACH)];
    let map = between_doubled(inverse, [left, right, top, bottom], doubled, grid);

    let columns: Vec<usize> = (0..padded[0]).map(|x| reflect(x, left, width)).collect();
    let mut row = vec![0.0; padded[0]];
    let mut wide = vec![0.0; doubled[0] * padded[1]];
    let mut large = vec![0.0; doubled[0] * doubled[1]];
    let mut warped = vec![0.0; grid[0] * grid[1]];
    let mut narrow = vec![0.0; width * grid[1]];
    for plane in image.chunks_exact_mut(height * width) {
        for (y, wide) in wide.chunks_exact_mut(doubled[0]).enumerate() {
            let source = &plane[reflect(y, top, height) * width..][..width];
            row.iter_mut().zip(&columns).for_each(|(x, &column)| *x = source[column]);
            double(&row, wide, 1);
        }
        double(&wide, &mut large, doubled[0]);
        interpolate(&large, doubled, &mut warped, grid, map);
        for (warped, narrow) in warped.chunks_exact(grid[0]).zip(narrow.chunks_exact_mut(width)) {
            halve(warped, narrow, 1);
        }
        halve(&narrow, plane, width);
    }
}

/// Reflected pixels to add left, right, above and below; never so many that a reflection is reflected again.
pub(super) type Margins = [usize; 4];

/// As far as the result and the filters see. More would change nothing.
pub(super) fn margins(size: [usize; 2], inverse: Affine) -> Margins {
    // The halving filter sees beyond the result, the doubling one and the interpolation beyond that.
    around(size, &[inverse], REACH as f64, (REACH + 1) as f64)
}

/// Those of the published code: common to all images of a batch, and up to a pixel too few. At the border a
/// result then depends a little on the other images.
pub(super) fn published_margins(size: [usize; 2], inverses: &[Affine]) -> Margins {
    around(size, inverses, 0.0, (2 * REACH) as f64)
}

/// Where the corners of the result, moved out by `border`, come to lie, and `reach` beyond that.
fn around(size: [usize; 2], inverses: &[Affine], border: f64, reach: f64) -> Margins {
    let half = size.map(|side| (side as f64 - 1.0) / 2.0);
    let [x, y] = half.map(|half| half + border);
    let corners = [[-x, -y], [x, -y], [x, y], [-x, y]];
    let seen = || inverses.iter().flat_map(|inverse| corners.map(|corner| inverse.of(corner)));
    let beyond = |axis: usize, sign: f64| {
        let furthest = seen().map(|corner| sign * corner[axis]).fold(f64::MIN, f64::max);
        // A negative margin saturates at 0.
        ((furthest + reach - half[axis]).ceil() as usize).min(size[axis] - 1)
    };
    [beyond(0, -1.0), beyond(0, 1.0), beyond(1, -1.0), beyond(1, 1.0)]
}

/// `inverse` as a map from pixel indices of the doubled result to those of the doubled, padded image.
fn between_doubled(
    inverse: Affine,
    [left, right, top, bottom]: Margins,
    doubled: [usize; 2],
    grid: [usize; 2],
) -> Affine {
    let middle = |sides: [usize; 2]| sides.map(|side| (side as f64 - 1.0) / 2.0);
    let off_centre = |before: usize, after: usize| (before as f64 - after as f64) / 2.0;
    // Doubling puts a pixel on the first of its two halves, half a doubled pixel off its middle.
    Affine::translation(middle(doubled))
        .then(Affine::translation([-0.5, -0.5]))
        .then(Affine::scaling([2.0, 2.0]))
        .then(Affine::translation([off_centre(left, right), off_centre(top, bottom)]))
        .then(inverse)
        .then(Affine::scaling([0.5, 0.5]))
        .then(Affine::translation([0.5, 0.5]))
        .then(Affine::translation(middle(grid).map(|x| -x)))
}

/// Index in an image of `side` pixels of index `at` in one with `before` reflected pixels before it.
fn reflect(at: usize, before: usize, side: usize) -> usize {
    let last = side - 1;
    last - at.abs_diff(before).abs_diff(last)
}

/// Doubles the number of items: `to[k] = Σ_m SYM6[5 + k − 2m]·from[m]`. An item is `size` numbers.
fn double(from: &[f32], to: &mut [f32], size: usize) {
    to.fill(0.0);
    for (m, item) in from.chunks_exact(size).enumerate() {
        let first = (2 * m).saturating_sub(5);
        let taps = &SYM6[first + 5 - 2 * m..];
        for (to, tap) in to[first * size..].chunks_exact_mut(size).zip(taps) {
            to.iter_mut().zip(item).for_each(|(to, x)| *to += tap * x);
        }
    }
}

/// Halves the number of items and leaves the border off: `to[k] = Σ_j SYM6[j]·from[2k + 1 + j]`.
fn halve(from: &[f32], to: &mut [f32], size: usize) {
    to.fill(0.0);
    for (k, to) in to.chunks_exact_mut(size).enumerate() {
        for (item, tap) in from[(2 * k + 1) * size..].chunks_exact(size).zip(SYM6) {
            to.iter_mut().zip(item).for_each(|(to, x)| *to += tap * x);
        }
    }
}

/// Linear interpolation at `map` of every pixel of the result; outside the image is 0.
fn interpolate(from: &[f32], [width, height]: [usize; 2], to: &mut [f32], grid: [usize; 2], map: Affine) {
    let pixel = |x: isize, y: isize| {
        let inside = (0..width as isize).contains(&x) && (0..height as isize).contains(&y);
        if inside { from[y as usize * width + x as usize] } else { 0.0 }
    };
    for (y, row) in to.chunks_exact_mut(grid[0]).enumerate() {
        for (x, to) in row.iter_mut().enumerate() {
            let at = map.of([x as f64, y as f64]);
            let [left, top] = at.map(|x| x.floor() as isize);
            let [right, below] = at.map(|x| (x - x.floor()) as f32);
            let upper = pixel(left, top) * (1.0 - right) + pixel(left + 1, top) * right;
            let lower = pixel(left, top + 1) * (1.0 - right) + pixel(left + 1, top + 1) * right;
            *to = upper * (1.0 - below) + lower * below;
        }
    }
}
