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
use super::selection::{running_extremum, take_flat};
use super::table::{bilinear, comparison, discrete, from_input, from_output, linear, none, translation};
use crate::backend::Jvp;
use crate::derivative;
use crate::derivative::narrowed;
use crate::mode::Mode;
use crate::rules::{self, refuse};
use crate::tensor::{JvpTensor, T};

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
        float_log => log;
        float_log1p => log1p;
        float_abs => abs;
        float_cos => cos;
        float_sin => sin;
        float_cosh => cosh;
        float_sinh => sinh;
        float_acos => acos;
        float_acosh => acosh;
        float_asin => asin;
        float_asinh => asinh;
        float_atan => atan;
        float_atanh => atanh;
        float_erf => erf;
    }

    from_output! {
        float_exp => exp;
        float_sqrt => sqrt;
        float_recip => recip;
        float_tan => tan;
        float_tanh => tanh;
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

    // Sums and quotients.

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

    /// `z = x/y`: `dz = dx/y − x·dy/y²`.
    fn float_div(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_inputs(
            x,
            y,
            A::float_div,
            |_, y, dx| T::<A, M>::float_div(dx, y),
            |x, y, dy| {
                let ratio = T::<A, M>::float_div(x, y.clone());
                let slope = T::<A, M>::float_neg(T::<A, M>::float_div(ratio, y));
                T::<A, M>::float_mul(slope, dy)
            },
        )
    }

    /// `z = x − ⌊x/y⌋·y`: `dz = dx − ⌊x/y⌋·dy`.
    fn float_remainder(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_inputs(
            x,
            y,
            A::float_remainder,
            |_, _, dx| dx,
            |x, y, dy| {
                let floor = T::<A, M>::float_floor(T::<A, M>::float_div(x, y));
                T::<A, M>::float_neg(T::<A, M>::float_mul(floor, dy))
            },
        )
    }

    // Powers. `rules` never sees exponents 0 and 1, where the general derivative is not a number at 0.

    fn float_powf(x: FloatTensor<Self>, c: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_inputs(
            x,
            c,
            A::float_powf,
            derivative::power_base::<T<A, M>>,
            derivative::power_exponent::<T<A, M>>,
        )
    }

    fn float_powi(x: FloatTensor<Self>, n: IntTensor<Self>) -> FloatTensor<Self> {
        let dtype = x.dtype().into();
        rules::from_input(
            x,
            |x| A::float_powi(x, n.clone()),
            |x, dx| {
                let n = T::<A, M>::int_into_float(n.clone(), dtype);
                derivative::power_base::<T<A, M>>(x, n, dx)
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

    /// `z = atan2(y, x)`: `dz = (x·dy − y·dx) / (x² + y²)`.
    fn float_atan2(y: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_inputs(
            y,
            x,
            A::float_atan2,
            |y, x, dy| {
                let norm = squared_norm::<T<A, M>>(x.clone(), y);
                let slope = T::<A, M>::float_div(x, norm);
                T::<A, M>::float_mul(slope, dy)
            },
            |y, x, dx| {
                let norm = squared_norm::<T<A, M>>(x, y.clone());
                let slope = T::<A, M>::float_neg(T::<A, M>::float_div(y, norm));
                T::<A, M>::float_mul(slope, dx)
            },
        )
    }

    // Products.

    fn float_prod(x: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_input(x, A::float_prod, |x, dx| {
            let flat = Shape::new([x.shape().num_elements()]);
            let x = T::<A, M>::float_reshape(x, flat.clone());
            let dx = T::<A, M>::float_reshape(dx, flat);
            derivative::product::<T<A, M>>(x, dx, 0)
        })
    }

    fn float_prod_dim(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::float_prod_dim(x, dim),
            |x, dx| derivative::product::<T<A, M>>(x, dx, dim),
        )
    }

    fn float_cumprod(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::float_cumprod(x, dim),
            |x, dx| derivative::cumulative_product::<T<A, M>>(x, dx, dim),
        )
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
        if tensors.iter().all(|x| x.tangent.is_none()) {
            let primals = tensors.into_iter().map(|x| x.primal).collect();
            return JvpTensor::constant(A::float_cat(primals, dim));
        }
        let (primals, tangents) = tensors
            .into_iter()
            .map(|mut x| {
                let dx = x.tangent.take().unwrap_or_else(|| x.zeros());
                (x.primal, dx)
            })
            .unzip();
        let tangent = T::<A, M>::float_cat(tangents, dim);
        JvpTensor::dual(A::float_cat(primals, dim), tangent)
    }

    // Clamping. At a bound the tangent passes, as the gradient of Burn's reverse mode does.

    fn float_clamp_min(x: FloatTensor<Self>, min: Scalar) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::float_clamp_min(x, min),
            |x, dx| derivative::clamp_min::<T<A, M>>(x, dx, min),
        )
    }

    fn float_clamp_max(x: FloatTensor<Self>, max: Scalar) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::float_clamp_max(x, max),
            |x, dx| derivative::clamp_max::<T<A, M>>(x, dx, max),
        )
    }

    fn float_clamp(x: FloatTensor<Self>, min: Scalar, max: Scalar) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::float_clamp(x, min, max),
            |x, dx| derivative::clamp::<T<A, M>>(x, dx, min, max),
        )
    }

    // Extrema and order: the tangent of the element that was taken.

    fn float_max(x: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_input(x, A::float_max, |x, dx| take_flat::<T<A, M>>(x, dx, T::<A, M>::float_argmax))
    }

    fn float_min(x: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_input(x, A::float_min, |x, dx| take_flat::<T<A, M>>(x, dx, T::<A, M>::float_argmin))
    }

    fn float_max_abs(x: FloatTensor<Self>) -> FloatTensor<Self> {
        rules::from_input(x, A::float_max_abs, |x, dx| {
            let dx = derivative::abs::<T<A, M>>(x.clone(), dx);
            let size = T::<A, M>::float_abs(x);
            take_flat::<T<A, M>>(size, dx, T::<A, M>::float_argmax)
        })
    }

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

    fn float_max_abs_dim(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        let dtype = int_dtype::<A, M>(&x);
        rules::from_input(
            x,
            |x| A::float_max_abs_dim(x, dim),
            |x, dx| {
                let dx = derivative::abs::<T<A, M>>(x.clone(), dx);
                let size = T::<A, M>::float_abs(x);
                let indices = T::<A, M>::float_argmax(size, dim, dtype);
                T::<A, M>::float_gather(dim, dx, indices)
            },
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

    fn float_cummax(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::float_cummax(x, dim),
            |x, dx| {
                let best = T::<A, M>::float_cummax(x.clone(), dim);
                running_extremum::<T<A, M>>(x, best, dx, dim)
            },
        )
    }

    fn float_cummin(x: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        rules::from_input(
            x,
            |x| A::float_cummin(x, dim),
            |x, dx| {
                let best = T::<A, M>::float_cummin(x.clone(), dim);
                running_extremum::<T<A, M>>(x, best, dx, dim)
            },
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
    rules::from_input(x, f, |x, dx| derivative::power::<T<A, M>>(x, dx, c))
}

/// `x² + y²`.
fn squared_norm<B: Backend>(x: FloatTensor<B>, y: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add(B::float_mul(x.clone(), x), B::float_mul(y.clone(), y))
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
