//! Writes a small convolutional network as ONNX and says what is in the file:
//! `cargo run -p meanflow-onnx --example small_network -- network.onnx`

use burn::{
    module::{Module, ModuleMapper, Param},
    nn::{
        Linear, LinearConfig,
        conv::{Conv2d, Conv2dConfig},
        pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig},
    },
    tensor::{
        Tensor, TensorData,
        activation::{silu, softmax},
        backend::Backend,
    },
};
use meanflow_onnx::{OnnxError, Recorder, export};

#[derive(Module, Debug)]
struct Network<B: Backend> {
    conv: Conv2d<B>,
    pool: AdaptiveAvgPool2d,
    output: Linear<B>,
}

impl<B: Backend> Network<B> {
    fn new(device: &B::Device) -> Self {
        Self {
            conv: Conv2dConfig::new([1, 8], [3, 3]).init(device),
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            output: LinearConfig::new(8, 10).init(device),
        }
    }

    fn forward(&self, pictures: Tensor<B, 4>) -> Tensor<B, 2> {
        let features = self.pool.forward(silu(self.conv.forward(pictures)));
        softmax(self.output.forward(features.flatten(1, 3)), 1)
    }
}

/// Stands for loading weights from a file: what a layer draws at random cannot be exported.
struct Weights;

impl ModuleMapper<Recorder> for Weights {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<Recorder, D>>) -> Param<Tensor<Recorder, D>> {
        let (id, tensor, mapper) = param.consume();
        let values: Vec<f32> = (0..tensor.shape().num_elements()).map(|i| (i as f32).sin() * 0.1).collect();
        let data = TensorData::new(values, tensor.shape());
        Param::from_mapped_value(id, Tensor::from_data(data, &tensor.device()), mapper)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: small_network FILE.onnx")?;
    let model = export::<OnnxError>(|pass| {
        let network = Network::new(pass.device()).map(&mut Weights);
        pass.parameters(&network);
        let pictures = pass.float("pictures", [pass.batch(), 1, 28, 28]);
        pass.output("classes", network.forward(pictures));
        Ok(())
    })?;
    for (operator, count) in model.operators() {
        println!("{count:4}  {operator}");
    }
    std::fs::write(path, model.to_bytes())?;
    Ok(())
}
