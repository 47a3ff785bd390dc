use isochrone::comm::solo::Solo;
use isochrone::eikonal::metric_mesh::*;
use isochrone::partition::local_mesh::*;
use isochrone::real::Real;
use isochrone::tensor::*;
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let file = hdf5::File::open(&args[1]).unwrap();
    let case = &args[2];
    let read = |n: &str| -> Vec<f64> { file.dataset(n).unwrap().read_raw().unwrap() };
    let points: Vec<Vec3> = bytemuck::cast_slice(&read("/mesh/points")).to_vec();
    let tets: Vec<u32> = file
        .dataset("/mesh/tetrahedra")
        .unwrap()
        .read_raw()
        .unwrap();
    let tets: Vec<[u32; 4]> = bytemuck::cast_slice(&tets).to_vec();
    let mut m: Vec<[f64; 6]> = match case.as_str() {
        "iso" => vec![[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]; tets.len()],
        "hom" => {
            let t = read("/reference/hom/velocity_tensor");
            println!("hom tensor {t:?}");
            let t: [f64; 6] = if t.len() == 6 {
                t.try_into().unwrap()
            } else {
                [t[0], t[1], t[2], t[4], t[5], t[8]]
            };
            vec![t; tets.len()]
        }
        _ => bytemuck::cast_slice(&read("/mesh/velocity_tensor")).to_vec(),
    };
    if args.get(4).is_some_and(|s| s == "squared") {
        for t in &mut m {
            let full = [[t[0], t[1], t[2]], [t[1], t[3], t[4]], [t[2], t[4], t[5]]];
            let p = |i: usize, j: usize| (0..3).map(|k| full[i][k] * full[k][j]).sum::<f64>();
            *t = [p(0, 0), p(0, 1), p(0, 2), p(1, 1), p(1, 2), p(2, 2)];
        }
    }
    let src: Vec<u64> = file
        .dataset(&format!("/reference/{case}/source_vertices"))
        .unwrap()
        .read_raw()
        .unwrap();
    let times = read(&format!("/reference/{case}/source_times"));
    let reference = read(&format!("/reference/{case}/activation_time"));
    let width: f64 = args[3].parse().unwrap();
    let parts = vec![0u32; points.len()];
    let domains = vec![0u32; tets.len()];
    let metric = |t: usize| VelocityTensor(m[t]).metric().unwrap();
    let t0 = Instant::now();
    let local = distribute(
        &Solo,
        Some(&WholeMesh {
            points: &points,
            tetrahedra: &tets,
            metric: &metric,
            domains: &domains,
            parts: &parts,
        }),
    )
    .unwrap();
    println!("distribute {:.3}", t0.elapsed().as_secs_f64());
    run::<f64>(&local, &src, &times, &reference, width);
    run::<f32>(&local, &src, &times, &reference, width);
}

#[repr(C)]
struct Ts {
    s: i64,
    n: i64,
}
unsafe extern "C" {
    fn clock_gettime(id: i32, t: *mut Ts) -> i32;
}
fn cpu() -> f64 {
    let mut t = Ts { s: 0, n: 0 };
    unsafe {
        clock_gettime(2, &mut t);
    }
    t.s as f64 + 1e-9 * t.n as f64
}

fn run<T: Real>(local: &LocalMesh, src: &[u64], times: &[f64], reference: &[f64], width: f64) {
    use isochrone::eikonal::forward::*;
    let sources: Vec<Source> = src
        .iter()
        .zip(times)
        .map(|(v, t)| Source {
            vertex: *v as u32,
            time: *t,
        })
        .collect();
    let w = if width > 0.0 { Some(width) } else { None };
    let e = Eikonal::<T>::new(&Solo, local, &sources, w).unwrap();
    let max = reference.iter().copied().fold(0.0, f64::max);
    let n = reference.len() as f64;
    for _ in 0..3 {
        let (t0, c0) = (Instant::now(), cpu());
        let s = e.solve(&Solo, &[T::from_f64(1.0)]).unwrap();
        let dt = t0.elapsed().as_secs_f64();
        let dc = cpu() - c0;
        let err = s
            .phi
            .iter()
            .zip(&local.global_vertices)
            .map(|(p, g)| (p.value() - reference[*g as usize]).abs())
            .fold(0.0, f64::max);
        let c = s.counters;
        let sizes: Vec<usize> = s.order.cycles.iter().map(|r| r.len()).collect();
        println!(
            "{dt:.4} s (cpu {dc:.4}) fim {:.1} canonical {:.1} solves/v, updates {:.2}, restarts {} cyclic {} in {} max {:?} error {:.2e}",
            c.local_solves as f64 / n,
            c.canonical_solves as f64 / n,
            c.vertex_updates as f64 / n,
            c.restarts,
            c.cyclic_vertices,
            sizes.len(),
            sizes.iter().max(),
            err / max
        );
    }
}
