//! What makes one type of a list of networks.

use crate::{
    error::NetError,
    import::{Convention, own},
    init::Init,
    network::Activations,
};
use burn::{
    module::{AutodiffModule, Devices, Module, ModuleMapper, ModuleVisitor},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use core::fmt::Debug;
use meanflow_core::{Backbone, Condition, Heads, Streams};
use meanflow_settings::Reader;

/// A set of kinds of networks behind one type; [`networks!`](crate::networks) makes one.
pub trait Networks: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Name and one-line description of every network, as an experiment file spells it.
    const NAMES: &'static [(&'static str, &'static str)];

    /// A network of any of these kinds; its parameters' paths begin with the kind.
    type Module<B: Backend>: Backbone<B> + Module<B> + Sync;

    /// The name in [`Self::NAMES`].
    fn name(&self) -> &'static str;

    /// See [`Network::read`](crate::Network::read).
    ///
    /// # Panics
    /// If `kind` is none of [`Self::NAMES`].
    fn read(kind: &str, r: &mut Reader) -> Self;

    /// See [`Network::check`](crate::Network::check).
    fn check(&self, shape: [usize; 3]) -> Vec<NetError>;

    /// See [`Network::parameters`](crate::Network::parameters).
    fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize;

    /// See [`Network::flops`](crate::Network::flops).
    fn flops(&self, shape: [usize; 3]) -> f64;

    /// See [`Network::activations`](crate::Network::activations).
    fn activations(&self, shape: [usize; 3]) -> Activations;

    /// See [`Network::guided`](crate::Network::guided).
    fn guided(&self) -> bool;

    /// See [`Network::augment_labels`](crate::Network::augment_labels).
    fn augment_labels(&self) -> Option<usize>;

    /// See [`Network::computes_as`](crate::Network::computes_as); networks of different kinds do not.
    fn computes_as(&self, other: &Self) -> bool;

    /// See [`Network::start_from`](crate::Network::start_from); networks of different kinds have no such start.
    ///
    /// # Errors
    /// [`NetError::NoStart`].
    fn start_from<B: Backend>(
        &self,
        from: &Self,
        flow: Net<B, Self>,
        fresh: Net<B, Self>,
    ) -> Result<Net<B, Self>, NetError>;

    /// See [`Network::conventions`](crate::Network::conventions).
    fn foreign_conventions(&self, shape: [usize; 3]) -> Vec<Convention>;

    /// See [`Network::make`](crate::Network::make).
    fn make<B: Backend>(&self, shape: [usize; 3], classes: Option<usize>, init: &Init<B>) -> Self::Module<B>;

    /// The network without its tape.
    fn off_tape<B: AutodiffBackend>(module: &Self::Module<B>) -> Self::Module<B::InnerBackend>;

    /// The network on a tape.
    fn on_tape<B: AutodiffBackend>(module: Self::Module<B::InnerBackend>) -> Self::Module<B>;

    /// The conventions in which weights may come; the first is that of checkpoints and exported files.
    fn conventions(&self, shape: [usize; 3]) -> Vec<Convention> {
        std::iter::once(own()).chain(self.foreign_conventions(shape)).collect()
    }

    /// Makes the network with weights drawn from `streams`.
    ///
    /// # Errors
    /// The first problem of [`check`](Self::check).
    fn init<B: Backend>(
        &self,
        shape: [usize; 3],
        classes: Option<usize>,
        streams: &Streams,
        device: &B::Device,
    ) -> Result<Net<B, Self>, NetError> {
        match self.check(shape).into_iter().next() {
            Some(error) => Err(error),
            None => Ok(Net(self.make(shape, classes, &Init::new(streams, device)))),
        }
    }
}

/// A network of any kind of the list `K`.
///
/// It is the module inside, with the same paths of parameters; around it, what can be on a tape or off it for every backend.
#[derive(Clone, Debug)]
pub struct Net<B: Backend, K: Networks>(pub K::Module<B>);

impl<B: Backend, K: Networks> Module<B> for Net<B, K> {
    type Record = <K::Module<B> as Module<B>>::Record;

    fn collect_devices(&self, devices: Devices<B>) -> Devices<B> {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &B::Device) -> Self {
        Self(self.0.fork(device))
    }

    fn to_device(self, device: &B::Device) -> Self {
        Self(self.0.to_device(device))
    }

    fn visit<V: ModuleVisitor<B>>(&self, visitor: &mut V) {
        self.0.visit(visitor);
    }

    fn map<M: ModuleMapper<B>>(self, mapper: &mut M) -> Self {
        Self(self.0.map(mapper))
    }

    fn load_record(self, record: Self::Record) -> Self {
        Self(self.0.load_record(record))
    }

    fn into_record(self) -> Self::Record {
        self.0.into_record()
    }
}

impl<B: AutodiffBackend, K: Networks> AutodiffModule<B> for Net<B, K> {
    type InnerModule = Net<B::InnerBackend, K>;

    fn valid(&self) -> Self::InnerModule {
        Net(K::off_tape(&self.0))
    }

    fn from_inner(module: Self::InnerModule) -> Self {
        Self(K::on_tape(module.0))
    }
}

impl<B: Backend, K: Networks> Backbone<B> for Net<B, K> {
    fn forward(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
    ) -> Tensor<B, 4> {
        self.0.forward(z, r, t, condition)
    }

    fn classes(&self) -> Option<usize> {
        self.0.classes()
    }

    fn guided(&self) -> bool {
        self.0.guided()
    }

    fn velocity(&self, z: Tensor<B, 4>, t: Tensor<B, 1>, condition: &Condition<B>) -> Tensor<B, 4> {
        self.0.velocity(z, t, condition)
    }

    fn heads(
        &self,
        z: Tensor<B, 4>,
        r: Tensor<B, 1>,
        t: Tensor<B, 1>,
        condition: &Condition<B>,
        branch: fn(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Heads<B> {
        self.0.heads(z, r, t, condition, branch)
    }
}

/// Makes the two enums of a list of networks, of settings and of modules, the one `match` over them:
/// `networks! { /// Doc. pub enum Settings => Modules { Variant(Config => Module), … } }`. A variant is the first part of the paths
/// of its parameters. The crate that calls it needs `burn` among its dependencies.
#[macro_export]
macro_rules! networks {
    ($(#[$meta:meta])* $vis:vis enum $name:ident => $modules:ident {
        $($variant:ident($settings:ty => $module:ident)),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)] // a variant is described where its settings are
        $vis enum $name {
            $($variant($settings),)+
        }

        #[doc = concat!("A network of one of the kinds of [`", stringify!($name), "`].")]
        #[derive(burn::module::Module, Debug)]
        #[allow(missing_docs, clippy::large_enum_variant)] // one value per run
        $vis enum $modules<B: burn::tensor::backend::Backend> {
            $($variant($module<B>),)+
        }

        impl<B: burn::tensor::backend::Backend> $crate::core::Backbone<B> for $modules<B> {
            fn forward(
                &self,
                z: burn::tensor::Tensor<B, 4>,
                r: burn::tensor::Tensor<B, 1>,
                t: burn::tensor::Tensor<B, 1>,
                condition: &$crate::core::Condition<B>,
            ) -> burn::tensor::Tensor<B, 4> {
                match self {
                    $(Self::$variant(net) => net.forward(z, r, t, condition),)+
                }
            }

            fn classes(&self) -> Option<usize> {
                match self {
                    $(Self::$variant(net) => $crate::core::Backbone::<B>::classes(net),)+
                }
            }

            fn guided(&self) -> bool {
                match self {
                    $(Self::$variant(net) => $crate::core::Backbone::<B>::guided(net),)+
                }
            }

            fn velocity(
                &self,
                z: burn::tensor::Tensor<B, 4>,
                t: burn::tensor::Tensor<B, 1>,
                condition: &$crate::core::Condition<B>,
            ) -> burn::tensor::Tensor<B, 4> {
                match self {
                    $(Self::$variant(net) => net.velocity(z, t, condition),)+
                }
            }

            fn heads(
                &self,
                z: burn::tensor::Tensor<B, 4>,
                r: burn::tensor::Tensor<B, 1>,
                t: burn::tensor::Tensor<B, 1>,
                condition: &$crate::core::Condition<B>,
                branch: fn(burn::tensor::Tensor<B, 2>) -> burn::tensor::Tensor<B, 2>,
            ) -> $crate::core::Heads<B> {
                match self {
                    $(Self::$variant(net) => net.heads(z, r, t, condition, branch),)+
                }
            }
        }

        impl $crate::Networks for $name {
            const NAMES: &'static [(&'static str, &'static str)] = &[$((
                <$settings as $crate::Network>::NAME,
                <$settings as $crate::Network>::ABOUT,
            )),+];

            type Module<B: burn::tensor::backend::Backend> = $modules<B>;

            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$settings as $crate::Network>::NAME,)+
                }
            }

            fn read(kind: &str, r: &mut $crate::core::settings::Reader) -> Self {
                match kind {
                    $(<$settings as $crate::Network>::NAME => {
                        Self::$variant(<$settings as $crate::Network>::read(r))
                    })+
                    other => panic!("no network is called `{other}`"),
                }
            }

            fn check(&self, shape: [usize; 3]) -> Vec<$crate::NetError> {
                match self {
                    $(Self::$variant(settings) => $crate::Network::check(settings, shape),)+
                }
            }

            fn parameters(&self, shape: [usize; 3], classes: Option<usize>) -> usize {
                match self {
                    $(Self::$variant(settings) => $crate::Network::parameters(settings, shape, classes),)+
                }
            }

            fn flops(&self, shape: [usize; 3]) -> f64 {
                match self {
                    $(Self::$variant(settings) => $crate::Network::flops(settings, shape),)+
                }
            }

            fn activations(&self, shape: [usize; 3]) -> $crate::Activations {
                match self {
                    $(Self::$variant(settings) => $crate::Network::activations(settings, shape),)+
                }
            }

            fn guided(&self) -> bool {
                match self {
                    $(Self::$variant(settings) => $crate::Network::guided(settings),)+
                }
            }

            fn augment_labels(&self) -> Option<usize> {
                match self {
                    $(Self::$variant(settings) => $crate::Network::augment_labels(settings),)+
                }
            }

            fn computes_as(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$variant(this), Self::$variant(other)) => {
                        $crate::Network::computes_as(this, other)
                    })+
                    #[allow(unreachable_patterns)] // where there is one kind
                    _ => false,
                }
            }

            fn start_from<B: burn::tensor::backend::Backend>(
                &self,
                from: &Self,
                flow: $crate::Net<B, Self>,
                fresh: $crate::Net<B, Self>,
            ) -> Result<$crate::Net<B, Self>, $crate::NetError> {
                match (self, from, flow.0, fresh.0) {
                    $((
                        Self::$variant(this),
                        Self::$variant(from),
                        $modules::$variant(flow),
                        $modules::$variant(fresh),
                    ) => {
                        let start = $crate::Network::start_from(this, from, flow, fresh)?;
                        Ok($crate::Net($modules::$variant(start)))
                    })+
                    #[allow(unreachable_patterns)] // where there is one kind
                    _ => Err($crate::NetError::NoStart { reason: "the flow has another kind of network" }),
                }
            }

            fn foreign_conventions(&self, shape: [usize; 3]) -> Vec<$crate::import::Convention> {
                match self {
                    $(Self::$variant(settings) => $crate::Network::conventions(settings, shape),)+
                }
            }

            fn make<B: burn::tensor::backend::Backend>(
                &self,
                shape: [usize; 3],
                classes: Option<usize>,
                init: &$crate::init::Init<B>,
            ) -> Self::Module<B> {
                match self {
                    $(Self::$variant(settings) => {
                        $modules::$variant($crate::Network::make(settings, shape, classes, init))
                    })+
                }
            }

            fn off_tape<B: burn::tensor::backend::AutodiffBackend>(
                module: &Self::Module<B>,
            ) -> Self::Module<B::InnerBackend> {
                burn::module::AutodiffModule::valid(module)
            }

            fn on_tape<B: burn::tensor::backend::AutodiffBackend>(
                module: Self::Module<B::InnerBackend>,
            ) -> Self::Module<B> {
                burn::module::AutodiffModule::from_inner(module)
            }
        }
    };
}
