//! Feature networks: pictures to rows of features, for inference only.

mod efficientnet_lite;
mod fetch;
mod inception;
mod layer;
mod resize;
mod weights;

pub use efficientnet_lite::EfficientNetLite0;
pub use fetch::{LITE0_PATH, fetch_efficientnet_lite0};
pub use inception::{Inception, InceptionOutput};
pub use resize::{InceptionResize, bicubic, bilinear_half_pixel, bilinear_tf1};
pub use weights::Weights;

use std::{panic::resume_unwind, thread};

use burn::tensor::{Tensor, TensorData, backend::Backend};
use ndarray::Array2;
use rayon::prelude::*;

use crate::{Images, InputError, Quantise};

/// A network that scores are taken in the features of.
#[derive(Debug)]
pub enum FeatureNetwork<B: Backend> {
    /// Inception-v3 in the FID variant: 2,048 features, 1,008 logits.
    Inception(Box<Inception<B>>, InceptionResize),
    /// EfficientNet-Lite0: 1,280 features, 1,000 logits.
    EfficientNetLite0(Box<EfficientNetLite0<B>>),
}

/// What a network says of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// `[n, features]`, after the global average.
    pub pooled: Array2<f32>,
    /// `[n, classes]`, without the bias of the last layer, as the inception score takes them.
    pub logits: Array2<f32>,
    /// `[n, 2023]`, the features of the sFID; of Inception-v3 only, else no columns.
    pub spatial: Array2<f32>,
}

/// Pictures that go through a network at once; more only take more memory.
const BATCH: usize = 4;

/// Most batches next to each other, each with memory of its own.
const WIDTH: usize = 16;

/// Batches next to each other: on the processor, since Flex runs products on all threads and most of the rest on one.
fn width<B: Backend>(device: &B::Device) -> usize {
    if B::name(device).contains("flex") { rayon::current_num_threads().min(WIDTH) } else { 1 }
}

impl<B: Backend> FeatureNetwork<B> {
    /// Features of the pictures at `indices`, which are made bytes by `rule`; grey ones are given three equal channels.
    /// `progress` is told how many are done.
    ///
    /// # Errors
    /// Pictures that cannot be read.
    pub fn features(
        &self,
        images: &Images,
        indices: &[usize],
        rule: Quantise,
        device: &B::Device,
        mut progress: impl FnMut(usize),
    ) -> Result<Features, InputError> {
        let (mut pooled, mut logits, mut spatial, mut done) = (Vec::new(), Vec::new(), Vec::new(), 0);
        self.visit(images, indices, rule, device, |some| {
            pooled.extend(&some.pooled);
            logits.extend(&some.logits);
            spatial.extend(&some.spatial);
            done += some.pooled.nrows();
            progress(done);
            Ok::<(), InputError>(())
        })?;
        let rows = |values| rows(values, indices.len());
        Ok(Features { pooled: rows(pooled), logits: rows(logits), spatial: rows(spatial) })
    }

    /// Hands `visit` the features of some pictures after the other, in order, so that they need not be kept.
    ///
    /// # Errors
    /// Pictures that cannot be read, and what `visit` says.
    pub fn visit<E: From<InputError>>(
        &self,
        images: &Images,
        indices: &[usize],
        rule: Quantise,
        device: &B::Device,
        mut visit: impl FnMut(Features) -> Result<(), E>,
    ) -> Result<(), E> {
        let batch = |some| self.batch(images, some, rule, device);
        for group in indices.chunks(BATCH * width::<B>(device)) {
            let found = thread::scope(|scope| {
                let started: Vec<_> =
                    group.chunks(BATCH).map(|some| scope.spawn(move || batch(some))).collect();
                let joined = |thread: thread::ScopedJoinHandle<'_, _>| {
                    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
                };
                started.into_iter().map(joined).collect::<Result<Vec<Features>, InputError>>()
            })?;
            found.into_iter().try_for_each(&mut visit)?;
        }
        Ok(())
    }

    fn batch(
        &self,
        images: &Images,
        some: &[usize],
        rule: Quantise,
        device: &B::Device,
    ) -> Result<Features, InputError> {
        let bytes = images.quantised(some, rule)?;
        let input = self.input(&bytes, images.shape(), device);
        let host = |tensor: Tensor<B, 2>| rows(tensor.into_data().iter::<f32>().collect(), some.len());
        Ok(match self {
            Self::Inception(net, _) => {
                let output = net.forward(input);
                Features {
                    pooled: host(output.pool3),
                    logits: host(output.logits_unbiased),
                    spatial: host(output.spatial.flatten(1, 3)),
                }
            }
            Self::EfficientNetLite0(net) => {
                let (pooled, logits) = net.forward(input);
                let spatial = Array2::zeros((some.len(), 0));
                Features { pooled: host(pooled), logits: host(logits), spatial }
            }
        })
    }

    /// Bytes `[n, channels, height, width]` as the network wants them, `[n, 3, side, side]`.
    pub fn input(&self, bytes: &[u8], shape: [usize; 3], device: &B::Device) -> Tensor<B, 4> {
        let [channels, height, width] = shape;
        let side = match self {
            Self::Inception(..) => Inception::<B>::SIDE,
            Self::EfficientNetLite0(_) => EfficientNetLite0::<B>::SIDE,
        };
        let count = bytes.len() / (channels * height * width);
        let mut values = vec![0.0; count * 3 * side * side];
        // One task a plane of the output.
        values.par_chunks_mut(side * side).enumerate().for_each(|(index, out)| {
            let (picture, channel) = (index / 3, index % 3);
            let plane = picture * channels + channel.min(channels - 1);
            let plane: Vec<f32> =
                bytes[plane * height * width..][..height * width].iter().copied().map(f32::from).collect();
            match self {
                Self::Inception(_, resize) => resize.plane(&plane, [height, width], side, out),
                Self::EfficientNetLite0(_) => {
                    bicubic(&plane, [height, width], side, out);
                    out.iter_mut().for_each(|x| *x = (*x - 127.0) / 128.0);
                }
            }
        });
        Tensor::from_data(TensorData::new(values, [count, 3, side, side]), device)
    }
}

fn rows(values: Vec<f32>, count: usize) -> Array2<f32> {
    let columns = values.len() / count.max(1);
    Array2::from_shape_vec((count, columns), values).expect("whole rows")
}
