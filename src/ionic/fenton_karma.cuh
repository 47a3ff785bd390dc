// Twin of fenton_karma.rs.

#define GATES 2

struct Kinetics {
    Real u_c, u_v;
    Real fast[3];
    Real out_excited, out_resting;
    Real v_excited[2], v_below[2], v_above[2];
    Real w_excited[2], w_resting[2];
    Logistic slow;
};

// -dt J_ion(u, gates); the gates go on by a step.
DEVICE Real react(const Kinetics &k, Real u, Real (&gates)[GATES]) {
    const Real v = gates[0], w = gates[1];
    const bool p = u >= k.u_c;
    const bool q = u >= k.u_v;
    const Real product = mul_add(u, mul_add(u, k.fast[2], k.fast[1]), k.fast[0]);
    const Real excited = mul_add(v, product, k.out_excited);
    Real numerator, denominator;
    quotient(k.slow, u, numerator, denominator);
    const Real slow = w * numerator / denominator;
    const Real du = (p ? excited : u * k.out_resting) + slow;
    const Real a_v = p ? k.v_excited[0] : q ? k.v_above[0] : k.v_below[0];
    const Real b_v = p ? k.v_excited[1] : q ? k.v_above[1] : k.v_below[1];
    const Real a_w = p ? k.w_excited[0] : k.w_resting[0];
    const Real b_w = p ? k.w_excited[1] : k.w_resting[1];
    gates[0] = mul_add(v, a_v, b_v);
    gates[1] = mul_add(w, a_w, b_w);
    return du;
}
