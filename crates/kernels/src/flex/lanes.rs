//! Vectors of the machine, for the products that convolutions are made of.

/// Numbers side by side in one register.
///
/// # Safety
/// `load`, `store` and the products need the instructions that the implementing type belongs to; pointers must be good for
/// [`WIDTH`](Self::WIDTH) numbers.
#[allow(unsafe_code)]
pub(super) trait Lanes: Copy {
    const WIDTH: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self + a·b`.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
}

/// The instructions that the machine has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Set {
    pub(super) fn of_this_machine() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }
}

/// Any machine.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 8]);

#[allow(unsafe_code)]
impl Lanes for Portable {
    const WIDTH: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer is good for eight numbers.
        Self(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's pointer is good for eight numbers.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        let mut sum = self.0;
        for (sum, (a, b)) in sum.iter_mut().zip(a.0.iter().zip(&b.0)) {
            *sum += a * b;
        }
        Self(sum)
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! registers {
    ($($register:ident, $width:literal, $splat:ident, $load:ident, $store:ident, $fma:ident;)*) => {$(
        #[allow(unsafe_code)]
        impl Lanes for core::arch::x86_64::$register {
            const WIDTH: usize = $width;

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller has the instructions.
                unsafe { core::arch::x86_64::$splat(value) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller has the instructions, and its pointer is good for a register.
                unsafe { core::arch::x86_64::$load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller has the instructions, and its pointer is good for a register.
                unsafe { core::arch::x86_64::$store(to, self) }
            }

            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: the caller has the instructions.
                unsafe { core::arch::x86_64::$fma(a, b, self) }
            }
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
registers! {
    __m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps;
    __m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps;
}
