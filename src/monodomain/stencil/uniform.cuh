// Twin of uniform.rs: dt div(D grad u) with one D along the axes.

struct Uniform {
    Real layers, rows, columns;
    Real solid; // 0 in 2D: no term along rows
};

// a - 2 u + b
DEVICE Real second(Real a, Real u, Real b) { return mul_add((Real)-2, u, a + b); }

DEVICE Real planar(const Uniform &d, Real u, Real below, Real above, Real left, Real right) {
    const Real along_layers = d.layers * second(below, u, above);
    return mul_add(d.columns, second(left, u, right), along_layers);
}

DEVICE Real solid(const Uniform &d, Real u, Real below, Real above, Real left, Real right,
                  Real before, Real behind) {
    return mul_add(d.rows, second(before, u, behind), planar(d, u, below, above, left, right));
}

// The neighbour beyond an edge without flux is the cell itself.
DEVICE Real diffuse(const Uniform &d, const Box &box, const Real *u, const Place &p) {
    const Real here = u[p.position];
    const Real below = p.layer == box.low[0] ? here : u[p.position - box.layer_stride];
    const Real above = p.layer + 1 == box.high[0] ? here : u[p.position + box.layer_stride];
    const Real left = p.column == box.low[2] ? here : u[p.position - 1];
    const Real right = p.column + 1 == box.high[2] ? here : u[p.position + 1];
    if (d.solid == 0)
        return planar(d, here, below, above, left, right);
    const Real before = p.row == box.low[1] ? here : u[p.position - box.row_stride];
    const Real behind = p.row + 1 == box.high[1] ? here : u[p.position + box.row_stride];
    return solid(d, here, below, above, left, right, before, behind);
}
