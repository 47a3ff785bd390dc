// The fast iterative method with all its lists on the device; twin of front.rs.
//
// An iteration is four launches: `take` the vertices of the lowest bucket, `resolve` the tetrahedra
// around them, `rest` them, `turn` the lists. Times are lowered by atomic minima while others read
// them: whoever read an older one is put right, since the vertex that fell is active.

#define ACTIVE 1u
#define IN_BATCH 2u
#define LANES 32 // threads of a vertex
#define BELOW ((Real)(1 - SLACK)) // what counts as a fall, relative to the time
#define PATIENCE 12u
#define SMALL_FALL 1e-3

struct Mesh {
    const uint32 *vertices; // four of each tetrahedron
    const Real *lengths;    // six squared lengths in the metric for gamma = 1
    const uint32 *domains;
    const Real *inv_gamma;
    const uint32 *offsets; // of each vertex in the corners
    const uint32 *corners; // tetrahedron * 4 + corner
    int owned, count;      // vertices; those that are not owned are ghosts
};

struct Control {
    double lowest, lowest_next; // earliest active time, now and in the next iteration
    double width, cap;          // of a bucket; nothing from this time on is taken
    uint64 solves, updates, batches;
    uint32 active, next, batch; // lengths of the lists
    uint32 patient;             // whether small falls are put off
};

struct Lists {
    Real *phi, *known;
    uint32 *state, *small_falls;
    uint32 *active, *next, *batch;
};

DEVICE void activate(const Lists &l, Control *control, uint32 *count, uint32 *list, double *lowest,
                     uint32 v, Real time) {
    if ((atomicOr(&l.state[v], ACTIVE) & ACTIVE) == 0)
        list[atomicAdd(count, 1u)] = v;
    atomic_least(lowest, (double)time);
}

// The front at the vertices that are below what is known.
KERNEL(begin, VALUE Mesh mesh, Control *control, VALUE Lists l) {
    for (int v = thread_index(); v < mesh.count; v += thread_count())
        if (l.phi[v] < l.known[v] * BELOW)
            activate(l, control, &control->active, l.active, &control->lowest, v, l.phi[v]);
}

// Ghosts that fell elsewhere.
KERNEL(lower, Control *control, VALUE Lists l, const uint32 *ghosts, const Real *times, int count) {
    for (int i = thread_index(); i < count; i += thread_count()) {
        l.phi[ghosts[i]] = times[i];
        activate(l, control, &control->active, l.active, &control->lowest, ghosts[i], times[i]);
    }
}

// Whether a fall is put off: small, and one too many; else it counts as known from now on.
DEVICE bool puts_off(const Control *control, const Lists &l, uint32 v) {
    const double time = (double)l.phi[v], known = (double)l.known[v];
    if (known - time <= SMALL_FALL * known) {
        const uint32 falls = l.small_falls[v];
        if (falls >= PATIENCE && control->patient)
            return true;
        l.small_falls[v] = falls + 1;
    }
    l.known[v] = l.phi[v];
    return false;
}

KERNEL(take, Control *control, VALUE Lists l) {
    const double lowest = control->lowest;
    double limit = (floor(lowest / control->width) + 1) * control->width;
    if (!(limit > lowest))
        limit = lowest * (1 + 1e-6);
    if (limit > control->cap)
        limit = control->cap;
    for (int i = thread_index(); i < (int)control->active; i += thread_count()) {
        const uint32 v = l.active[i];
        const Real time = l.phi[v];
        if ((double)time < limit) {
            if (puts_off(control, l, v)) {
                l.state[v] = 0;
            } else {
                l.state[v] = IN_BATCH;
                l.batch[atomicAdd(&control->batch, 1u)] = v;
            }
        } else {
            l.next[atomicAdd(&control->next, 1u)] = v;
            atomic_least(&control->lowest_next, (double)time);
        }
    }
}

// The other corners of each corner, ascending, and the lengths as that corner sees them.
CONSTANT unsigned char FACE[4][3] = {{1, 2, 3}, {0, 2, 3}, {0, 1, 3}, {0, 1, 2}};
CONSTANT unsigned char PAIRS[4][6] = {
    {3, 4, 5, 0, 1, 2}, {1, 2, 5, 0, 3, 4}, {0, 2, 4, 1, 3, 5}, {0, 1, 3, 2, 4, 5}};

template <int C> DEVICE Corner corner(const Real (&lengths)[6], const Real (&times)[4]) {
    const Corner k = {
        lengths[PAIRS[C][0]], lengths[PAIRS[C][1]], lengths[PAIRS[C][2]], lengths[PAIRS[C][3]],
        lengths[PAIRS[C][4]], lengths[PAIRS[C][5]],
        {times[FACE[C][0]], times[FACE[C][1]], times[FACE[C][2]]}};
    return k;
}

// Lowers the time at corner C of a tetrahedron, if that is possible.
template <int C>
DEVICE int solve(const Mesh &mesh, Control *control, const Lists &l, const uint32 (&v)[4],
                 const Real (&lengths)[6], const Real (&times)[4]) {
    const uint32 w = v[C];
    if ((int)w >= mesh.owned)
        return 0;
    const Corner k = corner<C>(lengths, times);
    const Products p = products(k);
    if (is_too_late(k, p, times[C]))
        return 0;
    const Real time = arrival(k, p);
    if (time < times[C] * BELOW && time < atomic_least(&l.phi[w], time))
        activate(l, control, &control->next, l.next, &control->lowest_next, w, time);
    return 1;
}

// A tetrahedron belongs to the first of its vertices in the batch; its corners opposite a changed
// vertex are solved: all of two or more, else all but that one.
KERNEL(resolve, VALUE Mesh mesh, Control *control, VALUE Lists l) {
    uint64 solves = 0;
    const int lane = thread_index() % LANES;
    for (int i = thread_index() / LANES; i < (int)control->batch; i += thread_count() / LANES) {
        const uint32 at = l.batch[i];
        for (uint32 k = mesh.offsets[at] + lane; k < mesh.offsets[at + 1]; k += LANES) {
            const uint32 t = mesh.corners[k] >> 2, corner = mesh.corners[k] & 3;
            uint32 v[4], changed = 0;
            for (int c = 0; c < 4; c++) {
                v[c] = mesh.vertices[4 * (uint64)t + c];
                changed |= (fresh(&l.state[v[c]]) & IN_BATCH) / IN_BATCH << c;
            }
            if ((changed & ((1u << corner) - 1)) != 0)
                continue;
            const Real inv_gamma = mesh.inv_gamma[mesh.domains[t]];
            Real lengths[6], times[4];
            for (int e = 0; e < 6; e++)
                lengths[e] = mesh.lengths[6 * (uint64)t + e] * inv_gamma;
            for (int c = 0; c < 4; c++)
                times[c] = fresh(&l.phi[v[c]]);
            const bool one = (changed & (changed - 1)) == 0;
            const uint32 wanted = one ? ~changed : 15u;
            if (wanted & 1u)
                solves += solve<0>(mesh, control, l, v, lengths, times);
            if (wanted & 2u)
                solves += solve<1>(mesh, control, l, v, lengths, times);
            if (wanted & 4u)
                solves += solve<2>(mesh, control, l, v, lengths, times);
            if (wanted & 8u)
                solves += solve<3>(mesh, control, l, v, lengths, times);
        }
    }
    if (solves)
        atomicAdd(&control->solves, solves);
}

KERNEL(rest, Control *control, VALUE Lists l) {
    for (int i = thread_index(); i < (int)control->batch; i += thread_count())
        l.state[l.batch[i]] &= ~IN_BATCH;
}

KERNEL(turn, Control *control) {
    if (thread_index() != 0)
        return;
    control->updates += control->batch;
    control->batches += control->batch > 0;
    control->active = control->next;
    control->lowest = control->lowest_next;
    control->next = 0;
    control->batch = 0;
    control->lowest_next = infinity(0.0);
}

// For the canonical pass: which corners of each tetrahedron may win, a bit each. A solution may win
// below `margin` times the present time.
template <int C>
DEVICE uint32 may_win(const Real (&lengths)[6], const Real (&times)[4], Real margin) {
    const Corner k = corner<C>(lengths, times);
    const Products p = products(k);
    const Real limit = times[C] * margin;
    return !is_too_late(k, p, limit) && arrival(k, p) < limit ? 1u << C : 0u;
}

KERNEL(candidates, VALUE Mesh mesh, int tetrahedra, const Real *phi, Real margin, uint8 *winners) {
    for (int t = thread_index(); t < tetrahedra; t += thread_count()) {
        const Real inv_gamma = mesh.inv_gamma[mesh.domains[t]];
        Real lengths[6], times[4];
        for (int e = 0; e < 6; e++)
            lengths[e] = mesh.lengths[6 * (uint64)t + e] * inv_gamma;
        for (int c = 0; c < 4; c++)
            times[c] = phi[mesh.vertices[4 * (uint64)t + c]];
        winners[t] = (uint8)(may_win<0>(lengths, times, margin) | may_win<1>(lengths, times, margin)
                             | may_win<2>(lengths, times, margin)
                             | may_win<3>(lengths, times, margin));
    }
}

// Times of some vertices.
KERNEL(collect, const Real *phi, const uint32 *vertices, int count, Real *times) {
    for (int i = thread_index(); i < count; i += thread_count())
        times[i] = phi[vertices[i]];
}
