// Tangent, adjoint and tensor sensitivity, by levels of the upwind graph: the vertices of a level
// do not depend on each other but in cycles, which the host solves: the weights within a cycle are 0
// here. Twins of tangent.rs, adjoint.rs and tensor_sensitivity.rs.

struct Stencil {
    uint32 vertices[3], tetrahedron;
    double lambda[3], s;
};

#define FIXED 0xffffffffu // no tetrahedron: the time depends on nothing

// dot phi_v = sum lambda_i dot phi_i + s source_k, one thread for each vertex and direction.
KERNEL(tangent, const uint32 *level, int count, const Stencil *stencils, const uint32 *domains,
       const double *source, int width, double *phi_dot) {
    const uint64 all = (uint64)count * width;
    for (uint64 i = (uint64)thread_index(); i < all; i += (uint64)thread_count()) {
        const uint32 v = level[i / width];
        const int d = (int)(i % width);
        const Stencil &stencil = stencils[v];
        if (stencil.tetrahedron == FIXED)
            continue;
        double sum = stencil.s * source[(uint64)domains[stencil.tetrahedron] * width + d];
        for (int j = 0; j < 3; j++)
            if (stencil.lambda[j] > 0)
                sum = sum + stencil.lambda[j] * phi_dot[(uint64)stencil.vertices[j] * width + d];
        phi_dot[(uint64)v * width + d] = sum;
    }
}

struct Edge {
    uint32 vertex, unused;
    double lambda;
};

// bar phi_u += sum lambda_vu bar phi_v over the vertices downwind of u.
KERNEL(adjoint, const uint32 *level, int count, const uint32 *offsets, const Edge *edges,
       double *phi_bar) {
    for (int i = thread_index(); i < count; i += thread_count()) {
        const uint32 u = level[i];
        double sum = phi_bar[u];
        for (uint32 e = offsets[u]; e < offsets[u + 1]; e++)
            if (edges[e].lambda > 0)
                sum = sum + edges[e].lambda * phi_bar[edges[e].vertex];
        phi_bar[u] = sum;
    }
}

// Rows of some vertices, for the linear systems of cycles.
KERNEL(pick, const double *from, const uint32 *vertices, int count, int width, double *to) {
    for (int i = thread_index(); i < count * width; i += thread_count())
        to[i] = from[(uint64)vertices[i / width] * width + i % width];
}
KERNEL(put, double *to, const uint32 *vertices, int count, int width, const double *from) {
    for (int i = thread_index(); i < count * width; i += thread_count())
        to[(uint64)vertices[i / width] * width + i % width] = from[i];
}

// df/dN of each tetrahedron: sum bar phi e e^T / (2 s gamma) over its vertices that it wins, in
// ascending number of the file.
KERNEL(sensitivity, int count, const uint32 *vertices, const uint32 *numbers, const double *points,
       const Stencil *stencils, const uint32 *domains, const double *gamma, const double *phi_bar,
       double *df_dn) {
    for (int t = thread_index(); t < count; t += thread_count()) {
        uint32 v[4];
        for (int c = 0; c < 4; c++)
            v[c] = vertices[4 * (uint64)t + c];
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3 - a; b++)
                if (numbers[v[b]] > numbers[v[b + 1]]) {
                    const uint32 w = v[b];
                    v[b] = v[b + 1];
                    v[b + 1] = w;
                }
        double sum[6] = {0, 0, 0, 0, 0, 0};
        for (int c = 0; c < 4; c++) {
            const Stencil &stencil = stencils[v[c]];
            if (stencil.tetrahedron != (uint32)t)
                continue;
            double foot[3] = {0, 0, 0}, e[3];
            for (int j = 0; j < 3; j++)
                if (stencil.lambda[j] > 0)
                    for (int a = 0; a < 3; a++)
                        foot[a] = foot[a]
                            + stencil.lambda[j] * points[3 * (uint64)stencil.vertices[j] + a];
            for (int a = 0; a < 3; a++)
                e[a] = points[3 * (uint64)v[c] + a] - foot[a];
            const double factor = phi_bar[v[c]] / (2.0 * stencil.s * gamma[domains[t]]);
            for (int a = 0, n = 0; a < 3; a++)
                for (int b = a; b < 3; b++, n++)
                    sum[n] = sum[n] + factor * e[a] * e[b];
        }
        for (int n = 0; n < 6; n++)
            df_dn[6 * (uint64)t + n] = sum[n];
    }
}
