// Twin of logistic.rs.

struct Logistic {
    Real slope, offset, magic, largest, scale;
};

DEVICE float times_power_of_two(float x, float magic_n) {
    return of_bits((uint32)(bits_of(x) + (bits_of(magic_n) << 23)));
}
DEVICE double times_power_of_two(double x, double magic_n) {
    return of_bits((uint64)(bits_of(x) + (bits_of(magic_n) << 52)));
}

// Numerator and denominator at u; x is the argument within the range of the exponential.
DEVICE void quotient_of(const Logistic &k, float x, float &numerator, float &denominator) {
    const float n = x + k.magic;
    const float r = x - (n - k.magic);
    const float even = mul_add(r, r, (float)25.039106679756742);
    const float beta = (float)8.677838838059728;
    const float p = mul_add(r, beta, even);
    const float q = neg_mul_add(r, beta, even);
    numerator = q;
    denominator = mul_add(q, (float)k.scale, times_power_of_two(p, n));
}
DEVICE void quotient_of(const Logistic &k, double x, double &numerator, double &denominator) {
    const double n = mul_add(x, 1.4426950408889634, (double)k.magic);
    const double whole = n - k.magic;
    double r = neg_mul_add(whole, 0.6931471803691238, x);
    r = neg_mul_add(whole, 1.9082149292705877e-10, r);
    const double r2 = r * r;
    const double even =
        mul_add(r2, mul_add(r2, 30.01501319333068, 3362.7035772680715), 30265.234190234583);
    const double odd = mul_add(r2, r2 + 420.3003640409952, 15132.617095117292);
    const double p = mul_add(r, odd, even);
    const double q = neg_mul_add(r, odd, even);
    numerator = q;
    denominator = mul_add(q, (double)k.scale, times_power_of_two(p, n));
}

DEVICE void quotient(const Logistic &k, Real u, Real &numerator, Real &denominator) {
    Real x = mul_add(u, k.slope, k.offset);
    // In this order NaN stays NaN.
    x = x > k.largest ? k.largest : x;
    x = x < -k.largest ? -k.largest : x;
    quotient_of(k, x, numerator, denominator);
}
