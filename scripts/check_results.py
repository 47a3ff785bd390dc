#!/usr/bin/env python3
"""Opens the result files of a folder with other programs and compares what they read.

    python3 scripts/check_results.py DIR

Every .h5 file is opened with h5py, every .xdmf and .vtkhdf file with VTK's own readers (XDMF: meshio
where the wheel vtk is not installed). Prints a line per file; exit code 1 if anything is wrong.
"""
import pathlib
import sys

import h5py
import numpy as np

try:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkObject
    from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
    from vtkmodules.vtkIOHDF import vtkHDFReader
    from vtkmodules.vtkIOXdmf2 import vtkXdmfReader
except ImportError:
    vtkHDFReader = vtkXdmfReader = None

# Rows of a dataset of /mesh: of points (n) or tetrahedra (m), and their columns.
MESH = {
    "points": ("n", 3), "tetrahedra": ("m", 4), "tags": ("m",), "fibres": ("m", 3), "sheets": ("m", 3),
    "velocity_tensor": ("m", 6), "domains": ("m",), "parts": ("n",),
}
# Place of xx xy xz yy yz zz in a full 3×3 matrix, row by row.
FULL = [0, 1, 2, 1, 3, 4, 2, 4, 5]


def check_hdf5(path):
    """Reads every dataset; returns what the file holds and what is wrong with it."""
    wrong, arrays = [], {}
    with h5py.File(path) as file:

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                arrays["/" + name] = item[()]
                if "unit" not in item.attrs and not name.startswith("fields/"):
                    wrong.append(f"/{name} has no unit")

        file.visititems(visit)
    if "/mesh/points" in arrays and "/mesh/tetrahedra" in arrays:
        counts = {"n": len(arrays["/mesh/points"]), "m": len(arrays["/mesh/tetrahedra"])}
        for name, shape in MESH.items():
            array = arrays.get("/mesh/" + name)
            expected = tuple(counts.get(s, s) for s in shape)
            if array is not None and array.shape != expected:
                wrong.append(f"/mesh/{name} has the shape {array.shape}, expected {expected}")
        if arrays["/mesh/tetrahedra"].max(initial=0) >= max(counts["n"], 1):
            wrong.append("/mesh/tetrahedra names a point that does not exist")
        for name, array in arrays.items():
            if name.startswith("/fields/") and len(array) not in counts.values():
                wrong.append(f"{name} has {len(array)} rows for {counts['n']} points and {counts['m']} tetrahedra")
    frames = arrays.get("/fk/frames/time")
    for name, array in arrays.items():
        if name.startswith("/fk/frames/") and len(array) != len(frames):
            wrong.append(f"{name} has {len(array)} frames for {len(frames)} times")
    return f"{len(arrays)} datasets", wrong


def read_with_vtk(path):
    """Points, tetrahedra and arrays by name, on points and on cells."""
    errors = []
    reader = vtkHDFReader() if path.suffix == ".vtkhdf" else vtkXdmfReader()
    # Python receives no text with the event; that it came is enough.
    reader.AddObserver("ErrorEvent", lambda *_: errors.append("VTK reports an error"))
    warnings = vtkObject.GetGlobalWarningDisplay()
    vtkObject.GlobalWarningDisplayOff()
    reader.SetFileName(str(path))
    reader.Update()
    vtkObject.SetGlobalWarningDisplay(warnings)
    grid = reader.GetOutputDataObject(0)
    if errors or grid is None or not grid.IsA("vtkUnstructuredGrid"):
        raise ValueError(errors[0] if errors else "VTK finds no unstructured grid")
    data = lambda d: {d.GetArrayName(i): vtk_to_numpy(d.GetArray(i)) for i in range(d.GetNumberOfArrays())}
    cells = vtk_to_numpy(grid.GetCells().GetConnectivityArray()).reshape(-1, 4)
    return vtk_to_numpy(grid.GetPoints().GetData()), cells, data(grid.GetPointData()), data(grid.GetCellData())


def check_cells(path):
    """Compares the frames and fields of cells that VTK finds with the arrays in the HDF5 file."""
    if vtkXdmfReader is None:
        return "not opened: no vtk here", []
    with h5py.File(path.with_suffix(".h5")) as file:
        fields = {name: item[()] for name, item in file["fk"].items() if isinstance(item, h5py.Dataset)}
        frames = {name: item[()] for name, item in file["fk"].get("frames", {}).items()}
    times = frames.pop("time", [])
    # Cells that are not tissue have no state.
    hidden = np.isnan(fields["u"]).ravel() if "u" in fields and np.isnan(fields["u"]).any() else None
    reader, errors = vtkHDFReader() if path.suffix == ".vtkhdf" else vtkXdmfReader(), []
    reader.AddObserver("ErrorEvent", lambda *_: errors.append("VTK reports an error"))
    reader.SetFileName(str(path))
    reader.UpdateInformation()
    information, wrong, seen = reader.GetOutputInformation(0), [], set()
    key = vtkStreamingDemandDrivenPipeline.TIME_STEPS()
    steps = [information.Get(key, i) for i in range(information.Length(key))] if information.Has(key) else []
    if len(times) and not np.array_equal(steps, times):
        wrong.append(f"VTK finds the times {steps}, expected {list(times)}")
    for i, time in enumerate(times if len(times) else [None]):
        reader.UpdateTimeStep(time) if time is not None else reader.Update()
        for name, grid in blocks(reader.GetOutputDataObject(0)):
            data = grid.GetCellData()
            if hidden is not None and path.suffix == ".vtkhdf":
                shown = [grid.IsCellVisible(c) for c in range(0, grid.GetNumberOfCells(), 97)]
                if not np.array_equal(shown, ~hidden[::97]):
                    wrong.append(f"other cells are hidden at {time} than those that are not tissue")
            for k in range(data.GetNumberOfArrays()):
                array = data.GetArrayName(k)
                if array == "vtkGhostType":
                    continue
                # XDMF has a grid of its own for the end, VTKHDF other names where a frame has one.
                is_frame = array in frames and len(times) > 0 and name != "final"
                stored = frames[array][i] if is_frame else fields[array.removeprefix("final ")]
                seen.add("frame " + array if is_frame else array.removeprefix("final "))
                values = vtk_to_numpy(data.GetArray(k))
                if values.size != stored.size or not np.array_equal(values, stored.ravel(), equal_nan=True):
                    wrong.append(f"{array} at {time} differs in {name}")
    known = {"frame " + name for name in frames if len(times)}
    known |= {name for name, array in fields.items() if "u" in fields and array.shape == fields["u"].shape}
    wrong += [f"{name} cannot be seen" for name in sorted(known - seen)] + errors
    return f"VTK: {len(times)} frames, {', '.join(sorted(seen))}", wrong


def check_history(path):
    """Compares γ of each time step that VTK finds of an inversion with its iterations."""
    with h5py.File(path.with_suffix(".h5")) as file:
        gamma, domains, last = file["inversion/gamma"][()], file["mesh/domains"][()], file["fields/gamma"][()]
    reader, wrong = vtkHDFReader(), []
    reader.SetFileName(str(path))
    reader.UpdateInformation()
    information, key = reader.GetOutputInformation(0), vtkStreamingDemandDrivenPipeline.TIME_STEPS()
    steps = [information.Get(key, i) for i in range(information.Length(key))] if information.Has(key) else []
    if steps != list(range(len(gamma))):
        wrong.append(f"VTK finds the steps {steps} for {len(gamma)} rows of γ")
    for i in steps:
        reader.UpdateTimeStep(i)
        grid = reader.GetOutputDataObject(0)
        values = vtk_to_numpy(grid.GetCellData().GetArray("gamma"))
        if not np.array_equal(values, gamma[int(i)][domains]):
            wrong.append(f"γ differs in step {i}")
    if not np.array_equal(values, last):
        wrong.append("the last step is not the γ found")
    return f", γ of {len(steps)} steps", wrong


def blocks(data):
    """Grids of a data set or of a tree of them, with their names."""
    if data is None or not data.IsA("vtkMultiBlockDataSet"):
        return [] if data is None else [(None, data)]
    found = []
    for i in range(data.GetNumberOfBlocks()):
        about = data.GetMetaData(i)
        name = about.Get(data.NAME()) if about else None
        found += [(name if inner is None else inner, grid) for inner, grid in blocks(data.GetBlock(i))]
    return found


def read_with_meshio(path):
    import meshio

    mesh = meshio.read(path)
    on_cells = {name: blocks[0] for name, blocks in mesh.cell_data.items()}
    return mesh.points, mesh.cells_dict["tetra"], mesh.point_data, on_cells


def check_companion(path):
    """Compares what a reader of XDMF or VTKHDF finds with the arrays in the HDF5 file of the same name."""
    if path.suffix == ".vtkhdf" and vtkHDFReader is None:
        return "not opened: no vtk here", []
    with h5py.File(path.with_suffix(".h5")) as file:
        if "fk" in file:
            return check_cells(path)
    points, cells, on_points, on_cells = read_with_vtk(path) if vtkXdmfReader else read_with_meshio(path)
    with h5py.File(path.with_suffix(".h5")) as file:
        arrays = {}
        file.visititems(lambda name, item: arrays.update({"/" + name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    said, wrong = "", []
    if path.suffix == ".vtkhdf" and "/inversion/gamma" in arrays:
        said, wrong = check_history(path)
        on_cells.pop("gamma")
        arrays.pop("/fields/gamma")
    if not np.array_equal(points, arrays["/mesh/points"].astype(points.dtype)):
        wrong.append("points differ")
    if not np.array_equal(cells, arrays["/mesh/tetrahedra"]):
        wrong.append("tetrahedra differ")
    for where, found, rows in (("points", on_points, len(points)), ("tetrahedra", on_cells, len(cells))):
        for name, values in found.items():
            stored = [a for key, a in arrays.items() if key.rsplit("/", 1)[1] == name and len(a) == rows]
            if not any(same(values, a) for a in stored):
                wrong.append(f"{name} on {where} differs from the dataset of that name")
    missing = {k.rsplit("/", 1)[1] for k in arrays if k.startswith("/fields/")} - set(on_points) - set(on_cells)
    wrong += [f"{name} cannot be seen" for name in sorted(missing)]
    reader = "VTK" if vtkXdmfReader else "meshio"
    names = ", ".join(sorted(on_points) + sorted(on_cells))
    return f"{reader}: {len(points)} points, {len(cells)} tetrahedra, {names}{said}", wrong


def same(values, stored):
    """Whether a reader's values are those stored; VTK makes full matrices of symmetric tensors."""
    if stored.ndim == 2 and stored.shape[1] == 6 and values.reshape(len(values), -1).shape[1] == 9:
        stored = stored[:, FULL]
    return values.size == stored.size and np.array_equal(values.reshape(stored.shape), stored)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".h5", ".xdmf", ".vtkhdf"))
    failed = not files
    if not files:
        print(f"FAIL {folder}: no .h5, .xdmf or .vtkhdf file")
    for path in files:
        try:
            said, wrong = (check_hdf5 if path.suffix == ".h5" else check_companion)(path)
        except (OSError, KeyError, ValueError) as e:
            said, wrong = "cannot be read", [str(e)]
        failed |= bool(wrong)
        print("FAIL" if wrong else "ok  ", path, "-", said, *(f"\n     {w}" for w in wrong))
    sys.exit(failed)


main()
