//! Moving, joining and indexing.

use burn::tensor::{Bool, Distribution, IndexingUpdateOp, Tensor, TensorData, s};

use crate::common::{B, Plain, device, forward_rule, input, ints, rule};

fn mask<const D: usize>(shape: [usize; D]) -> Tensor<B, D, Bool> {
    let count = shape.iter().product();
    let bits: Vec<bool> = (0..count).map(|i| i % 3 == 1 || i % 5 == 0).collect();
    Tensor::from_data(TensorData::new(bits, shape), &device())
}

#[test]
fn moves() {
    type T3 = Tensor<B, 3>;
    let x = || input::<B, 3>([2, 3, 4], 1);
    rule("reshape", x(), &|x: T3| x.reshape([6, 4]));
    rule("reshape of a transposed", x(), &|x: T3| x.swap_dims(0, 2).reshape([4, 6]));
    rule("transpose", x(), &|x: T3| x.transpose());
    rule("swap_dims", x(), &|x: T3| x.swap_dims(0, 1));
    rule("permute", x(), &|x: T3| x.permute([2, 0, 1]));
    rule("movedim", x(), &|x: T3| x.movedim(0, 2));
    rule("flip", x(), &|x: T3| x.flip([0, 2]));
    rule("slice", x(), &|x: T3| x.slice(s![.., 1.., 0..4;2]));
    rule("narrow", x(), &|x: T3| x.narrow(1, 1, 2));
    rule("chunk", x(), &|x: T3| x.chunk(2, 2).remove(1));
    rule("unsqueeze", x(), &|x: T3| x.unsqueeze_dim::<4>(1));
    rule("repeat_dim", input([2, 1, 4], 1), &|x: T3| x.repeat_dim(1, 3));
    // Burn's reverse mode sums the wrong copies unless the repeated dimension has size 1.
    forward_rule("repeat", input([2, 3, 4], 1), &|x: Tensor<Plain, 3>| x.repeat(&[2, 1, 3]));
    rule("expand", input([1, 3, 1], 2), &|x: T3| x.expand([2, 3, 4]));
    rule("expand to a higher rank", input([3, 4], 2), &|x: Tensor<B, 2>| x.expand([2, 3, 4]));
    rule("unfold", x(), &|x: T3| x.unfold::<4, _>(2, 2, 1));
    rule("roll", x(), &|x: T3| x.roll(&[1, 2], &[1, 2]));
    rule("triu", x(), &|x: T3| x.triu(1));
    rule("to_device", x(), &|x: T3| x.to_device(&device()));
}

#[test]
fn joins() {
    type Pair = (Tensor<B, 3>, Tensor<B, 3>);
    let (x, y) = (input::<B, 3>([2, 3, 4], 1), input::<B, 3>([2, 2, 4], 2));
    rule("cat", (x.clone(), y.clone()), &|(x, y): Pair| Tensor::cat(vec![x, y], 1));
    rule("cat with a constant", y.clone(), &|y| Tensor::cat(vec![x.clone(), y], 1));
    rule("stack", vec![x.clone(), x.clone() * 2.0], &|xs: Vec<Tensor<B, 3>>| Tensor::stack::<4>(xs, 1));
    let place = s![.., 1..3, ..];
    rule("slice_assign", (x.clone(), y.clone()), &|(x, y): Pair| x.slice_assign(place, y));
    rule("slice_assign of a constant", x.clone(), &|x| x.slice_assign(place, y.clone()));
    rule("slice_assign into a constant", y.clone(), &|y| x.clone().slice_assign(place, y));
    rule("slice_fill", x, &|x| x.slice_fill(place, 2.0));
}

#[test]
fn masks() {
    type Pair = (Tensor<B, 2>, Tensor<B, 2>);
    let (x, y) = (input::<B, 2>([3, 5], 1), input::<B, 2>([3, 5], 2));
    rule("mask_where", (x.clone(), y.clone()), &|(x, y): Pair| x.mask_where(mask([3, 5]), y));
    rule("mask_where in x", x.clone(), &|x| x.mask_where(mask([3, 5]), y.clone()));
    rule("mask_where in value", y.clone(), &|y| x.clone().mask_where(mask([3, 5]), y));
    rule("mask_where, strided", (x.clone(), y), &|(x, y): Pair| {
        x.transpose().mask_where(mask([5, 3]), y.transpose())
    });
    rule("mask_fill", x.clone(), &|x| x.mask_fill(mask([3, 5]), 4.0));
    rule("mask_fill, strided", x, &|x| x.transpose().mask_fill(mask([5, 3]), 4.0));
}

#[test]
fn indices() {
    type T2 = Tensor<B, 2>;
    let x = || input::<B, 2>([4, 3], 1);
    let rows = || ints::<B, 1>([3], &[3, 0, 3]);
    let places = || ints::<B, 2>([2, 3], &[0, 3, 1, 2, 2, 0]);
    let values = || input::<B, 2>([2, 3], 2);
    rule("select", x(), &|x: T2| x.select(0, rows()));
    rule("gather", x(), &|x: T2| x.gather(0, places()));
    rule("take", x(), &|x: T2| x.take::<1, 2>(1, ints([2], &[2, 0])));
    let scatter = |x: T2, values: T2| x.scatter(0, places(), values, IndexingUpdateOp::Add);
    rule("scatter", (x(), values()), &|(x, v)| scatter(x, v));
    rule("scatter of a constant", x(), &|x| scatter(x, values()));
    rule("scatter into a constant", values(), &|v| scatter(x(), v));
    let assign = |x: T2, values: T2| x.select_assign(0, rows(), values, IndexingUpdateOp::Add);
    rule("select_assign", (x(), input([3, 3], 3)), &|(x, v)| assign(x, v));
    rule("select_assign of a constant", x(), &|x| assign(x, input([3, 3], 3)));
}

#[test]
fn indices_of_several_axes() {
    let at = || ints::<Plain, 2>([3, 2], &[0, 1, 3, 2, 2, 0]);
    let x = || input::<Plain, 2>([4, 3], 1);
    let values = || input::<Plain, 1>([3], 2);
    forward_rule("gather_nd", x(), &|x: Tensor<Plain, 2>| x.gather_nd::<2, 1>(at()));
    for update in [IndexingUpdateOp::Add, IndexingUpdateOp::Assign] {
        let update = || match update {
            IndexingUpdateOp::Add => IndexingUpdateOp::Add,
            _ => IndexingUpdateOp::Assign,
        };
        forward_rule("scatter_nd", (x(), values()), &|(x, v): (Tensor<Plain, 2>, Tensor<Plain, 1>)| {
            x.scatter_nd(at(), v, update())
        });
        forward_rule("scatter_nd of a constant", x(), &|x: Tensor<Plain, 2>| {
            x.scatter_nd(at(), values(), update())
        });
    }
}

#[test]
fn constants_have_no_tangent() {
    use meanflow_jvp::Dual;
    let device = device();
    let tensors = [
        Tensor::<B, 2>::zeros([2, 2], &device),
        Tensor::ones([2, 2], &device),
        Tensor::full([2, 2], 3.0, &device),
        Tensor::random([2, 2], Distribution::Default, &device),
        ints::<B, 2>([2, 2], &[1, 2, 3, 4]).float(),
        mask([2, 2]).float(),
    ];
    for tensor in tensors {
        assert!(tensor.tangent().is_none());
    }
}
