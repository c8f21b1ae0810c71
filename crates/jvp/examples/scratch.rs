use std::time::Instant;
use burn::backend::{Autodiff, Flex};
use burn::module::Module;
use burn::nn::transformer::*;
use burn::optim::GradientsParams;
use burn::tensor::{Distribution, Tensor, backend::AutodiffBackend};
use meanflow_jvp::{Dual, Jvp};
type P = Autodiff<Flex>;
type B = Jvp<P>;
fn step<A: AutodiffBackend>(net: &TransformerEncoder<A>, x: Tensor<A, 3>) -> f64 {
    let t = Instant::now();
    let y = net.forward(TransformerEncoderInput::new(x));
    let g = GradientsParams::from_grads(y.powi_scalar(2).mean().backward(), net);
    std::hint::black_box(&g);
    t.elapsed().as_secs_f64()
}
fn main() {
    let d = Default::default();
    let c = TransformerEncoderConfig::new(128, 512, 4, 4).with_dropout(0.0);
    let plain = c.init::<P>(&d);
    let jvp = c.init::<B>(&d);
    let x = Tensor::<Flex, 3>::random([64, 16, 128], Distribution::Default, &d);
    let (mut a, mut b) = (vec![], vec![]);
    for _ in 0..25 {
        let p = step(&plain, Tensor::from_inner(x.clone()));
        let q = step(&jvp, Tensor::from_inner(x.clone()));
        let r = step(&jvp, Tensor::<B, 3>::from_inner(x.clone()).with_tangent(x.clone()));
        a.push(q / p);
        b.push(r / p);
    }
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    println!("without {:.3} with {:.3}", a[12], b[12]);
    let _ = plain.num_params();
}
