//! How the reference files of the residual's methods are computed.

use super::{Learned, Residual, ResidualDraws, RowWeight, Target, Task, log_variance};
use crate::{
    Clock,
    objective::{
        Batch, Reference, ReferenceError, TrainBackend,
        reference::{Stub, Told},
    },
    precision::Precision,
};
use burn::{
    module::AutodiffModule,
    tensor::{Tensor, backend::Backend},
};

/// The networks and the batch of a reference file.
pub(in crate::objective) struct Case<B: TrainBackend> {
    pub stub: Stub<B>,
    /// The second network, if the file has one.
    pub teacher: Option<Stub<B>>,
    pub batch: Batch<B::InnerBackend>,
    pub e: Tensor<B::InnerBackend, 4>,
}

/// What was computed of a case.
pub(in crate::objective) struct Outcome<B: TrainBackend> {
    pub task: Task<B::InnerBackend>,
    pub slope: Tensor<B::InnerBackend, 4>,
    pub target: Target<B::InnerBackend>,
    pub rows: Tensor<B, 1>,
    /// The mean over all pairs of a row's log-variance with another's error, as published code with a broadcast has it.
    pub broadcast: Option<Tensor<B::InnerBackend, 1>>,
}

impl<B: TrainBackend> Case<B> {
    /// The two networks have these clocks.
    pub fn new(
        reference: &Reference,
        ([clock, teacher], told): ([Clock; 2], Told),
        device: &B::Device,
    ) -> Result<Self, ReferenceError> {
        let stub = |prefix, clock| Stub::new(reference, prefix, clock, device).map(|stub| stub.told(told));
        let second = reference.tensors.contains_key("teacher.W1");
        Ok(Self {
            stub: stub("param", clock)?,
            teacher: second.then(|| stub("teacher", teacher)).transpose()?,
            batch: Batch {
                x: reference.tensor("in.x", device)?,
                labels: Some(reference.labels(device)?),
                augment: None,
                precision: Precision::Full,
            },
            e: reference.tensor("in.e", device)?,
        })
    }

    /// The second network, in the place of the one without gradient, from which files keep it apart on purpose.
    pub fn second(&self) -> &Stub<B> {
        self.teacher.as_ref().unwrap_or(&self.stub)
    }

    /// The step of `residual` with noise `e`, `frozen` in the place of the network without gradient.
    pub fn step(
        &self,
        residual: &Residual,
        frozen: &Stub<B>,
        e: &Tensor<B::InnerBackend, 4>,
        draws: &ResidualDraws,
    ) -> Outcome<B> {
        let teachers = [self.second().valid()];
        let (own, online) = (frozen.valid(), self.stub.valid());
        let task = residual.task(&own, &teachers, &self.batch, e.clone(), draws);
        let slope = |net: (&Stub<B>, &_)| residual.slope::<B, _, _>(net, Precision::Full, &task, draws.still);
        let (source, derivative) = slope((frozen, &own));
        let target = residual.target(source.inner(), derivative.clone(), &task, draws);
        let (output, _) = slope((&self.stub, &online));
        let rows = |residual: &Residual| {
            residual.rows::<B, _>(&self.stub, output.clone(), target.target.clone(), &task, draws)
        };
        let weight = RowWeight { learned: Learned::Off, ..residual.weight };
        let plain = rows(&Residual { weight, ..residual.clone() });
        let log = log_variance(&self.stub, residual.path, &task);
        let broadcast = log.and_then(|log| broadcast(residual.weight.learned, plain.inner(), log.inner()));
        Outcome { slope: derivative, rows: rows(residual), target, task, broadcast }
    }
}

impl<B: TrainBackend> Outcome<B> {
    /// The loss of each row, its mean, and the gradient.
    pub fn found(self, reference: &mut Reference, stub: &Stub<B>) {
        reference.found("out.per_sample", self.rows.clone().inner());
        if let Some(broadcast) = self.broadcast {
            reference.found("out.loss_broadcast", broadcast);
        }
        reference.found_loss(stub, self.rows.mean());
    }
}

/// The loss of errors `m` and log-variances `l` with every pair of rows in the place of the rows.
fn broadcast<B: Backend>(learned: Learned, m: Tensor<B, 1>, l: Tensor<B, 1>) -> Option<Tensor<B, 1>> {
    let l = l.unsqueeze_dim::<2>(1);
    let weighted = l.clone().neg().exp() * m.unsqueeze_dim::<2>(0);
    match learned {
        Learned::Off => None,
        Learned::Gaussian => Some((weighted + l).mean()),
        Learned::Cauchy(eps) => Some(((weighted + eps).log() + l).mean()),
    }
}

/// Draws at the times of a reference file, in the path's time.
pub(in crate::objective) fn draws(reference: &Reference, t: Vec<f64>, r: Vec<f64>) -> ResidualDraws {
    ResidualDraws {
        noise: Vec::new(),
        dropped: reference.dropped().unwrap_or_else(|_| vec![false; t.len()]),
        t,
        r,
        still: 0,
        plugged: Vec::new(),
        warm: 1.0,
        dropout: None,
    }
}
