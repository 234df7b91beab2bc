/* vocabulary_parts.h - what the files of a vocabulary share. Internal to them. */
#ifndef RF_DATA_VOCABULARY_PARTS_H
#define RF_DATA_VOCABULARY_PARTS_H

#include "data/bpe.h"
#include "data/vocabulary.h"
#include "data/words.h"

enum rf_vocabulary_kind { RF_OF_BYTES, RF_OF_CHARACTERS, RF_OF_PAIRS };

/* Short words and what they came out as, each in its place by hash. */
struct rf_remembered {
    unsigned char size_bytes, ntokens; /* 0: empty */
    char bytes[30];
    int32_t tokens[8];
};

struct rf_vocabulary {
    enum rf_vocabulary_kind kind;
    int32_t end;     /* between documents; -1: not asked for yet */
    int added;       /* the rule does not know it */
    int32_t begin;   /* before every text that is read; -1: none */
    uint32_t *codes; /* owned [ncodes], ascending: characters */
    int ncodes;
    struct rf_bpe *bpe;      /* owned: pairs, as all that follows */
    struct rf_words *words;  /* owned; NULL: a text is one word */
    char *expression;        /* owned: of the words */
    int32_t byte_token[256]; /* -1: none */
    int by_character;        /* words begin as characters; those unknown as bytes */
    int prefix_space;        /* a text begins with a blank, even where it does not */
    int whole_words;         /* a word that is a token is not merged */
    int learnt;
    struct rf_remembered *memory; /* owned */
    char spelled[4];
};

/* A vocabulary of pairs without tokens; words are those of expression, or the whole text for NULL. */
enum rf_status rf_vocabulary_of_pairs(struct rf_vocabulary **v, int tokens, int merges,
                                      const char *expression, struct rf_error *err);

#endif
