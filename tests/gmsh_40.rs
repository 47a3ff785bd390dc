//! Gmsh's file format 4.0, laid out as section "MSH file format version 4.0 (Legacy)" of Gmsh's manual
//! says: two tetrahedra of two volumes, one in a physical group; a point, a curve and a surface with
//! parameters before them.

use std::fs;
use std::path::Path;

use isochrone::mesh::TetMesh;
use isochrone::mesh::formats::read;

/// Numbers of the file, in ascii or in binary of either byte order.
#[derive(Clone, Copy, PartialEq)]
enum Encoding {
    Ascii,
    Little,
    Big,
}

struct Writer {
    bytes: Vec<u8>,
    encoding: Encoding,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn put(&mut self, text: String, little: &[u8]) {
        match self.encoding {
            Encoding::Ascii => self.text(&(text + " ")),
            Encoding::Little => self.bytes.extend_from_slice(little),
            Encoding::Big => self.bytes.extend(little.iter().rev()),
        }
    }

    /// `int`, `unsigned long` and `double` of the manual.
    fn int(&mut self, values: &[i32]) {
        for x in values {
            self.put(x.to_string(), &x.to_le_bytes());
        }
    }

    fn long(&mut self, values: &[u64]) {
        for x in values {
            self.put(x.to_string(), &x.to_le_bytes());
        }
    }

    fn double(&mut self, values: &[f64]) {
        for x in values {
            self.put(x.to_string(), &x.to_le_bytes());
        }
    }

    fn row(&mut self) {
        if self.encoding == Encoding::Ascii {
            self.text("\n");
        }
    }

    fn section(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.text(&format!("${name}\n"));
        fill(self);
        if self.encoding != Encoding::Ascii {
            self.text("\n");
        }
        self.text(&format!("$End{name}\n"));
    }
}

/// Node numbers with gaps and in no order; x is the number of the node.
const NODES: [[f64; 3]; 5] = [
    [2.0, 0.0, 0.0],
    [3.0, 1.0, 0.0],
    [5.0, 0.0, 1.0],
    [8.0, 0.0, -1.0],
    [9.0, 2.0, 2.0],
];

fn file(encoding: Encoding) -> Vec<u8> {
    let mut out = Writer {
        bytes: Vec::new(),
        encoding,
    };
    out.text("$MeshFormat\n");
    out.text(if encoding == Encoding::Ascii {
        "4.0 0 8\n"
    } else {
        "4.0 1 8\n"
    });
    if encoding != Encoding::Ascii {
        out.int(&[1]);
        out.text("\n");
    }
    out.text("$EndMeshFormat\n");
    out.text("$PhysicalNames\n1\n3 30 \"wall\"\n$EndPhysicalNames\n");
    out.section("Entities", |out| {
        out.long(&[1, 1, 1, 2]);
        out.row();
        let bounds = [0.0, 0.0, -1.0, 9.0, 2.0, 2.0];
        // A point has a box here, too; then physical groups, then what bounds an entity.
        for (number, groups, bounding) in [
            (1, &[][..], None),
            (1, &[][..], Some(&[1, -1][..])),
            (1, &[4][..], Some(&[1][..])),
            (6, &[30, 31][..], Some(&[1, -1][..])),
            (7, &[][..], Some(&[][..])),
        ] {
            out.int(&[number]);
            out.double(&bounds);
            out.long(&[groups.len() as u64]);
            out.int(groups);
            if let Some(bounding) = bounding {
                out.long(&[bounding.len() as u64]);
                out.int(bounding);
            }
            out.row();
        }
    });
    out.section("Nodes", |out| {
        out.long(&[4, 5]);
        out.row();
        // Entity, dimension, parametric, count; then number and place of each, with parameters on
        // curves (one) and surfaces (two).
        for (entity, dimension, parametric, nodes) in [
            (1, 0, 0, &[4][..]),
            (1, 1, 1, &[0][..]),
            (1, 2, 1, &[2, 1][..]),
            (7, 3, 1, &[3][..]),
        ] {
            out.int(&[entity, dimension, parametric]);
            out.long(&[nodes.len() as u64]);
            out.row();
            for &node in nodes {
                out.int(&[NODES[node][0] as i32]);
                out.double(&NODES[node]);
                out.double(&[0.25, 0.75][..if dimension < 3 { dimension as usize } else { 0 }]);
                out.row();
            }
        }
    });
    out.section("Elements", |out| {
        out.long(&[4, 5]);
        out.row();
        // Entity, dimension, type, count; then number and nodes of each.
        for (head, elements) in [
            ([1, 0, 15], &[&[1, 9][..]][..]),
            ([1, 2, 2], &[&[2, 2, 3, 5], &[3, 2, 3, 8]]),
            ([7, 3, 4], &[&[5, 2, 3, 8, 9]]),
            ([6, 3, 4], &[&[4, 2, 3, 5, 9]]),
        ] {
            out.int(&head);
            out.long(&[elements.len() as u64]);
            out.row();
            for element in elements {
                out.int(element);
                out.row();
            }
        }
    });
    out.text("$NodeData\n1\n\"phi\"\n1\n0\n3\n0\n1\n2\n");
    for (node, value) in [(9, 4.5), (2, 1.5)] {
        out.int(&[node]);
        out.double(&[value]);
        out.row();
    }
    out.text(if encoding == Encoding::Ascii {
        "$EndNodeData\n"
    } else {
        "\n$EndNodeData\n"
    });
    out.bytes
}

fn written(path: &Path, encoding: Encoding) -> TetMesh {
    fs::write(path, file(encoding)).unwrap();
    read(path, None).unwrap()
}

#[test]
fn version_4_0_is_read_in_every_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.msh");
    for encoding in [Encoding::Ascii, Encoding::Little, Encoding::Big] {
        let mesh = written(&path, encoding);
        assert_eq!(mesh.points, NODES);
        // In the order of their numbers: 4 of volume 6, then 5 of volume 7.
        assert_eq!(mesh.tetrahedra, [[0, 1, 2, 4], [0, 1, 3, 4]]);
        assert_eq!(mesh.tags, [30, 0], "the first group; none");
        let phi = &mesh.point_fields["phi"].values;
        assert_eq!((phi[0], phi[4]), (1.5, 4.5));
        assert!(phi[1..4].iter().all(|x| x.is_nan()));
    }
}

/// Binary, by another program (meshio): the box of tests/data/make.py.
#[test]
fn version_4_0_of_meshio_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/meshio_40.msh");
    let mesh = read(&path, None).unwrap();
    assert_eq!((mesh.vertex_count(), mesh.tetrahedron_count()), (27, 48));
    assert_eq!(mesh.points[26], [1.0, 1.5, 2.0]);
    assert_eq!(mesh.tetrahedra[0], [0, 1, 4, 13]);
    let phi = &mesh.point_fields["phi"].values;
    for ([x, y, z], phi) in mesh.points.iter().zip(phi) {
        assert!((x + 2.0 * y + 3.0 * z - phi).abs() < 1e-15);
    }
}

#[test]
fn damage_in_version_4_0_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.msh");
    let whole = String::from_utf8(file(Encoding::Ascii)).unwrap();
    for (from, to, words) in [
        ("$Nodes\n4 5", "$Nodes\n4 6", "5 nodes where 6"),
        ("$Elements\n4 5", "$Elements\n4 4", "5 elements where 4"),
        ("7 3 4 1 \n", "7 3 4 99999 \n", "99999 elements of a block"),
        ("7 3 4 1 \n", "7 3 400 1 \n", "type 400"),
        ("5 2 3 8 9", "5 2 3 8 10", "no node 10"),
    ] {
        assert!(whole.contains(from), "{from:?} in\n{whole}");
        fs::write(&path, whole.replace(from, to)).unwrap();
        let e = read(&path, None).unwrap_err();
        assert_eq!(e.exit_code(), 65);
        assert!(e.to_string().contains(words), "{e}");
    }
    // Cut anywhere, it is refused or, behind the elements, read; it never panics.
    for encoding in [Encoding::Ascii, Encoding::Little] {
        let bytes = file(encoding);
        for end in 0..bytes.len() {
            fs::write(&path, &bytes[..end]).unwrap();
            let _ = read(&path, None);
        }
        let elements = b"$EndElements";
        let cut = bytes
            .windows(elements.len())
            .position(|w| w == elements)
            .unwrap();
        fs::write(&path, &bytes[..cut]).unwrap();
        assert_eq!(read(&path, None).unwrap_err().exit_code(), 65);
    }
}
