//! Operations that `A` does as they are: forwarded by name, defaults included, so that `A`'s fast paths are kept.

/// Methods whose operands and result are the same types on `Jvp<A, M>` and on `A`.
macro_rules! forward {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty;)*) => {$(
        fn $name($($arg: $ty),*) -> $ret {
            A::$name($($arg),*)
        }
    )*};
}

/// Methods that make a float tensor from something that has no tangent.
macro_rules! forward_constant {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty;)*) => {$(
        fn $name($($arg: $ty),*) -> $ret {
            $crate::tensor::JvpTensor::constant(A::$name($($arg),*))
        }
    )*};
}

pub(super) use {forward, forward_constant};
