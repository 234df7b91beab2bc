/* Positions from games played at random by the rules engine, and their exact labels.
 *
 * A position belongs to the corpus, to training, to validation or to the test by its own key:
 * no position can be in two of them, whatever the sizes, the rule and the seed. Games do not
 * depend on the seed either, so the locked test is one and the same for every repeat. */
#include <string.h>

#include "base/rng.h"
#include "data/chess_rules.h"
#include "data/chess_text.h"
#include "data/source.h"

enum { PLAY_SEED = 2, GAME_PLIES = 140, FIRST_PLY = 6, MEAN_GAP = 3 };
enum { SEQUENCE_MAX = RF_CHESS_TEXT_MAX + 2 * RF_CHESS_NQUESTIONS };

/* A walk over sampled positions of one random game after the other. */
struct walk {
    struct rf_chess position;
    uint64_t game, stream;
    int ply;
};

static void start_game(struct walk *walk, uint64_t game)
{
    rf_chess_start(&walk->position);
    walk->game = game;
    walk->stream = rf_rng_stream("random play", game);
    walk->ply = 0;
}

/* A random legal move; captures and promotions are preferred half of the time, so that material
 * comes off the board. Returns 0, or -1 when the game has ended. */
static int play_one(struct walk *walk)
{
    struct rf_chess_move moves[RF_CHESS_MAX_MOVES];
    uint64_t dice = rf_rng_bits(PLAY_SEED, walk->stream, (uint64_t)walk->ply);
    int n = rf_chess_moves(&walk->position, moves), taking = 0;

    if (n == 0 || walk->ply >= GAME_PLIES)
        return -1;
    if (dice >> 63) {
        for (int i = 0; i < n; i++) {
            if (moves[i].promotion || rf_chess_captured(&walk->position, moves[i]))
                moves[taking++] = moves[i];
        }
    }
    if (taking > 0)
        n = taking;
    rf_chess_make(&walk->position, moves[dice % (uint64_t)n]);
    walk->ply++;
    return 0;
}

/* Moves on to the next position that is looked at. */
static void next_position(struct walk *walk)
{
    for (;;) {
        if (play_one(walk) != 0)
            start_game(walk, walk->game + 1);
        else if (walk->ply >= FIRST_PLY &&
                 rf_rng_below(PLAY_SEED, walk->stream ^ 1, (uint64_t)walk->ply, MEAN_GAP) == 0)
            return;
    }
}

/* Where a position belongs: half of all are for the corpus. */
enum part { PART_CORPUS, PART_TRAIN, PART_VALIDATION, PART_TEST, NPARTS };

static enum part part_of(uint64_t key)
{
    uint64_t sixteenth = key * 0x9e3779b97f4a7c15u >> 60;

    return sixteenth < 8    ? PART_CORPUS
           : sixteenth < 13 ? PART_TRAIN
           : sixteenth < 14 ? PART_VALIDATION
                            : PART_TEST;
}

struct maker {
    const struct rf_chess_rule *rule;
    struct rf_chess_codec codec;
    struct rf_keys seen;
    struct rf_samples *list[NPARTS];
    int wanted[NPARTS][2], missing;
    int context;
};

/* The last tokens that fit. */
static enum rf_status add_sample(struct maker *maker, enum part part, int32_t *tokens, int n,
                                 int extra, int label, uint64_t key, struct rf_error *err)
{
    int cut = n - extra > maker->context ? n - extra - maker->context : 0, is_new;
    enum rf_status st = rf_keys_add(&maker->seen, key, &is_new, err);

    if (st != RF_OK || !is_new)
        return st;
    st = rf_samples_add(maker->list[part], tokens + cut, n - cut, label, key, 0.0f, err);
    if (st == RF_OK) {
        maker->wanted[part][label]--;
        maker->missing--;
    }
    return st;
}

/* A pretraining sequence: the position, then every question with its answer, in an order that the
 * position's key decides, so that each question comes first now and then. Returns its length;
 * 0 when there is no legal move to answer with. */
static int examine(const struct maker *maker, const struct rf_chess *position, uint64_t key,
                   int32_t tokens[SEQUENCE_MAX])
{
    int32_t order[RF_CHESS_NQUESTIONS];
    struct rf_chess_move move;
    int n = 0;

    if (rf_chess_player(position, key >> 8, &move) != 0)
        return 0;
    rf_rng_shuffle(key, rf_rng_stream("questions", 0), order, RF_CHESS_NQUESTIONS);
    for (int i = 0; i < RF_CHESS_NQUESTIONS; i++) {
        enum rf_chess_question question = (enum rf_chess_question)order[i];

        if (i == 0)
            n = rf_chess_text(position, (int)question, tokens);
        else
            tokens[n++] = RF_CHESS_TOKEN_QUESTION + (int)question;
        tokens[n++] =
            question == RF_CHESS_ASK_MOVE
                ? RF_CHESS_TOKEN_MOVE + rf_chess_move_number(&maker->codec, position, move)
                : RF_CHESS_TOKEN_NUMBER + RF_CHESS_NUMBER_MAX +
                      rf_chess_fact(position, question);
    }
    return n;
}

/* Uses the position where its part still needs one of its kind. */
static enum rf_status consider(struct maker *maker, const struct rf_chess *position,
                               struct rf_error *err)
{
    int32_t tokens[SEQUENCE_MAX];
    uint64_t key = rf_chess_key(position);
    enum part part = part_of(key);
    int label, n;

    if (maker->wanted[part][0] + maker->wanted[part][1] <= 0 || rf_keys_has(&maker->seen, key))
        return RF_OK;
    if (part == PART_CORPUS) {
        n = examine(maker, position, key, tokens);
        return n == 0 ? RF_OK : add_sample(maker, part, tokens, n, 1, 0, key, err);
    }
    label = maker->rule->answer(position);
    if (label < 0 || maker->wanted[part][label] <= 0)
        return RF_OK;
    n = rf_chess_text(position, (int)maker->rule->question, tokens);
    return add_sample(maker, part, tokens, n, 0, label, key, err);
}

static enum rf_status make_positions(struct maker *maker, const char *name,
                                     struct rf_error *err)
{
    struct walk walk;
    enum rf_status st = RF_OK;
    int64_t looks = 0, most = 2000 * ((int64_t)maker->missing + 500);

    start_game(&walk, 0);
    while (st == RF_OK && maker->missing > 0) {
        next_position(&walk);
        if (looks++ > most)
            return rf_fail(err, RF_ERR_CONFIG,
                           "task '%s': random play gives too few different positions", name);
        st = consider(maker, &walk.position, err);
    }
    return st;
}

static enum rf_status check_options(const struct rf_task_options *options, struct rf_error *err)
{
    if (rf_chess_rule_find(options->rule) == NULL)
        return rf_fail(err, RF_ERR_CONFIG,
                       "task '%s': unknown rule '%s'; there are material, check and hanging",
                       options->name, options->rule);
    if (options->train < 4 || options->validation < 2 || options->test < 2 ||
        options->corpus_size < 1)
        return rf_fail(
            err, RF_ERR_CONFIG,
            "task '%s': chess-rules makes its examples and needs their numbers: train "
            "(at least 4), validation, test (at least 2), corpus_size (at least 1)",
            options->name);
    return RF_OK;
}

enum rf_status rf_source_rules(struct rf_task *task, const struct rf_task_options *options,
                               uint64_t seed, struct rf_error *err)
{
    static const char format[] = "ringfence chess tokens 2";
    struct rf_pools pools = {.balance = 1};
    int counts[NPARTS] = {options->corpus_size, options->train, options->validation,
                          options->test};
    struct maker maker = {
        .rule = rf_chess_rule_find(options->rule),
        .list = {&task->corpus, &pools.train, &pools.validation, &pools.test}};
    enum rf_status st = check_options(options, err);

    if (st != RF_OK)
        return st;
    maker.context = options->context > 0 && options->context < SEQUENCE_MAX ? options->context
                                                                            : SEQUENCE_MAX;
    for (int part = 0; part < NPARTS; part++) {
        int classes = part == PART_CORPUS ? 1 : 2; /* the corpus has no classes */

        maker.wanted[part][0] = (counts[part] + classes - 1) / classes;
        maker.wanted[part][1] = classes == 2 ? maker.wanted[part][0] : 0;
        maker.missing += maker.wanted[part][0] + maker.wanted[part][1];
    }
    rf_chess_codec_fill(&maker.codec);
    task->info = (struct rf_task_info){.vocabulary = RF_CHESS_VOCABULARY,
                                       .context = maker.context,
                                       .label_begin = RF_CHESS_TOKEN_NO,
                                       .nclass = 2,
                                       .tokenizer = rf_digest_of(format, sizeof format)};
    task->corpus_begin = RF_CHESS_TOKEN_NUMBER;
    task->corpus_count = RF_CHESS_VOCABULARY - RF_CHESS_TOKEN_NUMBER;
    st = make_positions(&maker, options->name, err);
    if (st == RF_OK)
        st = rf_pools_divide(&pools, task, options, seed, err);
    rf_keys_clear(&maker.seen);
    rf_pools_clear(&pools);
    return st;
}
