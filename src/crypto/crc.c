#include "crypto/crc.h"

#include <string.h>

#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__ && defined __linux__
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

/* Both polynomials bit-reversed, because both CRCs take the least significant bit first. */
#define POLY_IEEE       0xedb88320u
#define POLY_CASTAGNOLI 0x82f63b78u

enum { SLICES = 8 };

static uint32_t ieee[SLICES][256], castagnoli[SLICES][256];

static void make_tables(uint32_t table[SLICES][256], uint32_t poly)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int bit = 0; bit < 8; bit++)
            v = v >> 1 ^ (v & 1 ? poly : 0);
        table[0][i] = v;
    }
    for (int s = 1; s < SLICES; s++)
        for (int i = 0; i < 256; i++)
            table[s][i] = table[s - 1][i] >> 8 ^ table[0][table[s - 1][i] & 0xff];
}

static uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Eight bytes a turn: table[s] moves a byte's remainder over s further bytes (Kounavis and Berry 2005). */
static uint32_t by_slices(uint32_t table[SLICES][256], uint32_t v, const uint8_t *p, size_t len)
{
    for (; len >= 8; len -= 8, p += 8) {
        uint32_t lo = get_le32(p) ^ v, hi = get_le32(p + 4);
        v = table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^ table[5][lo >> 16 & 0xff] ^ table[4][lo >> 24] ^
            table[3][hi & 0xff] ^ table[2][hi >> 8 & 0xff] ^ table[1][hi >> 16 & 0xff] ^ table[0][hi >> 24];
    }
    for (; len > 0; len--, p++)
        v = v >> 8 ^ table[0][(v ^ *p) & 0xff];
    return v;
}

static uint32_t castagnoli_by_slices(uint32_t v, const uint8_t *p, size_t len)
{
    return by_slices(castagnoli, v, p, len);
}
static uint32_t ieee_by_slices(uint32_t v, const uint8_t *p, size_t len)
{
    return by_slices(ieee, v, p, len);
}

/* Chosen once, before main. They work on the raw remainder, without the complement at both ends. */
static uint32_t (*castagnoli_best)(uint32_t v, const uint8_t *p, size_t len) = castagnoli_by_slices;
static uint32_t (*ieee_best)(uint32_t v, const uint8_t *p, size_t len) = ieee_by_slices;

#if defined __x86_64__
/* The CRC32 instruction takes three cycles but can start every cycle, so three stretches of LANE bytes are
 * worked on side by side. Their remainders meet by a carry-less multiplication: shifting a remainder over
 * n bytes is multiplying it by x^(8n), and feeding the 64-bit product to the instruction reduces it and
 * multiplies by x^33 more, hence the 33. 384 bytes a turn fit a packet of 1200 three times. */
enum { LANE = 128 };
static uint32_t over_one_lane, over_two_lanes;

static uint32_t x_to_the(int n)
{
    uint32_t v = 0x80000000u;
    while (n-- > 0)
        v = v >> 1 ^ (v & 1 ? POLY_CASTAGNOLI : 0);
    return v;
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t shifted(uint64_t v, uint32_t by)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)v), _mm_cvtsi32_si128((int)by), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t three_lanes(uint64_t a, const uint8_t *p)
{
    uint64_t b = 0, c = 0, word[3];
    for (int i = 0; i < LANE; i += 8) {
        memcpy(&word[0], p + i, 8);
        memcpy(&word[1], p + i + LANE, 8);
        memcpy(&word[2], p + i + 2 * LANE, 8);
        a = _mm_crc32_u64(a, word[0]);
        b = _mm_crc32_u64(b, word[1]);
        c = _mm_crc32_u64(c, word[2]);
    }
    return shifted(a, over_two_lanes) ^ shifted(b, over_one_lane) ^ c;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t castagnoli_sse42(uint32_t v, const uint8_t *p,
                                                                          size_t len)
{
    uint64_t v64 = v;
    for (; len >= 3 * LANE; len -= 3 * LANE, p += 3 * LANE)
        v64 = three_lanes(v64, p);
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        v64 = _mm_crc32_u64(v64, word);
    }
    v = (uint32_t)v64;
    for (; len > 0; len--, p++)
        v = _mm_crc32_u8(v, *p);
    return v;
}

static void choose_best(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul"))
        return;
    over_one_lane = x_to_the(8 * LANE - 33);
    over_two_lanes = x_to_the(8 * 2 * LANE - 33);
    castagnoli_best = castagnoli_sse42;
}

#elif defined __aarch64__ && defined __linux__
#pragma GCC push_options
#pragma GCC target("+crc")
static uint32_t castagnoli_arm(uint32_t v, const uint8_t *p, size_t len)
{
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        v = __crc32cd(v, word);
    }
    for (; len > 0; len--, p++)
        v = __crc32cb(v, *p);
    return v;
}
static uint32_t ieee_arm(uint32_t v, const uint8_t *p, size_t len)
{
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        v = __crc32d(v, word);
    }
    for (; len > 0; len--, p++)
        v = __crc32b(v, *p);
    return v;
}
#pragma GCC pop_options

static void choose_best(void)
{
    enum { HWCAP_HAS_CRC32 = 1 << 7 };
    if (!(getauxval(AT_HWCAP) & HWCAP_HAS_CRC32))
        return;
    castagnoli_best = castagnoli_arm;
    ieee_best = ieee_arm;
}

#else
static void choose_best(void)
{
}
#endif

__attribute__((constructor)) static void crc_init(void)
{
    make_tables(ieee, POLY_IEEE);
    make_tables(castagnoli, POLY_CASTAGNOLI);
    choose_best();
}

uint32_t pl_crc32(const void *data, size_t len)
{
    return ~ieee_best(~0u, data, len);
}

uint32_t pl_crc32_table(const void *data, size_t len)
{
    return ~ieee_by_slices(~0u, data, len);
}

uint32_t pl_crc32c(const void *data, size_t len)
{
    return ~castagnoli_best(~0u, data, len);
}

uint32_t pl_crc32c_more(uint32_t crc, const void *data, size_t len)
{
    return ~castagnoli_best(~crc, data, len);
}

uint32_t pl_crc32c_table(uint32_t crc, const void *data, size_t len)
{
    return ~castagnoli_by_slices(~crc, data, len);
}
