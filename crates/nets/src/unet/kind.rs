//! What `[net.unet]` is to the rest of the program.

use super::{SongUnet, UnetConfig, resample::square, torch::UnetNames};
use crate::{
    error::NetError,
    import::Convention,
    init::Init,
    network::{Activations, Network},
};
use burn::tensor::backend::Backend;
use meanflow_settings::Reader;

impl Network for UnetConfig {
    const NAME: &'static str = "unet";
    const ABOUT: &'static str = "U-Net of score-based models, for square images (arXiv 2011.13456)";

    type Module<B: Backend> = SongUnet<B>;

    fn read(r: &mut Reader) -> Self {
        Self::read(r)
    }

    fn constraints(&self, shape: [usize; 3]) -> Vec<NetError> {
        self.constraints(shape)
    }

    fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
        self.parameters(shape, classes)
    }

    fn activations(&self, shape: [usize; 3]) -> Activations {
        let [_, height, width] = shape;
        // Both halves of the network have `blocks` blocks a level, each with some ten tensors of its channels.
        let level = |(level, multiplier): (usize, &usize)| {
            let pixels = ((height >> level) * (width >> level)) as f64;
            let attends = self.attention.contains(&(height >> level));
            let attention = if attends { 2.0 * pixels } else { 0.0 };
            pixels * (20.0 * (self.width * multiplier) as f64 + attention)
        };
        let levels: f64 = self.multipliers.iter().enumerate().map(level).sum();
        let blocks = self.blocks + 1;
        Activations { floats: blocks as f64 * levels, blocks }
    }

    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> SongUnet<B> {
        SongUnet::new(self, shape, classes, init)
    }

    fn augment_labels(&self) -> Option<usize> {
        Some(self.augment)
    }

    fn computes_as(&self, other: &Self) -> bool {
        Self { dropout: other.dropout, ..self.clone() } == *other
    }

    fn conventions(&self, shape: [usize; 3]) -> Vec<Convention> {
        let filter = vec![("resample_filter", square(&self.filter))];
        let names = UnetNames::new(self, shape);
        vec![Convention::new("torch", "PyTorch (Gsunshine/py-meanflow)", names, filter)]
    }
}
