//! Cardiac electrophysiology on clusters: anisotropic eikonal activation times on tetrahedral
//! meshes, their exact derivatives, and the conductivity scaling behind measured times.
//!
//! | equation | file |
//! |---|---|
//! | M = c_f² f fᵀ + c_s² s sᵀ + c_n² n nᵀ, N = M⁻¹ | [`tensor`] |
//! | φ₄ = min_λ λ·φ + √((x₄ − x_λ)ᵀ N (x₄ − x_λ)/γ) | [`eikonal::local_solver`] |
//! | √(∇φᵀ γ M ∇φ) = 1 on the mesh: iteration to the fixed point | [`eikonal::fim`] |
//! | the same bits for any order of updates, upwind stencils | [`eikonal::canonical`] |
//! | φ̇_v = Σ λ_i φ̇_i − ½ (s/γ) γ̇ | [`eikonal::tangent`] |
//! | φ̄_i += λ_i φ̄_v, γ̄ −= ½ (s/γ) φ̄_v | [`eikonal::adjoint`] |
//! | df/dM = −N (Σ φ̄ e eᵀ/(2 s γ)) N | [`eikonal::tensor_sensitivity`] |
//! | ∂u/∂t = ∇·(D∇u) − J_ion + I_stim: the step of a row, the wave over a tile | [`monodomain::sweep`] |
//! | ∇·(D∇u) on a grid | [`monodomain::stencil`] |
//! | J_fi, J_so, J_si, v̇, ẇ of Fenton and Karma | [`ionic::fenton_karma`] |
//! | f(γ) = Σ w (φ* − Hφ(γ))² | [`inversion::misfit`] |
//! | α Σ (log γ_k)² + β Σ A_kl (log γ_k − log γ_l)² | [`inversion::regularisation`] |
//! | BFGS, L-BFGS, steepest descent, Gauss–Newton, Levenberg–Marquardt | [`inversion::optimizer`] |
#![deny(unsafe_op_in_unsafe_fn)]

pub mod atomic_file;
pub mod cli;
pub mod comm;
pub mod config;
pub mod device;
pub mod eikonal;
pub mod error;
pub mod exact_sum;
pub mod huge_pages;
pub mod inversion;
pub mod io;
pub mod ionic;
pub mod memory;
pub mod mesh;
pub mod monodomain;
pub mod numbered_list;
pub mod partition;
pub mod plot;
pub mod progress;
pub mod real;
pub mod report;
pub mod run;
pub mod sha256;
pub mod simd;
pub mod team;
pub mod tensor;
pub mod units;
