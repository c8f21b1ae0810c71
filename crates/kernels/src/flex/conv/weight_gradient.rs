//! The gradient of the weight: `Σ grad[n, o, p]·x[n, c, p + tap]` over images `n` and pixels `p`.

use rayon::prelude::*;

use super::{
    frame::Frame,
    tile::{DISTANCES, Products, Sizes},
};

/// Images whose sum one task takes; the tasks' sums are added in their order, whoever took them.
const IMAGES: usize = 4;

/// `[outputs, inputs, k, k]` from `x`, `[batch, inputs, height, width]`, and `grad`, `[batch, outputs, height, width]`.
pub(crate) fn weight_gradient(
    x: &[f32],
    grad: &[f32],
    [outputs, inputs]: [usize; 2],
    frame: Frame,
) -> Vec<f32> {
    let (sizes, taps) = (Sizes::of_this_machine(), frame.k * frame.k);
    let columns = |channels: usize| channels.next_multiple_of(sizes.columns);
    // Columns beyond the channels are work for nothing. With `q = p + tap` the sum is `Σ x[q]·grad[q − tap]`: the same with the two
    // images exchanged and the taps in reverse.
    let exchange = columns(inputs) * outputs < columns(outputs) * inputs;
    let mut dweight = vec![0.0; outputs * inputs * taps];
    if exchange {
        let sums = sums(grad, x, [inputs, outputs], frame, sizes);
        for output in 0..outputs {
            for input in 0..inputs {
                for tap in 0..taps {
                    dweight[(output * inputs + input) * taps + tap] =
                        sums[(output * taps + taps - 1 - tap) * columns(inputs) + input];
                }
            }
        }
    } else {
        let sums = sums(x, grad, [outputs, inputs], frame, sizes);
        for output in 0..outputs {
            for input in 0..inputs {
                for tap in 0..taps {
                    dweight[(output * inputs + input) * taps + tap] =
                        sums[(input * taps + tap) * columns(outputs) + output];
                }
            }
        }
    }
    dweight
}

/// `[of framed, taps, columns]`: products of `framed` images at each tap with `lanes`.
fn sums(
    framed: &[f32],
    lanes: &[f32],
    [of_lanes, of_framed]: [usize; 2],
    frame: Frame,
    sizes: Sizes,
) -> Vec<f32> {
    let (pixels, taps) = (frame.pixels(), frame.taps());
    let columns = of_lanes.next_multiple_of(sizes.columns);
    let length = (of_framed * taps.len()).next_multiple_of(DISTANCES) * columns;
    let parts: Vec<Vec<f32>> = framed
        .par_chunks(IMAGES * of_framed * pixels)
        .zip(lanes.par_chunks(IMAGES * of_lanes * pixels))
        .map(|(framed, lanes)| {
            let mut out = vec![0.0; length];
            let images = framed.chunks_exact(of_framed * pixels).zip(lanes.chunks_exact(of_lanes * pixels));
            for (framed, lanes) in images {
                let (framed, lanes) = (frame.framed(framed), transposed(lanes, pixels, columns));
                // The taps of each channel in turn.
                let distances: Vec<usize> = (0..of_framed)
                    .flat_map(|channel| taps.iter().map(move |tap| channel * frame.plane() + tap))
                    .collect();
                for (distances, out) in
                    distances.chunks(DISTANCES).zip(out.chunks_exact_mut(DISTANCES * columns))
                {
                    // A group that is not full repeats its first, and the sums of these are never read.
                    let mut group = [distances[0]; DISTANCES];
                    group[..distances.len()].copy_from_slice(distances);
                    let lanes = lanes.as_slice();
                    sizes.add(Products { lanes, columns, framed: &framed, frame, distances: group, out });
                }
            }
            out
        })
        .collect();
    let mut total = vec![0.0; length];
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            *total += part;
        }
    }
    total
}

/// `[channels, pixels]` as `[pixels, columns]`, with zeros behind the channels.
fn transposed(image: &[f32], pixels: usize, columns: usize) -> Vec<f32> {
    let mut lanes = vec![0.0; pixels * columns];
    for (channel, values) in image.chunks_exact(pixels).enumerate() {
        for (value, lane) in values.iter().zip(lanes[channel..].iter_mut().step_by(columns)) {
            *lane = *value;
        }
    }
    lanes
}
