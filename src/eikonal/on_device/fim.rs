//! The iteration on a device: what [`Iteration::solve`] does on the CPU.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytemuck::{Pod, Zeroable};

use crate::comm::halo::{Halo, Traffic};
use crate::comm::{Communicator, agree};
use crate::device::{Argument, Array, BLOCK, Device, Kernels, Launch, Recording, check_memory};
use crate::eikonal::fim::{FimCounters, Iteration, Patience};
use crate::eikonal::metric_mesh::MetricMesh;
use crate::error::Result;
use crate::real::Real;

/// Blocks of threads of every launch: kernels go through their lists with so many as there are.
const BLOCKS: u32 = 1024;
/// Iterations between two looks at whether any vertex is active; even, since two lists take turns.
const ITERATIONS: usize = 8;
/// Buckets that all ranks advance between two exchanges, as on the CPU.
const BUCKETS_PER_ROUND: f64 = 4.0;

/// Structures of `fim.cu`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct MeshPointers {
    vertices: u64,
    lengths: u64,
    domains: u64,
    inv_gamma: u64,
    offsets: u64,
    corners: u64,
    owned: i32,
    count: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Control {
    lowest: f64,
    lowest_next: f64,
    width: f64,
    cap: f64,
    solves: u64,
    updates: u64,
    batches: u64,
    active: u32,
    next: u32,
    batch: u32,
    patient: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct ListPointers {
    phi: u64,
    known: u64,
    state: u64,
    small_falls: u64,
    active: u64,
    next: u64,
    batch: u64,
}

/// A rank's part of the mesh on its device, with the lists of the iteration.
pub struct OnDevice<T: Real> {
    pub(super) device: Arc<dyn Device>,
    pub(super) kernels: Arc<Kernels>,
    pub(super) vertices: Array<u32>,
    pub(super) domains: Array<u32>,
    _lengths: Array<T>,
    inv_gamma: Array<T>,
    _offsets: Array<u32>,
    _corners: Array<u32>,
    mesh: MeshPointers,
    pub(super) phi: Array<T>,
    known: Array<T>,
    state: Array<u32>,
    small_falls: Array<u32>,
    lists: [Array<u32>; 2],
    batch: Array<u32>,
    control: Array<Control>,
    winners: Array<u8>,
    /// Owned vertices that other ranks hold as ghosts, and room for their times.
    shared: Vec<u32>,
    shared_on_device: Array<u32>,
    shared_times: Array<T>,
    /// Room for ghosts and their times.
    ghosts: Array<u32>,
    ghost_times: Array<T>,
    iterations: Mutex<Option<Box<dyn Recording>>>,
}

impl<T: Real> OnDevice<T> {
    /// Brings a mesh to the device, for `domains` values of γ.
    ///
    /// # Errors
    /// [`Error::BadData`](crate::error::Error::BadData) where its memory is too small; those of the
    /// device.
    pub fn new(device: Arc<dyn Device>, mesh: &MetricMesh<T>, halo: &Halo) -> Result<Self> {
        let on = &*device;
        let (count, owned, tetrahedra) = (mesh.vertex_count(), mesh.owned, mesh.tetrahedra.len());
        let number = size_of::<T>();
        let per_tetrahedron = 16 + 6 * number + 4 + 16 + 1;
        let per_vertex = 4 + 2 * number + 5 * 4;
        check_memory(
            on,
            "the mesh",
            tetrahedra * per_tetrahedron + count * per_vertex,
        )?;
        let kernels = device.load(&super::program::<T>())?;
        let all = 0..count as u32;
        let vertices: Vec<u32> = mesh.tetrahedra.iter().flat_map(|t| t.vertices).collect();
        let vertices = Array::of(on, &vertices)?;
        let lengths: Vec<T> = mesh.tetrahedra.iter().flat_map(|t| t.lengths).collect();
        let lengths = Array::of(on, &lengths)?;
        let corners: Vec<u32> = all
            .clone()
            .flat_map(|v| mesh.incidences(v))
            .copied()
            .collect();
        let corners = Array::of(on, &corners)?;
        let mut offsets: Vec<u32> = all.map(|v| mesh.first_incidence(v)).collect();
        offsets.push(corners.len() as u32);
        let offsets = Array::of(on, &offsets)?;
        let domains: Vec<u32> = mesh.tetrahedra.iter().map(|tet| tet.domain).collect();
        let gammas = domains.iter().max().map_or(1, |most| *most as usize + 1);
        let domains = Array::of(on, &domains)?;
        let inv_gamma = Array::zeros(on, gammas)?;
        let shared: Vec<u32> = (0..owned as u32).filter(|v| halo.is_shared(*v)).collect();
        let zeros = |len: usize| Array::<u32>::zeros(on, len);
        let pointers = MeshPointers {
            vertices: vertices.address(0),
            lengths: lengths.address(0),
            domains: domains.address(0),
            inv_gamma: inv_gamma.address(0),
            offsets: offsets.address(0),
            corners: corners.address(0),
            owned: owned as i32,
            count: count as i32,
        };
        Ok(Self {
            mesh: pointers,
            vertices,
            domains,
            _lengths: lengths,
            inv_gamma,
            _offsets: offsets,
            _corners: corners,
            phi: Array::zeros(on, count)?,
            known: Array::zeros(on, count)?,
            state: zeros(count)?,
            small_falls: zeros(count)?,
            lists: [zeros(count)?, zeros(count)?],
            batch: zeros(count)?,
            control: Array::zeros(on, 1)?,
            winners: Array::zeros(on, tetrahedra)?,
            shared_on_device: Array::of(on, &shared)?,
            shared_times: Array::zeros(on, shared.len())?,
            shared,
            ghosts: zeros(count - owned)?,
            ghost_times: Array::zeros(on, count - owned)?,
            iterations: Mutex::new(None),
            kernels,
            device,
        })
    }

    /// As [`Iteration::solve`]. Collective.
    ///
    /// # Errors
    /// Those of the device of any rank.
    pub fn solve(
        &self,
        comm: &dyn Communicator,
        iteration: &Iteration<T>,
        phi: &mut [T],
        known: &[T],
        traffic: &mut Traffic,
    ) -> Result<FimCounters> {
        let mut failure = Ok(());
        // A rank whose device failed keeps the others going until all are told.
        let mut attempt = |work: &mut dyn FnMut() -> Result<()>| {
            if failure.is_ok() {
                failure = work();
            }
            failure.is_ok()
        };
        let mut control = Control::zeroed();
        attempt(&mut || {
            control = self.begin(iteration, phi, known)?;
            Ok(())
        });
        let mut sent: Vec<T> = self.shared.iter().map(|v| phi[*v as usize]).collect();
        loop {
            let mut first = [if attempt(&mut || Ok(())) && control.active > 0 {
                control.lowest
            } else {
                f64::INFINITY
            }];
            comm.min_f64(&mut first);
            if first[0] == f64::INFINITY {
                break;
            }
            let cap = match comm.size() {
                1 => f64::INFINITY,
                _ => ((first[0] / iteration.width).floor() + BUCKETS_PER_ROUND) * iteration.width,
            };
            attempt(&mut || {
                control.cap = cap;
                self.control.write(&*self.device, &[control])?;
                while control.active > 0 && control.lowest < cap {
                    self.iterate()?;
                    control = self.look()?;
                }
                Ok(())
            });
            if comm.size() == 1 {
                continue;
            }
            let mut fell = (Vec::new(), Vec::new());
            attempt(&mut || {
                fell = self.fell(&mut sent)?;
                Ok(())
            });
            let (mut ghosts, mut times) = (Vec::new(), Vec::new());
            let receive = |ghost, time: &[T]| {
                ghosts.push(ghost);
                times.push(time[0]);
            };
            iteration
                .halo
                .update(comm, &fell.0, &fell.1, 1, traffic, receive);
            attempt(&mut || {
                self.lower(&ghosts, &times)?;
                control = self.look()?;
                Ok(())
            });
        }
        attempt(&mut || self.phi.read(&*self.device, phi));
        agree(comm, failure)?;
        Ok(FimCounters {
            local_solves: control.solves,
            vertex_updates: control.updates,
            batches: control.batches,
        })
    }

    /// The corners of each tetrahedron that may win at the times `phi` and the γ of the last
    /// [`solve`](Self::solve), a bit each, to a relative `tolerance`.
    pub fn candidates(&self, phi: &[T], tolerance: f64) -> Result<Vec<u8>> {
        // It knows those of ghosts as far as the iteration needs them.
        self.phi.write(&*self.device, phi)?;
        let count = self.domains.len();
        let arguments = [
            Argument::of(self.mesh),
            Argument::of(count as i32),
            self.phi.argument(),
            Argument::of(T::from_f64(1.0) + T::from_f64(tolerance)),
            self.winners.argument(),
        ];
        self.launch("candidates", BLOCKS, &arguments)?;
        self.winners.to_vec(&*self.device)
    }

    /// Uploads times and γ, and finds the front.
    fn begin(&self, iteration: &Iteration<T>, phi: &[T], known: &[T]) -> Result<Control> {
        let on = &*self.device;
        // Domains of other ranks may have higher numbers.
        let own = &iteration.inv_gamma[..self.inv_gamma.len()];
        self.inv_gamma.write(on, own)?;
        self.phi.write(on, phi)?;
        self.known.write(on, known)?;
        self.state.write(on, &vec![0; phi.len()])?;
        self.small_falls.write(on, &vec![0; phi.len()])?;
        let control = Control {
            lowest: f64::INFINITY,
            lowest_next: f64::INFINITY,
            width: iteration.width,
            cap: f64::INFINITY,
            patient: u32::from(iteration.patience == Patience::Limited),
            ..Control::zeroed()
        };
        self.control.write(on, &[control])?;
        let mesh = Argument::of(self.mesh);
        self.launch(
            "begin",
            BLOCKS,
            &[mesh, self.control.argument(), self.pointers(0)],
        )?;
        self.look()
    }

    fn look(&self) -> Result<Control> {
        let mut control = [Control::zeroed()];
        self.control.read(&*self.device, &mut control)?;
        Ok(control[0])
    }

    /// Some iterations, which do nothing once no vertex is active.
    fn iterate(&self) -> Result<()> {
        let mut iterations = lock(&self.iterations);
        if iterations.is_none() {
            *iterations = Some(self.device.record(&mut || {
                for i in 0..ITERATIONS {
                    let (control, lists) = (self.control.argument(), self.pointers(i % 2));
                    let on_lists = [control.clone(), lists.clone()];
                    let on_mesh = [Argument::of(self.mesh), control.clone(), lists];
                    self.launch("take", BLOCKS, &on_lists)?;
                    self.launch("resolve", BLOCKS, &on_mesh)?;
                    self.launch("rest", BLOCKS, &on_lists)?;
                    self.launch("turn", 1, &[control])?;
                }
                Ok(())
            })?);
        }
        iterations.as_ref().map_or(Ok(()), |all| all.replay())
    }

    /// Shared vertices that fell since they were sent, and their times.
    fn fell(&self, sent: &mut [T]) -> Result<(Vec<u32>, Vec<T>)> {
        let count = self.shared.len();
        if count == 0 {
            return Ok((Vec::new(), Vec::new()));
        }
        let arguments = [
            self.phi.argument(),
            self.shared_on_device.argument(),
            Argument::of(count as i32),
            self.shared_times.argument(),
        ];
        self.launch("collect", BLOCKS, &arguments)?;
        let now = self.shared_times.to_vec(&*self.device)?;
        let (mut fell, mut times) = (Vec::new(), Vec::new());
        for ((v, sent), now) in self.shared.iter().zip(sent).zip(now) {
            if now < *sent {
                *sent = now;
                fell.push(*v);
                times.push(now);
            }
        }
        Ok((fell, times))
    }

    /// Lowers ghosts that fell elsewhere.
    fn lower(&self, ghosts: &[u32], times: &[T]) -> Result<()> {
        if ghosts.is_empty() {
            return Ok(());
        }
        self.ghosts.write(&*self.device, ghosts)?;
        self.ghost_times.write(&*self.device, times)?;
        let arguments = [
            self.control.argument(),
            self.pointers(0),
            self.ghosts.argument(),
            self.ghost_times.argument(),
            Argument::of(ghosts.len() as i32),
        ];
        self.launch("lower", BLOCKS, &arguments)
    }

    /// The lists, `turned` an odd number of times or not.
    fn pointers(&self, turned: usize) -> Argument {
        Argument::of(ListPointers {
            phi: self.phi.address(0),
            known: self.known.address(0),
            state: self.state.address(0),
            small_falls: self.small_falls.address(0),
            active: self.lists[turned].address(0),
            next: self.lists[1 - turned].address(0),
            batch: self.batch.address(0),
        })
    }

    pub(super) fn launch(&self, name: &str, blocks: u32, arguments: &[Argument]) -> Result<()> {
        let launch = Launch {
            kernel: self.kernels.get(name)?,
            grid: [blocks, 1, 1],
            block: [BLOCK, 1, 1],
            shared: 0,
        };
        self.device.launch(launch, arguments)
    }
}

// A panic of another thread ends the run by itself.
fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
