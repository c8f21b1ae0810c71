//! A learned weight of the loss beside a network: the log-variance of a row as a function of its times.

use crate::{Backbone, Condition, Heads};
use burn::{
    module::{Devices, Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::{Tensor, backend::Backend},
};

/// Frequencies of each time.
const FREQUENCIES: usize = 16;

/// `l(r, t) = b + Σ_k a_k·cos(πkt) + Σ_k c_k·cos(πkr)`, `k = 1 … 16`, at the start 0: a loss `exp(−l)·m + l` has its minimum at `l = ln m`,
/// so that rows of all times come to count alike (arXiv 2312.02696, section 3.3; sCM, arXiv 2410.11081).
#[derive(Module, Debug)]
pub struct LogWeight<B: Backend> {
    coefficients: Param<Tensor<B, 1>>,
}

impl<B: Backend> LogWeight<B> {
    /// The weight that is 0 everywhere.
    pub fn new(device: &B::Device) -> Self {
        let zeros = Tensor::zeros([1 + 2 * FREQUENCIES], device).require_grad();
        Self { coefficients: Param::initialized(ParamId::from(0), zeros) }
    }

    /// `l` of each row, `[batch]`.
    pub fn of(&self, r: Tensor<B, 1>, t: Tensor<B, 1>) -> Tensor<B, 1> {
        let rows = t.dims()[0];
        let mut columns = vec![t.ones_like().reshape([rows, 1])];
        for time in [t, r] {
            for k in 1..=FREQUENCIES {
                let phase = time.clone() * (std::f64::consts::PI * k as f64);
                columns.push(phase.cos().reshape([rows, 1]));
            }
        }
        (Tensor::cat(columns, 1) * self.coefficients.val().unsqueeze()).sum_dim(1).reshape([rows])
    }
}

/// A network with a learned weight beside it, if there is one.
#[derive(Clone, Debug)]
pub struct Weighted<B: Backend, N> {
    /// The network.
    pub net: N,
    /// The weight.
    pub weight: Option<LogWeight<B>>,
}

/// Both, one after the other. The derived implementation would ask a network for more than to be a module.
impl<B: Backend, N: Module<B>> Module<B> for Weighted<B, N> {
    type Record = (N::Record, <Option<LogWeight<B>> as Module<B>>::Record);

    fn collect_devices(&self, devices: Devices<B>) -> Devices<B> {
        self.weight.collect_devices(self.net.collect_devices(devices))
    }

    fn fork(self, device: &B::Device) -> Self {
        Self { net: self.net.fork(device), weight: Module::fork(self.weight, device) }
    }

    fn to_device(self, device: &B::Device) -> Self {
        Self { net: self.net.to_device(device), weight: self.weight.to_device(device) }
    }

    fn visit<V: ModuleVisitor<B>>(&self, visitor: &mut V) {
        self.net.visit(visitor);
        self.weight.visit(visitor);
    }

    fn map<M: ModuleMapper<B>>(self, mapper: &mut M) -> Self {
        Self { net: self.net.map(mapper), weight: Module::map(self.weight, mapper) }
    }

    fn load_record(self, (net, weight): Self::Record) -> Self {
        Self { net: self.net.load_record(net), weight: self.weight.load_record(weight) }
    }

    fn into_record(self) -> Self::Record {
        (self.net.into_record(), self.weight.into_record())
    }
}

impl<B: Backend, N: Module<B> + Backbone<B>> Backbone<B> for Weighted<B, N> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        self.net.forward(z, r, t, condition)
    }

    fn classes(&self) -> Option<usize> {
        self.net.classes()
    }

    fn guided(&self) -> bool {
        self.net.guided()
    }

    fn velocity(&self, z: Tensor<B, 4>, t: Tensor<B, 1>, condition: &Condition<B>) -> Tensor<B, 4> {
        self.net.velocity(z, t, condition)
    }

    fn log_variance(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Option<Tensor<B, 1>> {
        match &self.weight {
            Some(weight) => Some(weight.of(r, t)),
            None => self.net.log_variance(z, r, t, condition),
        }
    }

    fn heads(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
        branch: fn(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Heads<B> {
        self.net.heads(z, r, t, condition, branch)
    }
}
