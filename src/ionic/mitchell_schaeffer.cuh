// Twin of mitchell_schaeffer.rs.

#define GATES 1

struct Kinetics {
    Real u_gate, inward, outward;
    Real h_closing[2], h_opening[2];
};

DEVICE Real react(const Kinetics &k, Real u, Real (&gates)[GATES]) {
    const Real h = gates[0];
    const Real inward = k.inward * h * u;
    const Real rate = mul_add(inward, (Real)1 - u, k.outward);
    const Real du = mul_add(u, rate, (Real)TINY);
    const bool closing = u >= k.u_gate;
    const Real a = closing ? k.h_closing[0] : k.h_opening[0];
    const Real b = closing ? k.h_closing[1] : k.h_opening[1];
    gates[0] = mul_add(h, a, b);
    return du;
}
