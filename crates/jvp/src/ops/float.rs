//! Float operations: the table of rules.

use burn::tensor::backend::{Backend, ExecutionError};
use burn::tensor::ops::grid_sample::float_grid_sample_2d_ref;
use burn::tensor::ops::{
    BoolTensor, Device, FloatTensor, FloatTensorOps, GridSampleOptions, IntTensor, IntTensorOps,
    InterpolateMode,
};
use burn::tensor::{
    BoolDType, Distribution, FloatDType, IndexingUpdateOp, IntDType, Scalar, Shape, Slice, TensorData,
    TensorMetadata, get_device_settings,
};

use super::forward::forward_constant;
use super::table::{
    bilinear, comparison, discrete, from_input, from_inputs, from_output, linear, none, translation,
};
use crate::backend::Jvp;
use crate::derivative::axis::narrowed;
use crate::derivative::{axis, elementwise, pair, selection};
use crate::mode::Mode;
use crate::rules::{self, refuse};
use crate::tensor::{JvpTensor, T, zeros};

#[deny(clippy::missing_trait_methods)]
#[allow(clippy::clone_on_copy)] // The tables clone every argument, whatever its type.
impl<A: Backend, M: Mode<A>> FloatTensorOps<Self> for Jvp<A, M> {
    forward_constant! {
        fn float_from_data(data: TensorData, device: &Device<Self>) -> FloatTensor<Self>;
        fn float_random(shape: Shape, distribution: Distribution, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_zeros(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_ones(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_full(shape: Shape, fill_value: Scalar, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
        fn float_empty(shape: Shape, device: &Device<Self>, dtype: FloatDType) -> FloatTensor<Self>;
    }

    linear! {
        float_repeat_dim(dim: usize, times: usize);
        float_mul_scalar(factor: Scalar);
        float_div_scalar(divisor: Scalar);
        float_neg();
        float_transpose();
        float_swap_dims(dim1: usize, dim2: usize);
        float_permute(axes: &[usize]);
        float_flip(axes: &[usize]);
        float_reshape(shape: Shape);
        float_gather_nd(indices: IntTensor<Self>);
        float_select(dim: usize, indices: IntTensor<Self>);
        float_slice(slices: &[Slice]);
        float_sum();
        float_sum_dim(dim: usize);
        float_mean();
        float_mean_dim(dim: usize);
        float_cumsum(dim: usize);
        float_cast(dtype: FloatDType);
        float_expand(shape: Shape);
        float_unfold(dim: usize, size: usize, step: usize);
    }

    translation! {
        float_add_scalar(rhs: Scalar);
        float_sub_scalar(rhs: Scalar);
        float_remainder_scalar(rhs: Scalar);
        float_set_require_grad(require_grad: bool);
    }

    bilinear! {
        float_mul();
        float_matmul();
        float_cross(dim: usize);
    }

    from_input! {
        float_log() => elementwise::log;
        float_log1p() => elementwise::log1p;
        float_abs() => elementwise::abs;
        float_cos() => elementwise::cos;
        float_sin() => elementwise::sin;
        float_cosh() => elementwise::cosh;
        float_sinh() => elementwise::sinh;
        float_acos() => elementwise::acos;
        float_acosh() => elementwise::acosh;
        float_asin() => elementwise::asin;
        float_asinh() => elementwise::asinh;
        float_atan() => elementwise::atan;
        float_atanh() => elementwise::atanh;
        float_erf() => elementwise::erf;
        float_clamp_min(min: Scalar) => elementwise::clamp_min;
        float_clamp_max(max: Scalar) => elementwise::clamp_max;
        float_clamp(min: Scalar, max: Scalar) => elementwise::clamp;
        float_prod() => axis::product_of_all;
        float_prod_dim(dim: usize) => axis::product;
        float_cumprod(dim: usize) => axis::cumulative_product;
        float_max() => selection::max;
        float_min() => selection::min;
        float_max_abs() => selection::max_abs;
        float_max_abs_dim(dim: usize) => selection::max_abs_dim;
        float_cummax(dim: usize) => selection::cummax;
        float_cummin(dim: usize) => selection::cummin;
    }

    from_output! {
        float_exp() => elementwise::exp;
        float_sqrt() => elementwise::sqrt;
        float_recip() => elementwise::recip;
        float_tan() => elementwise::tan;
        float_tanh() => elementwise::tanh;
    }

    from_inputs! {
        float_div => pair::quotient_x, quotient_y;
        float_remainder => pair::remainder_x, remainder_y;
        float_powf => pair::power_base, power_exponent;
        float_atan2 => pair::angle_y, angle_x;
    }

    none! {
        float_detach;
        float_round;
        float_floor;
        float_ceil;
        float_trunc;
        float_sign;
    }

    comparison! {
        float_equal;
        float_not_equal;
        float_greater;
        float_greater_equal;
        float_lower;
        float_lower_equal;
    }

    discrete! {
        float_into_data() -> impl Future<Output = Result<TensorData, ExecutionError>> + Send;
        float_into_int(out_dtype: IntDType) -> IntTensor<Self>;
        float_equal_elem(rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>;
        float_not_equal_elem(rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>;
        float_greater_elem(rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>;
        float_greater_equal_elem(rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>;
        float_lower_elem(rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>;
        float_lower_equal_elem(rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<Self>;
        float_argmax(dim: usize, out_dtype: IntDType) -> IntTensor<Self>;
        float_argtopk(dim: usize, k: usize, out_dtype: IntDType) -> IntTensor<Self>;
        float_argmin(dim: usize, out_dtype: IntDType) -> IntTensor<Self>;
        float_argsort(dim: usize, descending: bool, out_dtype: IntDType) -> IntTensor<Self>;
        float_any(out_dtype: BoolDType) -> BoolTensor<Self>;
        float_any_dim(dim: usize, out_dtype: BoolDType) -> BoolTensor<Self>;
        float_all(out_dtype: BoolDType) -> BoolTensor<Self>;
        float_all_dim(dim: usize, out_dtype: BoolDType) -> BoolTensor<Self>;
        float_is_nan(out_dtype: BoolDType) -> BoolTensor<Self>;
        float_is_inf(out_dtype: BoolDType) -> BoolTensor<Self>;
    }

    fn float_device(tensor: &FloatTensor<Self>) -> Device<Self> {
        A::float_device(&tensor.primal)
    }

    fn float_to_device(x: FloatTensor<Self>, device: &Device<Self>) -> FloatTensor<Self> {
        rules::linear(x, |x| A::float_to_device(x, device), |dx| T::<A, M>::float_to_device(dx, device))
    }

    fn float_is_require_grad(tensor: &FloatTensor<Self>) -> bool {
        A::float_is_require_grad(&tensor.primal)
    }

    // Sums.

    fn float_add(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        let tangent = match (x.tangent, y.tangent) {
            (None, None) => return JvpTensor::constant(A::float_add(x.primal, y.primal)),
            (Some(dx), Some(dy)) => T::<A, M>::float_add(dx, dy),
            (Some(dx), None) => dx,
            (None, Some(dy)) => dy,
        };
        JvpTensor::dual(A::float_add(x.primal, y.primal), tangent)
    }

    fn float_sub(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        let tangent = match (x.tangent, y.tangent) {
            (None, None) => return JvpTensor::constant(A::float_sub(x.primal, y.primal)),
            (Some(dx), Some(dy)) => T::<A, M>::float_sub(dx, dy),
            (Some(dx), None) => dx,
            (None, Some(dy)) => T::<A, M>::float_neg(dy),
        };
        JvpTensor::dual(A::float_sub(x.primal, y.primal), tangent)
    }

    // Powers.

    fn float_powi(x: FloatTensor<Self>, n: IntTensor<Self>) -> FloatTensor<Self> {
        let dtype = x.dtype().into();
        rules::from_input(
            x,
            |x| A::float_powi(x, n.clone()),
            |x, dx| {
                let n = T::<A, M>::int_into_float(n.clone(), dtype);
                pair::power_base::<T<A, M>>(x, n, dx)
            },
        )
    }

    fn float_powi_scalar(x: FloatTensor<Self>, n: Scalar) -> FloatTensor<Self> {
        power(x, n, |x| A::float_powi_scalar(x, n))
    }

    fn float_powi_scalar_impl(x: FloatTensor<Self>, n: Scalar) -> FloatTensor<Self> {
        power(x, n, |x| A::float_powi_scalar_impl(x, n))
    }

    fn float_powf_scalar(x: FloatTensor<Self>, c: Scalar) -> FloatTensor<Self> {
        power(x, c, |x| A::float_powf_scalar(x, c))
    }

    fn float_powf_scalar_impl(x: FloatTensor<Self>, c: Scalar) -> FloatTensor<Self> {
        power(x, c, |x| A::float_powf_scalar_impl(x, c))
    }

    // Indexing and joining.

    fn float_gather(dim: usize, x: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        rules::linear(
            x,
            |x| A::float_gather(dim, x, indices.clone()),
            |dx| T::<A, M>::float_gather(dim, dx, indices.clone()),
        )
    }

    fn float_scatter_add(
        dim: usize,
        x: FloatTensor<Self>,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        rules::linear_pair(
            x,
            value,
            |x, value| A::float_scatter_add(dim, x, indices.clone(), value),
            |dx, dv| T::<A, M>::float_scatter_add(dim, dx, indices.clone(), dv),
        )
    }

    /// Linear in data and values for assignment and addition; the other reductions have no rule.
    fn float_scatter_nd(
        x: FloatTensor<Self>,
        indices: IntTensor<Self>,
        values: FloatTensor<Self>,
        reduction: IndexingUpdateOp,
    ) -> FloatTensor<Self> {
        match reduction {
            IndexingUpdateOp::Assign | IndexingUpdateOp::Add => rules::linear_pair(
                x,
                values,
                |x, values| A::float_scatter_nd(x, indices.clone(), values, reduction),
                |dx, dv| T::<A, M>::float_scatter_nd(dx, indices.clone(), dv, reduction),
            ),
            IndexingUpdateOp::Mul | IndexingUpdateOp::Min | IndexingUpdateOp::Max => {
                let name = format!("float_scatter_nd({reduction:?})");
                let (x, values) = (refuse(&name, x), refuse(&name, values));
                JvpTensor::constant(A::float_scatter_nd(x, indices, values, reduction))
            }
        }
    }

    fn float_select_add(
        x: FloatTensor<Self>,
        dim: usize,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        rules::linear_pair(
            x,
            value,
            |x, value| A::float_select_add(x, dim, indices.clone(), value),
            |dx, dv| T::<A, M>::float_select_add(dx, dim, indices.clone(), dv),
        )
    }

    fn float_slice_assign(
        x: FloatTensor<Self>,
        slices: &[Slice],
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        rules::linear_pair(
            x,
            value,
            |x, value| A::float_slice_assign(x, slices, value),
            |dx, dv| T::<A, M>::float_slice_assign(dx, slices, dv),
        )
    }

    fn float_mask_where(
        x: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        rules::linear_pair(
            x,
            value,
            |x, value| A::float_mask_where(x, mask.clone(), value),
            |dx, dv| T::<A, M>::float_mask_where(dx, mask.clone(), dv),
        )
    }

    fn float_mask_fill(x: FloatTensor<Self>, mask: BoolTensor<Self>, value: Scalar) -> FloatTensor<Self> {
        rules::linear(
            x,
            |x| A::float_mask_fill(x, mask.clone(), value),
            |dx| T::<A, M>::float_mask_fill(dx, mask.clone(), 0.0f64.into()),
        )
    }

    fn float_cat(tensors: Vec<FloatTensor<Self>>, dim: usize) -> FloatTensor<Self> {
        // Burn's `Autodiff` lets go of the inputs before the output is on the tape, and a tape without a live tensor is freed
        // at the end of any thread's `backward`.
        let _alive: Vec<_> = tensors.iter().map(|x| x.primal.clone()).collect();
        if tensors.iter().all(|x| x.tangent.is_none()) {
            let primals = tensors.into_iter().map(|x| x.primal).collect();
            return JvpTensor::constant(A::float_cat(primals, dim));
        }
        let (primals, tangents) = tensors
            .into_iter()
            .map(|x| {
                let dx = x.tangent.unwrap_or_else(|| zeros::<A, M>(&x.primal));
                (x.primal, dx)
            })
            .unzip();
        let tangent = T::<A, M>::float_cat(tangents, dim);
        JvpTensor::dual(A::float_cat(primals, dim), tangent)
    }

    // Extrema and order: the tangent of the element that was taken.

    fn float_max_dim(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        let dtype = int_dtype::<A, M>(&x);
        rules::piecewise(
            x,
            |x| A::float_max_dim(x, dim),
            |x| A::float_max_dim_with_indices(x, dim, dtype),
            |dx, indices| T::<A, M>::float_gather(dim, dx, indices),
        )
    }

    fn float_min_dim(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        let dtype = int_dtype::<A, M>(&x);
        rules::piecewise(
            x,
            |x| A::float_min_dim(x, dim),
            |x| A::float_min_dim_with_indices(x, dim, dtype),
            |dx, indices| T::<A, M>::float_gather(dim, dx, indices),
        )
    }

    fn float_max_dim_with_indices(
        x: FloatTensor<Self>,
        dim: usize,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let (y, indices) = A::float_max_dim_with_indices(x.primal, dim, indices_dtype);
        (taken(y, x.tangent, dim, &indices), indices)
    }

    fn float_min_dim_with_indices(
        x: FloatTensor<Self>,
        dim: usize,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let (y, indices) = A::float_min_dim_with_indices(x.primal, dim, indices_dtype);
        (taken(y, x.tangent, dim, &indices), indices)
    }

    fn float_sort(x: FloatTensor<Self>, dim: usize, descending: bool) -> FloatTensor<Self> {
        let dtype = int_dtype::<A, M>(&x);
        rules::piecewise(
            x,
            |x| A::float_sort(x, dim, descending),
            |x| A::float_sort_with_indices(x, dim, descending, dtype),
            |dx, indices| T::<A, M>::float_gather(dim, dx, indices),
        )
    }

    fn float_sort_with_indices(
        x: FloatTensor<Self>,
        dim: usize,
        descending: bool,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let (y, indices) = A::float_sort_with_indices(x.primal, dim, descending, indices_dtype);
        (taken(y, x.tangent, dim, &indices), indices)
    }

    /// The first elements of the sorted ones: `float_argtopk` is missing from several backends.
    fn float_topk(x: FloatTensor<Self>, dim: usize, k: usize) -> FloatTensor<Self> {
        let dtype = int_dtype::<A, M>(&x);
        rules::piecewise(
            x,
            |x| A::float_topk(x, dim, k),
            |x| {
                let (sorted, indices) = A::float_sort_with_indices(x, dim, true, dtype);
                let first = narrowed(&sorted.shape(), dim, 0, k);
                (A::float_slice(sorted, &first), A::int_slice(indices, &first))
            },
            |dx, indices| T::<A, M>::float_gather(dim, dx, indices),
        )
    }

    /// Linear in the picture. In the grid only bilinear sampling is differentiable, by the reference implementation:
    /// nearest sampling has a derivative of zero, the other modes no rule.
    fn float_grid_sample_2d(
        x: FloatTensor<Self>,
        grid: FloatTensor<Self>,
        options: GridSampleOptions,
    ) -> FloatTensor<Self> {
        let grid = match (&grid.tangent, &options.mode) {
            (None, _) | (_, InterpolateMode::Nearest) => grid.primal,
            (Some(_), InterpolateMode::Bilinear) => {
                return float_grid_sample_2d_ref::<Self>(x, grid, options);
            }
            (Some(_), mode) => refuse(&format!("float_grid_sample_2d({mode:?})"), grid),
        };
        let points = x.tangent.as_ref().map(|_| M::project(&grid));
        rules::linear(
            x,
            |x| A::float_grid_sample_2d(x, grid, options.clone()),
            |dx| {
                let points = points.expect("the grid's value when there is a tangent");
                T::<A, M>::float_grid_sample_2d(dx, points, options.clone())
            },
        )
    }
}

/// `x^c` for a constant exponent. `c = 0` ends the tangent.
fn power<A: Backend, M: Mode<A>>(
    x: JvpTensor<A, M>,
    c: Scalar,
    f: impl FnOnce(FloatTensor<A>) -> FloatTensor<A>,
) -> JvpTensor<A, M> {
    let c: f64 = c.elem();
    if c == 0.0 {
        return rules::none(x, f);
    }
    rules::from_input(x, f, |x, dx| elementwise::power::<T<A, M>>(x, dx, c))
}

/// The default int dtype of the tensor's device.
fn int_dtype<A: Backend, M: Mode<A>>(x: &JvpTensor<A, M>) -> IntDType {
    get_device_settings::<A>(&A::float_device(&x.primal)).int_dtype
}

/// `y` with the tangents of the elements at `indices` along `dim`.
fn taken<A: Backend, M: Mode<A>>(
    y: FloatTensor<A>,
    dx: Option<FloatTensor<T<A, M>>>,
    dim: usize,
    indices: &IntTensor<A>,
) -> JvpTensor<A, M> {
    JvpTensor { primal: y, tangent: dx.map(|dx| T::<A, M>::float_gather(dim, dx, indices.clone())) }
}
