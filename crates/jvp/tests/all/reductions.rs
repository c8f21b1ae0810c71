//! Reductions, scans, extrema and orders.

use burn::tensor::{Tensor, activation, s};

use crate::common::{B, Plain, forward_rule, input, rule, uniform};

type T3 = Tensor<B, 3>;

/// Sizes that Burn divides by without rounding in f32 when it computes an unbiased variance.
fn x() -> T3 {
    input([2, 3, 5], 1)
}

/// Checks along every axis, on a contiguous and on a permuted input.
fn along_each_axis(name: &str, f: &dyn Fn(T3, usize) -> T3) {
    for dim in 0..3 {
        rule(&format!("{name} along {dim}"), x(), &|x| f(x, dim));
        rule(&format!("{name} along {dim}, permuted"), x(), &|x: T3| f(x.permute([2, 0, 1]), dim));
    }
}

#[test]
fn sums() {
    rule("sum", x(), &|x: T3| x.sum());
    rule("sum of a strided tensor", x(), &|x: T3| x.swap_dims(0, 2).slice(s![..;2, .., ..]).sum());
    rule("mean", x(), &|x: T3| x.mean());
    along_each_axis("sum_dim", &|x, dim| x.sum_dim(dim));
    along_each_axis("mean_dim", &|x, dim| x.mean_dim(dim));
    along_each_axis("cumsum", &|x, dim| x.cumsum(dim));
    along_each_axis("var", &|x, dim| x.var(dim));
}

#[test]
fn products() {
    let positive = || uniform::<B, 3>([2, 3, 4], 0.5, 1.5, 2);
    rule("prod", positive(), &|x: T3| x.prod());
    for dim in 0..3 {
        rule(&format!("prod_dim along {dim}"), positive(), &|x: T3| x.prod_dim(dim));
        rule(&format!("cumprod along {dim}"), positive(), &|x: T3| x.cumprod(dim));
    }
}

/// Reverse mode divides by the elements; forward mode must not.
#[test]
fn products_with_zeros_and_signs() {
    let x = || {
        Tensor::<Plain, 2>::from_data(
            [[2.0, 0.0, -3.0, 0.5, 1.5], [0.0, -1.0, 4.0, 0.0, 2.0]],
            &crate::common::device(),
        )
    };
    type T2 = Tensor<Plain, 2>;
    forward_rule("prod", x(), &|x: T2| x.slice(s![0..1, ..]).prod());
    forward_rule("prod_dim", x(), &|x: T2| x.prod_dim(1));
    forward_rule("prod_dim of one", x(), &|x: T2| x.slice(s![0..1, ..]).prod_dim(0));
    forward_rule("cumprod", x(), &|x: T2| x.cumprod(1));
    forward_rule("cumprod along the other axis", x(), &|x: T2| x.cumprod(0));
}

#[test]
fn extrema() {
    rule("max", x(), &|x: T3| x.max());
    rule("min", x(), &|x: T3| x.min());
    rule("max_abs", x(), &|x: T3| x.max_abs());
    along_each_axis("max_dim", &|x, dim| x.max_dim(dim));
    along_each_axis("min_dim", &|x, dim| x.min_dim(dim));
    along_each_axis("max_abs_dim", &|x, dim| x.max_abs_dim(dim));
    along_each_axis("max_dim_with_indices", &|x, dim| x.max_dim_with_indices(dim).0);
    along_each_axis("min_dim_with_indices", &|x, dim| x.min_dim_with_indices(dim).0);
    along_each_axis("cummax", &|x, dim| x.cummax(dim));
    along_each_axis("cummin", &|x, dim| x.cummin(dim));
}

#[test]
fn orders() {
    along_each_axis("sort", &|x, dim| x.sort(dim));
    along_each_axis("sort_descending", &|x, dim| x.sort_descending(dim));
    along_each_axis("sort_with_indices", &|x, dim| x.sort_with_indices(dim).0);
    along_each_axis("median", &|x, dim| x.median(dim));
    for dim in 0..3 {
        let x = input::<Plain, 3>([2, 3, 4], 7);
        forward_rule("topk", x, &|x: Tensor<Plain, 3>| x.topk(1 + dim, dim));
    }
}

#[test]
fn softmaxes() {
    along_each_axis("softmax", &|x, dim| activation::softmax(x, dim));
    along_each_axis("log_softmax", &|x, dim| activation::log_softmax(x, dim));
    along_each_axis("softmin", &|x, dim| activation::softmin(x, dim));
    along_each_axis("quiet_softmax", &|x, dim| activation::quiet_softmax(x, dim));
}
