//! Images to patches and back. Tokens come first: a tensor of tokens is `[tokens·batch, …]`, token by token, row by row.

use burn::tensor::{Tensor, backend::Backend};

/// `[batch, channels, height, width] -> [tokens·batch, patch²·channels]`, a patch in the order `(row, column, channel)`.
pub fn patchify<B: Backend>(z: Tensor<B, 4>, patch: usize) -> Tensor<B, 2> {
    let [batch, channels, height, width] = z.dims();
    let (rows, columns) = (height / patch, width / patch);
    z.reshape([batch, channels, rows, patch, columns, patch])
        .permute([2, 4, 0, 3, 5, 1])
        .reshape([rows * columns * batch, patch * patch * channels])
}

/// The inverse of [`patchify`] for samples `[channels, height, width]`.
pub fn unpatchify<B: Backend>(
    x: Tensor<B, 2>,
    patch: usize,
    [channels, height, width]: [usize; 3],
) -> Tensor<B, 4> {
    let (rows, columns) = (height / patch, width / patch);
    let batch = x.dims()[0] / (rows * columns);
    x.reshape([rows, columns, batch, patch, patch, channels])
        .permute([2, 5, 0, 3, 1, 4])
        .reshape([batch, channels, height, width])
}
