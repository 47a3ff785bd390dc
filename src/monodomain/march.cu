// Several steps of a whole box with one D from one pass over memory; the same operations for every
// cell as step_uniform.
//
// A block of threads takes a region of cells with a margin of as many cells as there are steps:
// what it computes in the margin is also another block's, and is not written.

// 2D: each thread has a few cells in registers, u is in shared memory, too, for the neighbours.
#define PLANE 64
#define LEAPS 2  // columns of a thread, 32 apart
#define STRIP 4  // layers of a thread, one after the other

template <bool RECORDED>
DEVICE void march_plane_by(Real *plane, const Box &box, const Extent &out, const Uniform &d,
                           const Kinetics &kinetics, int steps, int margin, uint64 step,
                           const uint64 *clock, const Real *u, const Gates &gates, Real *u_new,
                           const Gates &gates_new, const Recorder &recorder) {
    const int inner = PLANE - 2 * margin;
    const int column_begin = out.low[2] + (int)blockIdx.x * inner;
    const int layer_begin = out.low[0] + (int)blockIdx.y * inner;
    const int column_end = min(column_begin + inner, out.high[2]);
    const int layer_end = min(layer_begin + inner, out.high[0]);
    const int strip = (int)threadIdx.y * STRIP;
    const int layer = layer_begin - margin + strip;
    const int column = column_begin - margin + (int)threadIdx.x;

    Real own[LEAPS][STRIP], gate[LEAPS][STRIP][GATES];
#pragma unroll
    for (int j = 0; j < LEAPS; j++)
#pragma unroll
        for (int i = 0; i < STRIP; i++) {
            const int c = column + 32 * j;
            const bool there = has_memory(box, layer + i, 0, c);
            const int at = there ? position(box, layer + i, 0, c) : 0;
            own[j][i] = there ? u[at] : (Real)0;
#pragma unroll
            for (int g = 0; g < GATES; g++)
                gate[j][i][g] = there ? gates.at[g][at] : (Real)0;
            plane[(strip + i) * PLANE + threadIdx.x + 32 * j] = own[j][i];
        }
    __syncthreads();

    const uint64 first = step_number(step, clock);
    for (int s = 0; s < steps; s++) {
        Real next[LEAPS][STRIP];
#pragma unroll
        for (int j = 0; j < LEAPS; j++) {
            const int x = (int)threadIdx.x + 32 * j, c = column + 32 * j;
            const bool west = c == box.low[2], east = c + 1 == box.high[2];
#pragma unroll
            for (int i = 0; i < STRIP; i++) {
                const int y = strip + i;
                const Real here = own[j][i];
                Real below = i > 0 ? own[j][i > 0 ? i - 1 : 0] : plane[max(y - 1, 0) * PLANE + x];
                Real above = i + 1 < STRIP ? own[j][i + 1 < STRIP ? i + 1 : i]
                                           : plane[min(y + 1, PLANE - 1) * PLANE + x];
                below = layer + i == box.low[0] ? here : below;
                above = layer + i + 1 == box.high[0] ? here : above;
                const Real left = west ? here : plane[y * PLANE + max(x - 1, 0)];
                const Real right = east ? here : plane[y * PLANE + min(x + 1, PLANE - 1)];
                const Real diffusion = planar(d, here, below, above, left, right);
                const Real du = react(kinetics, here, gate[j][i]);
                next[j][i] = here + (diffusion + du);
            }
        }
        __syncthreads();
#pragma unroll
        for (int j = 0; j < LEAPS; j++)
#pragma unroll
            for (int i = 0; i < STRIP; i++) {
                const int l = layer + i, c = column + 32 * j;
                const bool mine = l >= layer_begin && l < layer_end && c >= column_begin
                    && c < column_end;
                if (RECORDED && mine) {
                    const int cell = owned_number(box, l, 0, c);
                    if (cell >= 0)
                        observe(recorder, cell, own[j][i], next[j][i], first + (uint64)s);
                }
                own[j][i] = next[j][i];
                plane[(strip + i) * PLANE + threadIdx.x + 32 * j] = next[j][i];
            }
        __syncthreads();
    }

#pragma unroll
    for (int j = 0; j < LEAPS; j++)
#pragma unroll
        for (int i = 0; i < STRIP; i++) {
            const int l = layer + i, c = column + 32 * j;
            if (l >= layer_begin && l < layer_end && c >= column_begin && c < column_end) {
                const int at = position(box, l, 0, c);
                u_new[at] = own[j][i];
#pragma unroll
                for (int g = 0; g < GATES; g++)
                    gates_new.at[g][at] = gate[j][i][g];
            }
        }
}

TEAM_KERNEL(512, sizeof(Real) == 4 ? 2 : 1, march_plane, VALUE Box box, VALUE Extent out, VALUE Uniform d,
            VALUE Kinetics kinetics, int steps, int margin, uint64 step, const uint64 *clock,
            const Real *u, VALUE Gates gates, Real *u_new, VALUE Gates gates_new, VALUE Recorder recorder) {
    SHARED(Real, plane);
    march_plane_by<false>(plane, box, out, d, kinetics, steps, margin, step, clock, u, gates, u_new, gates_new, recorder);
}
TEAM_KERNEL(512, 1, march_plane_recorded, VALUE Box box, VALUE Extent out, VALUE Uniform d,
            VALUE Kinetics kinetics, int steps, int margin, uint64 step, const uint64 *clock,
            const Real *u, VALUE Gates gates, Real *u_new, VALUE Gates gates_new, VALUE Recorder recorder) {
    SHARED(Real, plane);
    march_plane_by<true>(plane, box, out, d, kinetics, steps, margin, step, clock, u, gates, u_new, gates_new, recorder);
}

// 3D: two steps as a wave over the layers of a column of cells: when the first step is at layer l,
// the second is at l - 1. Each thread has one cell of a layer.
#define SOLID_COLUMNS 32
#define SOLID_ROWS (sizeof(Real) == 4 ? 32 : 16)
#define SOLID_MARGIN 2

// dt div(D grad u) of a thread's cell; its layer lies in `plane`.
DEVICE Real solid_at(const Uniform &d, const Box &box, const Real *plane, int layer, int row,
                     int column, Real below, Real here, Real above) {
    const int x = (int)threadIdx.x, y = (int)threadIdx.y;
    below = layer == box.low[0] ? here : below;
    above = layer + 1 == box.high[0] ? here : above;
    const Real *line = plane + y * SOLID_COLUMNS;
    const Real left = column == box.low[2] ? here : line[max(x - 1, 0)];
    const Real right = column + 1 == box.high[2] ? here : line[min(x + 1, SOLID_COLUMNS - 1)];
    const int last = (int)SOLID_ROWS - 1;
    const Real before = row == box.low[1] ? here : plane[max(y - 1, 0) * SOLID_COLUMNS + x];
    const Real behind = row + 1 == box.high[1] ? here : plane[min(y + 1, last) * SOLID_COLUMNS + x];
    return solid(d, here, below, above, left, right, before, behind);
}

TEAM_KERNEL(sizeof(Real) == 4 ? 1024 : 512, 1, march_solid, VALUE Box box, VALUE Extent out, VALUE Uniform d,
            VALUE Kinetics kinetics, int layers, uint64 step, const uint64 *clock, const Real *u,
            VALUE Gates gates, Real *u_new, VALUE Gates gates_new, VALUE Recorder recorder) {
    SHARED(Real, planes); // two of each step, taken in turn
    const int plane_size = SOLID_COLUMNS * (int)SOLID_ROWS;
    const int x = (int)threadIdx.x, y = (int)threadIdx.y;
    const int inner_columns = SOLID_COLUMNS - 2 * SOLID_MARGIN;
    const int inner_rows = (int)SOLID_ROWS - 2 * SOLID_MARGIN;
    const int column = out.low[2] + (int)blockIdx.x * inner_columns + x - SOLID_MARGIN;
    const int row = out.low[1] + (int)blockIdx.y * inner_rows + y - SOLID_MARGIN;
    const int begin = out.low[0] + (int)blockIdx.z * layers;
    const int end = min(begin + layers, out.high[0]);
    const bool mine = x >= SOLID_MARGIN && x < SOLID_COLUMNS - SOLID_MARGIN && y >= SOLID_MARGIN
        && y < (int)SOLID_ROWS - SOLID_MARGIN && row < out.high[1] && column < out.high[2];
    const uint64 first = step_number(step, clock);

    // u before the first step at the layers below, here, above; after it likewise, a layer later.
    Real a_below = 0, a_here = 0, b_below = 0, b_here = 0;
    Real gate_before[GATES] = {};
    if (has_memory(box, begin - 2, row, column))
        a_below = u[position(box, begin - 2, row, column)];
    if (has_memory(box, begin - 1, row, column))
        a_here = u[position(box, begin - 1, row, column)];
    for (int front = begin - 1; front <= end; front++) {
        Real *plane = planes + ((front - begin + 1) & 1) * 2 * plane_size;
        plane[y * SOLID_COLUMNS + x] = a_here;
        plane[plane_size + y * SOLID_COLUMNS + x] = b_here;
        Real a_above = 0;
        if (has_memory(box, front + 1, row, column))
            a_above = u[position(box, front + 1, row, column)];
        Real gate[GATES] = {};
        if (has_memory(box, front, row, column)) {
            const int at = position(box, front, row, column);
#pragma unroll
            for (int g = 0; g < GATES; g++)
                gate[g] = gates.at[g][at];
        }
        __syncthreads();
        // The first step of layer `front`.
        const Real diffusion =
            solid_at(d, box, plane, front, row, column, a_below, a_here, a_above);
        const Real b_above = a_here + (diffusion + react(kinetics, a_here, gate));
        if (recorder.on && mine && front >= begin && front < end) {
            const int cell = owned_number(box, front, row, column);
            if (cell >= 0)
                observe(recorder, cell, a_here, b_above, first);
        }
        // The second step of the layer below it.
        const int layer = front - 1;
        if (layer >= begin) {
            const Real diffusion =
                solid_at(d, box, plane + plane_size, layer, row, column, b_below, b_here, b_above);
            const Real next = b_here + (diffusion + react(kinetics, b_here, gate_before));
            if (mine) {
                const int at = position(box, layer, row, column);
                u_new[at] = next;
#pragma unroll
                for (int g = 0; g < GATES; g++)
                    gates_new.at[g][at] = gate_before[g];
                if (recorder.on) {
                    const int cell = owned_number(box, layer, row, column);
                    if (cell >= 0)
                        observe(recorder, cell, b_here, next, first + 1);
                }
            }
        }
        a_below = a_here;
        a_here = a_above;
        b_below = b_here;
        b_here = b_above;
#pragma unroll
        for (int g = 0; g < GATES; g++)
            gate_before[g] = gate[g];
    }
}
