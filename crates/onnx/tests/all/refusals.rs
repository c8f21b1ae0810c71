//! What cannot be a file is said, and where.

use crate::common::with_numbers;
use burn::{
    nn::{DropoutConfig, LinearConfig},
    tensor::{Distribution, Tensor},
};
use meanflow_onnx::{ModelProto, OnnxError, Pass, Recorder, RecorderDevice, export};

/// The error of a pass over `x`, `[batch, 3]`.
fn refused(forward: impl Fn(&mut Pass, Tensor<Recorder, 2>) -> Tensor<Recorder, 2>) -> OnnxError {
    let result: Result<ModelProto, OnnxError> = export(|pass| {
        let x = pass.float("x", [pass.batch(), 3]);
        let y = forward(pass, x);
        pass.output("y", y);
        Ok(())
    });
    result.unwrap_err()
}

#[test]
fn an_unmapped_operation_is_named_with_its_place() {
    let error = refused(|pass, x| {
        let device = pass.device().clone();
        let layer = with_numbers(LinearConfig::new(3, 3).init::<Recorder>(&device), &device);
        pass.parameters(&layer);
        layer.forward(x).cumsum(1)
    });
    let OnnxError::Unmapped { operation, place, .. } = &error else { panic!("{error}") };
    assert_eq!((operation.as_str(), place.parameter.as_deref()), ("CumSum", Some("weight")));
    let text = error.to_string();
    assert!(text.contains("`CumSum` has no counterpart") && text.contains("`weight`"), "{text}");
}

#[test]
fn random_numbers_are_refused_and_only_where_they_are_used() {
    let error = refused(|pass, x| x + Tensor::random([1, 3], Distribution::Default, pass.device()));
    assert!(matches!(error, OnnxError::Random { .. }), "{error}");
    let unused: Result<ModelProto, OnnxError> = export(|pass| {
        let x = pass.float("x", [pass.batch(), 3]);
        let _ = Tensor::<Recorder, 1>::random([3], Distribution::Default, pass.device());
        // Without a tape dropout does nothing.
        pass.output("y", DropoutConfig::new(0.5).init().forward(x) + 1.0);
        Ok(())
    });
    assert_eq!(unused.unwrap().operators().into_iter().collect::<Vec<_>>(), [("Add", 1)]);
}

#[test]
fn values_are_not_read() {
    let error = refused(|_, x| {
        let first = x.clone().into_data().iter::<f32>().next().unwrap_or_default();
        x * f64::from(first)
    });
    assert_eq!(error, OnnxError::Read(0));
}

#[test]
fn values_of_constants_are() {
    let model: Result<ModelProto, OnnxError> = export(|pass| {
        let x = pass.float("x", [pass.batch(), 3]);
        let two = Tensor::<Recorder, 1>::from_floats([2.0], pass.device()).into_scalar();
        pass.output("y", x * two);
        Ok(())
    });
    assert_eq!(model.unwrap().operators().into_iter().collect::<Vec<_>>(), [("Mul", 1)]);
}

#[test]
fn tensors_from_elsewhere_are_refused() {
    let error = refused(|_, x| x + Tensor::from_floats([[1.0, 2.0, 3.0]], &RecorderDevice::default()));
    assert!(matches!(error, OnnxError::Foreign(_)), "{error}");
}

#[test]
fn a_pass_that_is_another_one_for_another_batch_is_refused() {
    let number = refused(|pass, x| x * pass.batch() as f64);
    assert!(matches!(number, OnnxError::Differs { what: "an operand", .. }), "{number}");
    let operation = refused(|pass, x| if pass.batch() > 2 { x.exp() } else { x.tanh() });
    assert!(matches!(operation, OnnxError::Differs { what: "the operation", .. }), "{operation}");
    let more = refused(|pass, x| (0..pass.batch()).fold(x, |x, _| x.exp()));
    assert!(matches!(more, OnnxError::Differs { what: "the number of operations", .. }), "{more}");
    let size = refused(|pass, x| {
        let batch = pass.batch();
        x.unsqueeze_dim::<3>(1).repeat_dim(1, batch * batch).sum_dim(1).squeeze_dim(1)
    });
    assert!(matches!(size, OnnxError::Size { .. }), "{size}");
    let constant = refused(|pass, x| {
        let data: Vec<f32> = (0..pass.batch()).map(|row| row as f32).collect();
        x + Tensor::<Recorder, 1>::from_floats(&data[..], pass.device()).unsqueeze_dim(1)
    });
    assert!(matches!(constant, OnnxError::Constant { .. }), "{constant}");
}

#[test]
fn names_are_needed() {
    let twice: Result<ModelProto, OnnxError> = export(|pass| {
        let x = pass.float("x", [pass.batch(), 3]);
        pass.output("x", x.exp());
        Ok(())
    });
    assert!(matches!(twice, Err(OnnxError::Names(_))));
    let none: Result<ModelProto, OnnxError> = export(|_| Ok(()));
    assert!(matches!(none, Err(OnnxError::Names(_))));
}
