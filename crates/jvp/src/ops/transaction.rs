//! Reading several tensors at once.

use burn::tensor::backend::{Backend, ExecutionError};
use burn::tensor::ops::{TransactionOps, TransactionPrimitive, TransactionPrimitiveData};

use crate::backend::Jvp;
use crate::mode::Mode;

#[deny(clippy::missing_trait_methods)]
impl<A: Backend, M: Mode<A>> TransactionOps<Self> for Jvp<A, M> {
    fn tr_execute(
        transaction: TransactionPrimitive<Self>,
    ) -> impl Future<Output = Result<TransactionPrimitiveData, ExecutionError>> + Send {
        A::tr_execute(TransactionPrimitive::new(
            transaction.read_floats.into_iter().map(|tensor| tensor.primal).collect(),
            transaction.read_qfloats,
            transaction.read_ints,
            transaction.read_bools,
        ))
    }
}
