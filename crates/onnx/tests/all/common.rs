//! A computation on any backend, exported and evaluated at batches that were not recorded.

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Tensor, TensorData, backend::Backend},
};
use burn_flex::Flex;
use meanflow_onnx::{ModelProto, OnnxError, Pass, evaluate::Array, export};

/// What is computed of an input whose rows have the shape [`Case::ROW`].
pub trait Case<const I: usize, const O: usize> {
    /// The shape of the input; the first size is replaced by the batch.
    const SHAPE: [usize; I];

    fn run<B: Backend>(x: Tensor<B, I>, device: &B::Device) -> Tensor<B, O>;
}

/// Numbers that look like noise and are the same everywhere.
pub fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7 + seed * 13 + 1) as f32 * 0.7391).sin()).collect()
}

pub fn filled<B: Backend, const D: usize>(
    shape: [usize; D],
    seed: usize,
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(numbers(shape.iter().product(), seed), shape), device)
}

/// The module with parameters from [`numbers`] instead of random ones.
pub fn with_numbers<B: Backend, M: Module<B>>(module: M, device: &B::Device) -> M {
    struct Fill<'a, B: Backend>(usize, &'a B::Device);
    impl<B: Backend> ModuleMapper<B> for Fill<'_, B> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            self.0 += 1;
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.dims();
            let positive = numbers(shape.iter().product(), self.0).into_iter().map(|x| 0.4 + 0.3 * x);
            let data = TensorData::new(positive.collect::<Vec<f32>>(), shape);
            Param::from_mapped_value(id, Tensor::from_data(data, self.1), mapper)
        }
    }
    module.map(&mut Fill(0, device))
}

fn with_batch<const I: usize>(mut shape: [usize; I], batch: usize) -> [usize; I] {
    shape[0] = batch;
    shape
}

pub fn exported<C: Case<I, O>, const I: usize, const O: usize>() -> Result<ModelProto, OnnxError> {
    export(|pass: &mut Pass| {
        let x = pass.float("x", with_batch(C::SHAPE, pass.batch()));
        let device = pass.device().clone();
        pass.output("y", C::run(x, &device));
        Ok(())
    })
}

/// Exports, reads the file back, evaluates it at batches 1, 4 and 7, and compares with Flex.
pub fn check<C: Case<I, O>, const I: usize, const O: usize>() -> ModelProto {
    let model = exported::<C, I, O>().unwrap();
    let model = ModelProto::from_bytes(&model.to_bytes()).unwrap();
    for batch in [1, 4, 7] {
        let shape = with_batch(C::SHAPE, batch);
        let values = numbers(shape.iter().product(), 99);
        let ours =
            meanflow_onnx::evaluate::evaluate(&model, &[("x", Array::floats(&shape, &values))]).unwrap();
        let device = Default::default();
        let flex = C::run::<Flex>(Tensor::from_data(TensorData::new(values, shape), &device), &device);
        assert_eq!(ours[0].shape, flex.dims());
        for (ours, flex) in ours[0].values.iter().zip(flex.into_data().iter::<f32>()) {
            let flex = f64::from(flex);
            assert!((ours - flex).abs() <= 2e-6 * (1.0 + flex.abs()), "batch {batch}: {ours} and {flex}");
        }
    }
    model
}
