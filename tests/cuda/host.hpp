// The kernels as host C++: a launch is a loop over blocks and threads. For tests.
//
// Threads of a TEAM_KERNEL are contexts of their own that take turns at __syncthreads(). Their
// order is reversed in every other block, and by HOST_REVERSED: a kernel whose result depends on
// the order of its threads shows it.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <ucontext.h>
#include <utility>
#include <vector>

typedef uint8_t uint8;
typedef uint32_t uint32;
typedef unsigned long long uint64;

struct dim3 {
    unsigned x, y, z;
};

namespace host {
static dim3 thread, block, threads, blocks;
static double *shared = nullptr;
static bool reversed = false;

struct Launch {
    unsigned grid[3], block[3], shared;
};

// Contexts of the threads of a block.
struct Team {
    std::vector<ucontext_t> contexts;
    std::vector<char> done;
    std::vector<std::vector<char>> stacks;
    ucontext_t scheduler;
    unsigned current = 0;
    void (*body)(void *) = nullptr;
    void *closure = nullptr;
};
static Team team;

static void synchronise() { swapcontext(&team.contexts[team.current], &team.scheduler); }

static void place(unsigned number) {
    thread.x = number % threads.x;
    thread.y = number / threads.x % threads.y;
    thread.z = number / threads.x / threads.y;
}

static void enter() {
    team.body(team.closure);
    team.done[team.current] = 1;
    swapcontext(&team.contexts[team.current], &team.scheduler);
}

// One block of threads that meet.
static void run_team(unsigned count, bool backwards, void (*body)(void *), void *closure) {
    const std::size_t stack = 1 << 16;
    if (team.stacks.size() < count) {
        team.stacks.resize(count);
        team.contexts.resize(count);
        for (auto &s : team.stacks)
            s.resize(stack);
    }
    team.done.assign(count, 0);
    team.body = body;
    team.closure = closure;
    for (unsigned i = 0; i < count; i++) {
        getcontext(&team.contexts[i]);
        team.contexts[i].uc_stack.ss_sp = team.stacks[i].data();
        team.contexts[i].uc_stack.ss_size = stack;
        team.contexts[i].uc_link = nullptr;
        makecontext(&team.contexts[i], enter, 0);
    }
    for (bool any = true; any;) {
        any = false;
        for (unsigned k = 0; k < count; k++) {
            const unsigned i = backwards ? count - 1 - k : k;
            if (team.done[i])
                continue;
            any = true;
            team.current = i;
            place(i);
            swapcontext(&team.scheduler, &team.contexts[i]);
        }
    }
}

template <class... A, std::size_t... I>
static void call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_reference_t<A> *>(arguments[I])...);
}

template <class... A> struct Call {
    void (*kernel)(A...);
    void **arguments;
    static void run(void *self) {
        auto &c = *static_cast<Call *>(self);
        call(c.kernel, c.arguments, std::index_sequence_for<A...>());
    }
};

template <class... A>
static void launch(void (*kernel)(A...), const Launch *l, void **arguments, bool meet) {
    blocks = {l->grid[0], l->grid[1], l->grid[2]};
    threads = {l->block[0], l->block[1], l->block[2]};
    const unsigned count = threads.x * threads.y * threads.z;
    std::vector<double> memory(l->shared / sizeof(double) + 1);
    shared = memory.data();
    Call<A...> c{kernel, arguments};
    for (block.z = 0; block.z < blocks.z; block.z++)
        for (block.y = 0; block.y < blocks.y; block.y++)
            for (block.x = 0; block.x < blocks.x; block.x++) {
                // What a block leaves in shared memory is nothing to the next.
                std::memset(memory.data(), 0xff, memory.size() * sizeof(double));
                const bool backwards = reversed != (((block.x + block.y + block.z) & 1) != 0);
                if (meet) {
                    run_team(count, backwards, &Call<A...>::run, &c);
                } else {
                    for (unsigned k = 0; k < count; k++) {
                        place(backwards ? count - 1 - k : k);
                        Call<A...>::run(&c);
                    }
                }
            }
}

// Sizes of the parameters, so that a launch with others is refused.
template <class... A> static int sizes(void (*)(A...), uint32 *out) {
    uint32 all[] = {(uint32)sizeof(A)..., 0};
    for (std::size_t i = 0; i < sizeof...(A); i++)
        out[i] = all[i];
    return (int)sizeof...(A);
}
} // namespace host

extern "C" void host_reversed(int yes) { host::reversed = yes != 0; }

#define threadIdx host::thread
#define blockIdx host::block
#define blockDim host::threads
#define gridDim host::blocks
#define __syncthreads() host::synchronise()
#define DEVICE static inline
#define RARELY static
#define CONSTANT static constexpr
#define VALUE const
#define HOST_KERNEL(meet, name, ...) \
    static void name(__VA_ARGS__); \
    extern "C" void launch_##name(const host::Launch *l, void **arguments) { \
        host::launch(name, l, arguments, meet); \
    } \
    extern "C" int sizes_##name(uint32 *out) { return host::sizes(name, out); } \
    static void name(__VA_ARGS__)
#define KERNEL(name, ...) HOST_KERNEL(false, name, __VA_ARGS__)
#define TEAM_KERNEL(threads_, blocks_, name, ...) HOST_KERNEL(true, name, __VA_ARGS__)
#define SHARED(type, name) type *name = reinterpret_cast<type *>(host::shared)

DEVICE uint32 bits_of(float x) { uint32 b; std::memcpy(&b, &x, 4); return b; }
DEVICE uint64 bits_of(double x) { uint64 b; std::memcpy(&b, &x, 8); return b; }
DEVICE float of_bits(uint32 b) { float x; std::memcpy(&x, &b, 4); return x; }
DEVICE double of_bits(uint64 b) { double x; std::memcpy(&x, &b, 8); return x; }
DEVICE float infinity(float) { return INFINITY; }
DEVICE double infinity(double) { return INFINITY; }
DEVICE bool is_nan(float x) { return x != x; }
DEVICE bool is_nan(double x) { return x != x; }

// One thread runs at a time.
template <class T> static inline T atomicMin(T *at, T x) { T old = *at; if (x < old) *at = x; return old; }
template <class T> static inline T atomicMax(T *at, T x) { T old = *at; if (x > old) *at = x; return old; }
template <class T> static inline T atomicAdd(T *at, T x) { T old = *at; *at = old + x; return old; }
template <class T> static inline T atomicOr(T *at, T x) { T old = *at; *at = old | x; return old; }
template <class T> static inline T atomicExch(T *at, T x) { T old = *at; *at = x; return old; }
DEVICE void __threadfence() {}
template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }
