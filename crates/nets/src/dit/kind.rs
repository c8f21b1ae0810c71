//! What `[net.dit]` is to the rest of the program.

use super::{Dit, DitConfig, torch::TorchDitNames};
use crate::{
    embed::grid_positions,
    error::NetError,
    flax::DitNames,
    import::Convention,
    init::Init,
    network::{Activations, Network},
};
use burn::tensor::backend::Backend;
use meanflow_settings::Reader;
use meanflow_weights::HostTensor;

impl Network for DitConfig {
    const NAME: &'static str = "dit";
    const ABOUT: &'static str = "diffusion transformer of MeanFlow, for images (arXiv 2505.13447)";

    type Module<B: Backend> = Dit<B>;

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
        let [rows, columns] = self.grid(shape);
        let tokens = (rows * columns) as f64;
        let features = tokens * self.width as f64 * (16.0 + 2.0 * self.mlp_ratio);
        let floats = self.depth as f64 * (features + 2.0 * self.heads as f64 * tokens * tokens);
        Activations { floats, blocks: self.depth }
    }

    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> Dit<B> {
        Dit::new(self, shape, classes, init)
    }

    fn conventions(&self, shape: [usize; 3]) -> Vec<Convention> {
        // Both official DiTs keep the fixed positions among the weights.
        let positions = || {
            let ([rows, columns], width) = (self.grid(shape), self.width);
            let values = grid_positions(rows, columns, width).into_iter().map(|value| value as f32).collect();
            vec![("pos_embed", HostTensor { shape: vec![1, rows * columns, width], values })]
        };
        let torch = TorchDitNames { channels: shape[0] };
        vec![
            Convention::new("flax", "Flax (Gsunshine/meanflow)", DitNames, positions()),
            Convention::new("torch", "PyTorch (DiT, SiT)", torch, positions()),
        ]
    }
}
