//! Checkpoints: every bit comes back, or an error says why not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use isochrone::error::{Error, Result};
use isochrone::io::{Checkpoint, CheckpointWriter, Fingerprint, Segments, latest};
use isochrone::sha256;
use serde_json::json;

#[path = "common/results.rs"]
mod results;
#[path = "common/small_disk.rs"]
mod small_disk;
use results::names;
use small_disk::SmallDisk;

fn fingerprint(dt: f64) -> Fingerprint {
    let input = (PathBuf::from("heart.h5"), "12ab".to_string());
    Fingerprint {
        case: json!({"fk": {"model": "fenton-karma", "dt": dt}}),
        inputs: BTreeMap::from([input]),
    }
}

/// Numbers whose bits a careless copy would change.
const SINGLE: [f32; 6] = [
    0.1,
    -0.0,
    f32::MIN_POSITIVE / 8.0,
    f32::INFINITY,
    f32::from_bits(0x7fc1_2345),
    -1.5e30,
];
const DOUBLE: [f64; 4] = [
    0.1,
    -0.0,
    f64::MIN_POSITIVE / 64.0,
    f64::from_bits(0xfff8_0000_dead_beef),
];

fn write(folder: &Path, step: u64, keep: usize) -> Result<()> {
    let time = 0.1 * step as f64;
    let mut checkpoint =
        CheckpointWriter::begin(folder, step, time, Segments::default(), fingerprint(0.1))?;
    checkpoint.array("u", &[2, 3], &SINGLE)?;
    checkpoint.array("activation_time", &[4], &DOUBLE)?;
    checkpoint.array("beats", &[2, 1], &[step as u32, u32::MAX])?;
    checkpoint.array::<f64>("none", &[0, 3], &[])?;
    checkpoint.json("tips", &json!([{"id": 3, "at": [0.1, 1e-300]}]))?;
    checkpoint.finish(keep)
}

fn newest(folder: &Path) -> Result<Option<Checkpoint>> {
    latest(folder, &fingerprint(0.1))
}

/// Asserts that all is as [`write`] had it.
fn assert_whole(checkpoint: &Checkpoint, step: u64) {
    assert_eq!(checkpoint.step(), step);
    assert_eq!(checkpoint.time(), 0.1 * step as f64);
    assert_eq!(checkpoint.segments(), &Segments::default());
    let u = checkpoint.array::<f32>("u", &[2, 3]).unwrap();
    assert_eq!(u.map_bits(f32::to_bits), SINGLE.map(f32::to_bits));
    let times = checkpoint.array::<f64>("activation_time", &[4]).unwrap();
    assert_eq!(times.map_bits(f64::to_bits), DOUBLE.map(f64::to_bits));
    let beats = checkpoint.array::<u32>("beats", &[2, 1]).unwrap();
    assert_eq!(beats, [step as u32, u32::MAX]);
    assert!(checkpoint.array::<f64>("none", &[0, 3]).unwrap().is_empty());
    let tips: serde_json::Value = checkpoint.json("tips").unwrap();
    assert_eq!(tips, json!([{"id": 3, "at": [0.1, 1e-300]}]));
}

trait MapBits<T> {
    fn map_bits<B>(&self, bits: fn(T) -> B) -> Vec<B>;
}

impl<T: Copy> MapBits<T> for Vec<T> {
    fn map_bits<B>(&self, bits: fn(T) -> B) -> Vec<B> {
        self.iter().map(|&x| bits(x)).collect()
    }
}

fn says(error: Error, code: u8, words: &[&str]) {
    assert_eq!(error.exit_code(), code, "{error}");
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[test]
fn every_bit_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert!(newest(dir).unwrap().is_none());
    assert!(newest(&dir.join("none")).unwrap().is_none());
    write(dir, 1500, 2).unwrap();
    assert_eq!(names(dir), ["fk_checkpoint-1500.h5"]);
    let checkpoint = newest(dir).unwrap().unwrap();
    assert_whole(&checkpoint, 1500);
    assert!(checkpoint.has("u") && !checkpoint.has("v"));
    assert_eq!(checkpoint.path(), dir.join("fk_checkpoint-1500.h5"));
}

#[test]
fn what_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 7, 2).unwrap();
    let checkpoint = newest(folder.path()).unwrap().unwrap();
    let file = "fk_checkpoint-0007.h5";
    let error = checkpoint.array::<f32>("w", &[2, 3]).unwrap_err();
    says(error, 65, &[file, "array w", "is missing", "--overwrite"]);
    let error = checkpoint.array::<f32>("u", &[3, 2]).unwrap_err();
    says(error, 65, &[file, "array u", "[2, 3], not [3, 2]"]);
    let error = checkpoint.array::<f64>("u", &[2, 3]).unwrap_err();
    says(error, 65, &[file, "array u", "holds f32, not f64"]);
    let error = checkpoint.json::<Vec<u32>>("tips").unwrap_err();
    says(error, 65, &[file, "array tips"]);
}

#[test]
fn the_last_ones_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    // A killed run's, and the user's own.
    std::fs::write(dir.join("fk_checkpoint-0350.h5.partial"), "half").unwrap();
    std::fs::write(dir.join("fk_checkpoint-mine.h5"), "").unwrap();
    for step in [100, 200, 9_999, 10_000, 300_000] {
        write(dir, step, 2).unwrap();
    }
    let kept = [
        "fk_checkpoint-10000.h5",
        "fk_checkpoint-300000.h5",
        "fk_checkpoint-mine.h5",
    ];
    assert_eq!(names(dir), kept);
    assert_eq!(newest(dir).unwrap().unwrap().step(), 300_000);
    // Resumed from an older one: what came after belongs to a run that is no more.
    write(dir, 20_000, 2).unwrap();
    assert_eq!(newest(dir).unwrap().unwrap().step(), 20_000);
    write(dir, 20_001, 0).unwrap();
    let kept = ["fk_checkpoint-20001.h5", "fk_checkpoint-mine.h5"];
    assert_eq!(names(dir), kept);
}

#[test]
fn another_run_is_refused_and_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 7, 2).unwrap();
    let error = latest(folder.path(), &fingerprint(0.05)).unwrap_err();
    let words = [
        "fk_checkpoint-0007.h5",
        "fk.dt was 0.1 and is 0.05",
        "--overwrite",
    ];
    says(error, 65, &words);
    let mut other = fingerprint(0.1);
    let changed = "34cd".to_string();
    other.inputs.insert(PathBuf::from("heart.h5"), changed);
    let error = latest(folder.path(), &other).unwrap_err();
    says(error, 65, &["the content of heart.h5 has changed"]);
}

/// Replaces the header of a checkpoint, with its checksum.
fn change_header(path: &Path, change: impl Fn(&str) -> String) {
    // Unlocked: the child process of another test would inherit the lock.
    let file = hdf5::File::with_options()
        .with_fapl(|access| access.file_locking(false))
        .open_rw(path)
        .unwrap();
    let old = file.dataset("/header").unwrap();
    let text = String::from_utf8(old.read_raw::<u8>().unwrap()).unwrap();
    let new = change(&text);
    assert_ne!(new, text);
    for (name, bytes) in [
        ("header", new.as_bytes()),
        ("header_sha256", sha256::of_bytes(new.as_bytes()).as_bytes()),
    ] {
        file.unlink(name).unwrap();
        let dataset = file.new_dataset::<u8>().shape(bytes.len());
        dataset.create(name).unwrap().write_raw(bytes).unwrap();
    }
}

#[test]
fn a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 7, 2).unwrap();
    write(folder.path(), 8, 2).unwrap();
    let path = folder.path().join("fk_checkpoint-0008.h5");
    change_header(&path, |_| "{\"version\":2,\"all\":\"new\"}".into());
    // Not damaged: going back unasked would throw away what the newer program computed.
    let error = newest(folder.path()).unwrap_err();
    says(error, 65, &["fk_checkpoint-0008.h5", "version 2 is newer"]);
}

#[test]
fn a_damaged_one_gives_way_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for step in [1, 2, 3] {
        write(dir, step, 3).unwrap();
    }
    let damage = |step: u32, keep: usize| {
        let path = dir.join(format!("fk_checkpoint-000{step}.h5"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..keep.min(bytes.len())]).unwrap();
    };
    damage(3, 1000);
    assert_whole(&newest(dir).unwrap().unwrap(), 2);
    damage(2, 0);
    assert_whole(&newest(dir).unwrap().unwrap(), 1);
    damage(1, 10);
    let words = [
        "fk_checkpoint-0003.h5",
        "truncated or damaged",
        "--overwrite",
    ];
    says(newest(dir).unwrap_err(), 65, &words);
}

#[test]
fn damage_of_every_array_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fk_checkpoint-0007.h5");
    for name in ["u", "activation_time", "beats", "tips"] {
        write(folder.path(), 7, 1).unwrap();
        let dataset = format!("/arrays/{name}");
        let at = {
            let file = hdf5::File::open(&path).unwrap();
            file.dataset(&dataset).unwrap().offset().unwrap() as usize
        };
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at + 1] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        let place = format!("array {name}");
        let words = [&*place, "is not what was written"];
        says(newest(folder.path()).unwrap_err(), 65, &words);
    }
    for (from, place) in [("\"none\"", "array many"), ("[0,3]", "array none")] {
        write(folder.path(), 7, 1).unwrap();
        let to = if from == "\"none\"" {
            "\"many\""
        } else {
            "[0,4]"
        };
        change_header(&path, |text| text.replace(from, to));
        says(newest(folder.path()).unwrap_err(), 65, &[place]);
    }
}

#[test]
fn no_byte_changes_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, 7, 1).unwrap();
    let path = dir.join("fk_checkpoint-0007.h5");
    let whole = std::fs::read(&path).unwrap();
    let mut refused = 0;
    // Every third, to be quick: a checksum covers each.
    for at in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        match newest(dir) {
            // Space that nothing uses.
            Ok(checkpoint) => assert_whole(&checkpoint.unwrap(), 7),
            Err(e) => {
                refused += 1;
                assert_eq!(e.exit_code(), 65, "byte {at}: {e}");
            }
        }
    }
    // At least all numbers, with the header.
    assert!(refused > 300, "{refused} of {}", whole.len());
    for length in (0..whole.len()).step_by(61) {
        std::fs::write(&path, &whole[..length]).unwrap();
        says(newest(dir).unwrap_err(), 65, &["fk_checkpoint-0007.h5"]);
    }
}

#[test]
fn a_full_disk_keeps_the_last_checkpoint() {
    let Some(disk) = SmallDisk::new(1 << 20) else {
        eprintln!("SKIPPED: may not mount a tmpfs to fill");
        return;
    };
    let dir = disk.path();
    write(dir, 7, 1).unwrap();
    let large = vec![0.5; 1 << 17];
    let one = || {
        let segments = Segments::default();
        let mut checkpoint = CheckpointWriter::begin(dir, 8, 0.8, segments, fingerprint(0.1))?;
        for k in 0..4 {
            checkpoint.array(&format!("a{k}"), &[large.len() / 4], &large[..1 << 15])?;
        }
        checkpoint.finish(1)
    };
    let words = ["fk_checkpoint-0008.h5", "No space left"];
    says(one().unwrap_err(), 74, &words);
    assert_eq!(names(dir), ["fk_checkpoint-0007.h5"]);
    assert_whole(&newest(dir).unwrap().unwrap(), 7);
}
