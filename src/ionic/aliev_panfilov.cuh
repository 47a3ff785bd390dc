// Twin of aliev_panfilov.rs.

#define GATES 1

struct Kinetics {
    Real dt, k, minus_k_a, a_plus_1, epsilon_dt, mu_1_dt, mu_2;
};

DEVICE Real react(const Kinetics &k, Real u, Real (&gates)[GATES]) {
    const Real v = gates[0];
    const Real target = k.k * u * (k.a_plus_1 - u);
    const Real rate = target + k.minus_k_a - v;
    const Real du = mul_add(k.dt * u, rate, (Real)TINY);
    const Real epsilon = k.epsilon_dt + k.mu_1_dt * v / (u + k.mu_2);
    gates[0] = mul_add(epsilon, target - v, v);
    return du;
}
