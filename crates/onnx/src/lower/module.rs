//! Operations of layers: products, convolutions, pools and tables.

use super::{Done, Lower, NO_MAPPING, Refusal, ints, unmapped};
use crate::graph::{Attribute, Operand};
use burn_ir::{InterpolateModeIr, InterpolateOpIr, LinearOpIr, ModuleOperationIr as Layer, TensorIr};

impl Lower {
    pub(super) fn module(&mut self, op: &Layer) -> Done {
        match op {
            Layer::Linear(op) => self.linear(op),
            Layer::Embedding(op) => self.axis("Gather", &[&op.weights, &op.indices], 0, &op.out),
            Layer::Conv1d(op) => {
                let o = &op.options;
                let attributes = window(None, &o.stride, &o.padding, &o.dilation, Some(o.groups));
                self.convolve("Conv", [Some(&op.x), Some(&op.weight), op.bias.as_ref()], &op.out, attributes)
            }
            Layer::Conv2d(op) => {
                let o = &op.options;
                let attributes = window(None, &o.stride, &o.padding, &o.dilation, Some(o.groups));
                self.convolve("Conv", [Some(&op.x), Some(&op.weight), op.bias.as_ref()], &op.out, attributes)
            }
            Layer::ConvTranspose2d(op) => {
                let o = &op.options;
                let mut attributes = window(None, &o.stride, &o.padding, &o.dilation, Some(o.groups));
                attributes.push(("output_padding", ints(&o.padding_out)));
                let inputs = [Some(&op.x), Some(&op.weight), op.bias.as_ref()];
                self.convolve("ConvTranspose", inputs, &op.out, attributes)
            }
            Layer::AvgPool2d(op) => {
                let mut attributes = window(Some(&op.kernel_size), &op.stride, &op.padding, &[1, 1], None);
                attributes.retain(|(name, _)| *name != "dilations");
                attributes.push(("count_include_pad", Attribute::Int(op.count_include_pad.into())));
                attributes.push(("ceil_mode", Attribute::Int(op.ceil_mode.into())));
                self.convolve("AveragePool", [Some(&op.x), None, None], &op.out, attributes)
            }
            Layer::MaxPool2d(op) => {
                let mut attributes =
                    window(Some(&op.kernel_size), &op.stride, &op.padding, &op.dilation, None);
                attributes.push(("ceil_mode", Attribute::Int(op.ceil_mode.into())));
                self.convolve("MaxPool", [Some(&op.x), None, None], &op.out, attributes)
            }
            Layer::AdaptiveAvgPool2d(op) => {
                let [rows, columns] = op.output_size;
                let (height, width) = (op.x.shape[2], op.x.shape[3]);
                if !height.is_multiple_of(rows) || !width.is_multiple_of(columns) {
                    let reason = "only where the new size divides the old one";
                    return Err(Refusal::Unmapped("AdaptiveAvgPool2d".to_owned(), reason));
                }
                let kernel = [height / rows, width / columns];
                let attributes = vec![("kernel_shape", ints(&kernel)), ("strides", ints(&kernel))];
                self.convolve("AveragePool", [Some(&op.x), None, None], &op.out, attributes)
            }
            Layer::Interpolate(op) => self.interpolate(op),
            other => Err(unmapped(other, NO_MAPPING)),
        }
    }

    /// `x·W + b`; a node of its own for two axes, and of two nodes above.
    fn linear(&mut self, LinearOpIr { x, weight, bias, out }: &LinearOpIr) -> Done {
        let Some(bias) = bias else { return self.simple("MatMul", &[x, weight], out) };
        if x.shape.num_dims() == 2 {
            return self.simple("Gemm", &[x, weight, bias], out);
        }
        let inputs = vec![self.operand(x)?, self.operand(weight)?];
        let inputs = vec![self.between("MatMul", inputs, out), self.operand(bias)?];
        self.make("Add", inputs, out, Vec::new())
    }

    fn convolve(
        &mut self,
        op: &'static str,
        inputs: [Option<&TensorIr>; 3],
        out: &TensorIr,
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Done {
        let inputs =
            inputs.into_iter().flatten().map(|tensor| self.operand(tensor)).collect::<Result<_, _>>()?;
        self.make(op, inputs, out, attributes)
    }

    fn interpolate(&mut self, InterpolateOpIr { x, output_size, options, out }: &InterpolateOpIr) -> Done {
        let place = |text| ("coordinate_transformation_mode", Attribute::Text(text));
        let mut attributes = match (&options.mode, options.align_corners) {
            (InterpolateModeIr::Nearest, _) => {
                let [mode, nearest] = ["nearest", "floor"].map(Attribute::Text);
                vec![("mode", mode), place("asymmetric"), ("nearest_mode", nearest)]
            }
            (InterpolateModeIr::Bilinear, true) => {
                vec![("mode", Attribute::Text("linear")), place("align_corners")]
            }
            (InterpolateModeIr::Bilinear, false) => {
                vec![("mode", Attribute::Text("linear")), place("half_pixel")]
            }
            _ => {
                return Err(Refusal::Unmapped(
                    "Interpolate".to_owned(),
                    "only to the nearest pixel and bilinear",
                ));
            }
        };
        attributes.push(("axes", Attribute::Ints(vec![2, 3])));
        let sizes = Operand::Sizes(output_size.iter().map(|&size| size as i64).collect());
        let inputs = vec![self.operand(x)?, Operand::Absent, Operand::Absent, sizes];
        self.make("Resize", inputs, out, attributes)
    }
}

/// The attributes of a window that moves over axes, padded alike at both ends.
fn window(
    kernel: Option<&[usize]>,
    strides: &[usize],
    padding: &[usize],
    dilations: &[usize],
    groups: Option<usize>,
) -> Vec<(&'static str, Attribute)> {
    let mut attributes = vec![
        ("strides", ints(strides)),
        ("pads", ints(&[padding, padding].concat())),
        ("dilations", ints(dilations)),
    ];
    attributes.extend(kernel.map(|kernel| ("kernel_shape", ints(kernel))));
    attributes.extend(groups.map(|groups| ("group", Attribute::Int(groups as i64))));
    attributes
}
