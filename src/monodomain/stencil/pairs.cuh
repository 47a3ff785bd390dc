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
    const int group = pairs.count <= 4 ? 4 : 3;
    Real total = 0;
    for (int first = 0; first < pairs.count; first += group) {
        Real sum = 0;
        for (int p = first; p < min(first + group, pairs.count); p++)
            sum = sum + pair(pairs, p, u, here, at);
        total = total + sum;
    }
    return total;
}
