/* digest_rounds.h - a template: SHA-256 on vectors of LANES lanes, 4, 8 or 16. digest_lanes.c
 * includes it once for each width, with LANES and NAME(x) defined, NAME(lanes) being the vector type,
 * NAME(join)() what puts sixteen bytes of every fourth lane behind each other, and EACH(F) the list
 * F(0), F(1), ... of one F per lane. */

#define TURN(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

/* Of two vectors, in each run of four elements, the lower or upper elements in turn; the same for
 * pairs of elements. */
#define LOW(i) (i) / 4 * 4 + (i) % 4 / 2 + (i) % 2 * LANES
#define HIGH(i) (i) / 4 * 4 + (i) % 4 / 2 + (i) % 2 * LANES + 2
#define LOW_PAIR(i) (i) / 4 * 4 + (i) % 2 + (i) % 4 / 2 * LANES
#define HIGH_PAIR(i) (i) / 4 * 4 + (i) % 2 + (i) % 4 / 2 * LANES + 2

/* The words of one block of every lane, first byte highest. */
static inline __attribute__((always_inline)) void
NAME(load_words)(NAME(lanes) w[16], const unsigned char *const *at, size_t offset)
{
    NAME(lanes) a, b, c, d, ab, cd;

#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        NAME(join)(&a, at, offset + 4 * (size_t)i);
        NAME(join)(&b, at + 1, offset + 4 * (size_t)i);
        NAME(join)(&c, at + 2, offset + 4 * (size_t)i);
        NAME(join)(&d, at + 3, offset + 4 * (size_t)i);
        ab = __builtin_shufflevector(a, b, EACH(LOW));
        cd = __builtin_shufflevector(c, d, EACH(LOW));
        w[i] = __builtin_shufflevector(ab, cd, EACH(LOW_PAIR));
        w[i + 1] = __builtin_shufflevector(ab, cd, EACH(HIGH_PAIR));
        ab = __builtin_shufflevector(a, b, EACH(HIGH));
        cd = __builtin_shufflevector(c, d, EACH(HIGH));
        w[i + 2] = __builtin_shufflevector(ab, cd, EACH(LOW_PAIR));
        w[i + 3] = __builtin_shufflevector(ab, cd, EACH(HIGH_PAIR));
        for (int k = i; k < i + 4; k++)
            w[k] = (TURN(w[k], 8) & 0xff00ff00u) | (TURN(w[k], 24) & 0x00ff00ffu);
    }
}

/* Sixteen rounds; with more, also the words of the sixteen after them. */
static inline __attribute__((always_inline)) void
NAME(sixteen)(NAME(lanes) v[8], NAME(lanes) w[16], const uint32_t constants[16], int more)
{
    NAME(lanes) a = v[0], b = v[1], c = v[2], d = v[3];
    NAME(lanes) e = v[4], f = v[5], g = v[6], h = v[7], x, y;

#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        x = h + w[i] + constants[i] + (TURN(e, 6) ^ TURN(e, 11) ^ TURN(e, 25)) +
            ((e & f) ^ (~e & g));
        y = (TURN(a, 2) ^ TURN(a, 13) ^ TURN(a, 22)) + ((a & b) | (c & (a | b)));
        h = g;
        g = f;
        f = e;
        e = d + x;
        d = c;
        c = b;
        b = a;
        a = x + y;
        if (!more)
            continue;
        x = w[(i + 1) % 16];
        y = w[(i + 14) % 16];
        w[i] += (TURN(x, 7) ^ TURN(x, 18) ^ (x >> 3)) + w[(i + 9) % 16] +
                (TURN(y, 17) ^ TURN(y, 19) ^ (y >> 10));
    }
    v[0] = a;
    v[1] = b;
    v[2] = c;
    v[3] = d;
    v[4] = e;
    v[5] = f;
    v[6] = g;
    v[7] = h;
}

/* n blocks of every lane. */
static inline __attribute__((always_inline)) void
NAME(blocks)(struct rf_lane_state *state, const unsigned char *const *at, size_t n)
{
    NAME(lanes) sum[8], v[8], w[16];

    for (int k = 0; k < 8; k++)
        memcpy(&sum[k], state->words[k], sizeof sum[k]);
    for (size_t offset = 0; n > 0; n--, offset += RF_LANE_BLOCK) {
        for (int k = 0; k < 8; k++)
            v[k] = sum[k];
        NAME(load_words)(w, at, offset);
        for (int round = 0; round < 48; round += 16)
            NAME(sixteen)(v, w, rf_sha256_constants + round, 1);
        NAME(sixteen)(v, w, rf_sha256_constants + 48, 0);
        for (int k = 0; k < 8; k++)
            sum[k] += v[k];
    }
    for (int k = 0; k < 8; k++)
        memcpy(state->words[k], &sum[k], sizeof sum[k]);
}

#undef TURN
#undef LOW
#undef HIGH
#undef LOW_PAIR
#undef HIGH_PAIR
