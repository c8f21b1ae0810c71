//! What an update of parameters is made of.

use burn::tensor::{backend::Backend, ops::FloatTensor};

/// A parameter of any rank, with what an update changes.
#[derive(Clone, Debug)]
pub struct Parameter<B: Backend> {
    /// Its value.
    pub value: FloatTensor<B>,
    /// `None`: the value stays, and the averages go on.
    pub gradient: Option<Gradient<B>>,
    /// Its averages.
    pub averages: Vec<FloatTensor<B>>,
}

/// The gradient of a parameter, and what Adam does with it.
#[derive(Clone, Debug)]
pub struct Gradient<B: Backend> {
    /// The gradient, of the parameter's shape.
    pub value: FloatTensor<B>,
    /// The constants.
    pub adam: Adam,
    /// `None` before the first update.
    pub moments: Option<Moments<B>>,
}

/// The moments of a parameter.
#[derive(Clone, Debug)]
pub struct Moments<B: Backend> {
    /// Updates so far.
    pub time: usize,
    /// Mean of the gradients, `m`.
    pub first: FloatTensor<B>,
    /// Mean of their squares, `v`.
    pub second: FloatTensor<B>,
}

/// A parameter after an update.
#[derive(Clone, Debug)]
pub struct Updated<B: Backend> {
    /// Its value.
    pub value: FloatTensor<B>,
    /// `None` without a gradient.
    pub moments: Option<Moments<B>>,
    /// Its averages.
    pub averages: Vec<FloatTensor<B>>,
}

/// Adam (arXiv 1412.6980) with decoupled weight decay (arXiv 1711.05101): `p ← p·(1 − rate·decay)`, `m ← β₁·m + (1 − β₁)·g`,
/// `v ← β₂·v + (1 − β₂)·g²`, `p ← p − rate·m̂/(√v̂ + ε)` with `m̂ = m/(1 − β₁ᵗ)` and `v̂ = v/(1 − β₂ᵗ)` at update `t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// `β₁` and `β₂`.
    pub betas: [f32; 2],
    /// `ε`.
    pub epsilon: f32,
    /// How the step is rounded.
    pub form: Form,
    /// The learning rate of this update.
    pub rate: f64,
    /// The weight decay; 0 for none.
    pub decay: f64,
}

/// Two ways to write the same step, which differ in how they round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `m·c/(√v + ε·r)` with `r = √(1 − β₂ᵗ)` and `c = r/(1 − β₁ᵗ)`: Burn's Adam.
    Joint,
    /// `m̂/(√v̂ + ε)`: Burn's AdamW.
    Apart,
}

impl<B: Backend> Parameter<B> {
    /// All tensors, the value first.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &FloatTensor<B>> {
        let gradient = self.gradient.iter();
        let moments = gradient.clone().filter_map(|gradient| gradient.moments.as_ref());
        [&self.value]
            .into_iter()
            .chain(gradient.map(|gradient| &gradient.value))
            .chain(moments.flat_map(|moments| [&moments.first, &moments.second]))
            .chain(&self.averages)
    }
}

impl Adam {
    /// What the decay multiplies a parameter with; `None` without decay.
    pub(crate) fn keep(&self) -> Option<f64> {
        (self.decay != 0.0).then_some(1.0 - self.rate * self.decay)
    }

    /// `1 − β₁ᵗ` and `1 − β₂ᵗ`.
    pub(crate) fn corrections(&self, time: usize) -> [f32; 2] {
        self.betas.map(|beta| 1.0 - beta.powi(time as i32))
    }
}
