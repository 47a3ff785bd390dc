// One step, and what goes with it; twin of kernel.rs and sweep.rs.

// u + dt div(D grad u) - dt J_ion of one cell, whose gates go on in place.
template <class Stencil>
DEVICE void step_cell(const Stencil &stencil, const Box &box, const Kinetics &kinetics,
                      const Place &place, const Real *u, Real *u_new, const Gates &gates) {
    Real gate[GATES];
    for (int g = 0; g < GATES; g++)
        gate[g] = gates.at[g][place.position];
    const Real diffusion = diffuse(stencil, box, u, place);
    const Real here = u[place.position];
    const Real du = react(kinetics, here, gate);
    u_new[place.position] = here + (diffusion + du);
    for (int g = 0; g < GATES; g++)
        gates.at[g][place.position] = gate[g];
}

// All cells of an extent: columns by threads, rows and layers by blocks.
KERNEL(step_uniform, VALUE Box box, VALUE Extent extent, VALUE Uniform uniform, VALUE Kinetics kinetics, const Real *u,
       Real *u_new, VALUE Gates gates) {
    const int column = extent.low[2] + thread_index();
    if (column >= extent.high[2])
        return;
    for (int l = extent.low[0] + (int)blockIdx.z; l < extent.high[0]; l += (int)gridDim.z)
        for (int r = extent.low[1] + (int)blockIdx.y; r < extent.high[1]; r += (int)gridDim.y) {
            const Place place = {position(box, l, r, column), l, r, column};
            step_cell(uniform, box, kinetics, place, u, u_new, gates);
        }
}

// Blocks of LANES cells of a row, those that lie in the extent. `region` is the parameter set of
// each cell, where there are several.
template <class Stencil>
DEVICE void step_blocks(const Stencil &stencil, const Box &box, const Extent &extent,
                        const Place *blocks, int count, const Kinetics *sets,
                        const uint8 *region, const Real *u, Real *u_new, const Gates &gates) {
    const int thread = thread_index();
    if (thread / LANES >= count)
        return;
    Place place = blocks[thread / LANES];
    place.position += thread % LANES;
    place.column += thread % LANES;
    if (within(extent, place.layer, place.row, place.column)) {
        const Kinetics &kinetics = sets[region ? region[place.position] : 0];
        step_cell(stencil, box, kinetics, place, u, u_new, gates);
    }
}

KERNEL(step_pairs, VALUE Box box, VALUE Extent extent, VALUE Pairs pairs, const Place *blocks, int count,
       const Kinetics *sets, const uint8 *region, const Real *u, Real *u_new, VALUE Gates gates) {
    step_blocks(pairs, box, extent, blocks, count, sets, region, u, u_new, gates);
}

KERNEL(step_cardiax, VALUE Box box, VALUE Extent extent, VALUE Cardiax cardiax, const Place *blocks, int count,
       const Kinetics *sets, const uint8 *region, const Real *u, Real *u_new, VALUE Gates gates) {
    step_blocks(cardiax, box, extent, blocks, count, sets, region, u, u_new, gates);
}

// Stimuli, after the step of their cells.
KERNEL(add, VALUE Extent extent, const Place *cells, int count, Real value, Real *u_new) {
    for (int i = thread_index(); i < count; i += thread_count())
        if (within(extent, cells[i].layer, cells[i].row, cells[i].column))
            u_new[cells[i].position] = u_new[cells[i].position] + value;
}

KERNEL(fill, VALUE Extent extent, const Place *cells, int count, Real value, Real *u_new) {
    for (int i = thread_index(); i < count; i += thread_count())
        if (within(extent, cells[i].layer, cells[i].row, cells[i].column))
            u_new[cells[i].position] = value;
}

// The ionic current replaced by a rate.
template <class Stencil>
DEVICE void replace(const Stencil &stencil, const Box &box, const Extent &extent,
                    const Place *cells, int count, Real value, const Real *u, Real *u_new) {
    for (int i = thread_index(); i < count; i += thread_count())
        if (within(extent, cells[i].layer, cells[i].row, cells[i].column)) {
            const Real diffusion = diffuse(stencil, box, u, cells[i]);
            u_new[cells[i].position] = u[cells[i].position] + (diffusion + value);
        }
}
KERNEL(replace_uniform, VALUE Box box, VALUE Extent extent, VALUE Uniform stencil, const Place *cells, int count,
       Real value, const Real *u, Real *u_new) {
    replace(stencil, box, extent, cells, count, value, u, u_new);
}
KERNEL(replace_pairs, VALUE Box box, VALUE Extent extent, VALUE Pairs stencil, const Place *cells, int count,
       Real value, const Real *u, Real *u_new) {
    replace(stencil, box, extent, cells, count, value, u, u_new);
}
KERNEL(replace_cardiax, VALUE Box box, VALUE Extent extent, VALUE Cardiax stencil, const Place *cells, int count,
       Real value, const Real *u, Real *u_new) {
    replace(stencil, box, extent, cells, count, value, u, u_new);
}

// A step counts from the clock in launches that were recorded.
DEVICE uint64 step_number(uint64 step, const uint64 *clock) { return clock ? step + *clock : step; }

// All owned cells, before and after a step.
KERNEL(record, VALUE Box box, VALUE Recorder recorder, uint64 step, const uint64 *clock,
       const Real *u, const Real *u_new) {
    const uint64 number = step_number(step, clock);
    const int column = thread_index();
    if (column >= box.size[2])
        return;
    for (int l = (int)blockIdx.z; l < box.size[0]; l += (int)gridDim.z)
        for (int r = (int)blockIdx.y; r < box.size[1]; r += (int)gridDim.y) {
            const int at = position(box, l, r, column);
            observe(recorder, owned_number(box, l, r, column), u[at], u_new[at], number);
        }
}

// The mean of two states, in the first (Heun).
KERNEL(mean, Real *values, const Real *others, int count) {
    for (int i = thread_index(); i < count; i += thread_count())
        values[i] = (Real)0.5 * (values[i] + others[i]);
}

// A box of cells from one array to another: ghosts, and what is sent.
struct Copy {
    int from, from_layer, from_row;
    int to, to_layer, to_row;
    int size[3];
    int unused;
};
KERNEL(copy_box, VALUE Copy copy, const Real *from, Real *to) {
    const int count = copy.size[0] * copy.size[1] * copy.size[2];
    for (int i = thread_index(); i < count; i += thread_count()) {
        const int column = i % copy.size[2], row = i / copy.size[2] % copy.size[1];
        const int layer = i / copy.size[2] / copy.size[1];
        to[copy.to + layer * copy.to_layer + row * copy.to_row + column] =
            from[copy.from + layer * copy.from_layer + row * copy.from_row + column];
    }
}

// u of some cells.
KERNEL(probe, const Real *u, const int *positions, int count, Real *values) {
    for (int i = thread_index(); i < count; i += thread_count())
        values[i] = u[positions[i]];
}

// Largest |u| among every so many owned cells, infinity for NaN, and the first cell that has it.
struct Largest {
    double size;
    long long cell;
};
KERNEL(largest, VALUE Box box, const Real *u, Largest *found) {
    const int count = box.size[0] * box.size[1] * box.size[2];
    Largest best = {-1, 0};
    for (int i = thread_index(); i < count; i += thread_count()) {
        const int column = i % box.size[2], row = i / box.size[2] % box.size[1];
        const int layer = i / box.size[2] / box.size[1];
        const double value = (double)u[position(box, layer, row, column)];
        const double size = is_nan(value) ? infinity(0.0) : value < 0 ? -value : value;
        if (size > best.size) {
            best.size = size;
            best.cell = i;
        }
    }
    found[thread_index()] = best;
}

KERNEL(tick, uint64 *clock, uint64 steps) {
    if (thread_index() == 0)
        *clock += steps;
}
