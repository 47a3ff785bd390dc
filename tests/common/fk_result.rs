//! What results of simulations hold, to the last bit.

use std::collections::BTreeMap;
use std::path::Path;

/// All datasets of `/fk` in a result: shape and bytes.
pub fn result(file: &Path) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    fn visit(group: &hdf5::Group, found: &mut BTreeMap<String, (Vec<usize>, Vec<u8>)>) {
        for dataset in group.datasets().unwrap() {
            fn bytes<T: hdf5::H5Type>(d: &hdf5::Dataset, to: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
                d.read_raw::<T>().unwrap().iter().flat_map(to).collect()
            }
            let number = dataset.dtype().unwrap();
            let values = if number.is::<f32>() {
                bytes(&dataset, |v: &f32| v.to_bits().to_le_bytes().to_vec())
            } else if number.is::<f64>() {
                bytes(&dataset, |v: &f64| v.to_bits().to_le_bytes().to_vec())
            } else {
                bytes(&dataset, |v: &i64| v.to_le_bytes().to_vec())
            };
            found.insert(dataset.name(), (dataset.shape(), values));
        }
        for group in group.groups().unwrap() {
            visit(&group, found);
        }
    }
    let file = hdf5::File::open(file).unwrap();
    let mut found = BTreeMap::new();
    visit(&file.group("fk").unwrap(), &mut found);
    found
}

/// Fails where two results differ in any bit of any dataset.
#[track_caller]
pub fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (result(&a.join("fk.h5")), result(&b.join("fk.h5")));
    let name = |map: &BTreeMap<String, _>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(name(&a), name(&b));
    let other = a.iter().filter(|(name, values)| b[*name] != **values);
    let other: Vec<_> = other.map(|(name, _)| name).collect();
    assert!(other.is_empty(), "other bits in {other:?}");
}
