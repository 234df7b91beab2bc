/* Chess from files: rated puzzles are the test, further puzzles the training pool, games the
 * corpus.
 *
 * Puzzles: columns id, rating ("?" when unknown), position (FEN, four fields), solution (UCI
 * moves; the first is the label), further columns are not read; the first line is a header.
 * Games: result, rating of White, of Black, year, moves. A move in a puzzle must be legal; a
 * move of a game must have its man where it starts. Positions of the test or of training
 * puzzles never enter the corpus. */
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/rng.h"
#include "data/chess_text.h"
#include "data/source.h"

static const size_t FILE_BYTES_MAX = (size_t)1 << 31;

struct reader {
    const char *path; /* of the file that is being read */
    struct rf_chess_codec codec;
    struct rf_keys taken; /* positions of puzzles */
    struct rf_keys seen;  /* positions of the corpus */
    int context;
    int64_t dropped;
};

/* Tokens of a position with the question for a move, the oldest cut where they do not fit; with
 * the move after them when it is to be learnt as text. */
static enum rf_status add_position(struct reader *reader, struct rf_samples *list,
                                   const struct rf_chess *position, int number, int with_move,
                                   uint64_t key, float rating, struct rf_error *err)
{
    int32_t tokens[RF_CHESS_TEXT_MAX + 1];
    int n = rf_chess_text(position, 0, tokens);
    int cut = n > reader->context ? n - reader->context : 0;

    if (with_move)
        tokens[n++] = RF_CHESS_TOKEN_MOVE + number;
    return rf_samples_add(list, tokens + cut, n - cut, number, key, rating, err);
}

static enum rf_status read_rating(const struct reader *reader, struct rf_view text, long line,
                                  float *rating, struct rf_error *err)
{
    long value = 0;

    *rating = -1.0f; /* unknown */
    if (rf_view_is(text, "?"))
        return RF_OK;
    for (size_t i = 0; i < text.size_bytes; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9' || i > 4)
            return rf_fail(err, RF_ERR_INPUT, "%s:%ld: rating '%.*s' is not a number",
                           reader->path, line,
                           (int)(text.size_bytes < 40 ? text.size_bytes : 40), text.bytes);
        value = 10 * value + (text.bytes[i] - '0');
    }
    if (text.size_bytes == 0)
        return rf_fail(err, RF_ERR_INPUT, "%s:%ld: the rating is empty", reader->path, line);
    *rating = (float)value;
    return RF_OK;
}

static enum rf_status read_puzzle(struct reader *reader, struct rf_view line, long number,
                                  struct rf_samples *list, struct rf_error *err)
{
    struct rf_view column[5];
    struct rf_chess position;
    struct rf_chess_move move;
    struct rf_error why;
    float rating;
    size_t first = 0;
    int is_new;
    uint64_t key;
    enum rf_status st;

    if (rf_columns(line, column, 5) < 4)
        return rf_fail(err, RF_ERR_INPUT,
                       "%s:%ld: fewer than four columns (id, rating, position, solution)",
                       reader->path, number);
    if (number == 1 && rf_view_is(column[0], "id"))
        return RF_OK;
    st = read_rating(reader, column[1], number, &rating, err);
    if (st != RF_OK)
        return st;
    if (rf_chess_read(&position, column[2].bytes, column[2].size_bytes, &why) != RF_OK)
        return rf_fail(err, RF_ERR_INPUT, "%s:%ld: %s", reader->path, number, why.text);
    while (first < column[3].size_bytes && column[3].bytes[first] != ' ')
        first++;
    if (rf_chess_move_read(&move, column[3].bytes, first) != 0 ||
        !rf_chess_is_legal(&position, move))
        return rf_fail(err, RF_ERR_INPUT, "%s:%ld: '%.*s' is no legal move in this position",
                       reader->path, number, (int)(first < 40 ? first : 40), column[3].bytes);
    key = rf_chess_key(&position);
    st = rf_keys_add(&reader->taken, key, &is_new, err);
    if (st == RF_OK && !is_new) {
        reader->dropped++;
        return RF_OK;
    }
    if (st == RF_OK)
        st = add_position(reader, list, &position,
                          rf_chess_move_number(&reader->codec, &position, move), 0, key, rating,
                          err);
    return st;
}

static enum rf_status read_puzzles(struct reader *reader, const char *path,
                                   struct rf_samples *list, struct rf_error *err)
{
    char *data = NULL;
    size_t size = 0;
    struct rf_lines lines;
    struct rf_view line;
    enum rf_status st = rf_file_read(path, FILE_BYTES_MAX, &data, &size, err);

    reader->path = path;
    lines = rf_lines_begin(data, size);
    while (st == RF_OK && rf_lines_next(&lines, &line))
        st = read_puzzle(reader, line, lines.number, list, err);
    free(data);
    return st;
}

/* Goes on to the next move of a game: 1 and its text, or 0 at the end. */
static int next_word(struct rf_view *rest, struct rf_view *word)
{
    size_t n = 0;

    while (n < rest->size_bytes && rest->bytes[n] != ' ')
        n++;
    *word = (struct rf_view){rest->bytes, n};
    n += n < rest->size_bytes;
    rest->bytes += n;
    rest->size_bytes -= n;
    return word->size_bytes > 0;
}

/* Learns from a position of a game unless it is a puzzle or was there before. */
static enum rf_status learn(struct reader *reader, struct rf_samples *corpus,
                            const struct rf_chess *position, int number, struct rf_error *err)
{
    uint64_t key = rf_chess_key(position);
    int is_new = 0;
    enum rf_status st = RF_OK;

    if (!rf_keys_has(&reader->taken, key))
        st = rf_keys_add(&reader->seen, key, &is_new, err);
    if (st != RF_OK)
        return st;
    if (!is_new) {
        reader->dropped++;
        return RF_OK;
    }
    return add_position(reader, corpus, position, number, 1, key, -1.0f, err);
}

/* Plays a game through; each ply is learnt with probability `share`, until `wanted` are there.
 */
static enum rf_status read_game(struct reader *reader, struct rf_view line, long number,
                                double share, int wanted, struct rf_samples *corpus,
                                struct rf_error *err)
{
    struct rf_view column[5], word;
    struct rf_chess position;
    uint64_t stream = rf_rng_stream("game", (uint64_t)number), ply = 0;
    enum rf_status st = RF_OK;

    if (rf_columns(line, column, 5) != 5)
        return rf_fail(err, RF_ERR_INPUT,
                       "%s:%ld: fewer than five columns (result, rating, rating, year, moves)",
                       reader->path, number);
    rf_chess_start(&position);
    while (st == RF_OK && next_word(&column[4], &word)) {
        struct rf_chess_move move = {0, 0, 0};
        struct rf_chess before = position;
        int code = -1;

        if (rf_chess_move_read(&move, word.bytes, word.size_bytes) == 0) {
            code = rf_chess_move_number(&reader->codec, &position, move);
            if (code >= 0 && rf_chess_make_recorded(&position, move) != 0)
                code = -1;
        }
        if (code < 0)
            return rf_fail(err, RF_ERR_INPUT,
                           "%s:%ld: ply %d, '%.*s', is no move in this position", reader->path,
                           number, (int)ply + 1,
                           (int)(word.size_bytes < 40 ? word.size_bytes : 40), word.bytes);
        if ((wanted == 0 || corpus->n < wanted) &&
            (share >= 1.0 || rf_rng_uniform(1, stream, ply) < share))
            st = learn(reader, corpus, &before, code, err);
        ply++;
    }
    return st;
}

/* The share of plies to look at so that about `wanted` (0: all) are kept: a move takes five
 * bytes, and a margin is for positions that occur more than once. */
static double share_wanted(size_t size_bytes, int wanted)
{
    double plies = (double)size_bytes / 5.0;

    return wanted == 0 || plies <= 0.0 ? 1.0 : 1.3 * (double)wanted / plies;
}

static enum rf_status read_games(struct reader *reader, const char *path, int wanted,
                                 struct rf_samples *corpus, struct rf_error *err)
{
    char *data = NULL;
    size_t size = 0;
    struct rf_lines lines;
    struct rf_view line;
    enum rf_status st = rf_file_read(path, FILE_BYTES_MAX, &data, &size, err);
    double share = share_wanted(size, wanted);

    reader->path = path;
    lines = rf_lines_begin(data, size);
    while (st == RF_OK && rf_lines_next(&lines, &line) && (wanted == 0 || corpus->n < wanted))
        st = read_game(reader, line, lines.number, share, wanted, corpus, err);
    free(data);
    return st;
}

enum rf_status rf_source_chess(struct rf_task *task, const struct rf_task_options *options,
                               uint64_t seed, struct rf_error *err)
{
    static const char format[] = "ringfence chess tokens 2";
    struct rf_pools pools = {.with_rating = 1, .learn_rest = options->learn_rest};
    struct reader reader = {.context = RF_CHESS_TEXT_MAX};
    enum rf_status st = RF_OK;

    if (options->context > 0 && options->context < RF_CHESS_TEXT_MAX)
        reader.context = options->context;
    if (options->path[0] == '\0' || options->extra_path[0] == '\0')
        return rf_fail(err, RF_ERR_CONFIG,
                       "task '%s': source chess needs a path (puzzles for the test) and an "
                       "extra_path (puzzles for training)",
                       options->name);
    task->parts = malloc(sizeof(int32_t) * RF_CHESS_PARTS * RF_CHESS_VOCABULARY);
    if (task->parts == NULL)
        return rf_fail(err, RF_ERR_MEMORY, "out of memory: the tokens of task '%s'",
                       options->name);
    rf_chess_codec_fill(&reader.codec);
    rf_chess_parts(&reader.codec, (int32_t(*)[RF_CHESS_PARTS])task->parts);
    task->info = (struct rf_task_info){.vocabulary = RF_CHESS_VOCABULARY,
                                       .context = reader.context,
                                       .label_begin = RF_CHESS_TOKEN_MOVE,
                                       .nclass = RF_CHESS_NMOVES,
                                       .parts = task->parts,
                                       .part_count = RF_CHESS_PARTS,
                                       .tokenizer = rf_digest_of(format, sizeof format)};
    task->corpus_begin = RF_CHESS_TOKEN_MOVE;
    task->corpus_count = RF_CHESS_NMOVES;
    st = read_puzzles(&reader, options->path, &pools.test, err);
    if (st == RF_OK)
        st = read_puzzles(&reader, options->extra_path, &pools.train, err);
    if (st == RF_OK && options->corpus[0] != '\0')
        st = read_games(&reader, options->corpus, options->corpus_size, &task->corpus, err);
    if (st == RF_OK)
        st = rf_pools_divide(&pools, task, options, seed, err);
    task->info.dropped = reader.dropped;
    rf_keys_clear(&reader.taken);
    rf_keys_clear(&reader.seen);
    rf_pools_clear(&pools);
    return st;
}
