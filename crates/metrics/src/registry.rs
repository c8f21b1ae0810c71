//! The metrics that experiment files and `meanflow eval` may name: one line each.

use crate::{
    Metric,
    kinds::{
        accuracy::Accuracy, class_coverage::ClassCoverage, energy::Energy, fd::Fd, fd_pca64::FdPca64,
        inception_score::Inception, kid::Kid, kid_full::KidFull, mmd::Mmd, modes::Modes, nll::Nll,
        prdc::PrdcKind, sliced_w2::SlicedW2, sw2::Sw2, w2::W2,
    },
};

/// The built-in metrics, in the order in which they are listed.
pub static METRICS: &[Metric] = &[
    Metric(&W2),
    Metric(&SlicedW2),
    Metric(&Energy),
    Metric(&FdPca64),
    Metric(&Sw2),
    Metric(&Mmd),
    Metric(&Fd),
    Metric(&Kid),
    Metric(&KidFull),
    Metric(&PrdcKind),
    Metric(&Inception),
    Metric(&Nll),
    Metric(&Modes),
    Metric(&Accuracy),
    Metric(&ClassCoverage),
];
