/* Both checksums: known values, and the machine's fast way equal to the tables for every length and place. */
#include "pl_test.h"

#include "base/rand.h"
#include "crypto/crc.h"

PL_TEST(known_values)
{
    uint8_t zeros[32] = { 0 }, ones[32], up[32];
    memset(ones, 0xff, sizeof ones);
    for (size_t i = 0; i < sizeof up; i++)
        up[i] = (uint8_t)i;
    PL_EQ(pl_crc32("123456789", 9), 0xcbf43926);
    PL_EQ(pl_crc32("", 0), 0);
    PL_EQ(pl_crc32c("123456789", 9), 0xe3069283);
    PL_EQ(pl_crc32c("", 0), 0);
    PL_EQ(pl_crc32c(zeros, sizeof zeros), 0x8a9136aa); /* RFC 3720 B.4 */
    PL_EQ(pl_crc32c(ones, sizeof ones), 0x62a8ab43);
    PL_EQ(pl_crc32c(up, sizeof up), 0x46dd794e);
}

PL_TEST(fast_and_slow_agree)
{
    static uint8_t data[4096 + 8];
    pl_rand_seeded s;
    pl_rand r = pl_rand_seed(&s, pl_test_seed(3));
    pl_rand_bytes(&r, data, sizeof data);
    for (size_t len = 0; len <= 2000; len++) {
        const uint8_t *p = data + len % 8;
        PL_EQ(pl_crc32c(p, len), pl_crc32c_table(0, p, len));
        PL_EQ(pl_crc32(p, len), pl_crc32_table(p, len));
    }
    PL_EQ(pl_crc32c(data, 4096), pl_crc32c_table(0, data, 4096));
}

PL_TEST(goes_on_from_any_place)
{
    static uint8_t data[1300];
    pl_rand_seeded s;
    pl_rand r = pl_rand_seed(&s, pl_test_seed(4));
    pl_rand_bytes(&r, data, sizeof data);
    uint32_t whole = pl_crc32c(data, sizeof data);
    for (size_t at = 0; at <= sizeof data; at += 13) {
        PL_EQ(pl_crc32c_more(pl_crc32c(data, at), data + at, sizeof data - at), whole);
        PL_EQ(pl_crc32c_table(pl_crc32c_table(0, data, at), data + at, sizeof data - at), whole);
    }
}

PL_TESTS(t(known_values), t(fast_and_slow_agree), t(goes_on_from_any_place))
