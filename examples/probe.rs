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

fn run<T: Real>(local: &LocalMesh, src: &[u64], times: &[f64], reference: &[f64], width: f64) {
    let mut order: Vec<u32> = (0..local.tetrahedra.len() as u32).collect();
    order.sort_by_key(|t| local.global_tetrahedra[*t as usize]);
    let mesh = MetricMesh::<T>::new(
        local.owned,
        local.points.len(),
        local
            .tetrahedra
            .iter()
            .zip(&local.lengths)
            .map(|(v, l)| Tetrahedron {
                vertices: *v,
                lengths: l.map(T::from_f64),
            })
            .collect(),
        local.domains.clone(),
        order.into_iter(),
    );
    let mut to_local = vec![0u32; local.points.len()];
    for (l, g) in local.global_vertices.iter().enumerate() {
        to_local[*g as usize] = l as u32;
    }
    let mut mean: f64 = local
        .lengths
        .iter()
        .map(|l| l.iter().map(|x| x.sqrt()).sum::<f64>() / 6.0)
        .sum();
    mean /= local.lengths.len() as f64;
    println!("mean edge time {mean}");
    for _ in 0..5 {
        let mut phi = vec![T::from_f64(f64::INFINITY); local.points.len()];
        for (s, t) in src.iter().zip(times) {
            phi[to_local[*s as usize] as usize] = T::from_f64(*t);
        }
        let mut traffic = Default::default();
        let t0 = Instant::now();
        let c = isochrone::eikonal::fim::solve(
            &Solo,
            &local.halo,
            &mesh,
            &[T::from_f64(1.0)],
            &mut phi,
            0.0,
            width * mean,
            &mut traffic,
        );
        let dt = t0.elapsed().as_secs_f64();
        let n = reference.len();
        let e = (0..n)
            .map(|g| (phi[to_local[g] as usize].value() - reference[g]).abs())
            .fold(0.0, f64::max);
        let max = reference.iter().copied().fold(0.0, f64::max);
        println!(
            "{:.4} s, {:?} solves/vertex {:.1} updates/vertex {:.2} error {:.2e}",
            dt,
            c.batches,
            c.local_solves as f64 / n as f64,
            c.vertex_updates as f64 / n as f64,
            e / max
        );
    }
}
