// Twin of local_solver.rs: the earliest arrival at vertex 4 through the opposite face.

struct Corner {
    Real l12, l13, l23, l14, l24, l34;
    Real phi[3];
};

// a - b, not below its rounding.
DEVICE Real altitude(Real a, Real b) {
    const Real difference = a - b, least = (Real)EPSILON * a;
    return difference > least ? difference : least;
}

// The products of edges of the face and of vertex 4 with it; G^-1 is [[g22, -g12], [-g12, g11]] / det.
struct Products {
    Real g11, g12, g22, b1, b2, c, det, gb1, gb2;
};

DEVICE Products products(const Corner &k) {
    const Real half = (Real)0.5;
    Products p;
    p.g12 = half * (k.l13 + k.l23 - k.l12);
    p.b1 = half * (k.l14 - k.l13 - k.l34);
    p.b2 = half * (k.l24 - k.l23 - k.l34);
    p.g11 = k.l13;
    p.g22 = k.l23;
    p.c = k.l34;
    p.det = p.g11 * p.g22 - p.g12 * p.g12;
    p.gb1 = p.g22 * p.b1 - p.g12 * p.b2;
    p.gb2 = p.g11 * p.b2 - p.g12 * p.b1;
    return p;
}

// Whether no arrival can be before `time`: the face's first time and the altitude over the face, a
// bound from below even after rounding.
DEVICE bool is_too_late(const Corner &k, const Products &p, Real time) {
    Real first = k.phi[0];
    first = k.phi[1] < first ? k.phi[1] : first;
    first = k.phi[2] < first ? k.phi[2] : first;
    if (!(first < time))
        return true;
    const Real rounding = (Real)(16 * EPSILON);
    const Real numerator = p.c * p.det - (p.b1 * p.gb1 + p.b2 * p.gb2)
        - rounding * p.c * (p.g11 * p.g22);
    const Real denominator = p.det + rounding * (p.g11 * p.g22);
    if (!(numerator > 0))
        return false;
    return first + square_root(numerator / denominator) * (1 - rounding) >= time;
}

// Stationary point on the edge (i, j), infinity where it is not strictly inside.
DEVICE Real inside_edge(Real l_ij, Real l_i4, Real l_j4, Real phi_i, Real phi_j) {
    const Real d = phi_i - phi_j;
    const Real b = (Real)0.5 * (l_i4 - l_ij - l_j4);
    const Real denominator = l_ij - d * d;
    const Real s = square_root(altitude(l_j4 * l_ij, b * b) / denominator);
    const Real lambda = -(b + d * s) / l_ij;
    const Real phi = phi_j + lambda * d + s;
    const bool valid = denominator > 0 && lambda > 0 && lambda < 1;
    return valid ? phi : infinity((Real)0);
}

DEVICE Real least(Real a, Real b) { return a < b ? a : b; }

// Minimum over the boundary of the face: three edges, three vertices.
DEVICE Real boundary(const Corner &k) {
    const Real e12 = inside_edge(k.l12, k.l14, k.l24, k.phi[0], k.phi[1]);
    const Real e13 = inside_edge(k.l13, k.l14, k.l34, k.phi[0], k.phi[2]);
    const Real e23 = inside_edge(k.l23, k.l24, k.l34, k.phi[1], k.phi[2]);
    const Real v1 = k.phi[0] + square_root(k.l14);
    const Real v2 = k.phi[1] + square_root(k.l24);
    const Real v3 = k.phi[2] + square_root(k.l34);
    return least(least(least(least(least(e12, e13), e23), v1), v2), v3);
}

// phi_4.
DEVICE Real arrival(const Corner &k, const Products &p) {
    const Real d1 = k.phi[0] - k.phi[2], d2 = k.phi[1] - k.phi[2];
    const Real gd1 = p.g22 * d1 - p.g12 * d2, gd2 = p.g11 * d2 - p.g12 * d1;
    const Real numerator = altitude(p.c * p.det, p.b1 * p.gb1 + p.b2 * p.gb2);
    const Real denominator = p.det - (d1 * gd1 + d2 * gd2);
    const Real s = square_root(numerator / denominator);
    const Real reciprocal = (Real)1 / p.det;
    const Real lambda1 = -(p.gb1 + gd1 * s) * reciprocal;
    const Real lambda2 = -(p.gb2 + gd2 * s) * reciprocal;
    const Real lambda3 = (Real)1 - lambda1 - lambda2;
    if (denominator > 0 && lambda1 >= 0 && lambda2 >= 0 && lambda3 >= 0)
        return k.phi[2] + (lambda1 * d1 + lambda2 * d2) + s;
    return boundary(k);
}

// Many at once, for a test against the twin.
KERNEL(arrivals, const Corner *corners, int count, Real *phi) {
    for (int i = thread_index(); i < count; i += thread_count())
        phi[i] = arrival(corners[i], products(corners[i]));
}

// Whether each would be passed over, given what is known.
KERNEL(screened, const Corner *corners, const Real *known, int count, uint32 *late) {
    for (int i = thread_index(); i < count; i += thread_count())
        late[i] = is_too_late(corners[i], products(corners[i]), known[i]);
}
