//! The extension point of the framework: what a network must offer to be trained and sampled.

use burn::tensor::{Int, Tensor, backend::Backend};

use crate::Dropout;

/// What a sample is conditioned on, beside its times.
#[derive(Clone, Debug)]
pub struct Condition<B: Backend> {
    /// Class of each row, `[batch]`; the null (unconditional) class is the index [`Backbone::classes`] returns.
    /// `None` for an unconditional network.
    pub labels: Option<Tensor<B, 1, Int>>,
    /// How each row was augmented, `[batch, numbers]`; `None`, as in sampling: not at all. For networks that do not take it,
    /// it has no meaning.
    pub augment: Option<Tensor<B, 2>>,
    /// Scale and interval of guidance, for a network that is [`guided`](Backbone::guided); `None`: no guidance.
    pub guidance: Option<Guidance<B>>,
    /// Masks of a network with dropout; `None`, as in sampling: no dropout.
    pub dropout: Option<Dropout>,
}

/// Guidance as an input of the network (iMF, arXiv 2512.02012): the velocity is that of scale `omega` at times in
/// `[t_min, t_max]`.
#[derive(Clone, Debug)]
pub struct Guidance<B: Backend> {
    /// Scale, at least 1, `[batch]`; 1 is no guidance.
    pub omega: Tensor<B, 1>,
    /// First time at which guidance acts, `[batch]`.
    pub t_min: Tensor<B, 1>,
    /// Last time at which guidance acts, `[batch]`.
    pub t_max: Tensor<B, 1>,
}

impl<B: Backend> Condition<B> {
    /// No condition at all.
    pub fn none() -> Self {
        Self { labels: None, augment: None, guidance: None, dropout: None }
    }

    /// Conditioned on the class of each row, `[batch]`.
    pub fn labels(labels: Tensor<B, 1, Int>) -> Self {
        Self { labels: Some(labels), ..Self::none() }
    }

    /// The same with this guidance.
    pub fn with_guidance(self, guidance: Guidance<B>) -> Self {
        Self { guidance: Some(guidance), ..self }
    }

    /// A batch twice as large: these rows, then the same rows again, with other `labels`, `[2·batch]`.
    pub fn twice(&self, labels: Tensor<B, 1, Int>) -> Self {
        Self {
            labels: Some(labels),
            augment: self.augment.clone().map(|augment| Tensor::cat(vec![augment.clone(), augment], 0)),
            guidance: self
                .guidance
                .clone()
                .map(|guidance| guidance.map(|a| Tensor::cat(vec![a.clone(), a], 0))),
            dropout: self.dropout,
        }
    }

    /// The rows at `indices`, `[rows]`. Masks of dropout belong to rows by their place and stay with the place.
    pub fn select(&self, indices: &Tensor<B, 1, Int>) -> Self {
        Self {
            labels: self.labels.clone().map(|labels| labels.select(0, indices.clone())),
            augment: self.augment.clone().map(|augment| augment.select(0, indices.clone())),
            guidance: self.guidance.clone().map(|guidance| guidance.map(|a| a.select(0, indices.clone()))),
            dropout: self.dropout,
        }
    }

    /// The rows `start .. start + length`.
    pub fn rows(&self, start: usize, length: usize) -> Self {
        Self {
            labels: self.labels.clone().map(|labels| labels.narrow(0, start, length)),
            augment: self.augment.clone().map(|augment| augment.narrow(0, start, length)),
            guidance: self.guidance.clone().map(|guidance| guidance.map(|a| a.narrow(0, start, length))),
            dropout: self.dropout.map(|dropout| dropout.rows(start)),
        }
    }
}

impl<B: Backend> Guidance<B> {
    /// The same scale and interval for `rows` rows.
    pub fn full(rows: usize, omega: f64, [t_min, t_max]: [f64; 2], device: &B::Device) -> Self {
        let full = |value: f64| Tensor::full([rows], value, device);
        Self { omega: full(omega), t_min: full(t_min), t_max: full(t_max) }
    }

    /// Each of the three through `f`.
    pub fn map<C: Backend>(self, f: impl Fn(Tensor<B, 1>) -> Tensor<C, 1>) -> Guidance<C> {
        Guidance { omega: f(self.omega), t_min: f(self.t_min), t_max: f(self.t_max) }
    }
}

/// Both predictions of a network with an auxiliary head.
#[derive(Clone, Debug)]
pub struct Heads<B: Backend> {
    /// Average velocity `u(z, r, t)`.
    pub u: Tensor<B, 4>,
    /// The auxiliary head's prediction of the instantaneous velocity at `(z, t)`; `None` if the network has no such head. It
    /// knows of the times what the trunk is told, which may be less than `t`: iMF's is told `t − r` alone, and reads the time
    /// off `z`.
    pub v: Option<Tensor<B, 4>>,
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

    /// Whether [`Condition::guidance`] is an input of the network.
    fn guided(&self) -> bool {
        false
    }

    /// Instantaneous velocity: the auxiliary head's prediction at `r = t` if there is such a head, else the boundary value
    /// `u(z, t, t)`. A network with such a head implements this so that the other does not run. Shapes and panics as in
    /// [`forward`](Self::forward).
    fn velocity(&self, z: Tensor<B, 4>, t: Tensor<B, 1>, condition: &Condition<B>) -> Tensor<B, 4> {
        let Heads { u, v } = self.heads(z, t.clone(), t, condition, |shared| shared);
        v.unwrap_or(u)
    }

    /// The learned log-variance of the loss of each row, `[batch]`, if the network has one: what training weighs rows by, and nothing
    /// that sampling needs. Arguments as in [`forward`](Self::forward).
    fn log_variance(
        &self,
        _z: Tensor<B, 4>,
        _r: Tensor<B, 1>,
        _t: Tensor<B, 1>,
        _condition: &Condition<B>,
    ) -> Option<Tensor<B, 1>> {
        None
    }

    /// Average velocity, and the auxiliary head's prediction if there is one. Shapes and panics as in
    /// [`forward`](Self::forward).
    ///
    /// What the auxiliary head takes from the rest of the network goes through the last argument, as `[rows, features]`. An
    /// objective that differentiates the average velocity alone takes tangents away there, and the auxiliary head costs a plain
    /// pass.
    fn heads(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
        _branch: fn(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Heads<B> {
        Heads { u: self.forward(z, r, t, condition), v: None }
    }
}
