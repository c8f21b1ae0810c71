//! What makes one type of a list of objectives.

use super::{About, Facts, Reference, ReferenceError, Visit};
use burn::tensor::backend::Backend;
use core::fmt::Debug;
use meanflow_settings::Reader;

/// A set of objectives behind one type; [`objectives!`](crate::objectives) makes one.
pub trait Objectives: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Name and one-line description of every objective, as an experiment file spells it.
    const NAMES: &'static [(&'static str, &'static str)];

    /// The name in [`Self::NAMES`].
    fn name(&self) -> &'static str;

    /// Reads the table `[objective.<kind>]` of an experiment file.
    ///
    /// # Panics
    /// If `kind` is none of [`Self::NAMES`].
    fn read(kind: &str, r: &mut Reader, about: &About) -> Self;

    /// What is known of the objective whatever it is.
    fn facts(&self) -> &dyn Facts;

    /// Computes what a reference file of the `method` holds; `None` if no objective has such files.
    fn parity<X: Backend>(
        method: &str,
        reference: &mut Reference,
        device: &X::Device,
    ) -> Option<Result<(), ReferenceError>>;

    /// `visitor` on the objective.
    fn visit<X: Backend, V: Visit<X>>(&self, visitor: V) -> V::Output;
}

/// Makes the enum of a list of objectives, the one `match` over them: `objectives! { /// Doc. pub enum Name { Variant(Settings), … } }`.
#[macro_export]
macro_rules! objectives {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($variant:ident($settings:ty)),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)] // a variant is described where its settings are
        $vis enum $name {
            $($variant($settings),)+
        }

        impl $crate::objective::Objectives for $name {
            const NAMES: &'static [(&'static str, &'static str)] = &[$((
                <$settings as $crate::objective::Objective>::NAME,
                <$settings as $crate::objective::Objective>::ABOUT,
            )),+];

            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$settings as $crate::objective::Objective>::NAME,)+
                }
            }

            fn read(
                kind: &str,
                r: &mut $crate::settings::Reader,
                about: &$crate::objective::About,
            ) -> Self {
                match kind {
                    $(<$settings as $crate::objective::Objective>::NAME => {
                        Self::$variant(<$settings as $crate::objective::Objective>::read(r, about))
                    })+
                    other => panic!("no objective is called `{other}`"),
                }
            }

            fn facts(&self) -> &dyn $crate::objective::Facts {
                match self {
                    $(Self::$variant(objective) => objective,)+
                }
            }

            fn parity<X: burn::tensor::backend::Backend>(
                method: &str,
                reference: &mut $crate::objective::Reference,
                device: &X::Device,
            ) -> Option<Result<(), $crate::objective::ReferenceError>> {
                match method {
                    $(<$settings as $crate::objective::Objective>::METHOD => {
                        Some(<$settings as $crate::objective::Objective>::parity::<
                            $crate::objective::Tape<X, $settings>,
                        >(reference, device))
                    })+
                    _ => None,
                }
            }

            fn visit<X: burn::tensor::backend::Backend, V: $crate::objective::Visit<X>>(
                &self,
                visitor: V,
            ) -> V::Output {
                match self {
                    $(Self::$variant(objective) => visitor.on(objective),)+
                }
            }
        }

        $(impl From<$settings> for $name {
            fn from(settings: $settings) -> Self {
                Self::$variant(settings)
            }
        })+
    };
}
