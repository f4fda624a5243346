/* The base of translated WebAssembly: types, memory at a fixed address, and the operators that C does not have. Memory
 * accesses are not checked: the 8 GiB that an address and an offset can reach are reserved, so an access outside of the
 * memory faults. The program that includes this file defines the functions that are only declared here.
 *
 * Compile translated code with -ffp-contract=off: a fused multiply-add rounds once instead of twice. */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef int8_t s8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;
typedef float f32;
typedef double f64;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || UINTPTR_MAX != UINT64_MAX
#error "translated WebAssembly needs a 64-bit little-endian machine"
#endif

/* Below 2 GiB, so that on x86_64 it is the displacement of each access, at no cost. A huge page begins 1 MiB after it,
 * where the data of a module begins if its stack has that size. */
#ifndef WASM_MEMORY
#define WASM_MEMORY 0x50100000ul
#endif
#define WASM_PAGE 65536u

enum wasm_trap {
  TRAP_UNREACHABLE,
  TRAP_DIVISION_BY_ZERO,
  TRAP_INTEGER_OVERFLOW,
  TRAP_INVALID_CONVERSION,
  TRAP_INDIRECT_CALL,
  TRAP_OUT_OF_BOUNDS,
};

_Noreturn void wasm_trap(enum wasm_trap trap) __attribute__((cold));
/* Adds pages of zeros. Returns the number of pages before, or UINT32_MAX if there is no room. */
u32 wasm_memory_grow(u32 pages);
extern u32 wasm_memory_pages;

/* The table, with room at its end for functions that the host adds. Type 0 is an empty entry. */
#ifndef WASM_TABLE_ROOM
#define WASM_TABLE_ROOM 0
#endif
typedef void wasm_function(void);
struct wasm_entry {
  wasm_function *function;
  u32 type;
};
extern struct wasm_entry wasm_table[];
extern u32 wasm_table_size;

static inline wasm_function *wasm_entry(u32 place, u32 type) {
  if (__builtin_expect(place >= wasm_table_size || wasm_table[place].type != type, 0)) wasm_trap(TRAP_INDIRECT_CALL);
  return wasm_table[place].function;
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

#ifdef WASM_EXACT_LOADS
/* Makes the load even if its result is not used, for tests; otherwise the compiler may omit it. */
#define WASM_LOADED(value) __asm__ volatile("" : : "m"(value))
#else
#define WASM_LOADED(value) ((void)0)
#endif

#define WASM_LOAD(type)                                                     \
  static inline type load_##type(u64 address) {                             \
    type value;                                                             \
    __builtin_memcpy(&value, (const void *)(WASM_MEMORY + address), sizeof value); \
    WASM_LOADED(value);                                                     \
    return value;                                                           \
  }
#define WASM_STORE(type)                                                    \
  static inline void store_##type(u64 address, type value) {                \
    __builtin_memcpy((void *)(WASM_MEMORY + address), &value, sizeof value); \
  }
WASM_LOAD(u8) WASM_LOAD(s8) WASM_LOAD(u16) WASM_LOAD(s16) WASM_LOAD(u32) WASM_LOAD(s32) WASM_LOAD(u64)
WASM_LOAD(f32) WASM_LOAD(f64)
WASM_STORE(u8) WASM_STORE(u16) WASM_STORE(u32) WASM_STORE(u64) WASM_STORE(f32) WASM_STORE(f64)

static inline void wasm_check_range(u32 at, u32 length) {
  if (__builtin_expect((u64)at + length > (u64)wasm_memory_pages * WASM_PAGE, 0)) wasm_trap(TRAP_OUT_OF_BOUNDS);
}
static inline void wasm_memory_copy(u32 to, u32 from, u32 length) {
  wasm_check_range(to, length);
  wasm_check_range(from, length);
  memmove((void *)(WASM_MEMORY + to), (const void *)(WASM_MEMORY + from), length);
}
static inline void wasm_memory_fill(u32 at, u32 value, u32 length) {
  wasm_check_range(at, length);
  memset((void *)(WASM_MEMORY + at), (int)(value & 0xff), length);
}
static inline void wasm_memory_put(u32 at, const void *bytes, u32 length) {
  memcpy((void *)(WASM_MEMORY + at), bytes, length);
}

/* Integers --------------------------------------------------------------------------------------------------------- */

static inline u32 i32_clz(u32 a) { return a ? (u32)__builtin_clz(a) : 32; }
static inline u32 i32_ctz(u32 a) { return a ? (u32)__builtin_ctz(a) : 32; }
static inline u32 i32_popcnt(u32 a) { return (u32)__builtin_popcount(a); }
static inline u64 i64_clz(u64 a) { return a ? (u64)__builtin_clzll(a) : 64; }
static inline u64 i64_ctz(u64 a) { return a ? (u64)__builtin_ctzll(a) : 64; }
static inline u64 i64_popcnt(u64 a) { return (u64)__builtin_popcountll(a); }

#define WASM_DIVISION(type, u, s, least)                                      \
  static inline u type##_div_s(u a, u b) {                                    \
    if (b == 0) wasm_trap(TRAP_DIVISION_BY_ZERO);                             \
    if ((s)a == least && (s)b == -1) wasm_trap(TRAP_INTEGER_OVERFLOW);        \
    return (u)((s)a / (s)b);                                                  \
  }                                                                           \
  static inline u type##_div_u(u a, u b) {                                    \
    if (b == 0) wasm_trap(TRAP_DIVISION_BY_ZERO);                             \
    return a / b;                                                             \
  }                                                                           \
  static inline u type##_rem_s(u a, u b) {                                    \
    if (b == 0) wasm_trap(TRAP_DIVISION_BY_ZERO);                             \
    return (s)b == -1 ? 0 : (u)((s)a % (s)b);                                 \
  }                                                                           \
  static inline u type##_rem_u(u a, u b) {                                    \
    if (b == 0) wasm_trap(TRAP_DIVISION_BY_ZERO);                             \
    return a % b;                                                             \
  }
WASM_DIVISION(i32, u32, s32, INT32_MIN)
WASM_DIVISION(i64, u64, s64, INT64_MIN)

static inline u32 i32_rotl(u32 a, u32 n) { return a << (n & 31) | a >> (-n & 31); }
static inline u32 i32_rotr(u32 a, u32 n) { return a >> (n & 31) | a << (-n & 31); }
static inline u64 i64_rotl(u64 a, u64 n) { return a << (n & 63) | a >> (-n & 63); }
static inline u64 i64_rotr(u64 a, u64 n) { return a >> (n & 63) | a << (-n & 63); }

/* Floating point --------------------------------------------------------------------------------------------------- */

static inline u32 i32_reinterpret_f32(f32 a) { u32 r; memcpy(&r, &a, sizeof r); return r; }
static inline u64 i64_reinterpret_f64(f64 a) { u64 r; memcpy(&r, &a, sizeof r); return r; }
static inline f32 f32_reinterpret_i32(u32 a) { f32 r; memcpy(&r, &a, sizeof r); return r; }
static inline f64 f64_reinterpret_i64(u64 a) { f64 r; memcpy(&r, &a, sizeof r); return r; }

/* min and max: a NaN operand gives a NaN (quiet, because of the addition), and -0 is less than 0. */
#define WASM_FLOAT(type, x)                                                                     \
  static inline type type##_abs(type a) { return __builtin_fabs##x(a); }                        \
  static inline type type##_neg(type a) { return -a; }                                          \
  static inline type type##_ceil(type a) { return __builtin_ceil##x(a); }                       \
  static inline type type##_floor(type a) { return __builtin_floor##x(a); }                     \
  static inline type type##_trunc(type a) { return __builtin_trunc##x(a); }                     \
  static inline type type##_nearest(type a) { return __builtin_nearbyint##x(a); }               \
  static inline type type##_sqrt(type a) { return __builtin_sqrt##x(a); }                       \
  static inline type type##_copysign(type a, type b) { return __builtin_copysign##x(a, b); }    \
  static inline type type##_min(type a, type b) {                                               \
    if (a != a || b != b) return a + b;                                                         \
    if (a == b) return __builtin_signbit(a) ? a : b;                                            \
    return a < b ? a : b;                                                                       \
  }                                                                                             \
  static inline type type##_max(type a, type b) {                                               \
    if (a != a || b != b) return a + b;                                                         \
    if (a == b) return __builtin_signbit(a) ? b : a;                                            \
    return a > b ? a : b;                                                                       \
  }
WASM_FLOAT(f32, f)
WASM_FLOAT(f64, )

/* `above` and `below` are the nearest floats that are out of range. Values between them are in range after they are
 * truncated. */
#define WASM_TRUNCATION(name, to, from, result, above, below, least, most)          \
  static inline result name(from a) {                                               \
    if (a != a) wasm_trap(TRAP_INVALID_CONVERSION);                                 \
    if (!(a > above && a < below)) wasm_trap(TRAP_INTEGER_OVERFLOW);                \
    return (result)(to)a;                                                           \
  }
#define WASM_SATURATION(name, to, from, result, above, below, least, most)          \
  static inline result name(from a) {                                               \
    if (a != a) return 0;                                                           \
    if (!(a > above)) return (result)least;                                         \
    return a < below ? (result)(to)a : (result)most;                                \
  }
#define WASM_TRUNCATIONS(M, middle)                                                                                     \
  M(i32_##middle##_f32_s, s32, f32, u32, -2147483904.0f, 2147483648.0f, INT32_MIN, INT32_MAX)                           \
  M(i32_##middle##_f32_u, u32, f32, u32, -1.0f, 4294967296.0f, 0, UINT32_MAX)                                           \
  M(i32_##middle##_f64_s, s32, f64, u32, -2147483649.0, 2147483648.0, INT32_MIN, INT32_MAX)                             \
  M(i32_##middle##_f64_u, u32, f64, u32, -1.0, 4294967296.0, 0, UINT32_MAX)                                             \
  M(i64_##middle##_f32_s, s64, f32, u64, -9223373136366403584.0f, 9223372036854775808.0f, INT64_MIN, INT64_MAX)         \
  M(i64_##middle##_f32_u, u64, f32, u64, -1.0f, 18446744073709551616.0f, 0, UINT64_MAX)                                 \
  M(i64_##middle##_f64_s, s64, f64, u64, -9223372036854777856.0, 9223372036854775808.0, INT64_MIN, INT64_MAX)           \
  M(i64_##middle##_f64_u, u64, f64, u64, -1.0, 18446744073709551616.0, 0, UINT64_MAX)
WASM_TRUNCATIONS(WASM_TRUNCATION, trunc)
WASM_TRUNCATIONS(WASM_SATURATION, trunc_sat)
