#include "transfer/words.h"

#include <assert.h>
#include <stdio.h>

#include "base/bytes.h"

/* Common, plainly spelled, unlike each other over a telephone. */
static const char *const words[] = {
    "acorn",    "acrobat", "album",    "amber",   "anchor",   "apple",   "apron",    "arrow",     "atlas",
    "bacon",    "badge",   "bagel",    "balcony", "bamboo",   "banjo",   "barrel",   "basil",     "basket",
    "beacon",   "beaver",  "bell",     "bench",   "berry",    "bicycle", "biscuit",  "blanket",   "blossom",
    "bonfire",  "bottle",  "branch",   "breeze",  "brick",    "bridge",  "broom",    "bubble",    "bucket",
    "buffalo",  "butter",  "button",   "cabin",   "cactus",   "camel",   "camera",   "candle",    "canoe",
    "canyon",   "carbon",  "carpet",   "carrot",  "castle",   "cedar",   "cello",    "cement",    "chalk",
    "cheese",   "cherry",  "chimney",  "circle",  "citrus",   "cliff",   "clock",    "cloud",     "clover",
    "coast",    "cobalt",  "cocoa",    "coffee",  "comet",    "copper",  "coral",    "corner",    "cotton",
    "coyote",   "crab",    "cradle",   "crane",   "crater",   "crayon",  "cricket",  "crossover", "crown",
    "crystal",  "cushion", "daisy",    "dance",   "desert",   "diamond", "dolphin",  "donkey",    "dragon",
    "drum",     "eagle",   "echo",     "elbow",   "ember",    "engine",  "falcon",   "feather",   "fern",
    "fiddle",   "field",   "flame",    "flute",   "forest",   "fossil",  "fountain", "fox",       "galaxy",
    "garden",   "garlic",  "gazelle",  "ginger",  "glacier",  "globe",   "granite",  "grape",     "guitar",
    "hammer",   "harbor",  "harvest",  "hazel",   "helmet",   "heron",   "hexagon",  "honey",     "horizon",
    "hornet",   "iceberg", "igloo",    "indigo",  "island",   "ivory",   "jacket",   "jaguar",    "jasmine",
    "jigsaw",   "juniper", "kayak",    "kernel",  "kettle",   "kitten",  "ladder",   "lagoon",    "lantern",
    "lemon",    "lentil",  "lilac",    "lizard",  "lobster",  "lotus",   "lumber",   "magnet",    "mango",
    "maple",    "marble",  "meadow",   "melon",   "meteor",   "mirror",  "mitten",   "monsoon",   "mosaic",
    "mountain", "muffin",  "mushroom", "napkin",  "nectar",   "needle",  "nickel",   "nutmeg",    "oasis",
    "ocean",    "olive",   "onion",    "orange",  "orbit",    "orchid",  "otter",    "oyster",    "paddle",
    "palace",   "panda",   "paper",    "parrot",  "pebble",   "pelican", "pencil",   "pepper",    "piano",
    "pigeon",   "pillow",  "pine",     "planet",  "plum",     "pocket",  "pond",     "poplar",    "prairie",
    "pumpkin",  "puzzle",  "quartz",   "quilt",   "rabbit",   "radish",  "rain",     "raven",     "ribbon",
    "river",    "robin",   "rocket",   "saddle",  "saffron",  "salmon",  "sandal",   "sapphire",  "saturn",
    "scarf",    "shadow",  "silver",   "snow",    "spider",   "spring",  "squirrel", "stone",     "summer",
    "sunset",   "table",   "teapot",   "thistle", "thunder",  "tiger",   "timber",   "tomato",    "topaz",
    "tulip",    "tundra",  "turnip",   "turtle",  "umbrella", "valley",  "vanilla",  "velvet",    "violet",
    "walnut",   "walrus",  "water",    "whistle", "willow",   "window",  "winter",   "yarn",      "yogurt",
    "zebra",    "zephyr",  "zinc",     "zipper"
};
enum { N_WORDS = sizeof words / sizeof words[0], WORDS_IN_CODE = 3, ROUNDS = 65536 };
_Static_assert(N_WORDS == 256, "a byte chooses a word");

void pl_transfer_code_make(char out[PL_TRANSFER_CODE_MAX], const pl_rand *rand)
{
    uint8_t pick[WORDS_IN_CODE];
    pl_rand_bytes(rand, pick, sizeof pick);
    int n = snprintf(out, PL_TRANSFER_CODE_MAX, "%u", (unsigned)pl_rand_below(rand, 100));
    for (int i = 0; i < WORDS_IN_CODE; i++)
        n += snprintf(out + n, (size_t)(PL_TRANSFER_CODE_MAX - n), "-%s", words[pick[i]]);
    assert(n < PL_TRANSFER_CODE_MAX);
}

bool pl_transfer_code_read(char out[PL_TRANSFER_CODE_MAX], pl_str typed)
{
    size_t n = 0, digits = 0, dashes = 0;
    typed = pl_str_trim(typed);
    for (size_t i = 0; i < typed.n; i++) {
        char c = typed.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        c = c == ' ' ? '-' : c;
        bool dash = c == '-', digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'z';
        if (dash && n && out[n - 1] == '-') /* blanks around a dash */
            continue;
        if (n + 1 >= PL_TRANSFER_CODE_MAX || (digit && dashes) || (letter && !dashes) ||
            !(dash || digit || letter))
            return false;
        out[n++] = c;
        digits += digit;
        dashes += dash;
    }
    out[n] = 0;
    return digits > 0 && dashes >= 2 && out[n - 1] != '-' && out[0] != '-';
}

void pl_transfer_digits(char out[PL_TRANSFER_DIGITS_LEN + 1], const uint8_t one[PL_SHA256_LEN],
                        const uint8_t other[PL_SHA256_LEN])
{
    static const char label[] = "peerline-files";
    enum { LABEL = sizeof label - 1 };
    uint8_t both[LABEL + 2 * PL_SHA256_LEN], turn[PL_SHA256_LEN + LABEL];
    bool in_order = memcmp(one, other, PL_SHA256_LEN) < 0;
    memcpy(both, label, LABEL);
    memcpy(both + LABEL, in_order ? one : other, PL_SHA256_LEN);
    memcpy(both + LABEL + PL_SHA256_LEN, in_order ? other : one, PL_SHA256_LEN);
    pl_sha256(both, sizeof both, turn);
    memcpy(turn + PL_SHA256_LEN, label, LABEL);
    for (int i = 0; i < ROUNDS; i++)
        pl_sha256(turn, sizeof turn, turn); /* the label behind stays */
    /* 9 bytes modulo 10^20, five digits at a time from the right: long division in base 100,000 */
    uint32_t group[4];
    uint8_t number[9];
    memcpy(number, turn, sizeof number);
    for (int g = 3; g >= 0; g--) {
        uint32_t rest = 0;
        for (size_t i = 0; i < sizeof number; i++) {
            uint32_t v = rest << 8 | number[i];
            number[i] = (uint8_t)(v / 100000);
            rest = v % 100000;
        }
        group[g] = rest;
    }
    snprintf(out, PL_TRANSFER_DIGITS_LEN + 1, "%05u %05u %05u %05u", group[0] % 100000, group[1] % 100000,
             group[2] % 100000, group[3] % 100000);
}
