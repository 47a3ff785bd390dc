//! Recordings: what is in them, in one part or many; what is left when a run ends early or the disk
//! is full; who can read them.

use std::path::Path;

use isochrone::error::Result;
use isochrone::io::{Layout, Recording, ResultFile, Segments};
use isochrone::monodomain::grid::Grid;

#[path = "common/results.rs"]
mod results;
#[path = "common/small_disk.rs"]
mod small_disk;
use results::{check_results, names, python_has};
use small_disk::SmallDisk;

fn grid(shape: &[usize]) -> Grid {
    let mut all = [1; 3];
    all[3 - shape.len()..].copy_from_slice(shape);
    Grid {
        shape: all,
        spacing: [0.3, 0.2, 0.1],
        origin: [1.0, 2.0, 3.0],
        periodic: [false; 3],
        dimensions: shape.len(),
    }
}

fn layout(shape: &[usize]) -> Layout {
    let column = |name: &str, unit: &str| (name.to_string(), unit.to_string());
    Layout {
        grid: grid(shape),
        frames: vec!["u".into(), "v".into()],
        probes: 3,
        electrodes: 1,
        tip: vec![column("time", "ms"), column("x", "mm"), column("y", "mm")],
        compression: 3,
    }
}

/// Numbers without a pattern, the same for the same seed.
fn noise(seed: usize, n: usize) -> Vec<f64> {
    (0..n as u64)
        .map(|i| {
            let mut x = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i << 20);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (x >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        })
        .collect()
}

fn frame(layout: &Layout, step: usize, variable: usize) -> Vec<f32> {
    let values = noise(2 * step + variable, layout.grid.cells());
    let mut values: Vec<f32> = values.into_iter().map(|x| x as f32).collect();
    // Cells that take no part.
    values[0] = f32::NAN;
    values
}

/// Steps `from..to` of a run: probes and ECG at each, frames at every fourth, some tips.
fn record(recording: &mut Recording, layout: &Layout, from: usize, to: usize) -> Result<()> {
    for step in from..to {
        let time = 0.1 * step as f64;
        if step % 4 == 0 && !layout.frames.is_empty() {
            recording.frame(time, vec![frame(layout, step, 0), frame(layout, step, 1)])?;
        }
        recording.probes(time, &noise(step, 3))?;
        recording.ecg(time, &noise(step, 1))?;
        recording.tips(&noise(step, 3 * (step % 3)))?;
    }
    Ok(())
}

/// Everything in a result, as bits.
fn content(path: &Path) -> Vec<(String, Vec<usize>, Vec<u64>)> {
    let file = hdf5::File::open(path).unwrap();
    [
        "frames/time",
        "frames/u",
        "frames/v",
        "probes/time",
        "probes/u",
        "ecg/time",
        "ecg/potential",
        "tip",
    ]
    .into_iter()
    .map(|name| {
        let dataset = file.dataset(&format!("/fk/{name}")).unwrap();
        // f32 to f64 and back is exact; all NaN here are the same.
        let values = dataset.read_raw::<f64>().unwrap();
        let bits = values.into_iter().map(f64::to_bits).collect();
        (name.to_string(), dataset.shape(), bits)
    })
    .collect()
}

fn begin(folder: &Path, layout: &Layout, segments: Segments) -> Result<Recording> {
    Recording::begin(folder, layout.clone(), segments)
}

/// A run in one go of this many steps.
fn whole(folder: &Path, layout: &Layout, steps: usize) -> Vec<(String, Vec<usize>, Vec<u64>)> {
    let mut recording = begin(folder, layout, Segments::default()).unwrap();
    record(&mut recording, layout, 0, steps).unwrap();
    recording.finish(|_| Ok(())).unwrap();
    content(&folder.join("fk.h5"))
}

#[test]
fn what_is_recorded_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout(&[5, 7]);
    let steps = 1500;
    let mut recording = begin(folder.path(), &layout, Segments::default()).unwrap();
    record(&mut recording, &layout, 0, steps).unwrap();
    let u = noise(7, 35);
    let add = |file: &mut ResultFile| {
        file.cell_field("/fk/u", &u, "1")?;
        file.cell_field("/fk/activation_time", &u, "ms")?;
        file.dataset("/fk/time", &[1], &[150.0], "ms")?;
        file.text("/", "version", "0.1.0")
    };
    recording.finish(add).unwrap();
    assert_eq!(names(folder.path()), ["fk.h5", "fk.xdmf"]);

    let file = hdf5::File::open(folder.path().join("fk.h5")).unwrap();
    let read = |name: &str| {
        let dataset = file.dataset(name).unwrap();
        (dataset.shape(), dataset.read_raw::<f64>().unwrap())
    };
    let times = |every: usize| -> Vec<f64> {
        let steps = (0..steps).step_by(every);
        steps.map(|step| 0.1 * step as f64).collect()
    };
    assert_eq!(read("/fk/frames/time"), (vec![375], times(4)));
    assert_eq!(read("/fk/probes/time"), (vec![1500], times(1)));
    let rows = |n: usize| (0..steps).flat_map(move |step| noise(step, n)).collect();
    assert_eq!(read("/fk/probes/u"), (vec![1500, 3], rows(3)));
    assert_eq!(read("/fk/ecg/potential"), (vec![1500, 1], rows(1)));
    let tips: Vec<f64> = (0..steps).flat_map(|s| noise(s, 3 * (s % 3))).collect();
    assert_eq!(read("/fk/tip"), (vec![1500, 3], tips));
    assert_eq!(read("/fk/u"), (vec![5, 7], u.clone()));

    let v = file.dataset("/fk/frames/v").unwrap();
    assert_eq!(v.shape(), [375, 5, 7]);
    assert_eq!(v.chunk().unwrap(), [1, 5, 7]);
    use hdf5::filters::Filter;
    assert_eq!(
        v.filters(),
        [Filter::Shuffle, Filter::Deflate(3), Filter::Fletcher32]
    );
    let expected: Vec<u32> = (0..steps)
        .step_by(4)
        .flat_map(|step| frame(&layout, step, 1))
        .map(f32::to_bits)
        .collect();
    let found = v.read_raw::<f32>().unwrap();
    assert!(v.dtype().unwrap().is::<f32>());
    assert!(found.into_iter().map(f32::to_bits).eq(expected));

    let unit = |name: &str| {
        let unit = file.dataset(name).unwrap().attr("unit").unwrap();
        let unit: hdf5::types::FixedUnicode<32> = unit.read_scalar().unwrap();
        unit.to_string()
    };
    let units = ["frames/time", "frames/u", "probes/u", "ecg/time", "tip"];
    let units = units.map(|name| unit(&format!("/fk/{name}")));
    assert_eq!(units, ["ms", "1", "1", "ms", "ms, mm, mm"]);
    let columns = file.dataset("/fk/tip").unwrap().attr("columns").unwrap();
    let columns: hdf5::types::VarLenUnicode = columns.read_scalar().unwrap();
    assert_eq!(columns.as_str(), "time, x, y");
}

#[test]
fn segments_end_as_one_recording() {
    let layout = layout(&[2, 5, 7]);
    let once = tempfile::tempdir().unwrap();
    let expected = whole(once.path(), &layout, 3000);

    let folder = tempfile::tempdir().unwrap();
    let mut recording = begin(folder.path(), &layout, Segments::default()).unwrap();
    let ends = [0, 1, 9, 1033, 1033, 2500, 2998];
    let mut from = 0;
    for to in ends {
        record(&mut recording, &layout, from, to).unwrap();
        recording.close_segment().unwrap();
        from = to;
    }
    // Nothing was recorded in two of the seven.
    let files: Vec<String> = (1..=5).map(|i| format!("fk_recording-000{i}.h5")).collect();
    assert_eq!(names(folder.path()), files);
    record(&mut recording, &layout, from, 3000).unwrap();
    recording.finish(|_| Ok(())).unwrap();
    assert_eq!(names(folder.path()), ["fk.h5", "fk.xdmf"]);
    let path = folder.path().join("fk.h5");
    assert_eq!(content(&path), expected);
    // Compressed chunks are the same too.
    let stored = |folder: &Path| {
        let file = hdf5::File::open(folder.join("fk.h5")).unwrap();
        file.dataset("/fk/frames/u").unwrap().storage_size()
    };
    assert_eq!(stored(folder.path()), stored(once.path()));
}

#[test]
fn large_frames_are_stored_in_parts() {
    // Parts that do not divide the grid.
    let mut layout = layout(&[3, 1201, 1000]);
    layout.compression = 1;
    let folder = tempfile::tempdir().unwrap();
    let mut recording = begin(folder.path(), &layout, Segments::default()).unwrap();
    let wave = |k: usize| -> Vec<f32> {
        let cells = 0..layout.grid.cells();
        cells.map(|i| ((i / 7 + k) % 1000) as f32).collect()
    };
    for k in 0..3 {
        let time = k as f64;
        recording.frame(time, vec![wave(k), wave(10 + k)]).unwrap();
        if k == 1 {
            recording.close_segment().unwrap();
        }
    }
    recording.finish(|_| Ok(())).unwrap();
    let file = hdf5::File::open(folder.path().join("fk.h5")).unwrap();
    let v = file.dataset("/fk/frames/v").unwrap();
    assert_eq!(v.chunk().unwrap(), [1, 1, 601, 1000]);
    let expected: Vec<f32> = (10..13).flat_map(wave).collect();
    assert!(v.read_raw::<f32>().unwrap() == expected);
    // A tenth of what it is uncompressed.
    assert!(v.storage_size() < 4 * expected.len() as u64 / 10);
}

#[test]
fn an_interrupted_recording_goes_on() {
    let layout = layout(&[5, 7]);
    let once = tempfile::tempdir().unwrap();
    let expected = whole(once.path(), &layout, 400);

    let folder = tempfile::tempdir().unwrap();
    let mut recording = begin(folder.path(), &layout, Segments::default()).unwrap();
    record(&mut recording, &layout, 0, 100).unwrap();
    let first = recording.close_segment().unwrap();
    record(&mut recording, &layout, 100, 150).unwrap();
    let second = recording.close_segment().unwrap();
    record(&mut recording, &layout, 150, 170).unwrap();
    drop(recording);
    let files = ["fk_recording-0001.h5", "fk_recording-0002.h5"];
    assert_eq!(names(folder.path()), files);

    // Killed: the third segment is incomplete, and the second has no undamaged checkpoint.
    let partial = folder.path().join("fk_recording-0003.h5.partial");
    std::fs::write(partial, "half").unwrap();
    let json = serde_json::to_string(&second).unwrap();
    assert_eq!(serde_json::from_str::<Segments>(&json).unwrap(), second);
    let mut recording = begin(folder.path(), &layout, first).unwrap();
    assert_eq!(names(folder.path()), &files[..1]);
    record(&mut recording, &layout, 100, 301).unwrap();
    let third = recording.close_segment().unwrap();
    record(&mut recording, &layout, 301, 400).unwrap();
    recording.finish(|_| Ok(())).unwrap();
    let path = folder.path().join("fk.h5");
    assert_eq!(content(&path), expected);

    // A complete run goes on from its last checkpoint, though the segments are gone; twice.
    let mut recording = begin(folder.path(), &layout, third).unwrap();
    record(&mut recording, &layout, 301, 350).unwrap();
    let fourth = recording.close_segment().unwrap();
    drop(recording);
    let mut recording = begin(folder.path(), &layout, fourth).unwrap();
    record(&mut recording, &layout, 350, 600).unwrap();
    recording.finish(|_| Ok(())).unwrap();
    assert_eq!(names(folder.path()), ["fk.h5", "fk.xdmf"]);
    assert_eq!(content(&path), whole(once.path(), &layout, 600));
}

#[test]
fn lost_and_damaged_segments_are_seen_at_once() {
    let layout = layout(&[5, 7]);
    let folder = tempfile::tempdir().unwrap();
    let mut recording = begin(folder.path(), &layout, Segments::default()).unwrap();
    record(&mut recording, &layout, 0, 100).unwrap();
    let segments = recording.close_segment().unwrap();
    drop(recording);
    let path = folder.path().join("fk_recording-0001.h5");
    let refused = |layout: &Layout, code: u8, words: &str| {
        let error = begin(folder.path(), layout, segments.clone());
        let error = error.map(|_| ()).unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let bytes = std::fs::read(&path).unwrap();
    refused(&self::layout(&[7, 5]), 65, "has the shape [25, 5, 7]");
    let mut fewer = layout.clone();
    fewer.electrodes = 0;
    refused(&fewer, 65, "another recording");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    refused(&layout, 65, "fk_recording-0001.h5");
    std::fs::remove_file(&path).unwrap();
    refused(&layout, 66, "fk_recording-0001.h5");
    std::fs::write(&path, &bytes).unwrap();
    begin(folder.path(), &layout, segments.clone()).unwrap();
}

#[test]
fn nothing_recorded_is_a_result_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut layout = layout(&[5, 7]);
    let mut recording = begin(folder.path(), &layout, Segments::default()).unwrap();
    recording.close_segment().unwrap();
    recording.finish(|_| Ok(())).unwrap();
    let expected = [vec![0], vec![0, 5, 7], vec![0, 5, 7], vec![0], vec![0, 3]];
    let found = content(&folder.path().join("fk.h5"));
    assert!(found.iter().zip(expected).all(|(f, e)| f.1 == e));

    layout.frames.clear();
    (layout.probes, layout.electrodes) = (0, 0);
    layout.tip.clear();
    let recording = begin(folder.path(), &layout, Segments::default()).unwrap();
    let add = |file: &mut ResultFile| file.cell_field("/fk/u", &[1.0f32; 35], "1");
    recording.finish(add).unwrap();
    let file = hdf5::File::open(folder.path().join("fk.h5")).unwrap();
    let fk = file.group("/fk").unwrap();
    assert_eq!(fk.member_names().unwrap(), ["u"]);
}

#[test]
fn an_error_of_the_writer_is_told() {
    let layout = layout(&[5, 7]);
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("gone");
    std::fs::create_dir(&folder).unwrap();
    let mut recording = begin(&folder, &layout, Segments::default()).unwrap();
    std::fs::remove_dir(&folder).unwrap();
    let told = (0..100_000).find_map(|step| record(&mut recording, &layout, step, step + 1).err());
    let again = recording.close_segment().map(|_| ());
    let at_last = recording.finish(|_| Ok(()));
    for error in [told.unwrap(), again.unwrap_err(), at_last.unwrap_err()] {
        assert_eq!(error.exit_code(), 74, "{error}");
        assert!(error.to_string().contains("fk_recording-0001.h5"));
    }
}

#[test]
fn a_full_disk_while_recording_leaves_complete_segments() {
    let Some(disk) = SmallDisk::new(4 << 20) else {
        eprintln!("SKIPPED: may not mount a tmpfs to fill");
        return;
    };
    let folder = disk.path();
    let told = |error: isochrone::error::Error| {
        assert_eq!(error.exit_code(), 74, "{error}");
        let text = error.to_string();
        assert!(text.contains("No space left"), "{text}");
        assert!(text.contains("fk"), "{text}");
    };
    // Frames, and short rows, which wait in memory.
    let large = layout(&[100, 100]);
    let mut small = layout(&[5, 7]);
    small.frames.clear();
    for (layout, first) in [(&large, 40), (&small, 1000)] {
        let mut recording = begin(folder, layout, Segments::default()).unwrap();
        record(&mut recording, layout, 0, first).unwrap();
        let segments = recording.close_segment().unwrap();
        let error = (first..200_000).find_map(|s| record(&mut recording, layout, s, s + 1).err());
        told(error.unwrap());
        told(recording.finish(|_| Ok(())).unwrap_err());
        assert_eq!(names(folder), ["fk_recording-0001.h5"]);
        // What is left is in order, and so is HDF5.
        let recording = begin(folder, layout, segments).unwrap();
        recording.finish(|_| Ok(())).unwrap();
        assert_eq!(names(folder), ["fk.h5", "fk.xdmf"]);
        std::fs::remove_file(folder.join("fk.h5")).unwrap();
        std::fs::remove_file(folder.join("fk.xdmf")).unwrap();
    }

    // Not enough for the result beside its segments.
    let mut recording = begin(folder, &large, Segments::default()).unwrap();
    record(&mut recording, &large, 0, 120).unwrap();
    let segments = recording.close_segment().unwrap();
    told(recording.finish(|_| Ok(())).unwrap_err());
    assert_eq!(names(folder), ["fk_recording-0001.h5"]);
    // Or for what is added at the end.
    let recording = begin(folder, &large, segments).unwrap();
    drop(recording);
    let recording = begin(folder, &large, Segments::default()).unwrap();
    let much = noise(1, 1 << 19);
    let add = |file: &mut ResultFile| file.dataset("/fk/much", &[much.len()], &much, "1");
    told(recording.finish(add).unwrap_err());
    assert!(names(folder).is_empty());
}

#[test]
fn other_programs_read_them() {
    if !python_has("h5py, vtk") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for shape in [&[][..], &[6], &[5, 7], &[3, 5, 7]] {
        for frames in [true, false] {
            let mut layout = layout(shape);
            if !frames {
                layout.frames.clear();
            }
            let inside = folder.path().join(format!("{}{frames}", shape.len()));
            std::fs::create_dir(&inside).unwrap();
            let mut recording = begin(&inside, &layout, Segments::default()).unwrap();
            record(&mut recording, &layout, 0, 10).unwrap();
            let add = |file: &mut ResultFile| {
                let values = noise(1, layout.grid.cells());
                file.cell_field("/fk/activation_time", &values, "ms")?;
                let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
                file.cell_field("/fk/u", &values, "1")
            };
            recording.finish(add).unwrap();
        }
    }
    let (code, text) = check_results(folder.path());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("3 frames"), "{text}");

    // The script sees what is wrong.
    let xdmf = folder.path().join("2true/fk.xdmf");
    let xml = std::fs::read_to_string(&xdmf).unwrap();
    for (from, to) in [(">1 0 0 ", ">2 0 0 "), ("Value=\"0.4\"", "Value=\"0.5\"")] {
        let wrong = xml.replace(from, to);
        assert_ne!(wrong, xml);
        std::fs::write(&xdmf, wrong).unwrap();
        let (code, text) = check_results(folder.path());
        assert_eq!(code, Some(1), "{text}");
    }
}
