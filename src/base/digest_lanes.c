/* SHA-256 of many texts at once. One text is a chain of steps that wait for each other, and a core
 * spends most of its width on nothing; sixteen texts side by side, one in each lane of a vector,
 * fill it. With AVX-512 that is ten times as fast as one text after the other. The lanes run
 * over the blocks that all of them have; what is left of each goes through libsodium, whose
 * state is public. */
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "base/digest.h"

#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* Chosen when the program starts; not with sanitizers, whose runtime is not up by then. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__) &&                    \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

enum { LANES = 16, WORDS = 16, BLOCK = 64, FEW = 2 };

/* One 32-bit word of each lane. A vector type has no other form than a typedef. */
typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

/* The constants of FIPS 180-4. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

#define TURN(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

/* The words of one block of every lane, first byte highest. */
static inline void load_words(lanes words[WORDS], const unsigned char *const at[LANES],
                              size_t offset)
{
    uint32_t turned[WORDS][LANES];

    for (int lane = 0; lane < LANES; lane++) {
        uint32_t raw[WORDS];

        memcpy(raw, at[lane] + offset, BLOCK);
        for (int i = 0; i < WORDS; i++)
            turned[i][lane] = __builtin_bswap32(raw[i]);
    }
    memcpy(words, turned, sizeof turned);
}

/* n blocks of every lane, from offset bytes on. */
CLONES static void add_blocks(lanes state[8], const unsigned char *const at[LANES],
                              size_t offset, size_t n)
{
    for (; n > 0; n--, offset += BLOCK) {
        lanes a = state[0], b = state[1], c = state[2], d = state[3];
        lanes e = state[4], f = state[5], g = state[6], h = state[7];
        lanes w[WORDS];

        load_words(w, at, offset);
        for (int round = 0; round < 64; round += WORDS)
#pragma GCC unroll 16
            for (int i = 0; i < WORDS; i++) {
                lanes first, second;

                if (round > 0) {
                    lanes x = w[(i + 1) % WORDS], y = w[(i + 14) % WORDS];

                    w[i] += (TURN(x, 7) ^ TURN(x, 18) ^ (x >> 3)) + w[(i + 9) % WORDS] +
                            (TURN(y, 17) ^ TURN(y, 19) ^ (y >> 10));
                }
                first = h + (TURN(e, 6) ^ TURN(e, 11) ^ TURN(e, 25)) + ((e & f) ^ (~e & g)) +
                        round_constants[round + i] + w[i];
                second = (TURN(a, 2) ^ TURN(a, 13) ^ TURN(a, 22)) + ((a & b) | (c & (a | b)));
                h = g;
                g = f;
                f = e;
                e = d + first;
                d = c;
                c = b;
                b = a;
                a = first + second;
            }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

/* Puts the lanes' texts, of which done bytes are hashed already, a stretch further: as far as the
 * shortest of those that still have a block. Returns 0 when too few are left to be worth it. */
static int go_on(crypto_hash_sha256_state *states, const struct rf_bytes *texts, int n,
                 size_t done)
{
    const unsigned char *at[LANES];
    size_t stretch = SIZE_MAX;
    lanes state[8];
    int who[LANES], active = 0;

    for (int i = 0; i < n; i++)
        if (texts[i].size_bytes >= done + BLOCK) {
            size_t left = (texts[i].size_bytes - done) / BLOCK;

            stretch = left < stretch ? left : stretch;
            at[active] = (const unsigned char *)texts[i].data + done;
            who[active++] = i;
        }
    if (active <= FEW)
        return 0;
    for (int lane = active; lane < LANES; lane++)
        at[lane] = at[0]; /* hashed and forgotten */
    for (int k = 0; k < 8; k++)
        for (int lane = 0; lane < LANES; lane++)
            state[k][lane] = states[who[lane < active ? lane : 0]].state[k];
    add_blocks(state, at, 0, stretch);
    for (int lane = 0; lane < active; lane++) {
        for (int k = 0; k < 8; k++)
            states[who[lane]].state[k] = state[k][lane];
        states[who[lane]].count += 8 * (uint64_t)(stretch * BLOCK);
    }
    return 1;
}

/* How far go_on() has come with a text that takes part. */
static size_t hashed(const crypto_hash_sha256_state *state)
{
    return (size_t)(state->count / 8);
}

/* All whole blocks of the texts: side by side while enough of them take part, then alone. */
static void whole_blocks(crypto_hash_sha256_state *states, const struct rf_bytes *texts, int n)
{
    size_t done = 0, most = 0;

    while (go_on(states, texts, n, done)) {
        for (int i = 0; i < n; i++)
            most = hashed(&states[i]) > most ? hashed(&states[i]) : most;
        done = most;
    }
    for (int i = 0; i < n; i++) {
        size_t from = hashed(&states[i]);

        crypto_hash_sha256_update(&states[i], (const unsigned char *)texts[i].data + from,
                                  (texts[i].size_bytes - from) / BLOCK * BLOCK);
    }
}

/* What follows the whole blocks of a text: the rest of it, one bit, zeros, and its length in
 * bits. Returns one or two blocks. */
static struct rf_bytes tail_of(const struct rf_bytes *text, unsigned char tail[2 * BLOCK])
{
    size_t left = text->size_bytes % BLOCK, size = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    uint64_t nbits = 8 * (uint64_t)text->size_bytes;

    memset(tail, 0, 2 * BLOCK);
    if (left > 0)
        memcpy(tail, (const unsigned char *)text->data + text->size_bytes - left, left);
    tail[left] = 0x80;
    for (size_t i = 0; i < 8; i++)
        tail[size - 1 - i] = (unsigned char)(nbits >> (8 * i));
    return (struct rf_bytes){tail, size};
}

static void few_texts(const struct rf_bytes *texts, int n, struct rf_digest *digests)
{
    crypto_hash_sha256_state states[LANES];
    unsigned char tails[LANES][2 * BLOCK];
    struct rf_bytes rest[LANES];

    for (int i = 0; i < n; i++)
        crypto_hash_sha256_init(&states[i]);
    whole_blocks(states, texts, n);
    for (int i = 0; i < n; i++) {
        rest[i] = tail_of(&texts[i], tails[i]);
        states[i].count = 0; /* it counts the tail now */
    }
    whole_blocks(states, rest, n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 8; k++) {
            uint32_t turned = __builtin_bswap32(states[i].state[k]);

            memcpy(digests[i].bytes + 4 * k, &turned, sizeof turned);
        }
}

void rf_digest_many(const struct rf_bytes *texts, int n, struct rf_digest *digests)
{
    for (int i = 0; i < n; i += LANES)
        few_texts(texts + i, n - i < LANES ? n - i : LANES, digests + i);
}

#else

void rf_digest_many(const struct rf_bytes *texts, int n, struct rf_digest *digests)
{
    for (int i = 0; i < n; i++)
        digests[i] = rf_digest_of(texts[i].data, texts[i].size_bytes);
}

#endif
