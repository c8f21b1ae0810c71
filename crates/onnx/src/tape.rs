//! The recording backend: Burn's router with a client that computes nothing and keeps every operation.

use burn_backend::{
    DType, DTypeUsage, DTypeUsageSet, Shape, TensorData,
    backend::{Device, DeviceId, DeviceOps, ExecutionError},
};
use burn_ir::{OperationIr, TensorId, TensorIr};
use burn_router::{BackendRouter, MultiBackendBridge, RouterTensor, RunnerChannel, RunnerClient, get_client};
use burn_std::future::DynFut;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
};

/// A backend that computes nothing and writes down what it is asked for.
///
/// Its tensors have shapes and no values, except those that were made from data.
pub type Recorder = BackendRouter<Tape>;

/// Where one pass is recorded; only [`Pass::device`](crate::Pass::device) gives one that is written down.
#[derive(Clone, Debug, Default)]
pub struct RecorderDevice(u16);

/// All are equal to Burn, which panics where devices differ: a tensor of another recording comes as far as the lowering, and is an
/// error with a place there.
impl PartialEq for RecorderDevice {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for RecorderDevice {}

impl Device for RecorderDevice {
    fn from_id(id: DeviceId) -> Self {
        Self(id.index_id)
    }

    fn to_id(&self) -> DeviceId {
        DeviceId::new(0, self.0)
    }
}

impl DeviceOps for RecorderDevice {}

impl RecorderDevice {
    /// One that no other recording in progress has. The first, 0, is the default device and is never given.
    pub(crate) fn fresh() -> Self {
        static LAST: AtomicU16 = AtomicU16::new(0);
        loop {
            let next = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if next != 0 {
                return Self(next);
            }
        }
    }

    /// What has been recorded on it, which is empty afterwards.
    pub(crate) fn take(&self) -> Taken {
        std::mem::take(&mut *self.client().lock())
    }

    pub(crate) fn client(&self) -> TapeClient {
        get_client::<Tape>(self)
    }

    /// A tensor without values.
    pub(crate) fn empty(&self, shape: Shape, dtype: DType) -> RouterTensor<TapeClient> {
        let client = self.client();
        RouterTensor::new(client.create_empty_handle(), shape, dtype, client)
    }
}

/// A recording in the backend's own terms.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) operations: Vec<OperationIr>,
    pub(crate) constants: HashMap<TensorId, TensorData>,
    /// After how many operations the values of a tensor were asked for that has none.
    pub(crate) read: Option<usize>,
}

/// What the recorder's tensors are written to.
#[derive(Clone, Debug)]
pub struct TapeClient {
    device: RecorderDevice,
    taken: Arc<Mutex<Taken>>,
}

impl TapeClient {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        // A panic elsewhere leaves a whole list behind.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunnerClient for TapeClient {
    type Device = RecorderDevice;

    fn register_op(&self, operation: OperationIr) {
        match operation {
            OperationIr::Drop(_) | OperationIr::Init(_) => {}
            operation => self.lock().operations.push(operation),
        }
    }

    fn read_tensor_async(&self, tensor: TensorIr) -> DynFut<Result<TensorData, ExecutionError>> {
        let mut taken = self.lock();
        let data = taken.constants.get(&tensor.id).cloned();
        let data = data.unwrap_or_else(|| {
            // The caller of the pass is told; zeros let the pass go on until then.
            let now = taken.operations.len();
            taken.read.get_or_insert(now);
            let bytes = vec![0; tensor.shape.num_elements() * tensor.dtype.size()];
            TensorData::from_bytes_vec(bytes, tensor.shape, tensor.dtype)
        });
        Box::pin(std::future::ready(Ok(data)))
    }

    fn sync(&self) -> Result<(), ExecutionError> {
        Ok(())
    }

    fn create_empty_handle(&self) -> TensorId {
        // Over all recordings, so that a tensor of another one is noticed.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        TensorId::new(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn register_tensor_data(&self, data: TensorData) -> RouterTensor<Self> {
        let id = self.create_empty_handle();
        let (shape, dtype) = (data.shape.clone(), data.dtype);
        self.lock().constants.insert(id, data);
        RouterTensor::new(id, shape, dtype, self.clone())
    }

    fn device(&self) -> RecorderDevice {
        self.device.clone()
    }

    fn seed(&self, _seed: u64) {}

    fn dtype_usage(&self, _dtype: DType) -> DTypeUsageSet {
        DTypeUsage::general()
    }
}

/// The channel of the [`Recorder`].
#[derive(Clone, Copy, Debug)]
pub struct Tape;

impl RunnerChannel for Tape {
    type Device = RecorderDevice;
    type Bridge = NoBridge;
    type Client = TapeClient;
    type FloatElem = f32;
    type IntElem = i64;
    type BoolElem = bool;

    fn name(_device: &RecorderDevice) -> String {
        "recorder".to_owned()
    }

    fn init_client(device: &RecorderDevice) -> TapeClient {
        TapeClient { device: device.clone(), taken: Arc::default() }
    }

    fn get_tensor_handle(_tensor: &TensorIr, _client: &TapeClient) {}

    fn register_tensor(
        client: &TapeClient,
        _handle: (),
        shape: Shape,
        dtype: DType,
    ) -> RouterTensor<TapeClient> {
        RouterTensor::new(client.create_empty_handle(), shape, dtype, client.clone())
    }
}

/// Between recordings there is no way: no tensor has values to bring along.
#[derive(Debug)]
pub struct NoBridge;

impl MultiBackendBridge for NoBridge {
    type TensorHandle = ();
    type Device = RecorderDevice;

    fn change_backend_float(_tensor: (), _shape: Shape, _device: &RecorderDevice) {}

    fn change_backend_int(_tensor: (), _shape: Shape, _device: &RecorderDevice) {}

    fn change_backend_bool(_tensor: (), _shape: Shape, _device: &RecorderDevice) {}
}
