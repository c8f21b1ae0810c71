//! What `[net.imf-dit]` is to the rest of the program.

use super::{ImfDit, ImfDitConfig};
use crate::{
    error::NetError,
    flax::ImfDitNames,
    import::Convention,
    init::Init,
    network::{Activations, Network},
};
use burn::tensor::backend::Backend;
use meanflow_settings::Reader;

impl Network for ImfDitConfig {
    const NAME: &'static str = "imf-dit";
    const ABOUT: &'static str = "transformer of improved MeanFlow, guidance as an input (arXiv 2512.02012)";

    type Module<B: Backend> = ImfDit<B>;

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
        let tokens = ((height / self.patch) * (width / self.patch) + self.prefix()) as f64;
        let features = tokens * self.width as f64 * (20.0 + 3.0 * self.mlp_ratio);
        let blocks = self.depth + self.head_depth;
        let floats = blocks as f64 * (features + 2.0 * self.heads as f64 * tokens * tokens);
        Activations { floats, blocks }
    }

    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> ImfDit<B> {
        ImfDit::new(self, shape, classes, init)
    }

    fn guided(&self) -> bool {
        true
    }

    fn conventions(&self, _shape: [usize; 3]) -> Vec<Convention> {
        vec![Convention::new("flax", "Flax (Lyy-iiis/imeanflow)", ImfDitNames, Vec::new())]
    }
}
