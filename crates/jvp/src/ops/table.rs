//! Tables of operations by class of rule: a line each, which names the operation and its further arguments.

/// `y = op(x, …)` linear in `x`, the first operand: the same operation on the tangent.
macro_rules! linear {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $name(x: FloatTensor<Self>, $($arg: $ty),*) -> FloatTensor<Self> {
            rules::linear(
                x,
                |x| A::$name(x, $($arg.clone()),*),
                |dx| T::<A, M>::$name(dx, $($arg.clone()),*),
            )
        }
    )*};
}

/// `y = op(x, …)` that moves `x` by a constant: the tangent passes.
macro_rules! translation {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $name(x: FloatTensor<Self>, $($arg: $ty),*) -> FloatTensor<Self> {
            rules::linear(x, |x| A::$name(x, $($arg),*), |dx| dx)
        }
    )*};
}

/// `z = op(x, y, …)` bilinear in `x` and `y`, the first operands.
macro_rules! bilinear {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $name(
            x: FloatTensor<Self>,
            y: FloatTensor<Self>,
            $($arg: $ty),*
        ) -> FloatTensor<Self> {
            rules::bilinear(
                x,
                y,
                |x, y| A::$name(x, y, $($arg.clone()),*),
                |x, y| T::<A, M>::$name(x, y, $($arg.clone()),*),
            )
        }
    )*};
}

/// `y = op(x, …)` with the named derivative in terms of the input.
macro_rules! from_input {
    ($($name:ident($($arg:ident: $ty:ty),*) => $module:ident::$derivative:ident;)*) => {$(
        fn $name(x: FloatTensor<Self>, $($arg: $ty),*) -> FloatTensor<Self> {
            rules::from_input(
                x,
                |x| A::$name(x, $($arg),*),
                |x, dx| $module::$derivative::<T<A, M>>(x, dx, $($arg),*),
            )
        }
    )*};
}

/// `y = op(x, …)` with the named derivative in terms of the output.
macro_rules! from_output {
    ($($name:ident($($arg:ident: $ty:ty),*) => $module:ident::$derivative:ident;)*) => {$(
        fn $name(x: FloatTensor<Self>, $($arg: $ty),*) -> FloatTensor<Self> {
            rules::from_output(
                x,
                |x| A::$name(x, $($arg),*),
                |y, dx| $module::$derivative::<T<A, M>>(y, dx, $($arg),*),
            )
        }
    )*};
}

/// `z = op(x, y)` with the named derivatives along each operand.
macro_rules! from_inputs {
    ($($name:ident => $module:ident::$along_x:ident, $along_y:ident;)*) => {$(
        fn $name(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
            rules::from_inputs(
                x,
                y,
                A::$name,
                $module::$along_x::<T<A, M>>,
                $module::$along_y::<T<A, M>>,
            )
        }
    )*};
}

/// `y = op(x)` whose derivative is zero or does not exist: the tangent ends here.
macro_rules! none {
    ($($name:ident;)*) => {$(
        fn $name(x: FloatTensor<Self>) -> FloatTensor<Self> {
            rules::none(x, A::$name)
        }
    )*};
}

/// Ints or bools from one float tensor: the tangent ends here.
macro_rules! discrete {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
        fn $name(x: FloatTensor<Self>, $($arg: $ty),*) -> $ret {
            A::$name(x.primal, $($arg),*)
        }
    )*};
}

/// Comparisons of two float tensors: the tangents end here.
macro_rules! comparison {
    ($($name:ident;)*) => {$(
        fn $name(
            x: FloatTensor<Self>,
            y: FloatTensor<Self>,
            out_dtype: BoolDType,
        ) -> BoolTensor<Self> {
            A::$name(x.primal, y.primal, out_dtype)
        }
    )*};
}

pub(super) use {
    bilinear, comparison, discrete, from_input, from_inputs, from_output, linear, none, translation,
};
