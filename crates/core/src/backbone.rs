//! The extension point of the framework: what a network must offer to be trained and sampled.

use burn::tensor::{Int, Tensor, backend::Backend};

/// What a sample is conditioned on, beside its times.
#[derive(Clone, Debug)]
pub struct Condition<B: Backend> {
    /// Class of each row, `[batch]`; the null (unconditional) class is the index [`Backbone::classes`] returns.
    /// `None` for an unconditional network.
    pub labels: Option<Tensor<B, 1, Int>>,
}

impl<B: Backend> Condition<B> {
    /// No condition at all.
    pub fn none() -> Self {
        Self { labels: None }
    }

    /// Conditioned on the class of each row, `[batch]`.
    pub fn labels(labels: Tensor<B, 1, Int>) -> Self {
        Self { labels: Some(labels) }
    }

    /// The rows `start .. start + length`.
    pub fn rows(&self, start: usize, length: usize) -> Self {
        Self { labels: self.labels.clone().map(|labels| labels.narrow(0, start, length)) }
    }
}

/// A network `u(z, r, t | condition)`: the average velocity over `[r, t]`; at `r = t` the instantaneous velocity `v(z, t)`.
///
/// It is written once for any backend. On `Jvp<Autodiff<B>>` the same code gives `u`, `du/dt` and the gradient.
pub trait Backbone<B: Backend> {
    /// Average velocity.
    ///
    /// Shapes: `z` is `[batch, channels, height, width]` (points in the plane `[batch, 2, 1, 1]`), `r` and `t` are
    /// `[batch]` with `0 ≤ r ≤ t ≤ 1`; the result has the shape of `z`.
    ///
    /// # Panics
    /// If the shapes disagree with the network's configuration, or a class-conditional network gets no labels.
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4>;

    /// Number of classes of a class-conditional network (also the index of its null class); `None` if unconditional.
    fn classes(&self) -> Option<usize>;
}
