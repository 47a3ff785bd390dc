// Where the cells of a tile lie, as in layout.rs: axes are layers, rows, columns.

struct Box {
    int origin;                    // position of the first owned cell
    int layer_stride, row_stride;
    int size[3];                   // owned cells
    int first[3], last[3];         // cells that have memory, ghosts included
    int low[3], high[3];           // an edge without flux lies below `low` and from `high` on
};

// Cells of interest: low to below high on each axis.
struct Extent {
    int low[3], high[3];
};

// A cell, or the first of a block of cells of a row, by position and place.
struct Place {
    int position, layer, row, column;
};

struct Gates {
    Real *at[GATES];
};

DEVICE int position(const Box &box, int layer, int row, int column) {
    return box.origin + layer * box.layer_stride + row * box.row_stride + column;
}

DEVICE bool has_memory(const Box &box, int layer, int row, int column) {
    return layer >= box.first[0] && layer < box.last[0] && row >= box.first[1]
        && row < box.last[1] && column >= box.first[2] && column < box.last[2];
}

DEVICE bool within(const Extent &extent, int layer, int row, int column) {
    return layer >= extent.low[0] && layer < extent.high[0] && row >= extent.low[1]
        && row < extent.high[1] && column >= extent.low[2] && column < extent.high[2];
}

// Number among the owned cells, or -1.
DEVICE int owned_number(const Box &box, int layer, int row, int column) {
    const bool owned = layer >= 0 && layer < box.size[0] && row >= 0 && row < box.size[1]
        && column >= 0 && column < box.size[2];
    return owned ? (layer * box.size[1] + row) * box.size[2] + column : -1;
}
