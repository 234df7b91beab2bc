/* SHA-256 of many texts at once. One text is a chain of steps that wait for each other, and a core
 * spends most of its width on nothing; texts side by side, one in each lane of a vector, fill
 * it. With AVX-512 sixteen go at more than ten times the speed of one. A lane whose text ends
 * takes the next text at once, so lengths may differ; the last few go through libsodium, whose
 * state is public. Where the processor has instructions for SHA-256, two texts in turn go that way,
 * and so does a text alone. Which way is the fastest differs between processors that have several: it
 * is measured once. */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/digest.h"
#include "base/digest_lanes.h"

#ifdef RF_HAVE_LANES

enum { BLOCK = RF_LANE_BLOCK };

/* One lane and the text in it: whole blocks of the text, then its last one or two blocks, which
 * end in its length. */
struct lane {
    const unsigned char *at;
    size_t blocks; /* from at on */
    int text;      /* index */
    int ending;    /* at is in tail */
    unsigned char tail[2 * BLOCK];
};

struct lanes {
    const struct rf_bytes *texts; /* borrowed [n] */
    int n, next;                  /* next to begin */
    int width, active;            /* the first active lanes have texts */
    struct lane lane[RF_LANES_MAX];
    struct rf_lane_state state;
};

/* What follows the whole blocks: the rest of the text, one bit, zeros, its length in bits. */
static void begin_tail(const struct rf_bytes *text, struct lane *lane)
{
    size_t left = text->size_bytes % BLOCK, size = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    uint64_t nbits = 8 * (uint64_t)text->size_bytes;

    memset(lane->tail, 0, sizeof lane->tail);
    if (left > 0)
        memcpy(lane->tail, (const unsigned char *)text->data + text->size_bytes - left, left);
    lane->tail[left] = 0x80;
    for (size_t i = 0; i < 8; i++)
        lane->tail[size - 1 - i] = (unsigned char)(nbits >> (8 * i));
    lane->ending = 1;
    lane->at = lane->tail;
    lane->blocks = size / BLOCK;
}

static void begin_text(struct lanes *l, int i)
{
    struct lane *lane = &l->lane[i];
    crypto_hash_sha256_state fresh;

    crypto_hash_sha256_init(&fresh);
    for (int k = 0; k < 8; k++)
        l->state.words[k][i] = fresh.state[k];
    lane->text = l->next++;
    lane->ending = 0;
    lane->at = l->texts[lane->text].data;
    lane->blocks = l->texts[lane->text].size_bytes / BLOCK;
    if (lane->blocks == 0)
        begin_tail(&l->texts[lane->text], lane);
}

static void put_digest(const struct lanes *l, int i, struct rf_digest *digest)
{
    for (int k = 0; k < 8; k++) {
        uint32_t turned = __builtin_bswap32(l->state.words[k][i]);

        memcpy(digest->bytes + 4 * k, &turned, sizeof turned);
    }
}

/* The last active lane moves to place i, whose text is done. */
static void close_lane(struct lanes *l, int i)
{
    int last = --l->active;

    if (i == last)
        return;
    for (int k = 0; k < 8; k++)
        l->state.words[k][i] = l->state.words[k][last];
    if (l->lane[last].ending)
        l->lane[last].at = l->lane[i].tail + (l->lane[last].at - l->lane[last].tail);
    l->lane[i] = l->lane[last];
}

/* All lanes go on by as many blocks as the shortest has. */
static void step(struct lanes *l)
{
    const unsigned char *at[RF_LANES_MAX];
    size_t blocks = l->lane[0].blocks;

    for (int i = 1; i < l->active; i++)
        blocks = l->lane[i].blocks < blocks ? l->lane[i].blocks : blocks;
    for (int i = 0; i < l->width; i++) /* an idle lane's work is forgotten */
        at[i] = l->lane[i < l->active ? i : 0].at;
    rf_lanes_add(&l->state, l->width, at, blocks);
    for (int i = 0; i < l->active; i++) {
        l->lane[i].at += blocks * BLOCK;
        l->lane[i].blocks -= blocks;
    }
}

/* A text that is not worth a lane any more: the rest of it alone. */
static void finish_alone(const struct lanes *l, int i, struct rf_digest *digest)
{
    const struct lane *lane = &l->lane[i];
    const struct rf_bytes *text = &l->texts[lane->text];
    size_t whole = text->size_bytes / BLOCK * BLOCK;
    size_t done = lane->ending ? whole : whole - lane->blocks * BLOCK;
    crypto_hash_sha256_state alone;

    crypto_hash_sha256_init(&alone);
    for (int k = 0; k < 8; k++)
        alone.state[k] = l->state.words[k][i];
    alone.count = 8 * (uint64_t)done;
    if (text->size_bytes > done)
        crypto_hash_sha256_update(&alone, (const unsigned char *)text->data + done,
                                  text->size_bytes - done);
    crypto_hash_sha256_final(&alone, digest->bytes);
}

/* Lanes that came to an end of what they have: a tail, a digest, the next text. */
static void turn_over(struct lanes *l, struct rf_digest *digests)
{
    for (int i = 0; i < l->active; i++) {
        struct lane *lane = &l->lane[i];

        if (lane->blocks > 0)
            continue;
        if (!lane->ending) {
            begin_tail(&l->texts[lane->text], lane);
            continue;
        }
        put_digest(l, i, &digests[lane->text]);
        if (l->next < l->n)
            begin_text(l, i);
        else
            close_lane(l, i--);
    }
}

/* Is there anything to be gained by going on side by side? */
static int worth_it(const struct lanes *l)
{
    if (l->active > 1 || (l->width == RF_LANES_NATIVE && l->active > 0))
        return 1;
    for (int i = 0; i < l->active; i++) /* a tail that is begun cannot be left */
        if (l->lane[i].ending)
            return 1;
    return 0;
}

void rf_digest_lanes(const struct rf_bytes *texts, int n, int width, struct rf_digest *digests)
{
    struct lanes l = {.texts = texts, .n = n, .width = width};

    while (l.next < n && l.active < l.width)
        begin_text(&l, l.active++);
    while (worth_it(&l)) {
        step(&l);
        turn_over(&l, digests);
    }
    for (int i = 0; i < l.active; i++)
        finish_alone(&l, i, &digests[l.lane[i].text]);
}

/* ---- the fastest way ------------------------------------------------------------------- */

/* Seconds for some texts in the caches, the best of a few times: a tenth of a millisecond in all. */
static double measure(int width)
{
    enum { TEXTS = 16, TEXT_BYTES = 2048, TIMES = 4 };
    static const unsigned char zeros[TEXT_BYTES];
    struct rf_bytes texts[TEXTS];
    struct rf_digest digests[TEXTS];
    double best = 0;

    for (int i = 0; i < TEXTS; i++)
        texts[i] = (struct rf_bytes){zeros, TEXT_BYTES};
    for (int i = 0; i < TIMES; i++) {
        struct timespec begin, end;
        double took;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        rf_digest_lanes(texts, TEXTS, width, digests);
        clock_gettime(CLOCK_MONOTONIC, &end);
        took =
            (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
        best = i == 0 || took < best ? took : best;
    }
    return best;
}

static int fastest_of_all(void)
{
    static const int widths[] = {16, 8, RF_LANES_NATIVE};
    double best = 0;
    int fastest = 4;

    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        double took = rf_lanes_can(widths[i]) ? measure(widths[i]) : 0;

        if (took > 0 && (best <= 0 || took < best)) {
            best = took;
            fastest = widths[i];
        }
    }
    return fastest;
}

/* The width of the fastest way; *alone, of the one for a text or two. */
static int fastest(int *alone)
{
    static atomic_int known; /* both; two threads may find out at once */
    int both = atomic_load(&known);

    if (both == 0) {
        int width = fastest_of_all();

        both = width + 256 * (rf_lanes_can(RF_LANES_NATIVE) ? RF_LANES_NATIVE : width);
        atomic_store(&known, both);
    }
    *alone = both / 256;
    return both % 256;
}

void rf_digest_many(const struct rf_bytes *texts, int n, struct rf_digest *digests)
{
    int alone, width = fastest(&alone);

    rf_digest_lanes(texts, n, n > 2 ? width : alone, digests);
}

int rf_digest_at_once(void)
{
    int alone, width = fastest(&alone);

    return width < 4 ? 4 : width;
}

#else

void rf_digest_many(const struct rf_bytes *texts, int n, struct rf_digest *digests)
{
    for (int i = 0; i < n; i++)
        digests[i] = rf_digest_of(texts[i].data, texts[i].size_bytes);
}

int rf_digest_at_once(void)
{
    return 1;
}

#endif
