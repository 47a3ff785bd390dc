// Twin of activation.rs: upstrokes and action potential durations.

struct Recorder {
    double *first, *last, *kept, *apd;
    uint32 *count;
    float *peak;
    double threshold, rest, dt;
    int keep;
    int durations;
    int on;
    int unused;
};

DEVICE double fraction_of_step(Real a, Real b, double level) {
    const double x = (level - (double)a) / ((double)b - (double)a);
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

RARELY void activate(const Recorder &r, int cell, Real a, Real b, double t_old) {
    const double time = t_old + r.dt * fraction_of_step(a, b, r.threshold);
    const uint32 seen = r.count[cell];
    if (seen == 0)
        r.first[cell] = time;
    r.last[cell] = time;
    if (seen < (uint32)r.keep)
        r.kept[(long long)cell * r.keep + seen] = time;
    if (seen != 0xffffffffu)
        r.count[cell] = seen + 1;
    if (r.durations)
        r.peak[cell] = (float)b;
}

RARELY void repolarise(const Recorder &r, int cell, Real a, Real b, double t_old) {
    const double level = r.rest * (double)r.peak[cell];
    const double time = t_old + r.dt * fraction_of_step(a, b, level);
    r.apd[cell] = time - r.last[cell];
    r.peak[cell] = of_bits((uint32)0x7fc00000); // NaN: no action potential under way
}

// Sees an owned cell before and after the step with this number.
DEVICE void observe(const Recorder &r, int cell, Real a, Real b, uint64 step) {
    const Real threshold = (Real)r.threshold;
    const double t_old = (double)step * r.dt;
    if (a < threshold && b >= threshold)
        activate(r, cell, a, b, t_old);
    if (r.durations) {
        const float u = (float)b;
        float peak = r.peak[cell];
        if (u > peak) {
            peak = u;
            r.peak[cell] = u;
        }
        if (u < (float)r.rest * peak)
            repolarise(r, cell, a, b, t_old);
    }
}
