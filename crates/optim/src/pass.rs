//! The one pass that moves parameters and their averages.

use super::swap;
use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend, ops::FloatTensor},
};
use meanflow_kernels::{Gradient, Parameter, Updated, update};

/// Parameters after an update, in their order, and averages that followed them, each of which keeps its share. A parameter without
/// a gradient stays. `scale` is what gradients are multiplied with.
///
/// # Panics
/// If an average is no module with these parameters.
pub(crate) fn pass<I: Backend, M: Module<I>>(
    parameters: Vec<(FloatTensor<I>, Option<Gradient<I>>)>,
    scale: Option<Tensor<I, 1>>,
    averages: Vec<(M, f64)>,
) -> (Vec<Updated<I>>, Vec<M>) {
    let shares: Vec<f64> = averages.iter().map(|(_, share)| *share).collect();
    let (modules, mut tensors): (Vec<M>, Vec<_>) = averages
        .into_iter()
        .map(|(average, _)| {
            let (module, tensors) = swap::take(average);
            (module, tensors.into_iter())
        })
        .unzip();
    let with_averages = |(value, gradient)| {
        let next = |tensors: &mut std::vec::IntoIter<_>| tensors.next().expect("an average of this module");
        Parameter { value, gradient, averages: tensors.iter_mut().map(next).collect() }
    };
    let parameters = parameters.into_iter().map(with_averages).collect();
    let mut updated = update(parameters, scale, &shares);
    let mut of_modules: Vec<Vec<FloatTensor<I>>> = modules.iter().map(|_| Vec::new()).collect();
    for parameter in &mut updated {
        for (tensors, average) in of_modules.iter_mut().zip(parameter.averages.drain(..)) {
            tensors.push(average);
        }
    }
    let averages = modules.into_iter().zip(of_modules).map(|(module, tensors)| swap::give(module, tensors));
    (updated, averages.collect())
}
