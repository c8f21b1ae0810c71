//! The convolution itself; the gradient of its input is one too.

use rayon::prelude::*;

use super::{
    super::fresh::written,
    frame::Frame,
    tile::{Places, Sizes},
};

/// A weight in the order of the inner loop: `[blocks of outputs, inputs, taps, outputs of a block]`.
pub(crate) struct Weight {
    blocks: Vec<f32>,
    outputs: usize,
    inputs: usize,
    sizes: Sizes,
}

impl Weight {
    /// From `[outputs, inputs, k, k]`.
    pub(crate) fn new(weight: &[f32], [outputs, inputs]: [usize; 2], k: usize) -> Self {
        let taps = k * k;
        Self::from_fn([outputs, inputs], taps, |output, input, tap| {
            weight[(output * inputs + input) * taps + tap]
        })
    }

    /// That of the gradient of the input, which runs from outputs to inputs with the taps in reverse.
    pub(crate) fn transposed(weight: &[f32], [outputs, inputs]: [usize; 2], k: usize) -> Self {
        let taps = k * k;
        Self::from_fn([inputs, outputs], taps, |input, output, tap| {
            weight[(output * inputs + input) * taps + taps - 1 - tap]
        })
    }

    fn from_fn(
        [outputs, inputs]: [usize; 2],
        taps: usize,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let sizes = Sizes::of_this_machine();
        let block = sizes.outputs;
        let mut blocks = vec![0.0; outputs.div_ceil(block) * block * inputs * taps];
        for output in 0..outputs {
            let start = output / block * block * inputs * taps + output % block;
            for input in 0..inputs {
                for tap in 0..taps {
                    blocks[start + (input * taps + tap) * block] = weight(output, input, tap);
                }
            }
        }
        Self { blocks, outputs, inputs, sizes }
    }
}

/// Images `[batch, inputs, height, width]` to `[batch, outputs, height, width]`; `bias` has a number an output, or a row and output.
pub(crate) fn convolve(x: &[f32], weight: &Weight, bias: Option<&[f32]>, frame: Frame) -> Vec<f32> {
    let (pixels, outputs, sizes) = (frame.pixels(), weight.outputs, weight.sizes);
    let taps = frame.taps();
    let batch = x.len() / (weight.inputs * pixels);
    let image = weight.inputs * pixels;
    written(batch * outputs * pixels, |y| {
        y.par_chunks_mut(outputs * pixels).enumerate().for_each(|(row, y)| {
            let framed = frame.of(&x[row * image..], image);
            let bias = bias.map(|bias| &bias[row * outputs % bias.len()..][..outputs]);
            let tiles = frame.places().div_ceil(sizes.places) * sizes.places;
            let blocks = weight.blocks.par_chunks(sizes.outputs * weight.inputs * taps.len());
            y.par_chunks_mut(sizes.outputs * pixels).zip(blocks).enumerate().for_each(
                |(block, (y, weight))| {
                    let mut start = vec![0.0; sizes.outputs];
                    for (start, bias) in
                        start.iter_mut().zip(bias.iter().flat_map(|b| &b[block * sizes.outputs..]))
                    {
                        *start = *bias;
                    }
                    let mut out = vec![0.0; sizes.outputs * tiles];
                    sizes.fill(Places {
                        framed: &framed,
                        frame,
                        taps: &taps,
                        weight,
                        bias: &start,
                        out: &mut out,
                    });
                    // The places between rows are no pixels.
                    for (y, out) in y.chunks_exact_mut(pixels).zip(out.chunks_exact(tiles)) {
                        for (y, out) in y.chunks_exact_mut(frame.width).zip(out.chunks(frame.pitch())) {
                            y.write_copy_of_slice(&out[..frame.width]);
                        }
                    }
                },
            );
        })
    })
}
