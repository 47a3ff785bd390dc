// Twin of cardiax.rs: the scheme of the seed program.

#define REACH 6
#define WIDTH (2 * REACH + 1)

struct Cardiax {
    // WIDTH weights of each layer, and rows of weights by offset for the columns.
    const Real *layers_first, *layers_second;
    const Real *first, *second;
    const Real *d, *d_layers, *d_columns;
    int first_layer; // number of the first layer that has weights
    int first_column; // place of column 0 in a row of weights
    int row; // length of a row of weights
    int unused;
};

DEVICE Real diffuse(const Cardiax &c, const Box &box, const Real *u, const Place &p) {
    const int at = p.position;
    const Real *second = c.layers_second + (p.layer - c.first_layer) * WIDTH;
    const Real *first = c.layers_first + (p.layer - c.first_layer) * WIDTH;
    const int column = c.first_column + p.column;
    Real sum = 0;
    for (int k = 0; k < WIDTH; k++) {
        if (second[k] != 0)
            sum = mul_add(second[k], u[at + (k - REACH) * box.layer_stride], sum);
        sum = mul_add(c.second[k * c.row + column], u[at + k - REACH], sum);
    }
    sum = sum * c.d[at];
    for (int k = 0; k < WIDTH; k++) {
        if (first[k] != 0)
            sum = mul_add(first[k] * c.d_layers[at], u[at + (k - REACH) * box.layer_stride], sum);
        sum = mul_add(c.first[k * c.row + column] * c.d_columns[at], u[at + k - REACH], sum);
    }
    return sum;
}
