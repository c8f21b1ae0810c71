//! Images to patches and back. A tensor of tokens is `[batch, tokens, …]`, the tokens row by row.

use burn::tensor::{Tensor, backend::Backend};

/// `[batch, channels, height, width] -> [batch, tokens, patch²·channels]`, a patch in the order `(row, column, channel)`.
pub fn patchify<B: Backend>(z: Tensor<B, 4>, patch: usize) -> Tensor<B, 3> {
    let [batch, channels, height, width] = z.dims();
    let (rows, columns) = (height / patch, width / patch);
    z.reshape([batch, channels, rows, patch, columns, patch]).permute([0, 2, 4, 3, 5, 1]).reshape([
        batch,
        rows * columns,
        patch * patch * channels,
    ])
}

/// The inverse of [`patchify`] for samples `[channels, height, width]`.
pub fn unpatchify<B: Backend>(
    x: Tensor<B, 3>,
    patch: usize,
    [channels, height, width]: [usize; 3],
) -> Tensor<B, 4> {
    let (rows, columns) = (height / patch, width / patch);
    let batch = x.dims()[0];
    x.reshape([batch, rows, columns, patch, patch, channels])
        .permute([0, 5, 1, 3, 2, 4])
        .reshape([batch, channels, height, width])
}
