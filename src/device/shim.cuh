// CUDA C++ for the device; the same sources are host C++ for tests that have none.
//
// KERNEL: threads that do not wait for each other. TEAM_KERNEL: the threads of a block meet at
// __syncthreads(); on the host each is a context of its own. No contraction to fused multiply-add
// but where fma() is written: the results are those of the Rust twins, to the last bit.
#ifdef __CUDACC__

typedef unsigned char uint8;
typedef unsigned int uint32;
typedef unsigned long long uint64;

#define DEVICE static __device__ __forceinline__
#define RARELY static __device__ __noinline__
#define CONSTANT static __device__ constexpr
// A structure that a kernel takes by value stays where the launch puts it.
#define VALUE const __grid_constant__
#define KERNEL(name, ...) extern "C" __global__ void name(__VA_ARGS__)
#define TEAM_KERNEL(threads, blocks, name, ...) \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name(__VA_ARGS__)
#define SHARED(type, name) \
    extern __shared__ double shared_memory[]; \
    type *name = reinterpret_cast<type *>(shared_memory)

DEVICE uint32 bits_of(float x) { return __float_as_uint(x); }
DEVICE uint64 bits_of(double x) { return (uint64)__double_as_longlong(x); }
DEVICE float of_bits(uint32 x) { return __uint_as_float(x); }
DEVICE double of_bits(uint64 x) { return __longlong_as_double((long long)x); }
DEVICE float infinity(float) { return __int_as_float(0x7f800000); }
DEVICE double infinity(double) { return __longlong_as_double(0x7ff0000000000000ll); }
DEVICE bool is_nan(float x) { return x != x; }
DEVICE bool is_nan(double x) { return x != x; }

#else
#include "host.hpp"
#endif

// One rounding, as Fused in real.rs.
DEVICE float mul_add(float a, float b, float c) { return fmaf(a, b, c); }
DEVICE double mul_add(double a, double b, double c) { return fma(a, b, c); }
DEVICE float neg_mul_add(float a, float b, float c) { return fmaf(-a, b, c); }
DEVICE double neg_mul_add(double a, double b, double c) { return fma(-a, b, c); }
DEVICE float square_root(float x) { return sqrtf(x); }
DEVICE double square_root(double x) { return sqrt(x); }

DEVICE int thread_index() { return (int)(blockIdx.x * blockDim.x + threadIdx.x); }
DEVICE int thread_count() { return (int)(gridDim.x * blockDim.x); }

// Lowers a time that is not negative: as numbers such times are ordered like their bits. Returns
// the time before.
DEVICE float atomic_least(float *at, float time) {
    return of_bits((uint32)atomicMin(reinterpret_cast<uint32 *>(at), bits_of(time)));
}
DEVICE double atomic_least(double *at, double time) {
    return of_bits((uint64)atomicMin(reinterpret_cast<uint64 *>(at), bits_of(time)));
}
// As the last atomic operation left it.
DEVICE float fresh(const float *at) { return *(const volatile float *)at; }
DEVICE double fresh(const double *at) { return *(const volatile double *)at; }
DEVICE uint32 fresh(const uint32 *at) { return *(const volatile uint32 *)at; }
