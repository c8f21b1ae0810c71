//! What an objective says that a step costs is how often it evaluates the network.

use burn::{
    backend::{Autodiff, Flex},
    module::{Module, Param},
    tensor::{Tensor, TensorData, backend::Backend},
};
use meanflow_core::{
    Backbone, Condition, Streams,
    objective::{
        About, At, Batch, Labels, Mode, Nets, Objective, ObjectiveConfig, Objectives, Tape, TrainBackend,
        Visit,
    },
    precision::Precision,
};
use meanflow_jvp::Dual;
use meanflow_settings::{Document, Layout};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

const ROWS: usize = 256;
const SHAPE: [usize; 4] = [ROWS, 2, 1, 1];

/// Rows evaluated on the tape, with a tangent there, and without gradient.
#[derive(Clone, Debug, Default)]
struct Counts(Arc<[AtomicUsize; 3]>);

impl Counts {
    fn add(&self, which: usize, rows: usize) {
        self.0[which].fetch_add(rows, Relaxed);
    }
}

/// `u = a·z + t + r`, which counts its evaluations on the tape.
#[derive(Module, Debug)]
struct Online<B: Backend> {
    a: Param<Tensor<B, 1>>,
    #[module(skip)]
    counts: Counts,
}

fn moved<B: Backend>(a: Tensor<B, 1>, z: Tensor<B, 4>, r: Tensor<B, 1>, t: Tensor<B, 1>) -> Tensor<B, 4> {
    let rows = z.dims()[0];
    z * a.reshape([1, 1, 1, 1]) + (r + t).reshape([rows, 1, 1, 1])
}

impl<B: TrainBackend> Backbone<B> for Online<B> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        _condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        let dual = z.tangent().is_some() || r.tangent().is_some() || t.tangent().is_some();
        self.counts.add(usize::from(dual), z.dims()[0]);
        moved(self.a.val(), z, r, t)
    }

    fn classes(&self) -> Option<usize> {
        None
    }

    fn log_variance(
        &self,
        _z: Tensor<B, 4>,
        _r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        _condition: &Condition<B>,
    ) -> Option<Tensor<B, 1>> {
        Some(t.zeros_like())
    }
}

/// The same network without gradient.
#[derive(Debug)]
struct Frozen(Counts);

impl<B: Backend> Backbone<B> for Frozen {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        _condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        self.0.add(2, z.dims()[0]);
        moved(t.ones_like().narrow(0, 0, 1), z, r, t)
    }

    fn classes(&self) -> Option<usize> {
        None
    }
}

struct Count;

impl Visit<Flex> for Count {
    type Output = [f64; 3];

    fn on<O: Objective<Tangents: Mode<Autodiff<Flex>>>>(self, objective: &O) -> [f64; 3] {
        let (streams, device) = (Streams::new(0), Default::default());
        let at = At::new(&streams, 900, 1_000);
        let draws = objective.draw(&at, SHAPE);
        let x = streams.normal("data", 0, SHAPE.iter().product());
        let x = Tensor::from_data(TensorData::new(x, SHAPE), &device);
        let batch = Batch { x, labels: None, augment: None, precision: Precision::Full };
        let counts = Counts::default();
        let a = Tensor::<Tape<Flex, O>, 1>::ones([1], &device).require_grad();
        let online = Online { a: Param::from_tensor(a), counts: counts.clone() };
        let frozen = Frozen(counts.clone());
        let teachers: Vec<_> = objective.teachers(&at).iter().map(|_| Frozen(counts.clone())).collect();
        let nets = Nets { online: &online, frozen: &frozen, teachers: &teachers };
        objective.loss::<Tape<Flex, O>, _, _>(&nets, batch, &draws);
        [0, 1, 2].map(|which| counts.0[which].load(Relaxed) as f64 / ROWS as f64)
    }
}

#[test]
fn costs_are_counted() {
    let about = About { labels: Labels::Missing, guided: Some(false) };
    let defaults = ObjectiveConfig::NAMES.iter().map(|(name, _)| (*name, ""));
    let derivatives = ["central", "backward", "mixed"];
    let keys = derivatives.map(|way| format!("derivative = {{ {way} = {{}} }}"));
    let others = ["meanflow", "tim", "dmf"].iter().flat_map(|name| keys.iter().map(|keys| (*name, &**keys)));
    let taught =
        ["ct", "sct", "scm-linear", "ayf", "mf-rae", "rcm", "facm"].map(|name| (name, "teacher = 'x'"));
    let euler = [("ct", "teacher = 'x'\nsolver = 'euler'")];
    for (name, way) in defaults.chain(others).chain(taught).chain(euler) {
        let text = format!("[objective.{name}]\n{way}\n");
        let document = Document::of_text("x.toml", &text, Layout::of("x")).unwrap();
        let read = document.read(|root, _| {
            root.kind("objective", &[name], None, |kind, r| ObjectiveConfig::read(kind, r, &about))
        });
        let (objective, _) = read.only().unwrap();
        let cost = objective.facts().cost();
        let counted = objective.visit(Count);
        let said = [cost.passes - cost.dual, cost.dual, cost.plain];
        // Some draw their share of the rows by chance: standard deviation 0.03 of a share of 0.25.
        let near = counted.iter().zip(said).all(|(counted, said)| (counted - said).abs() < 0.15);
        assert!(near, "{name} {way}: counted {counted:?}, said {cost:?}");
    }
}
