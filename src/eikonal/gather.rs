//! From corners around vertices with news to tetrahedra with the times of their vertices: what
//! comes before the skip test, and the one place where memory is read at random.
//!
//! With AVX-512 the vertices and times of sixteen corners are gathered at once, and of these only
//! the corners that are wanted go on; the compiler does not find that by itself, so this file calls
//! the instructions.

use super::block::LANES;
use super::metric_mesh::{Incidence, MetricMesh};
use super::pipeline::Source;
use crate::real::Real;
use crate::simd::SimdLevel;

/// Where the wanted ones go; each column has [`LANES`] lanes, which may all be overwritten.
pub struct Target<'a, T> {
    /// Number of the tetrahedron · 4.
    pub labels: &'a mut [u32],
    /// Its corners that are to be solved, a bit each.
    pub asked: &'a mut [u8],
    /// Times of its vertices, negated where they are news.
    pub times: [&'a mut [T]; 4],
}

/// Takes those of at most [`LANES`] `corners` that are at the first vertex with news of their
/// tetrahedron, so that of a list of all corners around such vertices each tetrahedron is taken
/// once. Returns how many.
#[inline(always)]
pub fn gather<T: Real>(
    level: SimdLevel,
    source: &Source<T>,
    corners: &[Incidence],
    target: Target<T>,
) -> usize {
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 if fits_gathers(source.mesh) => {
            // SAFETY: the level was detected on this machine, and positions have 31 bits.
            unsafe { gather_avx512(source, corners, target) }
        }
        _ => gather_lanes(source, corners, target),
    }
}

#[inline(always)]
fn gather_lanes<T: Real>(
    source: &Source<T>,
    corners: &[Incidence],
    mut target: Target<T>,
) -> usize {
    let mesh = source.mesh;
    let mut count = 0;
    for incidence in &corners[..corners.len().min(LANES)] {
        let tet = &mesh.tetrahedra[(incidence >> 2) as usize];
        let [a, b, c, d] = tet.vertices;
        let time = |v: u32| T::load(&source.times[v as usize]);
        let marked = [time(a), time(b), time(c), time(d)];
        let [a, b, c, d] = marked.map(|time| u32::from(time.has_sign()));
        // Without a branch: it could not be predicted.
        let first = (a | b << 1 | c << 2 | d << 3).trailing_zeros();
        // It is less than the lanes already; the compiler sees that it is in range.
        let i = count % LANES;
        target.labels[i] = incidence & !3;
        target.asked[i] = mesh.corners_below(source.asked, tet);
        for (column, time) in target.times.iter_mut().zip(marked) {
            column[i] = time;
        }
        count += usize::from(first == incidence & 3);
    }
    count
}

/// Words of four bytes in a tetrahedron.
#[cfg(target_arch = "x86_64")]
const fn words<T>() -> usize {
    size_of::<super::metric_mesh::Tetrahedron<T>>() / 4
}

/// Whether the instructions reach all of the mesh, in numbers that they know.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fits_gathers<T: Real>(mesh: &MetricMesh<T>) -> bool {
    matches!(size_of::<T>(), 4 | 8)
        && size_of::<T>() == size_of::<T::Shared>()
        && mesh.tetrahedra.len() <= i32::MAX as usize / words::<T>()
        && mesh.vertex_count() <= i32::MAX as usize
}

/// [`gather`], where [`fits_gathers`]. The times are read while no thread writes them.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,popcnt")]
fn gather_avx512<T: Real>(source: &Source<T>, corners: &[Incidence], target: Target<T>) -> usize {
    use super::metric_mesh::Tetrahedron;
    use std::arch::x86_64::*;

    macro_rules! splat {
        ($x:expr) => {
            _mm512_set1_epi32($x as i32)
        };
    }
    let (mesh, times) = (source.mesh, source.times);
    let lanes = corners.len().min(LANES);
    let all = ((1u32 << lanes) - 1) as __mmask16;
    // SAFETY: the lanes that there are.
    let incidences = unsafe { _mm512_maskz_loadu_epi32(all, corners.as_ptr().cast()) };
    let tetrahedra = _mm512_srli_epi32::<2>(incidences);
    let corner = _mm512_and_si512(incidences, splat!(3));
    let in_range = _mm512_mask_cmplt_epu32_mask(all, tetrahedra, splat!(mesh.tetrahedra.len()));
    assert!(in_range == all, "a corner beyond the mesh");
    let first_word = std::mem::offset_of!(Tetrahedron<T>, vertices) / 4;
    let word = _mm512_mullo_epi32(tetrahedra, splat!(words::<T>()));
    // Loops: the instructions are not inlined into closures.
    let mut vertices = [_mm512_setzero_si512(); 4];
    for (k, vertices) in vertices.iter_mut().enumerate() {
        let at = _mm512_add_epi32(word, splat!(first_word + k));
        // SAFETY: tetrahedra in range.
        *vertices = unsafe {
            let base = mesh.tetrahedra.as_ptr().cast();
            _mm512_mask_i32gather_epi32::<4>(_mm512_setzero_si512(), all, at, base)
        };
    }
    for v in &vertices {
        let in_range = _mm512_mask_cmplt_epu32_mask(all, *v, splat!(times.len()));
        assert!(in_range == all, "a vertex beyond the times");
    }
    let base = times.as_ptr();
    // In two halves, of which f32 needs the first only.
    let mut halves = [[_mm512_setzero_si512(); 2]; 4];
    for (halves, v) in halves.iter_mut().zip(vertices) {
        let zero = _mm512_setzero_si512();
        // SAFETY: vertices in range, numbers as wide as the times.
        unsafe {
            if size_of::<T>() == 4 {
                halves[0] = _mm512_mask_i32gather_epi32::<4>(zero, all, v, base.cast());
            } else {
                let (low, high) = (_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v));
                *halves = [
                    _mm512_mask_i32gather_epi64::<8>(zero, all as u8, low, base.cast()),
                    _mm512_mask_i32gather_epi64::<8>(zero, (all >> 8) as u8, high, base.cast()),
                ];
            }
        }
    }
    let mut wanted = 0;
    let mut none_before = all;
    for (k, [low, high]) in halves.iter().enumerate() {
        let news = if size_of::<T>() == 4 {
            _mm512_movepi32_mask(*low)
        } else {
            u16::from(_mm512_movepi64_mask(*low)) | u16::from(_mm512_movepi64_mask(*high)) << 8
        };
        wanted |= _mm512_mask_cmpeq_epi32_mask(none_before & news, corner, splat!(k));
        none_before &= !news;
    }
    let columns = target.times.iter().map(|column| column.len());
    let room = columns.fold(target.labels.len().min(target.asked.len()), usize::min);
    assert!(room >= LANES);
    let mut asked = splat!(15);
    if source.asked < mesh.vertex_count() {
        asked = splat!(0);
        for (k, v) in vertices.iter().enumerate() {
            let below = _mm512_cmplt_epu32_mask(*v, splat!(source.asked));
            asked = _mm512_or_si512(asked, _mm512_maskz_set1_epi32(below, 1 << k));
        }
    }
    // SAFETY: sixteen lanes on either side.
    unsafe {
        let labels = _mm512_andnot_si512(splat!(3), incidences);
        let labels = _mm512_maskz_compress_epi32(wanted, labels);
        _mm512_storeu_si512(target.labels.as_mut_ptr().cast(), labels);
        let asked = _mm512_maskz_compress_epi32(wanted, asked);
        _mm_storeu_si128(
            target.asked.as_mut_ptr().cast(),
            _mm512_cvtepi32_epi8(asked),
        );
        for (column, [low, high]) in target.times.into_iter().zip(halves) {
            let to = column.as_mut_ptr();
            if size_of::<T>() == 4 {
                _mm512_storeu_si512(to.cast(), _mm512_maskz_compress_epi32(wanted, low));
            } else {
                let chosen = wanted as u8;
                _mm512_storeu_si512(to.cast(), _mm512_maskz_compress_epi64(chosen, low));
                let to = to.add(chosen.count_ones() as usize);
                let chosen = (wanted >> 8) as u8;
                _mm512_storeu_si512(to.cast(), _mm512_maskz_compress_epi64(chosen, high));
            }
        }
    }
    wanted.count_ones() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eikonal::metric_mesh::Tetrahedron;
    use rand::{Rng, SeedableRng};

    /// What a plain search finds: each tetrahedron once, at its first vertex with news.
    fn check<T: Real + std::fmt::Debug>(level: SimdLevel) {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let vertices = 40;
        let tetrahedra: Vec<Tetrahedron<T>> = (0..90)
            .map(|domain| Tetrahedron {
                vertices: [0; 4].map(|_| rng.random_range(0..vertices)),
                lengths: [T::from_f64(1.0); 6],
                domain,
            })
            .collect();
        let times: Vec<f64> = (0..vertices)
            .map(|v| match v % 3 {
                0 => -f64::from(v),
                1 => f64::INFINITY,
                _ => f64::from(v),
            })
            .collect();
        let shared: Vec<T::Shared> = times.iter().map(|t| T::from_f64(*t).share()).collect();
        let count = tetrahedra.len() as u32;
        let mut taken = 0;
        for owned in [vertices as usize, 23] {
            let mesh = MetricMesh::new(owned, vertices as usize, tetrahedra.clone(), 0..count);
            let source = Source {
                mesh: &mesh,
                inv_gamma: &[],
                times: &shared,
                asked: owned,
            };
            for lanes in 1..=LANES {
                let corners: Vec<Incidence> =
                    (0..lanes).map(|_| rng.random_range(0..4 * count)).collect();
                let first = |i: &&Incidence| {
                    let vertices = mesh.tetrahedra[(**i >> 2) as usize].vertices;
                    let is_news = |v: &u32| times[*v as usize].is_sign_negative();
                    vertices.iter().position(is_news) == Some((**i & 3) as usize)
                };
                let expected: Vec<Incidence> = corners.iter().filter(first).copied().collect();
                let (mut labels, mut asked) = ([0; LANES], [0; LANES]);
                let mut columns = [[T::from_f64(0.0); LANES]; 4];
                let target = Target {
                    labels: &mut labels,
                    asked: &mut asked,
                    times: columns.each_mut().map(|column| &mut column[..]),
                };
                assert_eq!(gather(level, &source, &corners, target), expected.len());
                for (i, corner) in expected.iter().enumerate() {
                    assert_eq!(labels[i], corner & !3);
                    let tet = &mesh.tetrahedra[(corner >> 2) as usize];
                    for (k, v) in tet.vertices.into_iter().enumerate() {
                        assert_eq!(columns[k][i].value(), times[v as usize]);
                        assert_eq!(asked[i] >> k & 1 == 1, (v as usize) < owned);
                    }
                }
                taken += expected.len();
            }
        }
        assert!(taken > 30, "{taken}");
    }

    #[test]
    fn levels_take_each_tetrahedron_once() {
        for level in [SimdLevel::Baseline, SimdLevel::best()] {
            check::<f32>(level);
            check::<f64>(level);
            check::<crate::eikonal::dual::Dual<3>>(level);
        }
    }
}
