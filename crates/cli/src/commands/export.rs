//! `meanflow export`.

use super::sample::solver;
use crate::{
    Done,
    args::{Export, ExportFormat, Usage},
};
use meanflow_generator::{Computes, Request, onnx};
use meanflow_train::{Kinds, TrainError, folder::write_atomic, trained};

/// Writes a run's network to one file.
pub fn run<K: Kinds>(args: Export) -> anyhow::Result<Done> {
    let kind = args.out.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let is_onnx = args.format.map_or(kind == "onnx", |format| format == ExportFormat::Onnx);
    if is_onnx {
        return run_onnx::<K>(&args);
    }
    if !["safetensors", "pth", "pt"].contains(&kind) {
        let message = format!("{}: give a file that ends in .safetensors, .pth or .onnx", args.out.display());
        return Err(Usage(message).into());
    }
    let model = trained::open::<K>(&args.run, args.ema.as_deref())?;
    let written = if args.names == "meanflow" && kind == "safetensors" {
        model.write(&args.out)
    } else {
        model.write_for(&args.names, &args.out)
    };
    written.map_err(TrainError::from)?;
    say!("weights `{}` at step {}", model.ema, model.step);
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}

/// The generator, or the network alone, for runtimes of ONNX.
fn run_onnx<K: Kinds>(args: &Export) -> anyhow::Result<Done> {
    let solver = solver(args.solver.as_deref())?;
    let model = trained::open::<K>(&args.run, args.ema.as_deref())?;
    let request = Request { solver, omega: args.omega, ..Request::new(1, args.nfe) };
    let computes = match (args.raw, args.bytes) {
        (true, _) => Computes::Velocity,
        (false, true) => Computes::Bytes,
        (false, false) => Computes::Samples,
    };
    let file = onnx(&model, &request, computes).map_err(TrainError::from)?;
    let bytes = file.to_bytes();
    write_atomic(&args.out, &bytes)?;
    let nodes: usize = file.operators().values().sum();
    say!("weights `{}` at step {}: {nodes} nodes, {} bytes", model.ema, model.step, bytes.len());
    tell!("{}", args.out.display());
    Ok(Done::Yes)
}
