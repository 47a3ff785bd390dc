// Twin of pairs.rs: a weight for every pair (cell, cell + offset), stored at the cell.

#define MOST_PAIRS 9

struct Pairs {
    const Real *weights[MOST_PAIRS];
    int offsets[MOST_PAIRS];
    int count;
};

DEVICE Real pair(const Pairs &pairs, int p, const Real *u, Real here, int at) {
    const int offset = pairs.offsets[p];
    const Real *k = pairs.weights[p];
    return mul_add(k[at], u[at + offset] - here, k[at - offset] * (u[at - offset] - here));
}

// Sums of up to four pairs, else of three at a time, in the order of the twin.
DEVICE Real diffuse(const Pairs &pairs, const Box &, const Real *u, const Place &place) {
    const int at = place.position;
    const Real here = u[at];
    Real total = 0;
    if (pairs.count <= 4) {
#pragma unroll
        for (int p = 0; p < 4; p++)
            if (p < pairs.count)
                total = total + pair(pairs, p, u, here, at);
        return total;
    }
#pragma unroll
    for (int first = 0; first < MOST_PAIRS; first += 3) {
        Real sum = 0;
#pragma unroll
        for (int p = first; p < first + 3; p++)
            if (p < pairs.count)
                sum = sum + pair(pairs, p, u, here, at);
        if (first < pairs.count)
            total = total + sum;
    }
    return total;
}
