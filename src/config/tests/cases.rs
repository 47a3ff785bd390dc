//! Configurations that the tests start from.

/// A few keys, on known lines.
pub(super) const CASE: &str = r#"# a case
[mesh]
file = "heart.h5"
unit = "mm"
[[source]]
vertices = [0, 7]
time = 1
[[source]]
point = [1, 2.5, 3]
[domains]
count = 3
gamma = [1.0, 0.5, 2]
"#;

/// Uses every key of every section (but alternatives of one another).
pub(super) const FULL: &str = r#"
[mesh]
generate = { kind = "slab", edge = 0.5, size = [4, 3, 2], fibre_angles = { endocardium = 50, epicardium = -40 } }
unit = "cm"
[conduction]
speed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }
[domains]
method = "file"
file = { file = "domains.h5", dataset = "/d" }
gamma = [0.1, 1e-7]
[[source]]
sphere = { centre = [1, 2, 3], radius = 0.3 }
time = 0.1
[[source]]
vertices = [3]
[[source]]
point = [0.1, 0.2, 0.3]
radius = 0.2
estimate = ["time", "point"]
[[source]]
tag = -4
[[source]]
file = "stimulus.vtx"
[output]
formats = ["vtkhdf", "dat"]
[eikonal]
precision = "f32"
bucket_width = 0.3
[gradient]
jacobian = true
tensor = true
check = true
[inversion]
twin = { gamma = [1.0, 0.2], noise_ms = 0.1, seed = 7, onsets = [0, 1, 2, 3, 4], scar = { centre = [1, 1, 1], radius = 0.5, gamma = 0.2 } }
noise_ms = 0.2
vertices = { points = [[0.1, 0.2, 0.3]] }
weights = { file = "w.h5", dataset = "/w" }
parameter = "gamma"
initial_gamma = [2.0, 3.0]
optimizer = "lbfgs"
initial_hessian = "diagonal"
gradient = "finite-differences"
stop = { misfit = 0.1, gradient_norm = 1e-3, step = 1e-4, iterations = 7 }
regularisation = { tikhonov = 0.3, neighbour_jump = 0.7, choose = "l-curve", sweep = { least = 0.1, most = 10, steps = 3 } }
refinement = { domains = 9 }
uncertainty = false
multistart = { starts = 2, log_range = 0.5, seed = 3 }
[fk]
model = "fenton-karma"
parameters = "1A"
grid = { shape = [20, 30, 40], spacing = [0.3, 0.2, 0.1] }
boundary = ["no-flux", "no-flux", "periodic"]
mask = { file = "mask.h5", dataset = "/mask" }
diffusivity = { fibre = 0.1, sheet = 0.05, normal = 0.02, direction = [1, 1, 0] }
stencil = "flux"
integrator = "rush-larsen"
precision = "f64"
dt = 0.02
duration = 100
initial = { file = "state.h5", group = "/fk" }
steps_per_exchange = 4
tile = [10, 10, 40]
largest_u = 5
bridge = { mesh = "heart.h5" }
[[fk.region]]
region = { box = { low = [0, 0, 0], high = [1, 1, 1.5] } }
parameters = { tau_v_plus = 10, tau_v1_minus = 9, tau_v2_minus = 9, tau_d = 0.3, tau_0 = 9, tau_r = 190, u_c = 0.13 }
[[fk.region]]
region = "all"
parameters = 3
gamma = 0.5
[[fk.hole]]
sphere = { centre = [1, 2, 3], radius = 0.5 }
[[fk.hole]]
box = [[0, 0, 0], [1, 1, 1]]
[[fk.stimulus]]
kind = "replace"
amplitude = 20
region = { half = "west", coverage = 0.1, angle = 0 }
timing = "plain"
start = 2
duration = 3
period = 10
[[fk.stimulus]]
kind = "voltage"
amplitude = 1
region = { file = "r.h5", dataset = "/r" }
start = 0.5
duration = 1.5
period = 300
count = 8
[fk.record]
frames_every = 5
frames = ["u", "v"]
activation_threshold = 0.3
activations = 10
apd_level = 0.9
probes = [[1, 2, 3]]
probes_every = 0.5
electrodes = [[10, 10, 30]]
ecg_every = 2
tip = true
tip_every = 3
tip_u = 0.4
tip_gate = 0.6
compression = 9
[checkpoint]
every_minutes = 10
every_ms = 500
keep = 3
[run]
threads = 3
device = "cpu"
simd = "avx2"
max_minutes = 2.5
"#;

/// A simulation without a mesh.
pub(super) const FK: &str = r#"
[fk]
parameters = "3"
grid = { shape = [48, 64], spacing = 0.25 }
diffusivity = 0.1
duration = 10
[[fk.stimulus]]
kind = "replace"
amplitude = 1.5
region = { half = "west", coverage = 0.1, angle = 0 }
duration = 2
"#;

/// An S1-S2 protocol, which no stimulus may stand beside.
pub(super) const CABLE: &str = r#"
[fk]
parameters = "3"
grid = { shape = [400], spacing = 0.1 }
diffusivity = 0.1
[fk.tune]
speed = 0.6
tolerance = 0.01
[fk.restitution]
s1_period = 400
s1_count = 5
s2 = [300, 250]
region = { half = "west", coverage = 0.1, angle = 0 }
amplitude = 0.5
duration = 2
[fk.record]
activation_threshold = 0.5
apd_level = 0.9
probes = [[10.0], [30.0]]
"#;

/// The keys of the generators that [`FULL`] cannot use beside its slab.
pub(super) const HEART: &str = r#"
[mesh.generate]
kind = "biventricle"
edge = 1.5
left_ventricle = { radius = 18, length = 44.5, wall = 9, base = -1 }
right_ventricle = { wall = 4, width = 20 }
fibre_angles = { endocardium = 50, epicardium = -40 }
"#;
