//! The choice of the device.

use crate::args::DeviceKind;
use burn::backend::{Autodiff, Flex};
use meanflow_core::objective::TrainBackend;
use meanflow_jvp::Jvp;
use meanflow_train::env::nvidia_gpu;

/// Work that runs on any device.
pub trait Work {
    /// What comes of it.
    type Output;

    /// Does it on backend `B`.
    fn on<B: TrainBackend>(self, device: &B::Device) -> anyhow::Result<Self::Output>;
}

/// Backend for training on the processor.
pub type Cpu = Jvp<Autodiff<Flex>>;

/// Does `work` on the device asked for.
pub fn dispatch<W: Work>(kind: DeviceKind, work: W) -> anyhow::Result<W::Output> {
    match kind {
        DeviceKind::Cpu => work.on::<Cpu>(&Default::default()),
        DeviceKind::Cuda => cuda::dispatch(work),
    }
}

/// The device in words.
pub fn describe(kind: DeviceKind) -> String {
    match kind {
        DeviceKind::Cpu => "cpu (flex)".to_owned(),
        DeviceKind::Cuda => match nvidia_gpu() {
            Some(model) => format!("cuda:0 ({model})"),
            None => "cuda:0".to_owned(),
        },
    }
}

/// Features this binary was built with.
pub fn features() -> Vec<String> {
    let cuda = cfg!(feature = "cuda").then_some("cuda");
    ["flex"].into_iter().chain(cuda).map(str::to_owned).collect()
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::Work;
    use burn::backend::{Autodiff, Cuda};
    use meanflow_jvp::Jvp;
    use meanflow_train::env::nvidia_ready;

    /// Burn's CUDA backend panics without a driver, so the driver is asked for first.
    pub fn dispatch<W: Work>(work: W) -> anyhow::Result<W::Output> {
        nvidia_ready().map_err(anyhow::Error::msg)?;
        work.on::<Jvp<Autodiff<Cuda>>>(&Default::default())
    }
}

#[cfg(not(feature = "cuda"))]
mod cuda {
    use super::Work;

    pub fn dispatch<W: Work>(_work: W) -> anyhow::Result<W::Output> {
        anyhow::bail!(
            "this binary was built without CUDA; build it with `cargo build --release --features cuda`"
        )
    }
}
