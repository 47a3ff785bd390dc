#!/usr/bin/env python3
"""Writes the small mesh files of this folder with VTK, meshio, Gmsh and h5py: the readers are tested on other programs' files.

python3 make.py      Needs the packages vtk, meshio, gmsh and h5py.
A box of 3x3x3 points, 48 Kuhn tetrahedra, and two cells to skip: a triangle before, a wedge after them.
tests/mesh_formats.rs states the same numbers by formula.
"""
import itertools, os
import h5py, numpy as np, meshio, vtk
from vtk.util.numpy_support import numpy_to_vtk

os.chdir(os.path.dirname(os.path.abspath(__file__)))
points = np.array([(0.5 * i, 0.75 * j, k) for k in range(3) for j in range(3) for i in range(3)], float)
tets = []
for k, j, i in itertools.product(range(2), repeat=3):
    corner = lambda b: (i + (b & 1)) + 3 * (j + (b >> 1 & 1)) + 9 * (k + (b >> 2 & 1))
    for a in ((0, 1, 3, 7), (0, 3, 2, 7), (0, 2, 6, 7), (0, 6, 4, 7), (0, 4, 5, 7), (0, 5, 1, 7)):
        tets.append([corner(b) for b in a])
cells = [(5, [0, 1, 3])] + [(10, t) for t in tets] + [(13, [0, 1, 3, 9, 10, 12])]
n, m = len(points), len(cells)
angle = 0.1 * (np.arange(m) - 1)
fibre = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
tag = np.arange(m) - 1 - 20
phi = points @ [1.0, 2.0, 3.0]
tensor = np.array([[2 + t, 0.1, 0.2, 0.1, 3, 0.3, 0.2, 0.3, 4] for t in np.arange(m) - 1.0])


def grid(real=vtk.VTK_DOUBLE):
    g, p = vtk.vtkUnstructuredGrid(), vtk.vtkPoints()
    p.SetDataType(real)
    for x in points:
        p.InsertNextPoint(x)
    g.SetPoints(p)
    for kind, ids in cells:
        g.InsertNextCell(kind, len(ids), ids)

    def add(where, name, a, kind):
        v = numpy_to_vtk(np.ascontiguousarray(a), deep=True, array_type=kind)
        v.SetName(name)
        v.GetRange(-1)  # VTK then writes the range as an information key inside the array.
        where.AddArray(v)
        return v

    add(g.GetPointData(), "phi", phi, real)
    add(g.GetCellData(), "fiberDirection", fibre, real)
    add(g.GetCellData(), "elemTag", tag, vtk.VTK_INT)
    add(g.GetCellData(), "velocity_tensor", tensor, real)
    add(g.GetCellData(), "cell id", np.arange(m), vtk.VTK_LONG_LONG)
    return g


def vtu(name, mode, compress, word, base64=True, big=False, real=vtk.VTK_DOUBLE, ids32=False):
    w = vtk.vtkXMLUnstructuredGridWriter()
    w.SetFileName(name)
    w.SetInputData(grid(real))
    getattr(w, "SetDataModeTo" + mode)()
    w.SetEncodeAppendedData(base64)
    w.SetCompressorTypeToZLib() if compress else w.SetCompressorTypeToNone()
    w.SetHeaderTypeToUInt64() if word == 64 else w.SetHeaderTypeToUInt32()
    if compress:
        w.SetBlockSize(1024)  # Several blocks.
    if big:
        w.SetByteOrderToBigEndian()
    if ids32:
        w.SetIdTypeToInt32()
    assert w.Write()


vtu("ascii.vtu", "Ascii", False, 32)
vtu("binary_u32.vtu", "Binary", False, 32, ids32=True)
vtu("binary_u64.vtu", "Binary", False, 64)
vtu("binary_zlib_u32.vtu", "Binary", True, 32)
vtu("binary_zlib_u64_big.vtu", "Binary", True, 64, big=True)
vtu("appended_raw_u32.vtu", "Appended", False, 32, base64=False)
vtu("appended_raw_u64_big.vtu", "Appended", False, 64, base64=False, big=True)
vtu("appended_raw_zlib_u64.vtu", "Appended", True, 64, base64=False)
vtu("appended_base64_u64.vtu", "Appended", False, 64)
vtu("appended_base64_zlib_u32.vtu", "Appended", True, 32, ids32=True)
vtu("appended_f32.vtu", "Appended", True, 32, base64=False, real=vtk.VTK_FLOAT)

for version in (42, 51):
    for mode in ("ASCII", "Binary"):
        w = vtk.vtkUnstructuredGridWriter()
        w.SetFileName(f"{mode.lower()}_{version}.vtk")
        w.SetInputData(grid())
        w.SetFileVersion(version)
        getattr(w, "SetFileTypeTo" + mode)()
        assert w.Write()

m0 = meshio.Mesh(
    points,
    [("triangle", [[0, 1, 3]]), ("tetra", tets), ("wedge", [cells[-1][1]])],
    point_data={"phi": phi},
    cell_data={k: [v[:1], v[1:-1], v[-1:]] for k, v in {"fiberDirection": fibre, "elemTag": tag}.items()},
)
m0.write("meshio.vtu")
meshio.vtk.write("meshio_42.vtk", m0, fmt_version="4.2")
meshio.vtk.write("meshio_51.vtk", m0, fmt_version="5.1")

with h5py.File("h5py.h5", "w") as f:
    d = f.create_dataset("mesh/points", data=1000 * points)
    d.attrs["unit"] = "um"
    f["mesh/tetrahedra"] = np.array(tets, np.int64)
    f["mesh/tags"] = tag[1:-1].astype(np.int16)
    f.create_dataset("mesh/fibres", data=fibre[1:-1], compression="gzip", shuffle=True)
    d = f.create_dataset("mesh/velocity_tensor", data=tensor[1:-1][:, [0, 1, 2, 4, 5, 8]])
    d.attrs["unit"] = np.bytes_("mm2/ms2")
    d = f.create_dataset("fields/phi", data=phi)
    d.attrs["unit"] = "ms"

from vtkmodules.vtkIOHDF import vtkHDFWriter

w = vtkHDFWriter()
w.SetFileName("vtk.vtkhdf")
w.SetInputData(grid())
w.SetCompressionLevel(4)
w.SetChunkSize(100)
assert w.Write()

# Gmsh: numbers with gaps, three volumes that are physical groups 11 to 13, skipped triangles and
# points, values on nodes and on elements.
import gmsh

gmsh.initialize()
gmsh.option.setNumber("General.Terminal", 0)
gmsh.option.setNumber("PostProcessing.SaveMesh", 0)
gmsh.model.add("box")
gmsh.model.addDiscreteEntity(2, 4)
for volume in (5, 6, 7):
    gmsh.model.addDiscreteEntity(3, volume, [4])
    gmsh.model.addPhysicalGroup(3, [volume], volume + 6)
gmsh.model.addPhysicalGroup(2, [4], 2, "surface")
number = 10 + 2 * np.arange(n)
gmsh.model.mesh.addNodes(2, 4, number, points.ravel())
gmsh.model.mesh.addElementsByType(4, 2, [1], number[[0, 1, 3]])
for volume in (5, 6, 7):
    own = np.arange(len(tets))[np.arange(len(tets)) % 3 == volume - 5]
    gmsh.model.mesh.addElementsByType(volume, 4, 100 + 3 * own, number[np.array(tets)[own]].ravel())
views = [gmsh.view.add("phi"), gmsh.view.add("fibres")]
gmsh.view.addHomogeneousModelData(views[0], 0, "box", "NodeData", number, phi, 0, 1)
gmsh.view.addHomogeneousModelData(views[1], 0, "box", "ElementData", 100 + 3 * np.arange(len(tets)), fibre[1:-1].ravel(), 0, 3)
for version, text in ((2.2, "22"), (4.0, "40"), (4.1, "41")):
    # Gmsh writes 4.0 in ascii only.
    for binary, mode in ((0, "ascii"), (1, "binary"))[:1 if version == 4.0 else 2]:
        gmsh.option.setNumber("Mesh.MshFileVersion", version)
        gmsh.option.setNumber("Mesh.Binary", binary)
        name = f"gmsh_{mode}_{text}.msh"
        gmsh.write(name)
        for view in views:
            gmsh.view.write(view, name, append=True)
gmsh.finalize()
meshio.gmsh.write("meshio_41.msh", meshio.Mesh(points, [("tetra", tets)], point_data={"phi": phi}, cell_data={"fibres": [fibre[1:-1]]}), "4.1", binary=True)
# Numbers elements from 0 in 4.0, but their data from 1: without data of elements.
meshio.gmsh.write("meshio_40.msh", meshio.Mesh(points, [("tetra", tets)], point_data={"phi": phi}), "4.0", binary=True)
